//! The choice of backend: the only place that names one.

use std::io;

use portway_netns::Namespace;
use portway_nftables::Nftables;
use portway_nftables::netlink::Socket;

/// A driver of the rules in a namespace, and a socket that hears of changes by others.
pub(crate) fn open(namespace: &Namespace) -> io::Result<(Nftables, Socket)> {
    let sockets = namespace.run(|| {
        let ears = Socket::open()?;
        ears.subscribe_generations()?;
        Ok::<_, io::Error>((Nftables::new(Socket::open()?), ears))
    });
    sockets.map_err(io::Error::other)?
}
