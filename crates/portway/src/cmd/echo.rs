//! `portway echo`: the server behind the examples. It says which Pod answered, and can be told to be not ready.

use std::convert::Infallible;
use std::net::{Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, UdpSocket};

/// Arguments of `portway echo`.
#[derive(clap::Args)]
pub struct Args {
    /// TCP port to answer HTTP on
    #[arg(long, value_name = "PORT")]
    http: Option<u16>,
    /// UDP port to answer datagrams on
    #[arg(long, value_name = "PORT")]
    udp: Option<u16>,
    /// Name to answer with
    #[arg(long, env = "HOSTNAME", default_value = "echo")]
    name: String,
}

struct Server {
    name: String,
    node: String,
    ready: AtomicBool,
}

impl Server {
    fn line(&self, local: &str, peer: SocketAddr) -> String {
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        format!("{} on {} at {local}, asked by {peer}\n", self.name, self.node)
    }
}

/// Serves until SIGTERM or SIGINT.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(
        args.http.is_some() || args.udp.is_some(),
        "nothing to serve: give --http PORT, --udp PORT or both"
    );
    let server = Arc::new(Server {
        name: args.name.clone(),
        node: std::env::var("NODE_NAME").unwrap_or_else(|_| "this machine".to_owned()),
        ready: AtomicBool::new(true),
    });
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let http = match args.http {
            Some(port) => Some(
                TcpListener::bind(any(port))
                    .await
                    .with_context(|| format!("cannot listen on TCP port {port}"))?,
            ),
            None => None,
        };
        let udp = match args.udp {
            Some(port) => Some(
                UdpSocket::bind(any(port))
                    .await
                    .with_context(|| format!("cannot listen on UDP port {port}"))?,
            ),
            None => None,
        };
        if let Some(listener) = http {
            tokio::spawn(serve_http(server.clone(), listener));
        }
        if let Some(socket) = udp {
            tokio::spawn(serve_udp(server, socket));
        }
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            _ = terminate.recv() => {}
            result = tokio::signal::ctrl_c() => result?,
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Every address of both families.
fn any(port: u16) -> SocketAddr {
    (Ipv6Addr::UNSPECIFIED, port).into()
}

async fn serve_http(server: Arc<Server>, listener: TcpListener) {
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                continue;
            }
        };
        let local = stream
            .local_addr()
            .map(|a| SocketAddr::new(a.ip().to_canonical(), a.port()).to_string())
            .unwrap_or_default();
        let server = server.clone();
        tokio::spawn(async move {
            let answer = hyper::service::service_fn(|request: Request<Incoming>| {
                let response = respond(&server, &request, &local, peer);
                async move { Ok::<_, Infallible>(response) }
            });
            // A client that goes away is its own business.
            let _ = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), answer)
                .await;
        });
    }
}

/// `GET /ready` is the readiness probe, `PUT /ready/on` and `PUT /ready/off` switch it; all else names the Pod.
fn respond(
    server: &Server,
    request: &Request<Incoming>,
    local: &str,
    peer: SocketAddr,
) -> Response<Full<Bytes>> {
    let (status, body) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/ready") if server.ready.load(Ordering::Relaxed) => {
            (StatusCode::OK, "ready\n".to_owned())
        }
        (&Method::GET, "/ready") => (StatusCode::SERVICE_UNAVAILABLE, "not ready\n".to_owned()),
        (&Method::PUT, "/ready/on" | "/ready/off") => {
            server.ready.store(request.uri().path() == "/ready/on", Ordering::Relaxed);
            (StatusCode::OK, "switched\n".to_owned())
        }
        _ => (StatusCode::OK, server.line(local, peer)),
    };
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response
}

async fn serve_udp(server: Arc<Server>, socket: UdpSocket) {
    let local = socket.local_addr().map(|a| format!("UDP port {}", a.port())).unwrap_or_default();
    let mut buffer = [0u8; 2048];
    loop {
        if let Ok((_, peer)) = socket.recv_from(&mut buffer).await {
            let _ = socket.send_to(server.line(&local, peer).as_bytes(), peer).await;
        }
    }
}
