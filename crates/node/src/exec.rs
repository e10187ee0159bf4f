//! Stepping into a Pod that runs, from any process that sees the agent's state directory.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use rustix::thread::LinkNameSpaceType;

use crate::state::PodDir;
use crate::supervisor::Order;

/// Starts `command` in the first container of a Pod that runs on the node with this state directory: in its
/// network, mounts, host name and processes. The environment is the caller's.
///
/// # Errors
/// `NotFound` when there is no such Pod, or none of its containers runs.
pub fn spawn(state_dir: &Path, namespace: &str, pod: &str, command: &mut Command) -> io::Result<Child> {
    let run = running(state_dir, namespace, pod)?;
    let pid = fs::read_to_string(run.join(Order::PID))?;
    let open = |name: &str| File::open(format!("/proc/{}/ns/{name}", pid.trim()));
    let processes = open("pid")?;
    let inside = [
        (open("net")?, LinkNameSpaceType::Network),
        (open("uts")?, LinkNameSpaceType::HostNameAndNISDomainName),
        (open("mnt")?, LinkNameSpaceType::Mount),
    ];
    enter_before_exec(command, inside);
    command.current_dir("/");
    // A process joins a PID namespace by being born into it: who starts it goes first.
    let mut start = || {
        rustix::thread::move_into_link_name_space(processes.as_fd(), Some(LinkNameSpaceType::ProcessID))?;
        command.spawn()
    };
    if has_moved() {
        return start();
    }
    std::thread::scope(|scope| {
        scope.spawn(start).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// This process starts its children in another PID namespace already, and so can start no thread; then `/proc`,
/// if it is the other one's, does not know this process.
fn has_moved() -> bool {
    let of = |name: &str| fs::metadata(format!("/proc/self/ns/{name}")).map(|m| m.ino()).ok();
    match (of("pid"), of("pid_for_children")) {
        (Some(own), Some(children)) => own != children,
        _ => true,
    }
}

#[allow(unsafe_code)]
fn enter_before_exec(command: &mut Command, inside: [(File, LinkNameSpaceType); 3]) {
    let enter = move || {
        for (namespace, kind) in &inside {
            rustix::thread::move_into_link_name_space(namespace.as_fd(), Some(*kind))?;
        }
        Ok(())
    };
    // SAFETY: the closure runs between fork and exec and makes system calls only, on descriptors it owns.
    unsafe { command.pre_exec(enter) };
}

/// Directory of the newest run of a container of the Pod that has not ended.
fn running(state_dir: &Path, namespace: &str, pod: &str) -> io::Result<PathBuf> {
    let found = PodDir::all(state_dir)?
        .into_iter()
        .filter(|(_, dir)| dir.load().is_some_and(|kept| kept.namespace == namespace && kept.name == pod))
        .flat_map(|(_, dir)| dir.runs())
        .filter(|run| crate::supervisor::Record::read(run).is_some_and(|record| record.finished.is_none()))
        .max();
    found.ok_or_else(|| {
        io::Error::new(io::ErrorKind::NotFound, format!("no container of pod {namespace}/{pod} runs here"))
    })
}
