//! rtnetlink, synchronously: one request, one acknowledgement.
//!
//! A [`Netlink`] acts on the namespace it was opened in, from whatever thread it is used.

mod address;
mod link;
mod neighbour;
mod route;
mod wire;

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

pub use address::Address;
pub use link::{Link, Mac, Veth};
pub use neighbour::Neighbour;
pub use route::{Route, RouteKind};

use crate::error::{Context, Error, Result};
use wire::{Message, flags, message};

/// An rtnetlink socket of one namespace.
#[derive(Debug)]
pub struct Netlink {
    socket: Mutex<Socket>,
    namespace: String,
}

#[derive(Debug)]
struct Socket {
    fd: OwnedFd,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Netlink {
    /// Opens a socket in the calling thread's namespace, which errors will call `namespace`.
    ///
    /// # Errors
    /// When the kernel gives no socket.
    pub fn open(namespace: impl Into<String>) -> Result<Self> {
        let namespace = namespace.into();
        let what = || format!("open an rtnetlink socket in {namespace}");
        // No protocol number is NETLINK_ROUTE.
        let fd =
            rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)
                .context(what)?;
        // Both only improve messages and filters; kernels without them still work.
        set_option(&fd, wire::NETLINK_EXT_ACK);
        set_option(&fd, wire::NETLINK_GET_STRICT_CHK);
        let socket = Socket { fd, sequence: 0, buffer: vec![0; 64 * 1024] };
        Ok(Self { socket: Mutex::new(socket), namespace })
    }

    /// Sends a change and waits until the kernel has made it (or said why not).
    fn change(&self, request: Message, operation: impl FnOnce() -> String) -> Result<()> {
        self.exchange(request, flags::ACK, &mut |_, _| {}, operation)
    }

    /// Asks for a dump (or one object, with `extra` 0) and hands each answer's payload to `each`.
    fn dump(
        &self,
        request: Message,
        extra: u16,
        each: &mut dyn FnMut(u16, &[u8]),
        operation: impl FnOnce() -> String,
    ) -> Result<()> {
        self.exchange(request, if extra == 0 { flags::ACK } else { extra }, each, operation)
    }

    fn exchange(
        &self,
        request: Message,
        add: u16,
        each: &mut dyn FnMut(u16, &[u8]),
        operation: impl FnOnce() -> String,
    ) -> Result<()> {
        // A panic elsewhere leaves at worst unread answers, which the sequence number tells apart.
        let mut socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        socket.exchange(request, add, each).map_err(|failure| {
            let operation = format!("{} in {}", operation(), self.namespace);
            Error::explained(operation, failure.error, &failure.explanation)
        })
    }
}

/// What the kernel answered instead of an acknowledgement.
struct Failure {
    error: io::Error,
    explanation: String,
}

impl<E: Into<io::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { error: error.into(), explanation: String::new() }
    }
}

impl Socket {
    fn exchange(
        &mut self,
        request: Message,
        add: u16,
        each: &mut dyn FnMut(u16, &[u8]),
    ) -> std::result::Result<(), Failure> {
        self.sequence = self.sequence.wrapping_add(1);
        let bytes = request.finish(add, self.sequence);
        rustix::net::send(&self.fd, &bytes, SendFlags::empty())?;
        loop {
            let (length, full) = match rustix::net::recv(&self.fd, &mut self.buffer[..], RecvFlags::TRUNC) {
                Ok(lengths) => lengths,
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            if full > length {
                return Err(io::Error::other("netlink answer larger than the buffer").into());
            }
            for (header, payload) in wire::messages(&self.buffer[..length]) {
                if header.sequence != self.sequence {
                    continue;
                }
                match header.kind {
                    message::ERROR => return wire::acknowledgement(header.flags, payload),
                    message::DONE => return wire::acknowledgement(header.flags, payload),
                    message::NOOP => {}
                    kind => each(kind, payload),
                }
            }
        }
    }
}

#[allow(unsafe_code)]
fn set_option(fd: &OwnedFd, option: i32) {
    let on: libc::c_int = 1;
    // SAFETY: the pointer and length describe `on`, which outlives the call; the kernel only reads it.
    unsafe {
        libc::setsockopt(
            fd.as_fd().as_raw_fd(),
            wire::SOL_NETLINK,
            option,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
}
