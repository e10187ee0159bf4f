//! The tiny process that holds one run of one container: it outlives the agent, so that a restarted agent finds
//! its Pods as they were.
//!
//! The agent runs its own program again with a hidden subcommand, in the Pod's network namespace, and writes an
//! [`Order`] to its standard input. The process makes mount, UTS and PID namespaces, and forks: the first half
//! reports the start and ends, the second is PID 1 of the new namespace. It starts the container's process,
//! writes its output to the log, answers [`Request`]s on a socket, reaps, and records the end. When it ends, for
//! whatever reason, the kernel ends everything that was started in the container.
//!
//! One thread, no async, no Kubernetes.

mod child;
mod log;
mod order;
mod serve;

use std::io::Read;
use std::process::ExitCode;

pub(crate) use log::parse_line;
pub use order::{Answer, Bind, Order, Record, Request};

/// Name of the hidden subcommand that must call [`supervisor_main`].
pub const SUBCOMMAND: &str = "pod-supervisor";

/// The supervisor's `main`: reads the [`Order`] from standard input. Call it while the process has one thread.
///
/// Ends with success once the container's process runs; otherwise says on standard error why it does not.
pub fn supervisor_main() -> ExitCode {
    close_inherited();
    let mut text = String::new();
    let order = std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|e| format!("cannot read the order: {e}"))
        .and_then(|_| {
            serde_json::from_str::<Order>(&text).map_err(|e| format!("cannot read the order: {e}"))
        });
    match order.and_then(|order| child::start(&order)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            use std::io::Write;
            writeln!(std::io::stderr(), "{message}").ok();
            ExitCode::FAILURE
        }
    }
}

/// Closes every descriptor but the standard three: a Pod that outlives its agent must not hold a lock, a pipe or a
/// socket that the agent (or whatever started the agent) happened to leave open.
#[allow(unsafe_code)]
fn close_inherited() {
    // SAFETY: the process has just begun, so no part of it owns a descriptor beyond the standard three.
    unsafe { libc::syscall(libc::SYS_close_range, 3u32, u32::MAX, 0u32) };
}
