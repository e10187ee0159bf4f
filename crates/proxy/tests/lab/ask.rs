//! Servers that tell who they are, and clients that ask them.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use portway_netns::Namespace;

/// Port of every server; UDP and TCP.
pub const PORT: u16 = 8080;
/// Longest wait for an answer that should come.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Answers every TCP connection and every datagram with the server's name and the client's address; TCP
/// connections stay open and every further byte is answered likewise.
pub fn serve(name: &'static str, namespace: &Namespace) {
    for family in ["0.0.0.0", "[::]"] {
        let address: SocketAddr = format!("{family}:{PORT}").parse().unwrap();
        let only_v6 = |namespace: &Namespace| {
            namespace.run(|| std::fs::write("/proc/sys/net/ipv6/bindv6only", "1")).unwrap().unwrap();
        };
        only_v6(namespace);
        let listener = namespace.tcp_listen(address).unwrap();
        std::thread::spawn(move || accept(name, &listener));
        let socket = namespace.udp_bind(address).unwrap();
        std::thread::spawn(move || {
            let mut buffer = [0; 64];
            while let Ok((_, peer)) = socket.recv_from(&mut buffer) {
                let _ = socket.send_to(format!("{name} {}", peer.ip()).as_bytes(), peer);
            }
        });
    }
}

fn accept(name: &'static str, listener: &TcpListener) {
    while let Ok((mut stream, peer)) = listener.accept() {
        let answer = format!("{name} {}\n", peer.ip());
        std::thread::spawn(move || {
            let mut byte = [0; 1];
            while stream.write_all(answer.as_bytes()).is_ok() && matches!(stream.read(&mut byte), Ok(1)) {}
        });
    }
}

/// Who answered, and which client address it saw.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Answer {
    pub name: String,
    pub client: IpAddr,
}

fn answer(text: &str) -> io::Result<Answer> {
    let (name, client) = text.trim().split_once(' ').ok_or(ErrorKind::InvalidData)?;
    Ok(Answer { name: name.to_owned(), client: client.parse().map_err(io::Error::other)? })
}

/// One TCP connection from the calling thread's namespace.
pub fn tcp(to: SocketAddr) -> io::Result<Answer> {
    tcp_within(to, PATIENCE)
}

pub fn tcp_within(to: SocketAddr, patience: Duration) -> io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&to, patience)?;
    stream.set_read_timeout(Some(patience))?;
    read_line(&mut stream)
}

/// The next line from a server.
pub fn read_line(stream: &mut TcpStream) -> io::Result<Answer> {
    let mut line = Vec::new();
    let mut byte = [0; 1];
    while byte != *b"\n" {
        stream.read_exact(&mut byte)?;
        line.extend(byte);
    }
    answer(&String::from_utf8_lossy(&line))
}

/// One datagram and its answer, from a fresh socket in the calling thread's namespace.
pub fn udp(to: SocketAddr) -> io::Result<Answer> {
    udp_on(&udp_socket(to)?)
}

/// A socket connected to `to`.
pub fn udp_socket(to: SocketAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" }.parse().unwrap();
    let socket = UdpSocket::bind(any)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.connect(to)?;
    Ok(socket)
}

/// One datagram and its answer.
pub fn udp_on(socket: &UdpSocket) -> io::Result<Answer> {
    socket.send(b"?")?;
    let mut buffer = [0; 64];
    let len = socket.recv(&mut buffer)?;
    answer(&String::from_utf8_lossy(&buffer[..len]))
}

/// Runs `ask` many times inside a namespace and counts who answered.
pub fn count(
    namespace: &Namespace,
    times: u32,
    ask: impl Fn() -> io::Result<Answer> + Sync,
) -> BTreeMap<String, u32> {
    namespace
        .run(|| {
            let mut counts = BTreeMap::new();
            for _ in 0..times {
                *counts.entry(ask().unwrap().name).or_default() += 1;
            }
            counts
        })
        .unwrap()
}

/// All `expected` answer, each as often as the others, as far as chance goes (chi-square, p = 1e-6).
pub fn assert_even(counts: &BTreeMap<String, u32>, expected: &[&str]) {
    assert_eq!(counts.keys().map(String::as_str).collect::<Vec<_>>(), expected, "{counts:?}");
    let total: u32 = counts.values().sum();
    let mean = f64::from(total) / expected.len() as f64;
    let square: f64 = counts.values().map(|n| (f64::from(*n) - mean).powi(2) / mean).sum();
    // Quantiles for 1, 2 and 3 degrees of freedom.
    let limit = [0.0, 23.93, 27.63, 30.66][expected.len() - 1];
    assert!(square <= limit, "{counts:?} is uneven: {square:.1}");
}
