//! A private world for the calling process: user, network and mount namespace of its own.
//!
//! Inside, the process is uid 0 with every capability over its own namespaces and none outside. Nothing it does
//! to links, addresses, firewall or `/run` is seen outside, and all of it disappears with the last process.

mod contain;

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::mount::{MountFlags, MountPropagationFlags};
use rustix::thread::{LinkNameSpaceType, UnshareFlags};

use crate::error::{Context, Error, Result};
use crate::namespace::Namespace;

pub use contain::contain;

/// Moves the whole process into a sandbox. Call it first in `main`: the kernel refuses while a second thread runs.
///
/// Root gets a user namespace too, with all the ids it has mapped onto themselves: so a sandbox behaves the same
/// for everyone, and a mistake inside cannot reach the machine's own settings. Only where the kernel refuses user
/// namespaces does root go on without one; an ordinary user gets an error that says which setting is in the way.
/// An ordinary user has a single id inside (0, itself outside). Sandboxes nest.
///
/// # Errors
/// `Denied` where user namespaces are switched off for ordinary users; otherwise what the kernel says.
pub fn enter() -> Result<()> {
    let threads = fs::read_dir("/proc/self/task").context(|| "enter a sandbox: list the threads")?.count();
    if threads > 1 {
        let error = io::Error::other(format!("{threads} threads are running, but only the first one may"));
        return Err(Error::new("enter a sandbox", error));
    }
    user_namespace()?;
    unshare(UnshareFlags::NEWNET | UnshareFlags::NEWNS)
        .context(|| "enter a sandbox: make network and mount namespaces")?;
    private_mounts()?;
    Namespace::current()?.netlink()?.set_up("lo")
}

/// Becomes uid 0 of a new user namespace, with the ids mapped as [`enter`] says.
fn user_namespace() -> Result<()> {
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    if uid == 0 {
        return mapped_by_child();
    }
    unshare(UnshareFlags::NEWUSER).map_err(|error| {
        Error::explained(
            "enter a sandbox",
            error,
            "the kernel refuses user namespaces to ordinary users; see the sysctls user.max_user_namespaces, \
             kernel.unprivileged_userns_clone and kernel.apparmor_restrict_unprivileged_userns, or run as root",
        )
    })?;
    let write = |file: &str, text: String| {
        fs::write(format!("/proc/self/{file}"), text).context(|| format!("enter a sandbox: write {file}"))
    };
    write("uid_map", format!("0 {uid} 1\n"))?;
    // The kernel lets an ordinary user map its group only once setgroups(2) is given up.
    write("setgroups", "deny".to_owned())?;
    write("gid_map", format!("0 {gid} 1\n"))
}

/// Many ids can only be mapped from outside of the new namespace: a child stays there and does it.
#[allow(unsafe_code)]
fn mapped_by_child() -> Result<()> {
    let what = || "enter a sandbox: map the ids";
    let maps = [("uid_map", identity_map("uid_map")?), ("gid_map", identity_map("gid_map")?)];
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
    let me = rustix::fs::open("/proc/self", flags, Mode::empty()).context(what)?;
    let (wait, go) = rustix::pipe::pipe().context(what)?;
    // SAFETY: the process has one thread, so the child may do whatever the parent could.
    let child = unsafe { libc::fork() };
    if child < 0 {
        return Err(Error::new(what(), io::Error::last_os_error()));
    }
    if child == 0 {
        drop(go);
        let told = matches!(rustix::io::read(&wait, &mut [0u8; 1]), Ok(1));
        let mapped = told
            && maps.iter().all(|(file, map)| {
                let file = rustix::fs::openat(&me, *file, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty());
                file.and_then(|file| rustix::io::write(file, map.as_bytes())).is_ok()
            });
        // SAFETY: ends this child without running the parent's exit handlers.
        unsafe { libc::_exit(i32::from(!mapped)) };
    }
    drop(wait);
    let unshared = unshare(UnshareFlags::NEWUSER);
    if unshared.is_ok() {
        rustix::io::write(&go, b"g").context(what)?;
    }
    drop(go);
    let mut status = 0;
    // SAFETY: the child is ours and `status` outlives the call.
    while unsafe { libc::waitpid(child, &raw mut status, 0) } < 0 {
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(Error::new(what(), error));
        }
    }
    // Where the kernel refuses root a user namespace, the other namespaces do without it.
    if unshared.is_ok() && status != 0 {
        return Err(Error::new(what(), io::Error::from_raw_os_error(libc::EPERM)));
    }
    Ok(())
}

/// Moves the calling process into the sandbox that process `pid` made; into its processes go those that are
/// started afterwards. Call it while one thread runs.
///
/// # Errors
/// `NotFound` when there is no such process, `Denied` when the sandbox is another user's.
pub fn join(pid: u32) -> Result<()> {
    let what = |name: &str| format!("step into the sandbox of process {pid} ({name})");
    let kinds = [
        (LinkNameSpaceType::User, "user"),
        (LinkNameSpaceType::ProcessID, "pid"),
        (LinkNameSpaceType::Network, "net"),
        (LinkNameSpaceType::Mount, "mnt"),
    ];
    // All are opened first: with the mounts, the numbers in /proc change.
    let mut ways = Vec::new();
    for (kind, name) in kinds {
        let theirs = fs::File::open(format!("/proc/{pid}/ns/{name}")).context(|| what(name))?;
        let identity = |file: io::Result<fs::Metadata>| file.map(|m| m.ino()).context(|| what(name));
        // The kernel refuses a move into the user namespace one is in already.
        if identity(theirs.metadata())? != identity(fs::metadata(format!("/proc/self/ns/{name}")))? {
            ways.push((kind, name, theirs));
        }
    }
    for (kind, name, namespace) in ways {
        rustix::thread::move_into_link_name_space(namespace.as_fd(), Some(kind)).context(|| what(name))?;
    }
    Ok(())
}

#[allow(unsafe_code)]
fn unshare(flags: UnshareFlags) -> rustix::io::Result<()> {
    // SAFETY: called while the process has one thread, and without FILES: no other thread can be surprised.
    unsafe { rustix::thread::unshare_unsafe(flags) }
}

/// No mount event leaves or enters, and `/run` is our own.
fn private_mounts() -> Result<()> {
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", private).context(|| "enter a sandbox: make mounts private")?;
    if !Path::new("/run").is_dir() {
        fs::create_dir("/run").context(|| "enter a sandbox: create /run")?;
    }
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    rustix::mount::mount("tmpfs", "/run", "tmpfs", flags, c"mode=0755")
        .context(|| "enter a sandbox: mount /run")?;
    crate::namespace::ensure_run()
}

/// A line per range of ids this process has, each onto itself.
fn identity_map(file: &str) -> Result<String> {
    let text = fs::read_to_string(format!("/proc/self/{file}"))
        .context(|| format!("enter a sandbox: read {file}"))?;
    Ok(text
        .lines()
        .filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            let (inside, _outside, count) = (words.next()?, words.next()?, words.next()?);
            Some(format!("{inside} {inside} {count}\n"))
        })
        .collect())
}
