//! TCP: one task a connection, several queries under way on it, answers in the order they are ready.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::TcpLimits;
use super::engine::{Begun, Engine, Transport, origin};
use crate::zone::Origin;

/// Serves one listener until it fails.
pub(super) async fn serve(
    engine: Arc<Engine>,
    listener: std::net::TcpListener,
    limits: TcpLimits,
    connections: Arc<Semaphore>,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    // Connections end with the listener.
    let mut open = JoinSet::new();
    loop {
        while open.try_join_next().is_some() {}
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            // Out of descriptors, or a connection that ended before it was accepted: others may fare better.
            Err(_) => {
                sleep(Duration::from_millis(10)).await;
                continue;
            }
        };
        // Over the limit: closed at once, so that the client knows and tries another server.
        let Ok(permit) = connections.clone().try_acquire_owned() else { continue };
        let engine = engine.clone();
        open.spawn(async move {
            // A broken connection concerns its client alone.
            let _ = Connection::new(engine, stream, limits).run().await;
            drop(permit);
        });
    }
}

struct Connection {
    engine: Arc<Engine>,
    stream: TcpStream,
    limits: TcpLimits,
    /// Bytes that were read and not yet taken as a query.
    input: Vec<u8>,
}

impl Connection {
    fn new(engine: Arc<Engine>, stream: TcpStream, limits: TcpLimits) -> Self {
        Self { engine, stream, limits, input: Vec::new() }
    }

    async fn run(mut self) -> io::Result<()> {
        let local = self.stream.local_addr()?.ip().to_canonical();
        let from = origin(self.stream.peer_addr()?.ip().to_canonical(), Some(local));
        let engine = self.engine.clone();
        let mut pending = FuturesUnordered::new();
        let mut output = Vec::new();
        loop {
            while pending.len() < self.limits.pipeline {
                let Some(query) = take_frame(&mut self.input) else { break };
                match begin(&engine, &query, from, &mut output) {
                    Begun::Dropped | Begun::Answered => {}
                    Begun::Pending(waiting) => pending.push(async {
                        let mut answer = vec![0; 2];
                        engine.finish(waiting, &mut answer).await;
                        set_length(&mut answer, 0);
                        answer
                    }),
                }
            }
            if !output.is_empty() {
                // A client that takes no answers is as good as silent.
                timeout(self.limits.idle, self.stream.write_all(&output)).await??;
                output.clear();
            }
            let room = pending.len() < self.limits.pipeline;
            tokio::select! {
                Some(answer) = pending.next() => output.extend(answer),
                read = self.stream.read_buf(&mut self.input), if room => {
                    if read? == 0 {
                        break;
                    }
                }
                () = sleep(self.limits.idle), if pending.is_empty() => return Ok(()),
            }
        }
        // The client has said all it wants to: what is under way is still answered.
        while let Some(answer) = pending.next().await {
            timeout(self.limits.idle, self.stream.write_all(&answer)).await??;
        }
        Ok(())
    }
}

/// Answers a query at once if possible, with the length in front.
fn begin(engine: &Engine, query: &[u8], from: Origin, output: &mut Vec<u8>) -> Begun {
    let start = output.len();
    output.extend_from_slice(&[0; 2]);
    let begun = engine.begin(query, Transport::Tcp, from, output);
    match begun {
        Begun::Answered => set_length(output, start),
        Begun::Dropped | Begun::Pending(_) => output.truncate(start),
    }
    begun
}

/// Fills in the length of a message whose frame starts at `start`.
fn set_length(output: &mut [u8], start: usize) {
    let len = (output.len() - start - 2) as u16;
    if let Some(place) = output.get_mut(start..start + 2) {
        place.copy_from_slice(&len.to_be_bytes());
    }
}

/// The next complete query of what was read.
fn take_frame(input: &mut Vec<u8>) -> Option<Vec<u8>> {
    let len: [u8; 2] = input.get(..2)?.try_into().ok()?;
    let end = 2 + usize::from(u16::from_be_bytes(len));
    let frame = input.get(2..end)?.to_vec();
    input.drain(..end);
    Some(frame)
}
