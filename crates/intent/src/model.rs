//! The values of the IR.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};

use portway_base::{ObjectKey, Protocol, ServicePortId};

use crate::{Address, Cidr};

/// Everything the dataplane of one node shall do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intent {
    /// IPv4.
    pub v4: FamilyIntent<Ipv4Addr>,
    /// IPv6.
    pub v6: FamilyIntent<Ipv6Addr>,
}

/// What shall happen to packets of one IP family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FamilyIntent<A: Address> {
    /// Destinations that are claimed, and what happens there.
    pub fronts: BTreeMap<Front<A>, Rule<A>>,
    /// Who answers.
    pub pools: BTreeMap<PoolId, Pool<A>>,
    /// Addresses of Services: ports that no front claims are refused there.
    pub cluster_ips: BTreeMap<A, ObjectKey>,
    /// Ranges of ClusterIPs: addresses that no Service owns are dropped there.
    pub service_cidrs: BTreeSet<Cidr<A>>,
    /// Addresses of endpoints on this node; such a Pod may be balanced to itself and then needs source
    /// translation, or it would answer itself directly.
    pub hairpin: BTreeSet<A>,
    /// Which sources count as Pods of this node.
    pub locality: Locality<A>,
    /// On which addresses node ports are claimed.
    pub node_addresses: NodeAddresses<A>,
    /// How source translation is marked.
    pub masquerade: Masquerade,
    /// Ports on which the health of a Service's local endpoints is told.
    pub health_ports: BTreeMap<u16, HealthCheck>,
}

impl<A: Address> Default for FamilyIntent<A> {
    fn default() -> Self {
        Self {
            fronts: BTreeMap::new(),
            pools: BTreeMap::new(),
            cluster_ips: BTreeMap::new(),
            service_cidrs: BTreeSet::new(),
            hairpin: BTreeSet::new(),
            locality: Locality::Off,
            node_addresses: NodeAddresses::default(),
            masquerade: Masquerade::default(),
            health_ports: BTreeMap::new(),
        }
    }
}

/// A destination that is claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Front<A> {
    /// Where.
    pub at: At<A>,
    /// Transport protocol.
    pub protocol: Protocol,
    /// Destination port.
    pub port: u16,
}

/// The address part of a front.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum At<A> {
    /// One address, whether or not the node owns it.
    Vip(A),
    /// The node's addresses, as [`FamilyIntent::node_addresses`] says.
    NodePort,
}

/// What a front is, for people and for backends that treat kinds differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FrontKind {
    /// The Service's own address.
    ClusterIp,
    /// An address from `spec.externalIPs`.
    ExternalIp,
    /// An address of the load balancer.
    LoadBalancer,
    /// A port of the node.
    NodePort,
}

/// What happens at a front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule<A> {
    /// The Service port it is made for.
    pub owner: ServicePortId,
    /// What the front is.
    pub kind: FrontKind,
    /// Who may use it at all; `None` is everyone. Anyone else is dropped. Ranges do not overlap.
    pub allow_from: Option<BTreeSet<Cidr<A>>>,
    /// What happens, by source.
    pub sources: Sources<Action>,
}

/// One value for each source of packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sources<T> {
    /// Pods, as far as [`FamilyIntent::locality`] recognises them.
    pub pod: T,
    /// Sources with an address of the node itself (and not recognised as Pods).
    pub node: T,
    /// Everyone else.
    pub outside: T,
}

impl<T: Clone> Sources<T> {
    /// The same for everyone.
    pub fn all(value: T) -> Self {
        Self { pod: value.clone(), node: value.clone(), outside: value }
    }
}

/// What happens to a new connection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// One endpoint of the pool answers, each with the same probability.
    Balance {
        /// The pool.
        pool: PoolId,
        /// The endpoint sees an address of this node as the source.
        snat: bool,
    },
    /// Refused at once (ICMP port unreachable).
    Reject,
    /// No answer.
    Drop,
}

/// Name of a pool.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PoolId {
    /// The Service port.
    pub port: ServicePortId,
    /// Which of its endpoints.
    pub scope: Scope,
}

/// Which endpoints of a Service port are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Of the whole cluster.
    Cluster,
    /// Of this node.
    Local,
}

/// Endpoints of which any may answer; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool<A> {
    /// In ascending order, without repetition.
    pub endpoints: Vec<Endpoint<A>>,
    /// Seconds for which a client comes back to the endpoint it had; renewed by each new connection.
    pub affinity: Option<u32>,
}

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint<A> {
    /// Address.
    pub address: A,
    /// Port.
    pub port: u16,
}

/// Which sources count as Pods of this node.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Locality<A> {
    /// None is recognised.
    #[default]
    Off,
    /// Those with an address in the range.
    Source(Cidr<A>),
    /// Those that arrive through this interface.
    Interface(String),
    /// Those that arrive through an interface whose name starts so.
    InterfacePrefix(String),
}

/// On which addresses node ports are claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeAddresses<A> {
    /// On every address of the node that is not a loopback address.
    All,
    /// On these.
    Only(BTreeSet<A>),
}

impl<A> Default for NodeAddresses<A> {
    fn default() -> Self {
        Self::Only(BTreeSet::new())
    }
}

/// How packets that need source translation are marked on their way through the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Masquerade {
    /// Bit of the packet mark, 0 to 31; the other bits belong to others.
    pub bit: u8,
}

impl Default for Masquerade {
    fn default() -> Self {
        Self { bit: 14 }
    }
}

/// What a health check port tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// The Service.
    pub service: ObjectKey,
    /// Distinct addresses of ready endpoints on this node.
    pub local_endpoints: usize,
}
