//! What is known of the node, and how its proxy is configured.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use portway_intent::{Address, Cidr, Locality, NodeAddresses};

use crate::parse;

/// What is known of the node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeFacts {
    /// Name of the Node object.
    pub name: String,
    /// Label `topology.kubernetes.io/zone`.
    pub zone: Option<String>,
    /// Node IPs; the first of each family is the primary one.
    pub addresses: Vec<IpAddr>,
    /// Every address on an interface of the node.
    pub interface_addresses: Vec<IpAddr>,
    /// `spec.podCIDRs`.
    pub pod_cidrs: Vec<IpNet>,
}

/// How the proxy is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How Pods of the node are recognised.
    pub detect: Detect,
    /// Where node ports are claimed.
    pub node_ports: NodePortAddresses,
    /// All traffic to ClusterIPs is masqueraded.
    pub masquerade_all: bool,
    /// Bit of the packet mark.
    pub masquerade_bit: u8,
    /// `spec.externalIPs` are honoured.
    pub external_ips: bool,
    /// Ranges that ClusterIPs come from; unowned addresses in them are dropped.
    pub service_cidrs: Vec<IpNet>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            detect: Detect::Ranges(Vec::new()),
            node_ports: NodePortAddresses::Primary,
            masquerade_all: false,
            masquerade_bit: 14,
            external_ips: true,
            service_cidrs: Vec::new(),
        }
    }
}

/// How Pods of the node are recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Detect {
    /// By source address: the first range of each family (the cluster's).
    Ranges(Vec<IpNet>),
    /// By source address: the node's own Pod ranges.
    NodeRanges,
    /// By the interface they arrive through.
    Interface(String),
    /// By the start of the name of the interface they arrive through.
    InterfacePrefix(String),
}

/// Where node ports are claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodePortAddresses {
    /// On the node's primary address of each family.
    Primary,
    /// On every address but loopback ones.
    All,
    /// On interface addresses inside one of the ranges; a family without a range is not restricted.
    Ranges(Vec<IpNet>),
}

impl Settings {
    pub(crate) fn locality<A: Address>(&self, facts: &NodeFacts) -> Locality<A> {
        let first = |ranges: &[IpNet]| {
            ranges.iter().find_map(|range| parse::net(*range)).map_or(Locality::Off, Locality::Source)
        };
        match &self.detect {
            Detect::Ranges(ranges) => first(ranges),
            Detect::NodeRanges => first(&facts.pod_cidrs),
            Detect::Interface(name) => Locality::Interface(name.clone()),
            Detect::InterfacePrefix(prefix) => Locality::InterfacePrefix(prefix.clone()),
        }
    }

    pub(crate) fn node_addresses<A: Address>(&self, facts: &NodeFacts) -> NodeAddresses<A> {
        let of = |ips: &[IpAddr]| -> Vec<A> {
            ips.iter().filter_map(|ip| A::from_ip(*ip)).filter(|a| !a.is_loopback()).collect()
        };
        match &self.node_ports {
            NodePortAddresses::All => NodeAddresses::All,
            NodePortAddresses::Primary => {
                NodeAddresses::Only(of(&facts.addresses).into_iter().take(1).collect())
            }
            NodePortAddresses::Ranges(ranges) => {
                let ranges: Vec<Cidr<A>> = ranges.iter().filter_map(|range| parse::net(*range)).collect();
                if ranges.is_empty() || ranges.iter().any(|range| range.prefix() == 0) {
                    return NodeAddresses::All;
                }
                let inside = |a: &A| ranges.iter().any(|range| range.contains(*a));
                NodeAddresses::Only(of(&facts.interface_addresses).into_iter().filter(inside).collect())
            }
        }
    }

    pub(crate) fn service_cidrs<A: Address>(&self) -> BTreeSet<Cidr<A>> {
        parse::disjoint(self.service_cidrs.iter().filter_map(|range| parse::net(*range)))
    }
}
