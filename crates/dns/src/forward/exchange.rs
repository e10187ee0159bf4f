//! One query to one server, over UDP or TCP.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use super::Query;
use crate::wire::{Edns, Header, Message};

/// Why a server gave no usable answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ExchangeError {
    /// No answer, or bytes that are none.
    Failed,
    /// The right id, but another question.
    Mismatch,
}

impl From<io::Error> for ExchangeError {
    fn from(_: io::Error) -> Self {
        Self::Failed
    }
}

/// Over UDP, from a fresh port. Packets with another id are not for us and are passed over.
pub(super) async fn udp(server: SocketAddr, query: &Query) -> Result<Message, ExchangeError> {
    let any: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).await?;
    // Connected: the kernel drops what comes from elsewhere, and tells when the server's port is closed.
    socket.connect(server).await?;
    let (id, request) = encode(query);
    socket.send(&request).await?;
    // No server sends more than it was told fits.
    let mut buffer = vec![0; query.edns.as_ref().map_or(512, |edns| usize::from(edns.payload).max(512))];
    loop {
        let len = socket.recv(&mut buffer).await?;
        if buffer.starts_with(&id.to_be_bytes()) {
            return check(query, &buffer[..len]);
        }
    }
}

/// Over TCP.
pub(super) async fn tcp(server: SocketAddr, query: &Query) -> Result<Message, ExchangeError> {
    let mut stream = TcpStream::connect(server).await?;
    let (id, request) = encode(query);
    let mut framed = (request.len() as u16).to_be_bytes().to_vec();
    framed.extend_from_slice(&request);
    stream.write_all(&framed).await?;
    let mut answer = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut answer).await?;
    if !answer.starts_with(&id.to_be_bytes()) {
        return Err(ExchangeError::Mismatch);
    }
    check(query, &answer)
}

fn encode(query: &Query) -> (u16, Vec<u8>) {
    let id = fastrand::u16(..);
    let header = Header {
        recursion_desired: query.header.recursion_desired,
        authentic_data: query.header.authentic_data,
        checking_disabled: query.header.checking_disabled,
        ..Header::query(id)
    };
    let message = Message {
        header,
        question: Some(query.question.clone()),
        answers: Vec::new(),
        authority: Vec::new(),
        additional: Vec::new(),
        edns: query.edns.as_ref().map(|edns| Edns::new(edns.payload, edns.dnssec_ok)),
    };
    let mut bytes = Vec::with_capacity(64);
    message.encode(usize::from(u16::MAX), &mut bytes);
    (id, bytes)
}

fn check(query: &Query, answer: &[u8]) -> Result<Message, ExchangeError> {
    let message = Message::decode(answer).map_err(|_| ExchangeError::Failed)?;
    match &message.question {
        _ if !message.header.response => Err(ExchangeError::Failed),
        Some(question) if *question != query.question => Err(ExchangeError::Mismatch),
        _ => Ok(message),
    }
}
