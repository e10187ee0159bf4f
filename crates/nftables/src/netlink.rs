//! A netfilter netlink socket: requests, dumps, notifications. Blocking, and bound to the network namespace
//! of the thread that opened it.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::io::Errno;
use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, getsockname, recv, sendto,
    socket_with, sockopt,
};

use crate::codec::wire::{DONE, DUMP_INTERRUPTED, ERROR, Message, messages};

/// An open socket.
#[derive(Debug)]
pub struct Socket {
    fd: OwnedFd,
    port: u32,
    sequence: u32,
    send_buffer: usize,
    buffer: Vec<u8>,
}

/// What a request met with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The socket failed.
    #[error("netlink socket: {0}")]
    Socket(#[from] io::Error),
    /// The kernel refused the request.
    #[error("{0}")]
    Refused(Errno),
    /// What was dumped changed meanwhile; ask again.
    #[error("the ruleset changed while it was read")]
    Interrupted,
}

impl From<Errno> for Error {
    fn from(errno: Errno) -> Self {
        Self::Socket(errno.into())
    }
}

impl Socket {
    /// Opens a socket in the namespace of the calling thread.
    ///
    /// # Errors
    /// The socket cannot be opened.
    pub fn open() -> io::Result<Self> {
        let fd = socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            Some(netlink::NETFILTER),
        )?;
        bind(&fd, &SocketAddrNetlink::new(0, 0))?;
        let port = SocketAddrNetlink::try_from(getsockname(&fd)?)?.pid();
        option(&fd, libc::NETLINK_CAP_ACK, 1)?;
        // Best effort: dumps come in large pieces then.
        let _ = sockopt::set_socket_recv_buffer_size_force(&fd, 8 << 20);
        let send_buffer = sockopt::socket_send_buffer_size(&fd)?;
        Ok(Self { fd, port, sequence: 0, send_buffer, buffer: vec![0; 256 << 10] })
    }

    /// By which notifications name this socket.
    pub fn port(&self) -> u32 {
        self.port
    }

    /// A number for the next request.
    pub fn sequence(&mut self) -> u32 {
        self.sequence = self.sequence.wrapping_add(1).max(1);
        self.sequence
    }

    /// Hears of every change of the ruleset from now on, but of nothing else: a change of many elements is
    /// one short message.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn subscribe_generations(&self) -> io::Result<()> {
        attach_generation_filter(&self.fd)?;
        option(&self.fd, libc::NETLINK_ADD_MEMBERSHIP, 7)
    }

    /// Most bytes one [`Self::send`] may have; tries to make room for `wanted`.
    pub fn room(&mut self, wanted: usize) -> usize {
        // The kernel counts its bookkeeping too.
        let needed = wanted + wanted / 4 + (64 << 10);
        if needed > self.send_buffer {
            // Needs a privilege over the whole machine; within a sandbox the limit for everyone applies.
            let _ = sockopt::set_socket_send_buffer_size_force(&self.fd, needed)
                .or_else(|_| sockopt::set_socket_send_buffer_size(&self.fd, needed));
            self.send_buffer = sockopt::socket_send_buffer_size(&self.fd).unwrap_or(self.send_buffer);
        }
        self.send_buffer.saturating_sub(4096)
    }

    /// Sends messages; the kernel has worked through them when this returns.
    ///
    /// # Errors
    /// The socket fails.
    pub fn send(&self, bytes: &[u8]) -> io::Result<()> {
        let sent = sendto(&self.fd, bytes, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
        if sent == bytes.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
    }

    /// Receives what is there, if anything, and shows each message.
    ///
    /// # Errors
    /// The socket fails; `ENOBUFS` if messages were lost.
    pub fn receive(&mut self, wait: bool, mut each: impl FnMut(&Message<'_>)) -> io::Result<bool> {
        let flags = if wait { RecvFlags::empty() } else { RecvFlags::DONTWAIT };
        match recv(&self.fd, &mut self.buffer[..], flags) {
            Ok((len, _)) => {
                messages(&self.buffer[..len]).for_each(|message| each(&message));
                Ok(true)
            }
            Err(Errno::AGAIN) => Ok(false),
            Err(Errno::INTR) => Ok(true),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Sends a request and shows each object of the answer.
    ///
    /// # Errors
    /// The request is refused, or a dump was interrupted.
    pub fn request(&mut self, bytes: &[u8], mut each: impl FnMut(&Message<'_>)) -> Result<(), Error> {
        self.send(bytes)?;
        let sequence = messages(bytes).next().map_or(0, |message| message.sequence);
        let is_dump = messages(bytes).next().is_some_and(|message| message.flags & 0x300 == 0x300);
        let (mut end, mut interrupted) = (None, false);
        while end.is_none() {
            self.receive(true, |message| {
                if message.sequence != sequence {
                    return;
                }
                interrupted |= message.flags & DUMP_INTERRUPTED != 0;
                match message.kind {
                    ERROR | DONE => end = Some(errno(message)),
                    _ => {
                        each(message);
                        if !is_dump {
                            end = Some(None);
                        }
                    }
                }
            })?;
        }
        match end.flatten() {
            Some(Errno::INTR) => Err(Error::Interrupted),
            Some(errno) => Err(Error::Refused(errno)),
            None if interrupted => Err(Error::Interrupted),
            None => Ok(()),
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

/// The error a message tells; `None` for an acknowledgement.
pub fn errno(message: &Message<'_>) -> Option<Errno> {
    let code = i32::from_ne_bytes(message.body.get(..4)?.try_into().ok()?);
    (code < 0).then(|| Errno::from_raw_os_error(code.checked_neg().unwrap_or(libc::EIO)))
}

/// Sets a number as option of a netlink socket.
#[allow(unsafe_code)]
fn option(fd: &OwnedFd, name: libc::c_int, value: libc::c_int) -> io::Result<()> {
    // SAFETY: the pointer and the length describe `value`, which outlives the call.
    let done = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_NETLINK,
            name,
            std::ptr::from_ref(&value).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Lets only messages of the kind "new generation" through.
#[allow(unsafe_code)]
fn attach_generation_filter(fd: &OwnedFd) -> io::Result<()> {
    let wanted =
        u32::from((crate::codec::SUBSYSTEM << 8 | u16::from(crate::codec::kind::NEWGEN)).swap_bytes());
    let wanted =
        if cfg!(target_endian = "little") { wanted } else { u32::from((wanted as u16).swap_bytes()) };
    let step = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    // The kind stands at offset 4 of the header; a filter reads it as big-endian.
    let mut program = [
        step(libc::BPF_LD | libc::BPF_H | libc::BPF_ABS, 0, 0, 4),
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, wanted),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, u32::MAX),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, 0),
    ];
    let filter = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: the pointer and the length describe `filter`, which names `program`; both outlive the call.
    let done = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            std::ptr::from_ref(&filter).cast(),
            size_of::<libc::sock_fprog>() as libc::socklen_t,
        )
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
