//! UDP: packets in, packets out, one task a socket. Only queries for other servers leave the loop.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::UdpSocket;
use tokio::task::JoinSet;

use super::engine::{Begun, Engine, Transport, origin};
use super::packet_info::{Local, enable, receive, send};

/// Largest query taken; what is longer is cut off and then malformed.
const LARGEST: usize = 4096;
/// Packets handled before other tasks get a turn.
const BATCH: usize = 64;

/// Serves one socket until it fails.
pub(super) async fn serve(engine: Arc<Engine>, socket: std::net::UdpSocket) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    let bound = socket.local_addr()?.ip();
    let socket = Arc::new(UdpSocket::from_std(socket)?);
    enable(&socket)?;
    let mut packet = [0; LARGEST];
    let mut reply = Vec::with_capacity(LARGEST);
    // Answers under way end with the loop.
    let mut late = JoinSet::new();
    loop {
        socket.readable().await?;
        while late.try_join_next().is_some() {}
        for _ in 0..BATCH {
            let (len, peer, local) = match receive(&socket, &mut packet) {
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // An error report for an answer sent earlier (ICMP), or a signal: not about this socket.
                Err(_) => continue,
            };
            reply.clear();
            let from = origin(peer.ip().to_canonical(), local.address().or(Some(bound)));
            match engine.begin(&packet[..len], Transport::Udp, from, &mut reply) {
                Begun::Dropped => {}
                Begun::Answered => answer(&socket, &reply, peer, &local).await,
                Begun::Pending(pending) => {
                    let (engine, socket) = (engine.clone(), socket.clone());
                    late.spawn(async move {
                        let mut reply = Vec::new();
                        engine.finish(pending, &mut reply).await;
                        answer(&socket, &reply, peer, &local).await;
                    });
                }
            }
        }
        tokio::task::yield_now().await;
    }
}

/// Sends an answer, waiting for room if there is none; one the network does not take is lost, as on any network.
async fn answer(socket: &UdpSocket, reply: &[u8], peer: SocketAddr, local: &Local) {
    while let Err(error) = send(socket, reply, peer, local) {
        if error.kind() != io::ErrorKind::WouldBlock || socket.writable().await.is_err() {
            return;
        }
    }
}
