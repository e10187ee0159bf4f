//! Listeners beyond what the recorded cases cover.
#![allow(clippy::unwrap_used)]

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::task::JoinHandle;

use super::*;
use crate::wire::{Header, Message, Question, Rcode, Rtype};

struct Server {
    udp: SocketAddr,
    tcp: SocketAddr,
    task: JoinHandle<Result<(), ServerError>>,
}

/// A server with an empty zone on these local addresses.
fn serve(address: &str, limits: TcpLimits) -> Server {
    let udp = std::net::UdpSocket::bind(address).unwrap();
    let tcp = TcpListener::bind(address).unwrap();
    let (udp_at, tcp_at) = (udp.local_addr().unwrap(), tcp.local_addr().unwrap());
    let config = DnsConfig { forward: None, tcp: limits, ..DnsConfig::cluster("cluster.local").unwrap() };
    let server = DnsServer::new(config, Listeners { udp: vec![udp], tcp: vec![tcp] });
    server.handle().update(Zone::set_synced);
    Server { udp: udp_at, tcp: tcp_at, task: tokio::spawn(server.run(std::future::pending())) }
}

fn query(id: u16, name: &str, rtype: Rtype) -> Vec<u8> {
    let message = Message {
        header: Header::query(id),
        question: Some(Question::new(name.parse().unwrap(), rtype)),
        answers: Vec::new(),
        authority: Vec::new(),
        additional: Vec::new(),
        edns: None,
    };
    let mut bytes = Vec::new();
    message.encode(512, &mut bytes);
    bytes
}

async fn ask(socket: &UdpSocket, bytes: &[u8]) -> Message {
    let mut answer = [0; 4096];
    socket.send(bytes).await.unwrap();
    let len = tokio::time::timeout(Duration::from_secs(10), socket.recv(&mut answer)).await.unwrap().unwrap();
    Message::decode(&answer[..len]).unwrap()
}

#[tokio::test]
async fn answers_leave_from_the_address_asked() {
    let check = async |bound: &str, asked: &[&str]| {
        let server = serve(bound, TcpLimits::default());
        for asked in asked {
            let asked: IpAddr = asked.parse().unwrap();
            let any = if asked.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
            let socket = UdpSocket::bind(any).await.unwrap();
            // A connected socket takes answers from nowhere else.
            socket.connect((asked, server.udp.port())).await.unwrap();
            let answer = ask(&socket, &query(5, "ns.dns.cluster.local", Rtype::A)).await;
            assert_eq!(answer.header.rcode, Rcode::NOERROR);
            // Without a Service in front, the server names the address it was asked at.
            if asked.is_ipv4() {
                assert!(answer.answers[0].to_string().ends_with(&asked.to_string()), "{answer:?}");
            }
        }
    };
    check("127.0.0.1:0", &["127.0.0.1"]).await;
    check("0.0.0.0:0", &["127.0.0.1", "127.0.0.2", "127.3.2.1"]).await;
    check("[::]:0", &["::1", "127.0.0.1", "127.0.0.2"]).await;
}

async fn frame(stream: &mut TcpStream) -> Message {
    let mut bytes = vec![0; usize::from(stream.read_u16().await.unwrap())];
    stream.read_exact(&mut bytes).await.unwrap();
    Message::decode(&bytes).unwrap()
}

