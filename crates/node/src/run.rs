//! The agent's end of a supervisor: start it, ask it, wait for it.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::{Command, Stdio};

use portway_netns::Namespace;
use rustix::fs::FlockOperation;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

use crate::supervisor::{Answer, Order, Record, Request};

/// Starts a supervisor; comes back once the container's process runs, or says why it does not.
pub(crate) async fn launch(program: Vec<OsString>, namespace: Namespace, order: Order) -> Result<(), String> {
    let dir = order.dir.clone();
    let work = move || {
        let [program, arguments @ ..] = program.as_slice() else {
            return Err("no supervisor is set".to_owned());
        };
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        namespace.place(&mut command);
        let failed = |e: io::Error| format!("cannot start the supervisor {}: {e}", program.display());
        let mut child = command.spawn().map_err(failed)?;
        let text = serde_json::to_vec(&order).map_err(|e| failed(e.into()))?;
        if let Some(mut stdin) = child.stdin.take() {
            // Should it end without reading, its exit status says so.
            stdin.write_all(&text).ok();
        }
        let output = child.wait_with_output().map_err(failed)?;
        if output.status.success() {
            return Ok(());
        }
        let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(if message.is_empty() { format!("the supervisor failed: {}", output.status) } else { message })
    };
    let started = tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|e| Err(format!("the start was given up: {e}")));
    // An agent that was struck in mid-start may have got this very run under way: then it is the one.
    if started.is_err() && find(&dir).await.is_some() { Ok(()) } else { started }
}

/// Connects to the supervisor of a run; fails when it has ended.
pub(crate) async fn connect(dir: &Path) -> io::Result<UnixStream> {
    // By descriptor, because a socket's path must be short.
    let dir = File::open(dir)?;
    UnixStream::connect(format!("/proc/self/fd/{}/{}", dir.as_raw_fd(), Order::SOCKET)).await
}

/// Connects to the supervisor of a run that an earlier agent began, once its start is over; `None` when it has
/// ended, or never began.
pub(crate) async fn find(dir: &Path) -> Option<UnixStream> {
    /// A start takes milliseconds; only a machine that has come to a halt takes longer.
    const TRIES: u32 = 1000;
    for _ in 0..TRIES {
        if Record::read(dir).is_some() {
            return connect(dir).await.ok();
        }
        let locked = File::open(dir.join(Order::LOCK)).is_ok_and(|file| {
            rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared)
                == Err(rustix::io::Errno::WOULDBLOCK)
        });
        if !locked {
            return None;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    None
}

/// Waits until the supervisor has ended; gives the record it left.
pub(crate) async fn wait(mut connection: UnixStream, dir: &Path) -> Option<Record> {
    let mut buffer = [0; 64];
    while matches!(connection.read(&mut buffer).await, Ok(n) if n > 0) {}
    Record::read(dir)
}

/// Sends a request that has no answer. That the supervisor has ended is no error: so has the container.
pub(crate) async fn send(dir: &Path, request: &Request) {
    let Ok(mut connection) = connect(dir).await else { return };
    if connection.write_all(&line(request)).await.is_ok() {
        // Held open until the supervisor has read it and closes, or has ended.
        connection.shutdown().await.ok();
        let mut nothing = Vec::new();
        connection.read_to_end(&mut nothing).await.ok();
    }
}

/// Runs a command in the container. Dropping the future kills it.
pub(crate) async fn exec(dir: &Path, argv: &[String]) -> io::Result<Answer> {
    let mut connection = connect(dir).await?;
    connection.write_all(&line(&Request::Exec(argv.to_vec()))).await?;
    let mut text = String::new();
    BufReader::new(connection).read_line(&mut text).await?;
    if text.is_empty() {
        return Err(io::Error::other("the container has ended"));
    }
    Ok(serde_json::from_str(&text)?)
}

fn line(request: &Request) -> Vec<u8> {
    let mut text = serde_json::to_vec(request).unwrap_or_default();
    text.push(b'\n');
    text
}
