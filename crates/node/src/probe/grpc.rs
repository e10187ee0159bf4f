//! The gRPC check: `grpc.health.v1.Health/Check`, whose two small messages are coded here by hand.

use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::{BodyExt, Full, Limited};
use hyper::Request;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use portway_api::types::meta::IntOrString;
use portway_api::types::pod::GrpcAction;

use super::check::Target;

/// `ServingStatus.SERVING`.
const SERVING: u8 = 1;
/// Bytes an answer may have.
const ANSWER: usize = 4096;

/// Does the check.
pub(super) async fn check(target: &Target, grpc: &GrpcAction) -> Result<(), String> {
    let at = target.at("", &IntOrString::Int(grpc.port))?;
    let failed = |e: &dyn std::fmt::Display| format!("failed to connect to service at {at}: {e}");
    let stream = target.connect(at).await.map_err(|e| failed(&e))?;
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.map_err(|e| failed(&e))?;
    let connection = tokio::spawn(connection);
    let request = Request::post(format!("http://{at}/grpc.health.v1.Health/Check"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Full::new(question(grpc.service.as_deref().unwrap_or_default())))
        .map_err(|e| failed(&e))?;
    let outcome = async {
        let answer = sender.send_request(request).await.map_err(|e| failed(&e))?;
        let head = answer.headers().get("grpc-status").cloned();
        let body = Limited::new(answer.into_body(), ANSWER).collect().await.map_err(|e| failed(&e))?;
        let status = body.trailers().and_then(|t| t.get("grpc-status").cloned()).or(head);
        match status.as_ref().and_then(|s| s.to_str().ok()) {
            Some("0") => {}
            Some("12") => return Err("this server does not implement the grpc health protocol".to_owned()),
            other => return Err(format!("health rpc probe failed with code {}", other.unwrap_or("unknown"))),
        }
        match serving_status(&body.to_bytes()) {
            Some(SERVING) => Ok(()),
            status => Err(format!("service unhealthy (responded with status {})", status.unwrap_or(0))),
        }
    };
    let outcome = outcome.await;
    connection.abort();
    outcome
}

/// `HealthCheckRequest { string service = 1 }` in a gRPC frame.
fn question(service: &str) -> Bytes {
    // Longer names would need a longer length; no server has one.
    let name = &service.as_bytes()[..service.len().min(127)];
    let length = if name.is_empty() { 0 } else { 2 + name.len() };
    let mut frame = BytesMut::with_capacity(5 + length);
    frame.put_u8(0);
    frame.put_u32(length as u32);
    if !name.is_empty() {
        frame.put_u8(0x0a);
        frame.put_u8(name.len() as u8);
        frame.put_slice(name);
    }
    frame.freeze()
}

/// `HealthCheckResponse { ServingStatus status = 1 }`; zero is left out on the wire.
fn serving_status(frame: &[u8]) -> Option<u8> {
    match frame.get(5..)? {
        [] => Some(0),
        [0x08, status, ..] => Some(*status),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages() {
        assert_eq!(&question("")[..], [0, 0, 0, 0, 0]);
        assert_eq!(&question("ab")[..], [0, 0, 0, 0, 4, 0x0a, 2, b'a', b'b']);
        assert_eq!(serving_status(&[0, 0, 0, 0, 2, 8, 1]), Some(1));
        assert_eq!(serving_status(&[0, 0, 0, 0, 0]), Some(0));
        assert_eq!(serving_status(&[0, 0]), None);
        assert_eq!(serving_status(&[0, 0, 0, 0, 1, 9]), None);
    }
}
