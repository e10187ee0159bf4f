//! From the order to the running process: namespaces, mounts, fork, exec.

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use jiff::Timestamp;
use rustix::fs::{FlockOperation, StatVfsMountFlags};
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};
use rustix::thread::UnshareFlags;

use super::log::LogFile;
use super::order::{Bind, Order, Record};
use super::serve::Supervisor;

/// Runs the order; comes back in the first half of the fork only, once the process runs.
pub(super) fn start(order: &Order) -> Result<(), String> {
    // Held by both halves of the fork, and so until the container has ended.
    let _lock =
        lock(&order.dir).map_err(|e| format!("another supervisor has {}: {e}", order.dir.display()))?;
    namespaces()?;
    for bind in &order.binds {
        mount(order, bind).map_err(|e| format!("cannot mount {}: {e}", bind.target.display()))?;
    }
    rustix::system::sethostname(order.hostname.as_bytes())
        .map_err(|e| format!("cannot set the host name to {:?}: {e}", order.hostname))?;
    let listener =
        listen(&order.dir).map_err(|e| format!("cannot listen in {}: {e}", order.dir.display()))?;
    let (told, tell) = io::pipe().map_err(|e| format!("cannot make a pipe: {e}"))?;
    let Some(pid) = fork().map_err(|e| format!("cannot fork: {e}"))? else {
        drop(told);
        second_half(order, listener, tell);
    };
    // Only this side knows the number that the other has outside of its PID namespace.
    fs::write(order.dir.join(Order::PID), pid.to_string())
        .map_err(|e| format!("cannot note the process: {e}"))?;
    drop((tell, listener));
    let (mut told, mut text) = (told, String::new());
    told.read_to_string(&mut text).map_err(|e| format!("cannot hear of the start: {e}"))?;
    match text.as_str() {
        "ok" => Ok(()),
        "" => Err("the supervisor ended before the container started".to_owned()),
        message => Err(message.to_owned()),
    }
}

/// PID 1 of the container: starts the process, says so, and serves until it has ended.
fn second_half(order: &Order, listener: UnixListener, mut tell: io::PipeWriter) -> ! {
    let started = begin(order);
    tell.write_all(started.as_ref().err().map_or("ok", String::as_str).as_bytes()).ok();
    drop(tell);
    if let Ok((child, log, record)) = started {
        Supervisor::new(order, listener, child, log, record).serve();
    }
    std::process::exit(0)
}

fn begin(order: &Order) -> Result<(Child, LogFile, Record), String> {
    detach().map_err(|e| format!("cannot detach from the agent: {e}"))?;
    // A view of processes that fits the new PID namespace. Some surroundings forbid it (a container with parts
    // of its own /proc hidden); the container then sees the numbers from outside.
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    rustix::mount::mount("proc", inside(order, Path::new("/proc")), "proc", flags, None).ok();
    let log = LogFile::open(&order.log).map_err(|e| format!("cannot open {}: {e}", order.log.display()))?;
    let argv: Vec<&str> = order.argv.iter().map(String::as_str).collect();
    let mut command = command(order, &argv)?;
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().map_err(|e| format!("cannot run {:?}: {e}", order.argv[0]))?;
    let record = Record { started: Timestamp::now(), finished: None, code: 0, signal: 0 };
    record.write(&order.dir).map_err(|e| format!("cannot record the start: {e}"))?;
    Ok((child, log, record))
}

/// A command inside the container, in a session of its own, with nothing to read.
#[allow(unsafe_code)]
pub(super) fn command(order: &Order, argv: &[&str]) -> Result<Command, String> {
    let [program, arguments @ ..] = argv else { return Err("there is no command to run".to_owned()) };
    let text =
        |path: &Path| CString::new(path.as_os_str().as_bytes()).map_err(|_| "a path holds a zero byte");
    let root = order.root.as_deref().map(text).transpose()?;
    let cwd = text(Path::new(order.cwd.as_deref().unwrap_or("/")))?;
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(order.env.iter().map(|(k, v)| (k, v))).stdin(Stdio::null());
    let enter = move || {
        rustix::process::setsid()?;
        if let Some(root) = &root {
            rustix::process::chroot(root.as_c_str())?;
        }
        Ok(rustix::process::chdir(cwd.as_c_str())?)
    };
    // SAFETY: the closure runs between fork and exec and makes system calls only, on texts made before.
    unsafe { command.pre_exec(enter) };
    Ok(command)
}

