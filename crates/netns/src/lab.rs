//! Topologies of namespaces for tests, the demo and the sandbox: switches, hosts, nodes with Pod-like hosts.
//!
//! ```text
//! Lab::flat                               Lab::routed
//!    outside   n1   n2   n3                 outside ── router ─┬─ n1 (pods)
//!       └───────┴─ switch ─┘                (x1, x2)           ├─ n2 (pods)
//!               (pods behind each node)                        └─ n3 (pods)
//! ```
//!
//! Everything has IPv4 and IPv6. No NAT and no firewall: what translates or drops is what the test put there.
//! Knows nothing of Kubernetes beyond the words node and pod.

mod host;
mod node;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

pub use host::{Host, Segment};
pub use node::{Node, Pod};

use crate::error::Result;
use crate::netlink::Route;

/// A cluster's network: nodes on one segment, and a client outside.
#[derive(Debug)]
pub struct Lab {
    /// The switch the nodes are plugged into.
    pub segment: Segment,
    /// The nodes, `n1` first.
    pub nodes: Vec<Node>,
    /// The client outside of the cluster; in a routed lab it has two addresses a family.
    pub outside: Host,
    /// The router between them, in a routed lab.
    pub router: Option<Host>,
}

/// Addresses of the routed lab's client: x1 then x2, IPv4 then IPv6.
pub const OUTSIDE: [[IpAddr; 2]; 2] = [
    [v4(198, 51, 100, 10), IpAddr::V6(Ipv6Addr::new(0xfd98, 0, 0, 0, 0, 0, 0, 0x10))],
    [v4(198, 51, 100, 20), IpAddr::V6(Ipv6Addr::new(0xfd98, 0, 0, 0, 0, 0, 0, 0x20))],
];

const fn v4(a: u8, b: u8, c: u8, d: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}

impl Lab {
    /// Nodes and the client on one segment: 192.0.2.0/24 and fd00:192:0:2::/64, node N at 10+N (in v6 as text:
    /// `::11`), the client at 100 and `::100`. The nodes' default route points at the client.
    ///
    /// Namespaces are named `PREFIX` + `switch`, `n1`, ..., `outside`.
    ///
    /// # Errors
    /// `Exists` when a name is taken, or what the kernel says.
    pub fn flat(prefix: &str, nodes: u8) -> Result<Self> {
        let v4 = Ipv4Net::new_assert(Ipv4Addr::new(192, 0, 2, 0), 24);
        let v6 = Ipv6Net::new_assert(Ipv6Addr::new(0xfd00, 0x192, 0, 2, 0, 0, 0, 0), 64);
        let segment = Segment::new(&format!("{prefix}switch"))?;
        let outside = Host::new(&format!("{prefix}outside"))?;
        let gateways = [at(v4.into(), 100), at(v6.into(), 100)];
        outside.plug(&segment, "eth0", &gateways)?;
        let nodes = nodes_on(&segment, prefix, nodes, [v4.into(), v6.into()], &gateways)?;
        Ok(Self { segment, nodes, outside, router: None })
    }

