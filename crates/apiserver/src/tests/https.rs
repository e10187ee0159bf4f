//! The server behind its socket: TLS, identities, limits, broken clients, shutdown.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use portway_store::memory::MemoryStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::authn::StaticToken;
use crate::pki::{KeyPair, Pki};
use crate::{ApiServer, Config, Identity};

struct Served {
    address: SocketAddr,
    pki: Pki,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Served {
    async fn start() -> Self {
        let token = StaticToken { token: "s3cret".into(), identity: Identity::admin() };
        let config = Config { tokens: vec![token], ..Config::default() };
        let pki = Pki::ephemeral(&config.subject_alt_names()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = ApiServer::open(config, Arc::new(MemoryStore::new())).await.unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let tls = pki.server_config().unwrap();
        let task = tokio::spawn(server.serve(listener, tls, async {
            let _ = stopped.await;
        }));
        Self { address, pki, stop, task }
    }

    async fn connect(
        &self,
        client: Option<&KeyPair>,
        alpn: &[&[u8]],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(self.pki.ca().as_bytes()) {
            roots.add(certificate.unwrap()).unwrap();
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_root_certificates(roots);
        let mut config = match client {
            None => config.with_no_client_auth(),
            Some(pair) => {
                let chain =
                    CertificateDer::pem_slice_iter(pair.certificate.as_bytes()).collect::<Result<_, _>>();
                let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
                config.with_client_auth_cert(chain.unwrap(), key).unwrap()
            }
        };
        config.alpn_protocols = alpn.iter().map(|p| p.to_vec()).collect();
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }

    /// Sends a request over HTTP/1.1 and reads to the end.
    async fn ask(&self, client: Option<&KeyPair>, head: &str, body: &[u8]) -> String {
        let mut stream = self.connect(client, &[b"http/1.1"]).await.unwrap();
        let head =
            format!("{head}\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body).await.unwrap();
        let mut text = Vec::new();
        let _ = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut text)).await.unwrap();
        String::from_utf8_lossy(&text).into_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_asking() {
    let served = Served::start().await;
    let check = async |client: Option<&KeyPair>, head: &str, expect: &str| {
        let answer = served.ask(client, head, b"").await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {expect}")), "{head}: {answer}");
    };
    let ann = served.pki.client("ann", Some("dev")).unwrap();
    let stranger = Pki::ephemeral(&["localhost".to_owned()]).unwrap();
    check(Some(served.pki.admin()), "GET /api/v1/services HTTP/1.1", "200").await;
    check(Some(&ann), "GET /api/v1/services HTTP/1.1", "403").await;
    check(None, "GET /api/v1/services HTTP/1.1", "403").await;
    check(None, "GET /readyz HTTP/1.1", "200").await;
    check(None, "GET /api/v1/services HTTP/1.1\r\nAuthorization: Bearer s3cret", "200").await;
    check(None, "GET /readyz HTTP/1.1\r\nAuthorization: Bearer wrong", "401").await;
    // The handshake of TLS 1.3 ends before the server has looked at the certificate.
    let refused = async {
        let mut stream = served.connect(Some(stranger.admin()), &[b"http/1.1"]).await?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n").await?;
        stream.read_u8().await
    };
    assert!(refused.await.is_err(), "a certificate of another authority");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_protocols_are_offered() {
    let served = Served::start().await;
    for protocol in [b"h2".as_slice(), b"http/1.1"] {
        let stream = served.connect(None, &[protocol]).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(protocol));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_have_a_limit() {
    let served = Served::start().await;
    let post = "POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nAuthorization: Bearer s3cret";
    let answer = served.ask(None, post, &vec![b' '; 4 << 20]).await;
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("RequestEntityTooLarge"), "{answer}");
    let object = format!(r#"{{"metadata":{{"name":"a"}},"data":{{"k":"{}"}}}}"#, "x".repeat(2 << 20));
    let answer = served.ask(None, post, object.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413") || answer.starts_with("HTTP/1.1 422"), "{}", &answer[..80]);
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_does_no_harm() {
    let served = Served::start().await;
    for garbage in
        [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0; 64], &[0x16, 0x03, 0x01, 0xff, 0xff, 1, 2, 3], b"\xff\xfe"]
    {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        stream.write_all(garbage).await.unwrap();
        drop(stream);
    }
    for garbage in
        [&b"\x00\x01\x02 / HTTP/9.9\r\n\r\n"[..], b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", &[0xff; 200]]
    {
        let mut stream = served.connect(None, &[]).await.unwrap();
        let _ = stream.write_all(garbage).await;
    }
    assert!(served.ask(None, "GET /readyz HTTP/1.1", b"").await.ends_with("ok"));
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_ends_watches_and_connections() {
    let served = Served::start().await;
    let mut stream = served.connect(Some(served.pki.admin()), &[b"http/1.1"]).await.unwrap();
    stream.write_all(b"GET /api/v1/services?watch=1 HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut seen = [0; 4096];
    assert!(stream.read(&mut seen).await.unwrap() > 0);
    served.stop.send(()).unwrap();
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(4), stream.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "the watch goes on");
    assert!(String::from_utf8_lossy(&rest).ends_with("0\r\n\r\n"), "the stream is cut off, not ended");
    tokio::time::timeout(Duration::from_secs(4), served.task).await.unwrap().unwrap();
    assert!(TcpStream::connect(served.address).await.is_err());
}