#[tokio::test]
async fn one_connection_carries_many_queries_however_cut() {
    let server = serve("127.0.0.1:0", TcpLimits::default());
    let mut stream = TcpStream::connect(server.tcp).await.unwrap();
    let mut bytes = Vec::new();
    for id in 0..50u16 {
        let query = query(id, "cluster.local", Rtype::SOA);
        bytes.extend((query.len() as u16).to_be_bytes());
        bytes.extend(query);
    }
    for chunk in bytes.chunks(7) {
        stream.write_all(chunk).await.unwrap();
    }
    // The client may stop talking before it reads.
    stream.shutdown().await.unwrap();
    for id in 0..50 {
        assert_eq!(frame(&mut stream).await.header.id, id);
    }
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test]
async fn silent_and_surplus_connections_are_closed() {
    let limits = TcpLimits { connections: 1, idle: Duration::from_secs(2), ..TcpLimits::default() };
    let server = serve("127.0.0.1:0", limits);
    let mut first = TcpStream::connect(server.tcp).await.unwrap();
    let soa = query(1, "cluster.local", Rtype::SOA);
    first.write_all(&[&(soa.len() as u16).to_be_bytes()[..], &soa].concat()).await.unwrap();
    frame(&mut first).await;
    let mut second = TcpStream::connect(server.tcp).await.unwrap();
    assert_eq!(second.read(&mut [0]).await.unwrap_or(0), 0, "surplus");
    assert_eq!(first.read(&mut [0]).await.unwrap_or(0), 0, "silent");
}

#[tokio::test]
async fn noise_does_not_stop_it() {
    let server = serve("127.0.0.1:0", TcpLimits::default());
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(server.udp).await.unwrap();
    let mut rng = fastrand::Rng::with_seed(7);
    for round in 0..2000 {
        let mut bytes = query(1, "a.b.cluster.local", Rtype::A);
        for _ in 0..rng.usize(0..6) {
            let at = rng.usize(0..bytes.len());
            bytes[at] = rng.u8(..);
        }
        bytes.truncate(rng.usize(0..=bytes.len()));
        socket.send(&bytes).await.unwrap();
        if round % 100 == 0 {
            let mut stream = TcpStream::connect(server.tcp).await.unwrap();
            stream.write_all(&bytes).await.unwrap();
        }
    }
    // Answers to the noise come first; ours has the id we look for.
    let good = query(0xbeef, "cluster.local", Rtype::SOA);
    let mut answer = ask(&socket, &good).await;
    while answer.header.id != 0xbeef {
        answer = ask(&socket, &good).await;
    }
    assert_eq!(answer.header.rcode, Rcode::NOERROR);
    assert!(!server.task.is_finished());
}

#[tokio::test]
async fn without_a_forwarder_other_names_are_refused_and_without_upstreams_they_fail() {
    let server = serve("127.0.0.1:0", TcpLimits::default());
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(server.udp).await.unwrap();
    assert_eq!(ask(&socket, &query(1, "example.com", Rtype::A)).await.header.rcode, Rcode::REFUSED);
    assert_eq!(ask(&socket, &query(1, "cluster.local", Rtype::AXFR)).await.header.rcode, Rcode::REFUSED);

    let config = DnsConfig {
        forward: Some(ForwardConfig::new(Vec::new())),
        ..DnsConfig::cluster("cluster.local").unwrap()
    };
    let engine = Engine::new(config);
    let mut out = Vec::new();
    let from = engine::origin([127, 0, 0, 1].into(), None);
    let Begun::Pending(pending) =
        engine.begin(&query(1, "example.com", Rtype::A), Transport::Udp, from, &mut out)
    else {
        panic!("a name for others")
    };
    engine.finish(pending, &mut out).await;
    assert_eq!(Message::decode(&out).unwrap().header.rcode, Rcode::SERVFAIL);
}

#[tokio::test]
async fn readiness_is_seen() {
    let config = DnsConfig::cluster("cluster.local").unwrap();
    let server = DnsServer::new(config, Listeners::default());
    let handle = server.handle();
    assert!(!handle.is_synced());
    let waiting = tokio::spawn({
        let handle = handle.clone();
        async move { handle.synced().await }
    });
    handle.update(Zone::set_synced);
    waiting.await.unwrap();
    assert!(handle.is_synced());
    server.run(std::future::ready(())).await.unwrap();
}

#[tokio::test]
async fn shutdown_frees_the_sockets() {
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = udp.local_addr().unwrap();
    let config = DnsConfig::cluster("cluster.local").unwrap();
    let server = DnsServer::new(config, Listeners { udp: vec![udp], tcp: Vec::new() });
    server.run(tokio::time::sleep(Duration::from_millis(20))).await.unwrap();
    std::net::UdpSocket::bind(address).unwrap();
}
