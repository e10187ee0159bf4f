//! A network namespace as a value: made, named, entered by a thread or a child process.
//!
//! Named ones are bind mounts in `/run/netns`, as `ip netns` keeps them; anonymous ones live as long as the
//! value (or a process in them) does.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::mount::{MountPropagationFlags, UnmountFlags};
use rustix::thread::{LinkNameSpaceType, UnshareFlags};

use crate::error::{Context, Error, Result};
use crate::netlink::Netlink;

/// Where `ip netns` keeps named namespaces.
const RUN: &str = "/run/netns";
/// The calling thread's network namespace.
const SELF: &str = "/proc/thread-self/ns/net";

/// A handle on a network namespace; clones share it.
#[derive(Clone, Debug)]
pub struct Namespace {
    fd: Arc<OwnedFd>,
    name: Option<Arc<str>>,
}

impl Namespace {
    /// Makes a namespace that `ip netns` sees as `name`, with its loopback up. It outlives this value: see
    /// [`Namespace::delete`].
    ///
    /// # Errors
    /// `Exists` when the name is taken, `Denied` without the privilege, or what the kernel says.
    pub fn create(name: &str) -> Result<Self> {
        let path = path_of(name)?;
        ensure_run()?;
        let what = || format!("create network namespace {name}");
        rustix::fs::open(
            &path,
            OFlags::RDONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .context(what)?;
        let made = std::thread::scope(|s| {
            s.spawn(|| -> io::Result<OwnedFd> {
                unshare_network()?;
                rustix::mount::mount_bind(SELF, &path)?;
                open_path(Path::new(SELF))
            })
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        match made {
            Ok(fd) => {
                let made = Self { fd: Arc::new(fd), name: Some(name.into()) };
                made.netlink()?.set_up("lo")?;
                Ok(made)
            }
            Err(error) => {
                // Nothing half-made stays behind: the name must be free for the next try.
                fs::remove_file(&path).ok();
                Err(Error::new(what(), error))
            }
        }
    }

    /// Makes a nameless namespace with its loopback up; it ends with the last handle, process or link end in it.
    ///
    /// # Errors
    /// `Denied` without the privilege, or what the kernel says.
    pub fn anonymous() -> Result<Self> {
        let fd = std::thread::scope(|s| {
            s.spawn(|| {
                unshare_network()?;
                open_path(Path::new(SELF))
            })
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
        .context(|| "create a network namespace")?;
        let made = Self::from_fd(fd);
        made.netlink()?.set_up("lo")?;
        Ok(made)
    }

    /// Opens a named namespace, whoever made it.
    ///
    /// # Errors
    /// `NotFound` when there is none of that name.
    pub fn open(name: &str) -> Result<Self> {
        let fd = open_path(&path_of(name)?).context(|| format!("open network namespace {name}"))?;
        Ok(Self { fd: Arc::new(fd), name: Some(name.into()) })
    }

    /// Opens the namespace that a path such as `/proc/PID/ns/net` stands for.
    ///
    /// # Errors
    /// `NotFound` when the path is not there.
    pub fn open_path(path: &Path) -> Result<Self> {
        let fd = open_path(path).context(|| format!("open network namespace {}", path.display()))?;
        Ok(Self::from_fd(fd))
    }

    /// The namespace of the calling thread.
    ///
    /// # Errors
    /// When `/proc` is not mounted.
    pub fn current() -> Result<Self> {
        Self::open_path(Path::new(SELF))
    }

    /// A namespace received as a file descriptor.
    pub fn from_fd(fd: OwnedFd) -> Self {
        Self { fd: Arc::new(fd), name: None }
    }

    /// Names of all named namespaces, sorted.
    ///
    /// # Errors
    /// When `/run/netns` cannot be read; one that does not exist is empty.
    pub fn names() -> Result<Vec<String>> {
        let entries = match fs::read_dir(RUN) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Error::new("list network namespaces", error)),
        };
        let mut names: Vec<String> = entries.filter_map(|e| e.ok()?.file_name().into_string().ok()).collect();
        names.sort();
        Ok(names)
    }

    /// Takes the name away; the namespace itself ends once nothing uses it any more.
    ///
    /// # Errors
    /// `NotFound` when there is none of that name.
    pub fn delete(name: &str) -> Result<()> {
        let path = path_of(name)?;
        let what = || format!("delete network namespace {name}");
        match rustix::mount::unmount(&path, UnmountFlags::DETACH) {
            // EINVAL: a name without a mount, left by something that died half-way.
            Ok(()) | Err(rustix::io::Errno::INVAL) => {}
            Err(error) => return Err(Error::new(what(), error)),
        }
        fs::remove_file(&path).context(what)
    }

    /// The name, for named ones.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Name or inode, for messages.
    pub fn label(&self) -> String {
        match &self.name {
            Some(name) => name.to_string(),
            None => format!("net:[{}]", self.inode()),
        }
    }

    /// Identity of the namespace: equal for two handles on the same one; 0 when the kernel does not tell.
    pub fn inode(&self) -> u64 {
        rustix::fs::fstat(&self.fd).map_or(0, |stat| stat.st_ino)
    }

    /// Runs `f` in a fresh thread inside the namespace and waits for it. A panic of `f` goes on in the caller.
    ///
    /// # Errors
    /// When the namespace cannot be entered; `f` did not run then.
    pub fn run<T: Send>(&self, f: impl FnOnce() -> T + Send) -> Result<T> {
        std::thread::scope(|s| {
            let thread = std::thread::Builder::new().spawn_scoped(s, || {
                self.enter()?;
                Ok(f())
            });
            match thread.context(|| format!("start a thread in network namespace {}", self.label()))?.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    /// Moves the calling thread into the namespace, for good. For threads that live there; see
    /// [`Namespace::run`] otherwise.
    ///
    /// # Errors
    /// `Denied` without CAP_SYS_ADMIN over the namespace.
    pub fn enter(&self) -> Result<()> {
        rustix::thread::move_into_link_name_space(self.fd.as_fd(), Some(LinkNameSpaceType::Network))
            .context(|| format!("enter network namespace {}", self.label()))
    }

    /// A command whose process starts inside the namespace.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        self.place(&mut command);
        command
    }

    /// Makes the process of `command` start inside the namespace.
    #[allow(unsafe_code)]
    pub fn place(&self, command: &mut Command) {
        let namespace = self.fd.clone();
        let enter = move || {
            rustix::thread::move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
            Ok(())
        };
        // SAFETY: the closure runs between fork and exec and makes one system call: it neither allocates nor
        // takes a lock, and the descriptor it uses is kept open by the `Arc` it owns.
        unsafe { command.pre_exec(enter) };
    }

    /// An rtnetlink socket inside the namespace; it can be used from any thread.
    ///
    /// # Errors
    /// When the namespace cannot be entered or the socket not be made.
    pub fn netlink(&self) -> Result<Netlink> {
        self.run(|| Netlink::open(self.label()))?
    }

    /// Writes sysctls of the namespace, in order; keys are paths below `/proc/sys` (`net/ipv4/ip_forward`).
    ///
    /// # Errors
    /// Names the first key that could not be written; those before it are.
    pub fn sysctl<'a>(&self, settings: impl IntoIterator<Item = (&'a str, &'a str)> + Send) -> Result<()> {
        self.run(|| {
            for (key, value) in settings {
                fs::write(Path::new("/proc/sys").join(key), value)
                    .context(|| format!("set sysctl {key} to {value} in {}", self.label()))?;
            }
            Ok(())
        })?
    }

    /// Reads a sysctl of the namespace, without the line's end.
    ///
    /// # Errors
    /// `NotFound` when the kernel has no such key.
    pub fn read_sysctl(&self, key: &str) -> Result<String> {
        let read = self.run(|| fs::read_to_string(Path::new("/proc/sys").join(key)))?;
        read.map(|text| text.trim_end().to_owned())
            .context(|| format!("read sysctl {key} in {}", self.label()))
    }

    /// Opens a TCP listener inside the namespace.
    ///
    /// # Errors
    /// What `bind` and `listen` say.
    pub fn tcp_listen(&self, address: SocketAddr) -> Result<TcpListener> {
        self.run(|| TcpListener::bind(address))?
            .context(|| format!("listen on tcp {address} in {}", self.label()))
    }

    /// Connects a TCP stream from inside the namespace.
    ///
    /// # Errors
    /// What `connect` says, or a timeout.
    pub fn tcp_connect(&self, address: SocketAddr, timeout: Duration) -> Result<TcpStream> {
        self.run(|| TcpStream::connect_timeout(&address, timeout))?
            .context(|| format!("connect to tcp {address} from {}", self.label()))
    }

    /// Opens a UDP socket bound inside the namespace.
    ///
    /// # Errors
    /// What `bind` says.
    pub fn udp_bind(&self, address: SocketAddr) -> Result<UdpSocket> {
        self.run(|| UdpSocket::bind(address))?.context(|| format!("bind udp {address} in {}", self.label()))
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Two handles are equal when they stand for the same namespace.
impl PartialEq for Namespace {
    fn eq(&self, other: &Self) -> bool {
        self.fd.as_raw_fd() == other.fd.as_raw_fd() || self.inode() == other.inode()
    }
}

/// Moves the calling thread into a new network namespace. The thread must end afterwards.
#[allow(unsafe_code)]
fn unshare_network() -> io::Result<()> {
    // SAFETY: a network namespace holds no memory or descriptor table of the process; only this thread moves.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET)? };
    Ok(())
}

fn open_path(path: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?)
}

fn path_of(name: &str) -> Result<PathBuf> {
    if name.is_empty()
        || name.starts_with('.')
        || name.contains('/')
        || name.contains('\0')
        || name.len() > 255
    {
        let error = io::Error::new(io::ErrorKind::InvalidInput, "not a file name");
        return Err(Error::new(format!("use {name:?} as the name of a network namespace"), error));
    }
    Ok(Path::new(RUN).join(name))
}

/// `/run/netns` as `ip netns` wants it: a shared mount, so that namespaces made later show up in other mount
/// namespaces that were split off earlier.
pub(crate) fn ensure_run() -> Result<()> {
    if Path::new(RUN).is_dir() {
        return Ok(());
    }
    fs::create_dir_all(RUN).context(|| format!("create {RUN}"))?;
    rustix::mount::mount_bind(RUN, RUN).context(|| format!("mount {RUN}"))?;
    let shared = MountPropagationFlags::SHARED | MountPropagationFlags::REC;
    rustix::mount::mount_change(RUN, shared).context(|| format!("share {RUN}"))
}
