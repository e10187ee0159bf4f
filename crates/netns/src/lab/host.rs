//! Hosts and the switches between them.

use ipnet::IpNet;

use crate::error::Result;
use crate::namespace::Namespace;
use crate::netlink::{Netlink, Veth};

/// A namespace with its netlink socket.
#[derive(Debug)]
pub struct Host {
    name: String,
    namespace: Namespace,
    netlink: Netlink,
}

impl Host {
    /// A host as a named namespace.
    ///
    /// # Errors
    /// `Exists` when the name is taken.
    pub fn new(name: &str) -> Result<Self> {
        Self::of(name, Namespace::create(name)?)
    }

    /// A host as a nameless namespace; `name` is for messages. It ends with this value.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn anonymous(name: &str) -> Result<Self> {
        Self::of(name, Namespace::anonymous()?)
    }

    fn of(name: &str, namespace: Namespace) -> Result<Self> {
        // What a fresh namespace is set to depends on the machine; a test must not. Before any link is there,
        // so that links get it too.
        namespace.sysctl([
            ("net/ipv4/conf/all/rp_filter", "0"),
            ("net/ipv4/conf/default/rp_filter", "0"),
            ("net/ipv6/conf/all/disable_ipv6", "0"),
            ("net/ipv6/conf/default/disable_ipv6", "0"),
            ("net/ipv6/conf/default/accept_dad", "0"),
            ("net/ipv6/conf/default/accept_ra", "0"),
            ("net/ipv6/conf/default/dad_transmits", "0"),
        ])?;
        let netlink = namespace.netlink()?;
        Ok(Self { name: name.to_owned(), namespace, netlink })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its namespace.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Its rtnetlink socket.
    pub fn netlink(&self) -> &Netlink {
        &self.netlink
    }

    /// Makes it a router of both families that never tells a sender of a shorter way.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn forward(&self) -> Result<()> {
        self.namespace.sysctl([
            ("net/ipv4/ip_forward", "1"),
            ("net/ipv6/conf/all/forwarding", "1"),
            ("net/ipv6/conf/default/forwarding", "1"),
            ("net/ipv4/conf/all/send_redirects", "0"),
            ("net/ipv4/conf/default/send_redirects", "0"),
        ])
    }

    /// Plugs a new link into a switch.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn plug(&self, segment: &Segment, link: &str, addresses: &[IpNet]) -> Result<()> {
        let port = segment.next_port();
        let veth = Veth {
            bridge: Some(Segment::BRIDGE),
            peer_namespace: Some(&self.namespace),
            ..Veth::new(&port, link)
        };
        segment.host.netlink.add_veth(&veth)?;
        self.netlink.set_up(link)?;
        addresses.iter().try_for_each(|net| self.netlink.add_address(link, *net))
    }

    /// Joins this host and another by a cable, with an end and addresses on each side.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn wire(
        &self,
        link: &str,
        addresses: &[IpNet],
        other: &Self,
        other_link: &str,
        other_addresses: &[IpNet],
    ) -> Result<()> {
        let veth = Veth { peer_namespace: Some(&other.namespace), ..Veth::new(link, other_link) };
        self.netlink.add_veth(&veth)?;
        other.netlink.set_up(other_link)?;
        addresses.iter().try_for_each(|net| self.netlink.add_address(link, *net))?;
        other_addresses.iter().try_for_each(|net| other.netlink.add_address(other_link, *net))
    }
}

/// An Ethernet segment: a namespace with a bridge.
#[derive(Debug)]
pub struct Segment {
    host: Host,
    ports: std::sync::atomic::AtomicU32,
}

impl Segment {
    const BRIDGE: &str = "br0";

    /// A switch without ports.
    ///
    /// # Errors
    /// `Exists` when the name is taken.
    pub fn new(name: &str) -> Result<Self> {
        let host = Host::new(name)?;
        host.netlink.add_bridge(Self::BRIDGE, None)?;
        Ok(Self { host, ports: 0.into() })
    }

    /// The switch's namespace (to capture packets in).
    pub fn host(&self) -> &Host {
        &self.host
    }

    fn next_port(&self) -> String {
        format!("port{}", self.ports.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
    }
}