    /// The client behind a router: nodes on 10.88.0.0/24 and fd88::/64, node N at 10+N, each with a second
    /// address 10.89.0.(10+N)/32 that the router knows; router at 1; the client x1 and x2 ([`OUTSIDE`]) on
    /// 198.51.100.0/24 and fd98::/64. The router sends a pool of virtual addresses to each of the first three
    /// nodes (203.0.113.0/26, .64/26, .128/26; fdab:N::/64), and Service addresses (10.96.0.0/16,
    /// fd00:10:96::/112) and each node's Pods to their node.
    ///
    /// # Errors
    /// As [`Lab::flat`].
    pub fn routed(prefix: &str, nodes: u8) -> Result<Self> {
        let inside: [IpNet; 2] = [
            Ipv4Net::new_assert(Ipv4Addr::new(10, 88, 0, 0), 24).into(),
            Ipv6Net::new_assert(Ipv6Addr::new(0xfd88, 0, 0, 0, 0, 0, 0, 0), 64).into(),
        ];
        let beyond: [IpNet; 2] = [
            Ipv4Net::new_assert(Ipv4Addr::new(198, 51, 100, 0), 24).into(),
            Ipv6Net::new_assert(Ipv6Addr::new(0xfd98, 0, 0, 0, 0, 0, 0, 0), 64).into(),
        ];
        let segment = Segment::new(&format!("{prefix}switch"))?;
        let router = Host::new(&format!("{prefix}router"))?;
        router.forward()?;
        let inner = inside.map(|net| at(net, 1));
        router.plug(&segment, "eth0", &inner)?;

        let outside = Host::new(&format!("{prefix}outside"))?;
        let outer = beyond.map(|net| at(net, 1));
        router.wire("eth1", &outer, &outside, "eth0", &beyond.map(|net| at(net, 10)))?;
        for net in beyond.map(|net| at(net, 20)) {
            outside.netlink().add_address("eth0", net)?;
        }
        for (gateway, x1) in outer.into_iter().zip(OUTSIDE[0]) {
            outside.netlink().add_route(&Route::default_via(gateway.addr()).source(x1))?;
        }

        let nodes = nodes_on(&segment, prefix, nodes, inside, &inner)?;
        for (number, node) in (1u8..).zip(&nodes) {
            let [node4, node6] = node.addresses;
            let second = Ipv4Addr::new(10, 89, 0, 10 + number);
            node.netlink().add_address("eth0", IpNet::from(IpAddr::from(second)))?;
            let to = |net: IpNet, via: IpAddr| router.netlink().add_route(&Route::to(net).via(via));
            to(IpNet::from(IpAddr::from(second)), node4)?;
            if number <= 3 {
                to(Ipv4Net::new_assert(Ipv4Addr::new(203, 0, 113, (number - 1) * 64), 26).into(), node4)?;
                let pool = Ipv6Addr::new(0xfdab, u16::from(number), 0, 0, 0, 0, 0, 0);
                to(Ipv6Net::new_assert(pool, 64).into(), node6)?;
            }
            if number == 1 {
                to(Ipv4Net::new_assert(Ipv4Addr::new(10, 96, 0, 0), 16).into(), node4)?;
                to(Ipv6Net::new_assert(Ipv6Addr::new(0xfd00, 0x10, 0x96, 0, 0, 0, 0, 0), 112).into(), node6)?;
            }
            for (cidr, via) in node.pod_cidrs.iter().zip(node.addresses) {
                to(*cidr, via)?;
            }
        }
        Ok(Self { segment, nodes, outside, router: Some(router) })
    }

    /// A node by its number, from 1.
    ///
    /// # Panics
    /// When there is no such node.
    pub fn node(&self, number: usize) -> &Node {
        &self.nodes[number - 1]
    }
}

/// Nodes plugged into the segment, with routes to one another's Pods and a default route.
fn nodes_on(
    segment: &Segment,
    prefix: &str,
    count: u8,
    nets: [IpNet; 2],
    gateways: &[IpNet; 2],
) -> Result<Vec<Node>> {
    let nodes = (1..=count)
        .map(|number| Node::new(segment, prefix, number, nets.map(|net| at(net, 10 + number)), gateways))
        .collect::<Result<Vec<_>>>()?;
    for node in &nodes {
        for other in nodes.iter().filter(|other| other.name() != node.name()) {
            for (cidr, via) in other.pod_cidrs.iter().zip(other.addresses) {
                node.netlink().add_route(&Route::to(*cidr).via(via))?;
            }
        }
    }
    Ok(nodes)
}

/// Host `number` of a net, with the net's prefix length. In v6 the decimal digits stand as they are
/// (`::11` for 11), so that both families read alike.
fn at(net: IpNet, number: u8) -> IpNet {
    match net {
        IpNet::V4(net) => {
            let address = Ipv4Addr::from(u32::from(net.network()) + u32::from(number));
            Ipv4Net::new_assert(address, net.prefix_len()).into()
        }
        IpNet::V6(net) => {
            let digits = u128::from(number / 100) * 0x100
                + u128::from(number / 10 % 10) * 0x10
                + u128::from(number % 10);
            let address = Ipv6Addr::from(u128::from(net.network()) + digits);
            Ipv6Net::new_assert(address, net.prefix_len()).into()
        }
    }
}
