//! The node's side of Pod networks: a bridge with the gateway addresses, and a cable from it to each Pod.
//!
//! A Pod has single addresses (/32, /128) and a default route through the gateway, so all it sends passes the
//! node's IP stack, even to a Pod next door: what a Service rule changed on the way there is changed back on the
//! way back. Hardware addresses are known in advance on both sides: no ARP, no neighbour discovery.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ipnet::IpNet;
use portway_netns::{Error, Kind, Mac, Namespace, Netlink, Route, Veth};

use crate::ipam::Ipam;

/// Name of the bridge on the node.
pub const BRIDGE: &str = "portway0";
/// Name of a Pod's link inside the Pod.
const INSIDE: &str = "eth0";

/// The address of the node in a range of Pod addresses, and so of everything that serves its Pods: the first.
pub fn gateway(range: &IpNet) -> IpAddr {
    Ipam::gateway(*range)
}

/// The bridge of a node and the addresses behind it.
#[derive(Debug)]
pub(crate) struct Network {
    netlink: Netlink,
    bridge: Mac,
    gateways: Vec<IpAddr>,
    ipam: Mutex<Ipam>,
}

impl Network {
    /// Makes the bridge, or finds it as it is.
    pub fn set_up(node: &Namespace, ranges: &[IpNet]) -> Result<Self, Error> {
        node.sysctl([
            ("net/ipv4/ip_forward", "1"),
            ("net/ipv6/conf/all/forwarding", "1"),
            // A Pod must go on sending to the gateway, whoever it sends to.
            ("net/ipv4/conf/all/send_redirects", "0"),
            ("net/ipv4/conf/default/send_redirects", "0"),
        ])?;
        let netlink = node.netlink()?;
        let gateways: Vec<IpAddr> = ranges.iter().map(|range| Ipam::gateway(*range)).collect();
        let bridge = mac(0, gateways.first());
        match netlink.add_bridge(BRIDGE, Some(bridge)) {
            Ok(()) => {}
            Err(error) if error.kind == Kind::Exists => {
                netlink.set_mac(BRIDGE, bridge)?;
                netlink.set_up(BRIDGE)?;
            }
            Err(error) => return Err(error),
        }
        for (gateway, range) in gateways.iter().zip(ranges) {
            let net = IpNet::new(*gateway, range.prefix_len()).unwrap_or_else(|_| (*gateway).into());
            netlink.ensure_address(BRIDGE, net)?;
        }
        Ok(Self { netlink, bridge, gateways, ipam: Mutex::new(Ipam::new(ranges)) })
    }

    /// Notes addresses of a Pod that was there before.
    pub fn reserve(&self, addresses: &[IpAddr]) {
        addresses.iter().for_each(|address| self.ipam().reserve(*address));
    }

    /// Takes addresses for a new Pod.
    pub fn take(&self) -> Result<Vec<IpAddr>, crate::ipam::Exhausted> {
        self.ipam().take()
    }

    /// Gives addresses back.
    pub fn release(&self, addresses: &[IpAddr]) {
        addresses.iter().for_each(|address| self.ipam().release(*address));
    }

    /// Makes a Pod's namespace and its cable. What an earlier try left is taken away first.
    pub fn connect(&self, name: &str, link: &str, addresses: &[IpAddr]) -> Result<Namespace, Error> {
        self.disconnect(name, link, addresses)?;
        let namespace = Namespace::create(name)?;
        // Any process may use the low ports, as in upstream's container runtimes.
        namespace.sysctl([
            ("net/ipv4/ip_unprivileged_port_start", "0"),
            ("net/ipv6/conf/default/accept_dad", "0"),
            ("net/ipv6/conf/default/accept_ra", "0"),
        ])?;
        let own = mac(1, addresses.first());
        self.netlink.add_veth(&Veth {
            bridge: Some(BRIDGE),
            peer_mac: Some(own),
            peer_namespace: Some(&namespace),
            ..Veth::new(link, INSIDE)
        })?;
        let inside = namespace.netlink()?;
        inside.set_up(INSIDE)?;
        for address in addresses {
            inside.add_address(INSIDE, (*address).into())?;
            self.netlink.set_neighbour(BRIDGE, *address, own)?;
        }
        for gateway in self.gateways.iter().filter(|g| addresses.iter().any(|a| a.is_ipv4() == g.is_ipv4())) {
            inside.set_neighbour(INSIDE, *gateway, self.bridge)?;
            inside.add_route(&Route::default_via(*gateway).dev(INSIDE).onlink())?;
        }
        Ok(namespace)
    }

    /// Takes a Pod's cable and namespace away; what is not there is no error.
    pub fn disconnect(&self, name: &str, link: &str, addresses: &[IpAddr]) -> Result<(), Error> {
        let gone = |result: Result<(), Error>| match result {
            Err(error) if error.kind != Kind::NotFound => Err(error),
            _ => Ok(()),
        };
        gone(self.netlink.delete_link(link))?;
        for address in addresses {
            gone(self.netlink.delete_neighbour(BRIDGE, *address))?;
        }
        gone(Namespace::delete(name))
    }

    fn ipam(&self) -> MutexGuard<'_, Ipam> {
        self.ipam.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A hardware address made of an IP address: `use` tells the node's from the Pod's. Marked as locally given.
fn mac(role: u8, address: Option<&IpAddr>) -> Mac {
    let [a, b, c, d] = match address {
        Some(IpAddr::V4(v4)) => v4.octets(),
        Some(IpAddr::V6(v6)) => {
            // Ranges of nodes differ in the middle, Pods in the end: fold both in.
            let words = v6.segments();
            let (middle, end) = (words[3].to_be_bytes(), (words[6] ^ words[7]).to_be_bytes());
            [middle[0], middle[1], end[0], end[1]]
        }
        None => [0; 4],
    };
    Mac([0x02, role, a, b, c, d])
}
