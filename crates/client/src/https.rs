//! HTTP over TCP and TLS: pooled connections, HTTP/2 where the server offers it, credentials on each request.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::{AUTHORIZATION, HeaderValue};
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::Client as Http;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower_service::Service;

use crate::error::Error;
use crate::kubeconfig::{Auth, KubeConfig};
use crate::tls;
use crate::transport::{Body, BoxError, Transport, transport_error};

/// Dead peers are noticed after about three of these.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
const CONNECT: Duration = Duration::from_secs(10);
/// Tokens in files are read again after this.
const TOKEN_AGE: Duration = Duration::from_secs(60);
/// Watches share one connection: one slow reader must not use up the window of all others.
const CONNECTION_WINDOW: u32 = 64 << 20;
const STREAM_WINDOW: u32 = 1 << 20;

struct Https {
    http: Http<Connector, Full<Bytes>>,
    /// Scheme and authority, and the path that goes before each request's.
    server: Uri,
    credentials: Credentials,
}

pub(crate) fn transport(config: KubeConfig) -> Result<Arc<dyn Transport>, Error> {
    let bad = |e: &dyn std::fmt::Display| Error::Config(format!("server {:?}: {e}", config.server));
    let text = if config.server.contains("://") {
        config.server.clone()
    } else {
        format!("https://{}", config.server)
    };
    let server: Uri = text.parse().map_err(|e| bad(&e))?;
    let host = server.host().ok_or_else(|| bad(&"no host"))?.to_owned();
    let tls = match server.scheme_str() {
        Some("https") => Some(Arc::new(tls::client_config(&config)?)),
        Some("http") => None,
        _ => return Err(bad(&"the scheme must be http or https")),
    };
    let name = config.tls.server_name.clone().unwrap_or(host);
    let name = ServerName::try_from(name.trim_matches(['[', ']']).to_owned()).map_err(|e| bad(&e))?;
    let http = Http::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .http2_keep_alive_interval(KEEP_ALIVE)
        .http2_keep_alive_timeout(KEEP_ALIVE)
        .http2_keep_alive_while_idle(true)
        .http2_initial_connection_window_size(CONNECTION_WINDOW)
        .http2_initial_stream_window_size(STREAM_WINDOW)
        .build(Connector { tls, name });
    Ok(Arc::new(Https { http, server, credentials: Credentials::new(config.auth)? }))
}

impl Https {
    fn prepare(&self, request: &mut Request<Full<Bytes>>) -> Result<(), Error> {
        let asked = request.uri().path_and_query().map_or("/", |p| p.as_str());
        let path = format!("{}{asked}", self.server.path().trim_end_matches('/'));
        let mut parts = self.server.clone().into_parts();
        parts.path_and_query = Some(path.parse().map_err(|e| Error::Malformed(format!("{path}: {e}")))?);
        *request.uri_mut() = Uri::from_parts(parts).map_err(|e| Error::Malformed(format!("{path}: {e}")))?;
        if let Some(value) = self.credentials.header()? {
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        Ok(())
    }
}

impl Transport for Https {
    fn call(&self, mut request: Request<Full<Bytes>>) -> BoxFuture<'static, Result<Response<Body>, Error>> {
        if let Err(error) = self.prepare(&mut request) {
            return Box::pin(async move { Err(error) });
        }
        let answer = self.http.request(request);
        Box::pin(async move {
            let response = answer.await.map_err(transport_error)?;
            Ok(response.map(|body| body.map_err(BoxError::from).boxed_unsync()))
        })
    }
}

enum Credentials {
    None,
    Fixed(HeaderValue),
    File { path: std::path::PathBuf, read: Mutex<Option<(Instant, HeaderValue)>> },
}

impl Credentials {
    fn new(auth: Auth) -> Result<Self, Error> {
        Ok(match auth {
            Auth::None => Self::None,
            Auth::Token(token) => Self::Fixed(secret(&format!("Bearer {token}"))?),
            Auth::Basic(user, password) => {
                Self::Fixed(secret(&format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))?)
            }
            Auth::TokenFile(path) => Self::File { path, read: Mutex::new(None) },
        })
    }

    fn header(&self) -> Result<Option<HeaderValue>, Error> {
        match self {
            Self::None => Ok(None),
            Self::Fixed(value) => Ok(Some(value.clone())),
            Self::File { path, read } => {
                let mut cached = read.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some((at, value)) = cached.as_ref()
                    && at.elapsed() < TOKEN_AGE
                {
                    return Ok(Some(value.clone()));
                }
                let token = std::fs::read_to_string(path)
                    .map_err(|e| Error::Config(format!("token file {}: {e}", path.display())))?;
                let value = secret(&format!("Bearer {}", token.trim()))?;
                *cached = Some((Instant::now(), value.clone()));
                Ok(Some(value))
            }
        }
    }
}

fn secret(text: &str) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| Error::Config("the credentials hold characters that HTTP does not allow".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Opens connections for the pool.
#[derive(Clone)]
struct Connector {
    tls: Option<Arc<ClientConfig>>,
    name: ServerName<'static>,
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Stream>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move {
            match tokio::time::timeout(CONNECT, connector.open(&uri)).await {
                Ok(result) => result,
                Err(_) => {
                    Err(io::Error::new(io::ErrorKind::TimedOut, format!("connecting to {uri} timed out")))
                }
            }
        })
    }
}

impl Connector {
    async fn open(self, uri: &Uri) -> io::Result<Stream> {
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let port = uri.port_u16().unwrap_or(if self.tls.is_some() { 443 } else { 80 });
        let tcp = TcpStream::connect((host, port)).await?;
        tcp.set_nodelay(true)?;
        Ok(match self.tls {
            None => Stream::Plain(TokioIo::new(tcp)),
            Some(tls) => {
                let tls = TlsConnector::from(tls).connect(self.name, tcp).await?;
                Stream::Tls(Box::new(TokioIo::new(tls)))
            }
        })
    }
}

/// A connection to the server.
enum Stream {
    Plain(TokioIo<TcpStream>),
    Tls(Box<TokioIo<TlsStream<TcpStream>>>),
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        match self {
            Self::Plain(_) => Connected::new(),
            Self::Tls(tls) if tls.inner().get_ref().1.alpn_protocol() == Some(b"h2") => {
                Connected::new().negotiated_h2()
            }
            Self::Tls(_) => Connected::new(),
        }
    }
}

macro_rules! forward {
    ($self:ident, $io:ident => $call:expr) => {
        match $self.get_mut() {
            Self::Plain($io) => {
                let $io = Pin::new($io);
                $call
            }
            Self::Tls($io) => {
                let $io = Pin::new(&mut **$io);
                $call
            }
        }
    };
}

impl Read for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        forward!(self, io => io.poll_read(cx, buffer))
    }
}

impl Write for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        forward!(self, io => io.poll_write(cx, data))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(self, io => io.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(self, io => io.poll_shutdown(cx))
    }
}
