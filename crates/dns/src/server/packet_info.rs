//! Datagrams with the local address they were sent to, so that answers from wildcard sockets leave from there.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd;

use nix::cmsg_space;
use nix::libc::{in_pktinfo, in6_pktinfo};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, setsockopt, sockopt,
};
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// The local end of a datagram.
#[derive(Clone, Copy, Debug)]
pub(super) enum Local {
    V4(in_pktinfo),
    V6(in6_pktinfo),
    /// The socket's own address; it is bound to one.
    Bound,
}

impl Local {
    /// The address the datagram was sent to, if it is not simply the socket's.
    pub fn address(&self) -> Option<IpAddr> {
        match self {
            Self::V4(info) => Some(Ipv4Addr::from(u32::from_be(info.ipi_spec_dst.s_addr)).into()),
            Self::V6(info) => Some(Ipv6Addr::from(info.ipi6_addr.s6_addr).to_canonical()),
            Self::Bound => None,
        }
    }
}

/// Asks the kernel to tell local addresses; only wildcard sockets need it. Returns whether it will.
pub(super) fn enable(socket: &UdpSocket) -> io::Result<bool> {
    let bound = socket.local_addr()?;
    if !bound.ip().is_unspecified() {
        return Ok(false);
    }
    match bound {
        SocketAddr::V4(_) => setsockopt(socket, sockopt::Ipv4PacketInfo, &true)?,
        SocketAddr::V6(_) => setsockopt(socket, sockopt::Ipv6RecvPacketInfo, &true)?,
    }
    Ok(true)
}

/// Receives one datagram if there is one: its length, its sender, its local end.
pub(super) fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr, Local)> {
    let mut space = cmsg_space!(in6_pktinfo);
    let mut parts = [IoSliceMut::new(buffer)];
    let message = socket.try_io(Interest::READABLE, || {
        let fd = socket.as_raw_fd();
        Ok(recvmsg::<SockaddrStorage>(fd, &mut parts, Some(&mut space), MsgFlags::empty())?)
    })?;
    let sender = message.address.as_ref().and_then(socket_address);
    let sender = sender.ok_or_else(|| io::Error::other("a datagram without a sender"))?;
    let local = message.cmsgs()?.find_map(|control| match control {
        // Interface 0: the answer is routed, it need not leave where the query came in.
        ControlMessageOwned::Ipv4PacketInfo(info) => Some(Local::V4(in_pktinfo { ipi_ifindex: 0, ..info })),
        ControlMessageOwned::Ipv6PacketInfo(info) => {
            let link_local = Ipv6Addr::from(info.ipi6_addr.s6_addr).is_unicast_link_local();
            let index = if link_local { info.ipi6_ifindex } else { 0 };
            Some(Local::V6(in6_pktinfo { ipi6_ifindex: index, ..info }))
        }
        _ => None,
    });
    Ok((message.bytes, sender, local.unwrap_or(Local::Bound)))
}

/// Sends one datagram from a local end if there is room.
pub(super) fn send(socket: &UdpSocket, bytes: &[u8], to: SocketAddr, local: &Local) -> io::Result<()> {
    let to = SockaddrStorage::from(to);
    let parts = [IoSlice::new(bytes)];
    let fd = socket.as_raw_fd();
    let flags = MsgFlags::empty();
    socket.try_io(Interest::WRITABLE, || {
        match local {
            Local::V4(info) => sendmsg(fd, &parts, &[ControlMessage::Ipv4PacketInfo(info)], flags, Some(&to)),
            Local::V6(info) => sendmsg(fd, &parts, &[ControlMessage::Ipv6PacketInfo(info)], flags, Some(&to)),
            Local::Bound => sendmsg(fd, &parts, &[], flags, Some(&to)),
        }?;
        Ok(())
    })
}

fn socket_address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = storage.as_sockaddr_in().map(|address| SocketAddr::from((address.ip(), address.port())));
    v4.or_else(|| {
        let address = storage.as_sockaddr_in6()?;
        Some(std::net::SocketAddrV6::new(address.ip(), address.port(), 0, address.scope_id()).into())
    })
}
