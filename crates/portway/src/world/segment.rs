//! The hosts of a sandbox: nodes on one Ethernet segment, and a client outside of the cluster.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::Context;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use portway_netns::lab::{Host, Segment};
use portway_netns::{Namespace, Route};

/// Name of the client outside of the cluster.
pub const OUTSIDE: &str = "outside";

/// A sandbox's network; it lasts as long as the sandbox.
pub struct Network {
    _segment: Segment,
    _outside: Host,
    nodes: Vec<Host>,
}

/// Address of host `number` on the segment, 192.0.2.0/24 and fd00:192:0:2::/64.
pub fn addresses(number: u8) -> [IpNet; 2] {
    [
        Ipv4Net::new_assert(Ipv4Addr::new(192, 0, 2, number), 24).into(),
        Ipv6Net::new_assert(Ipv6Addr::new(0xfd00, 0x192, 0, 2, 0, 0, 0, u16::from(number)), 64).into(),
    ]
}

impl Network {
    /// Makes `nodes` nodes, `node-1` with address 1 first, and the client with address 100. Node routes to one
    /// another's Pods are set from `pod_cidrs`.
    pub fn new(nodes: u8, pod_cidrs: &[Vec<IpNet>]) -> anyhow::Result<Self> {
        let segment = Segment::new("switch")?;
        let outside = Host::new(OUTSIDE)?;
        outside.plug(&segment, "eth0", &addresses(100))?;
        let nodes = (1..=nodes)
            .map(|number| {
                let node = Host::new(&name(number))?;
                node.plug(&segment, "eth0", &addresses(number))?;
                // What is for nobody here goes to the client, as it would go to a router.
                for gateway in addresses(100) {
                    node.netlink().add_route(&Route::default_via(gateway.addr()))?;
                }
                Ok(node)
            })
            .collect::<anyhow::Result<Vec<_>>>()?;
        for (i, node) in nodes.iter().enumerate() {
            for (number, cidrs) in (1u8..).zip(pod_cidrs).filter(|(number, _)| usize::from(*number) != i + 1)
            {
                for cidr in cidrs {
                    let via = addresses(number)
                        .map(|net| net.addr())
                        .into_iter()
                        .find(|ip| ip.is_ipv4() == cidr.addr().is_ipv4());
                    node.netlink()
                        .add_route(&Route::to(*cidr).via(via.context("no gateway of that family")?))?;
                }
            }
        }
        Ok(Self { _segment: segment, _outside: outside, nodes })
    }

    /// Namespace of node `index` (from 0), with its addresses on the segment.
    pub fn node(&self, index: u8) -> anyhow::Result<(Namespace, Vec<IpAddr>)> {
        let host = self.nodes.get(usize::from(index)).context("no such node")?;
        Ok((host.namespace().clone(), addresses(index + 1).map(|net| net.addr()).to_vec()))
    }
}

/// Name of node `number` (from 1).
pub fn name(number: u8) -> String {
    format!("node-{number}")
}
