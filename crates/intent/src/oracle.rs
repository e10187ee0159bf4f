//! What shall happen to one packet: the definition that every backend is measured against.

use std::collections::BTreeMap;

use portway_base::Protocol;

use crate::{Action, Address, At, Endpoint, FamilyIntent, Front, Locality, NodeAddresses, Rule};

/// The first packet of a connection, as it meets the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet<A> {
    /// Source address.
    pub source: A,
    /// Destination address.
    pub destination: A,
    /// Transport protocol.
    pub protocol: Protocol,
    /// Destination port.
    pub port: u16,
    /// Where it comes from.
    pub origin: Origin,
    /// The source is an address of this node.
    pub source_is_local: bool,
    /// The destination is an address of this node.
    pub destination_is_local: bool,
}

/// Where a packet comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A process in the node's own network namespace.
    Node,
    /// The named interface.
    Interface(String),
}

/// What happens to a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict<A> {
    /// One of these answers, each with the same probability. The value says whether it then sees an
    /// address of this node as the source.
    Deliver {
        /// Candidates.
        to: BTreeMap<Endpoint<A>, bool>,
        /// Seconds for which the client comes back to the same one.
        affinity: Option<u32>,
    },
    /// Refused at once.
    Reject,
    /// No answer.
    Drop,
    /// Not our business: goes where it was going.
    Pass,
}

impl<A: Address> FamilyIntent<A> {
    /// What shall happen to the packet.
    pub fn oracle(&self, packet: &Packet<A>) -> Verdict<A> {
        let Some(rule) = self.rule_for(packet) else {
            return self.unclaimed(packet);
        };
        if let Some(ranges) = &rule.allow_from
            && !ranges.iter().any(|range| range.contains(packet.source))
        {
            return Verdict::Drop;
        }
        match self.action(rule, packet) {
            Action::Reject => Verdict::Reject,
            Action::Drop => Verdict::Drop,
            Action::Balance { pool, snat } => match self.pools.get(pool) {
                None => Verdict::Pass,
                Some(pool) => Verdict::Deliver {
                    to: pool
                        .endpoints
                        .iter()
                        .map(|&endpoint| (endpoint, *snat || self.is_hairpin(endpoint, packet)))
                        .collect(),
                    affinity: pool.affinity,
                },
            },
        }
    }

    /// The action for the packet's source.
    pub fn action<'r>(&self, rule: &'r Rule<A>, packet: &Packet<A>) -> &'r Action {
        if self.locality.matches(packet) {
            &rule.sources.pod
        } else if packet.source_is_local {
            &rule.sources.node
        } else {
            &rule.sources.outside
        }
    }

    fn rule_for(&self, packet: &Packet<A>) -> Option<&Rule<A>> {
        let front = |at| Front { at, protocol: packet.protocol, port: packet.port };
        self.fronts.get(&front(At::Vip(packet.destination))).or_else(|| {
            self.node_addresses.contains(packet).then(|| self.fronts.get(&front(At::NodePort))).flatten()
        })
    }

    fn unclaimed(&self, packet: &Packet<A>) -> Verdict<A> {
        // The node's own addresses are never taken from it, whatever the Services' ranges say.
        if packet.destination_is_local {
            Verdict::Pass
        } else if self.cluster_ips.contains_key(&packet.destination) {
            Verdict::Reject
        } else if self.service_cidrs.iter().any(|cidr| cidr.contains(packet.destination)) {
            Verdict::Drop
        } else {
            Verdict::Pass
        }
    }

    fn is_hairpin(&self, endpoint: Endpoint<A>, packet: &Packet<A>) -> bool {
        endpoint.address == packet.source && self.hairpin.contains(&endpoint.address)
    }
}

impl<A: Address> Locality<A> {
    /// The packet's source counts as a Pod of this node.
    pub fn matches(&self, packet: &Packet<A>) -> bool {
        let interface = match &packet.origin {
            Origin::Node => None,
            Origin::Interface(name) => Some(name.as_str()),
        };
        match self {
            Self::Off => false,
            Self::Source(range) => range.contains(packet.source),
            Self::Interface(name) => interface == Some(name),
            Self::InterfacePrefix(prefix) => interface.is_some_and(|name| name.starts_with(prefix.as_str())),
        }
    }
}

impl<A: Address> NodeAddresses<A> {
    /// Node ports are claimed on the packet's destination.
    pub fn contains(&self, packet: &Packet<A>) -> bool {
        match self {
            Self::All => packet.destination_is_local && !packet.destination.is_loopback(),
            Self::Only(addresses) => addresses.contains(&packet.destination),
        }
    }
}
