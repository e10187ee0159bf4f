//! The server behind a socket: TLS, HTTP/1.1 and HTTP/2, limits and timeouts, graceful shutdown.
//!
//! Must not know API objects.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{Request, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use portway_machinery::status::Status;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::answer;
use crate::authn::{self, Identity};
use crate::body::Body;
use crate::media::Form;
use crate::server::ApiServer;

/// Largest request body.
pub(crate) const MAX_BODY: usize = 3 << 20;
/// Most bytes of a refused body that are read to the end.
const MAX_DRAINED: usize = 64 << 20;
const HANDSHAKE: Duration = Duration::from_secs(10);
const HEADER: Duration = Duration::from_secs(30);
const BODY: Duration = Duration::from_secs(60);
const PING: Duration = Duration::from_secs(30);
/// How long requests in flight may take once shutdown began.
const DRAIN: Duration = Duration::from_secs(5);

impl ApiServer {
    /// Serves until `shutdown` resolves; then watches end, requests in flight finish, and connections close.
    pub async fn serve(
        self: Arc<Self>,
        listener: TcpListener,
        tls: Arc<ServerConfig>,
        shutdown: impl Future<Output = ()>,
    ) {
        let acceptor = TlsAcceptor::from(tls);
        let connections = GracefulShutdown::new();
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = &mut shutdown => break,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let connection =
                        connection(Arc::clone(&self), acceptor.clone(), stream, peer, connections.watcher());
                    tokio::spawn(connection);
                }
                Err(error) => {
                    // Out of file descriptors, or the peer is gone already: neither ends the server.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
        drop(listener);
        self.close();
        if tokio::time::timeout(DRAIN, connections.shutdown()).await.is_err() {
            tracing::warn!("requests were still running when the server ended");
        }
    }
}

async fn connection(
    server: Arc<ApiServer>,
    acceptor: TlsAcceptor,
    stream: TcpStream,
    peer: SocketAddr,
    watcher: hyper_util::server::graceful::Watcher,
) {
    let _ = stream.set_nodelay(true);
    let stream = match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(%peer, %error, "TLS handshake failed"),
        Err(_) => return tracing::debug!(%peer, "TLS handshake took too long"),
    };
    let presented = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let identity = presented.map(authn::from_certificate).transpose();
    let service = service_fn(move |request: Request<Incoming>| {
        let (server, identity) = (Arc::clone(&server), identity.clone());
        async move {
            let identity = match &identity {
                Ok(identity) => identity.as_ref(),
                Err(_) => return Ok(answer::status(Form::default(), &Status::unauthorized())),
            };
            Ok::<_, Infallible>(answer(&server, identity, request).await)
        }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER)
        .keep_alive(true)
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        .max_concurrent_streams(1000)
        .adaptive_window(true);
    let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%peer, error, "connection ended");
    }
}

async fn answer(
    server: &Arc<ApiServer>,
    connection: Option<&Identity>,
    request: Request<Incoming>,
) -> Response<Body> {
    let refuse = |status: Status| answer::status(Form::default(), &status);
    let (parts, body) = request.into_parts();
    let Ok(identity) = authn::of_request(&parts.headers, connection, &server.config.tokens) else {
        return refuse(Status::unauthorized());
    };
    let mut body = body;
    let announced = parts.headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > MAX_BODY as u64) {
        drain(&mut body).await;
        return refuse(Status::too_large(MAX_BODY));
    }
    let read = tokio::time::timeout(BODY, Limited::new(&mut body, MAX_BODY).collect()).await;
    let bytes: Bytes = match read {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.downcast_ref::<LengthLimitError>().is_some() => {
            drain(&mut body).await;
            return refuse(Status::too_large(MAX_BODY));
        }
        Ok(Err(error)) => return refuse(Status::bad_request(format!("the body cannot be read: {error}"))),
        Err(_) => return refuse(Status::timeout("the body did not arrive")),
    };
    server.handle(&identity, &parts, bytes).await
}

/// Reads what is left of a body and forgets it, within limits: a client that is still sending would otherwise
/// see a broken connection instead of the answer.
async fn drain(body: &mut Incoming) {
    let rest = async {
        let mut left = MAX_DRAINED;
        while let Some(Ok(frame)) = body.frame().await {
            left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
            if left == 0 {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(DRAIN, rest).await;
}
