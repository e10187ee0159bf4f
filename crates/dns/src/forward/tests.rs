//! The forwarder against servers that answer, stay silent, or are not there.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use tokio::net::UdpSocket;

use super::*;
use crate::wire::{Class, Rcode, Rtype};

fn query() -> Query {
    let question = Question { name: "a.example".parse().unwrap(), rtype: Rtype::A, class: Class::IN };
    Query { question, header: Header::query(1), edns: None, tcp: false }
}

/// A server that answers every query, after changing it.
async fn server(change: impl Fn(&mut Message) + Send + 'static) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        loop {
            let (len, peer) = socket.recv_from(&mut buffer).await.unwrap();
            let mut message = Message::decode(&buffer[..len]).unwrap();
            message.header.response = true;
            change(&mut message);
            let mut bytes = Vec::new();
            message.encode(512, &mut bytes);
            socket.send_to(&bytes, peer).await.unwrap();
        }
    });
    address
}

async fn silent() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

async fn closed() -> SocketAddr {
    silent().await.1
}

#[tokio::test]
async fn a_closed_port_costs_nothing() {
    let good = server(|_| {}).await;
    let forwarder = Forwarder::new(ForwardConfig {
        hedge: Duration::from_secs(3600),
        ..ForwardConfig::new(vec![closed().await, good])
    });
    for _ in 0..20 {
        assert_eq!(forwarder.ask(&query()).await.unwrap().header.rcode, Rcode::NOERROR);
    }
}

#[tokio::test]
async fn a_silent_server_is_overtaken_and_then_avoided() {
    let (socket, dead) = silent().await;
    let good = server(|_| {}).await;
    let config = ForwardConfig { hedge: Duration::from_millis(1), ..ForwardConfig::new(vec![dead, good]) };
    let forwarder = Forwarder::new(config);
    for _ in 0..200 {
        forwarder.ask(&query()).await.unwrap();
    }
    let mut asked = 0;
    while socket.try_recv(&mut [0; 512]).is_ok() {
        asked += 1;
    }
    assert!(asked < 100, "asked {asked} times of 200, half of them first");
}

#[tokio::test]
async fn nobody_there_fails_at_once() {
    let forwarder = Forwarder::new(ForwardConfig::new(vec![closed().await]));
    for _ in 0..5 {
        assert_eq!(forwarder.ask(&query()).await.unwrap_err(), ForwardError::Unusable);
    }
    let forwarder = Forwarder::new(ForwardConfig::new(Vec::new()));
    assert_eq!(forwarder.ask(&query()).await.unwrap_err(), ForwardError::Unusable);
}

#[tokio::test]
async fn silence_ends_at_the_deadline() {
    let (_keep, dead) = silent().await;
    let config = ForwardConfig {
        hedge: Duration::from_millis(1),
        deadline: Duration::from_millis(20),
        ..ForwardConfig::new(vec![dead])
    };
    assert_eq!(Forwarder::new(config).ask(&query()).await.unwrap_err(), ForwardError::Unusable);
}

#[tokio::test]
async fn another_question_is_a_mismatch() {
    let liar =
        server(|message| message.question = Some(Question::new("b.example".parse().unwrap(), Rtype::A)))
            .await;
    let forwarder = Forwarder::new(ForwardConfig::new(vec![liar]));
    assert_eq!(forwarder.ask(&query()).await.unwrap_err(), ForwardError::Mismatch);
}

#[tokio::test]
async fn too_many_are_refused() {
    let (_keep, dead) = silent().await;
    let config = ForwardConfig {
        max_concurrent: 1,
        deadline: Duration::from_millis(200),
        ..ForwardConfig::new(vec![dead])
    };
    let forwarder = Forwarder::new(config);
    let query = query();
    let (first, second) = tokio::join!(forwarder.ask(&query), forwarder.ask(&query));
    assert_eq!((first.unwrap_err(), second.unwrap_err()), (ForwardError::Unusable, ForwardError::Overloaded));
}