#[allow(unsafe_code)]
fn namespaces() -> Result<(), String> {
    let flags = UnshareFlags::NEWNS | UnshareFlags::NEWUTS | UnshareFlags::NEWPID;
    // SAFETY: the process has one thread, and the descriptor table stays as it is.
    unsafe { rustix::thread::unshare_unsafe(flags) }.map_err(|e| format!("cannot make namespaces: {e}"))?;
    // Our mounts stay here; what is unmounted outside goes here too.
    rustix::mount::mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)
        .map_err(|e| format!("cannot make mounts private: {e}"))?;
    // Copies of these mounts would keep every network namespace of the machine alive as long as this container.
    rustix::mount::unmount("/run/netns", UnmountFlags::DETACH).ok();
    Ok(())
}

/// A path of the container, as seen from here.
fn inside(order: &Order, target: &Path) -> PathBuf {
    match &order.root {
        Some(root) => root.join(target.strip_prefix("/").unwrap_or(target)),
        None => target.to_owned(),
    }
}

fn mount(order: &Order, bind: &Bind) -> io::Result<()> {
    let target = inside(order, &bind.target);
    let directory = bind.source.is_dir();
    if !target.exists() {
        make_target(order, &target, directory)?;
    }
    if directory {
        rustix::mount::mount_bind_recursive(&bind.source, &target)?;
    } else {
        rustix::mount::mount_bind(&bind.source, &target)?;
    }
    if bind.read_only {
        // Flags that were there before may not be taken away in a user namespace: repeat them.
        let now = rustix::fs::statvfs(&target)?.f_flag;
        let mut flags = MountFlags::BIND | MountFlags::RDONLY;
        for (set, flag) in [
            (StatVfsMountFlags::NOSUID, MountFlags::NOSUID),
            (StatVfsMountFlags::NODEV, MountFlags::NODEV),
            (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
            (StatVfsMountFlags::RELATIME, MountFlags::RELATIME),
            (StatVfsMountFlags::NOATIME, MountFlags::NOATIME),
        ] {
            if now.contains(set) {
                flags |= flag;
            }
        }
        rustix::mount::mount_remount(&target, flags, c"")?;
    }
    Ok(())
}

/// Makes the place to mount at, in the container's own root or below `/run`; never in the machine's files.
fn make_target(order: &Order, target: &Path, directory: bool) -> io::Result<()> {
    // A link that leads nowhere: /etc/resolv.conf into a /run that is not the machine's any more.
    let place = match fs::read_link(target) {
        Ok(link) => target.parent().unwrap_or(Path::new("/")).join(link),
        Err(_) => target.to_owned(),
    };
    let mut clean = PathBuf::new();
    for part in place.components() {
        match part {
            std::path::Component::ParentDir => {
                clean.pop();
            }
            other => clean.push(other),
        }
    }
    if order.root.is_none() && !clean.starts_with("/run") {
        let message = "not there, and without a root directory of its own a container cannot add it";
        return Err(io::Error::new(io::ErrorKind::NotFound, message));
    }
    if directory {
        return fs::create_dir_all(&clean);
    }
    fs::create_dir_all(clean.parent().unwrap_or(Path::new("/")))?;
    File::create(&clean).map(drop)
}

/// Makes sure that no run ever has two supervisors: an agent that was killed may have left one that is starting.
fn lock(dir: &Path) -> io::Result<File> {
    let file = File::create(dir.join(Order::LOCK))?;
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    Ok(file)
}

fn listen(dir: &Path) -> io::Result<UnixListener> {
    // A socket's path must be short, and the state directory's may be long: name it from within.
    std::env::set_current_dir(dir)?;
    fs::remove_file(Order::SOCKET)
        .or_else(|e| if e.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(e) })?;
    UnixListener::bind(Order::SOCKET)
}

/// Leaves the agent's session and pipes.
fn detach() -> io::Result<()> {
    rustix::process::setsid()?;
    let null: OwnedFd = File::options().read(true).write(true).open("/dev/null")?.into();
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    Ok(())
}

/// The new process's number; none in the new process.
#[allow(unsafe_code)]
fn fork() -> io::Result<Option<i32>> {
    // SAFETY: the process has one thread, so the new one may do whatever this one could.
    match unsafe { libc::fork() } {
        0 => Ok(None),
        pid if pid > 0 => Ok(Some(pid)),
        _ => Err(io::Error::last_os_error()),
    }
}
