//! Nodes: hosts that route for the Pod-like hosts behind them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Deref;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::host::{Host, Segment};
use crate::error::Result;
use crate::netlink::{Route, Veth};

/// A node: a forwarding host on the segment. Dereferences to its [`Host`].
#[derive(Debug)]
pub struct Node {
    host: Host,
    /// Its addresses on the segment, IPv4 then IPv6.
    pub addresses: [IpAddr; 2],
    /// Ranges of its Pods: 10.244.N.0/24 and fd00:10:244:N::/64.
    pub pod_cidrs: [IpNet; 2],
    pods: std::sync::atomic::AtomicU16,
}

/// A Pod-like host behind a node. Dereferences to its [`Host`].
#[derive(Debug)]
pub struct Pod {
    host: Host,
    /// Its addresses, IPv4 then IPv6.
    pub addresses: [IpAddr; 2],
}

impl Node {
    pub(super) fn new(
        segment: &Segment,
        prefix: &str,
        number: u8,
        addresses: [IpNet; 2],
        gateways: &[IpNet; 2],
    ) -> Result<Self> {
        let host = Host::new(&format!("{prefix}n{number}"))?;
        host.forward()?;
        host.plug(segment, "eth0", &addresses)?;
        for gateway in gateways {
            host.netlink().add_route(&Route::default_via(gateway.addr()))?;
        }
        let pod_cidrs = [
            Ipv4Net::new_assert(Ipv4Addr::new(10, 244, number, 0), 24).into(),
            Ipv6Net::new_assert(Ipv6Addr::new(0xfd00, 0x10, 0x244, number.into(), 0, 0, 0, 0), 64).into(),
        ];
        Ok(Self { host, addresses: addresses.map(|net| net.addr()), pod_cidrs, pods: 2.into() })
    }

    /// Adds a Pod-like host with the next addresses (from .2 on), on a cable of its own: `vethNAME` on the node,
    /// `eth0` inside. Both sides route by single addresses, so whatever a Pod sends passes the node's IP stack.
    /// The namespace is named `NODE-NAME`.
    ///
    /// # Errors
    /// `Exists` when the name is taken.
    pub fn pod(&self, name: &str) -> Result<Pod> {
        let number = self.pods.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let host = Host::new(&format!("{}-{name}", self.name()))?;
        let addresses = self.pod_cidrs.map(|cidr| nth(cidr, number));
        let gateways = self.pod_cidrs.map(|cidr| IpNet::from(nth(cidr, 1)));
        let link = format!("veth{name}");
        let veth = Veth { peer_namespace: Some(host.namespace()), ..Veth::new(&link, "eth0") };
        self.netlink().add_veth(&veth)?;
        host.netlink().set_up("eth0")?;
        for (gateway, address) in gateways.into_iter().zip(addresses) {
            self.netlink().add_address(&link, gateway)?;
            self.netlink().add_route(&Route::to(address.into()).dev(&link))?;
            host.netlink().add_address("eth0", address.into())?;
            host.netlink().add_route(&Route::default_via(gateway.addr()).dev("eth0").onlink())?;
        }
        Ok(Pod { host, addresses })
    }
}

impl Deref for Node {
    type Target = Host;

    fn deref(&self) -> &Host {
        &self.host
    }
}

impl Deref for Pod {
    type Target = Host;

    fn deref(&self) -> &Host {
        &self.host
    }
}

/// Address `number` of a range.
fn nth(cidr: IpNet, number: u16) -> IpAddr {
    match cidr {
        IpNet::V4(net) => Ipv4Addr::from(u32::from(net.network()) + u32::from(number)).into(),
        IpNet::V6(net) => Ipv6Addr::from(u128::from(net.network()) + u128::from(number)).into(),
    }
}
