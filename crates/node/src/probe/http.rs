//! The HTTP check: any status from 200 to 399 is a success, redirects are not followed, certificates not looked at.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONNECTION, HOST, HeaderName, HeaderValue, USER_AGENT};
use hyper_util::rt::TokioIo;
use portway_api::types::pod::HttpGetAction;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

use super::check::Target;

/// Bytes of an answer's body that go into a message.
const BODY: usize = 256;

/// Does the check.
pub(super) async fn get(target: &Target, get: &HttpGetAction) -> Result<(), String> {
    let at = target.at(&get.host, &get.port)?;
    let path = if get.path.starts_with('/') { get.path.clone() } else { format!("/{}", get.path) };
    let tls = get.scheme.eq_ignore_ascii_case("https");
    let url = format!("{}://{at}{path}", if tls { "https" } else { "http" });
    let mut request = Request::get(&path)
        .header(USER_AGENT, concat!("kube-probe/portway-", env!("CARGO_PKG_VERSION")))
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|e| format!("Get {url:?}: {e}"))?;
    for header in &get.http_headers {
        let name = HeaderName::try_from(&header.name);
        let value = HeaderValue::try_from(&header.value);
        let (Ok(name), Ok(value)) = (name, value) else {
            return Err(format!("invalid header {:?}", header.name));
        };
        request.headers_mut().append(name, value);
    }
    let host = HeaderValue::try_from(at.to_string()).map_err(|e| e.to_string())?;
    request.headers_mut().entry(HOST).or_insert(host);
    request.headers_mut().entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));

    let failed = |e: &dyn std::fmt::Display| format!("Get {url:?}: {e}");
    let stream = target.connect(at).await.map_err(|e| failed(&format!("dial tcp {at}: {e}")))?;
    let outcome = if tls {
        let name = ServerName::from(at.ip());
        let stream = connector().connect(name, stream).await.map_err(|e| failed(&e))?;
        exchange(stream, request).await
    } else {
        exchange(stream, request).await
    };
    match outcome.map_err(|e| failed(&e))? {
        (200..=399, _) => Ok(()),
        (code, _) => Err(format!("HTTP probe failed with statuscode: {code}")),
    }
}

async fn exchange<S>(stream: S, request: Request<Empty<Bytes>>) -> Result<(u16, Bytes), hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let answer = sender.send_request(request).await;
    let outcome = match answer {
        Ok(answer) => {
            let code = answer.status().as_u16();
            let body = http_body_util::Limited::new(answer.into_body(), BODY).collect().await;
            Ok((code, body.map(|b| b.to_bytes()).unwrap_or_default()))
        }
        Err(error) => Err(error),
    };
    connection.abort();
    outcome
}

fn connector() -> TlsConnector {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .map(|builder| {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Anyone)).with_no_client_auth()
        });
    // The provider supports the versions it comes with; an empty configuration would only fail to connect.
    match config {
        Ok(config) => TlsConnector::from(Arc::new(config)),
        Err(_) => unreachable!("ring supports TLS 1.2 and 1.3"),
    }
}

/// A probe asks whether the server answers, not who it is.
#[derive(Debug)]
struct Anyone;

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
