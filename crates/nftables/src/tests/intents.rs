//! Random intents over a small world, so that everything meets everything.

use std::collections::BTreeSet;

use portway_base::{ObjectKey, Protocol, ServicePortId};
use portway_intent::{
    Action, At, Cidr, Endpoint, Front, FrontKind, Locality, NodeAddresses, Origin, Packet, Pool, PoolId,
    Rule, Scope, Sources,
};

use super::*;

/// Address number `n` of a block: 1 are Pods, 2 nodes, 3 the outside, 4 and 5 Service addresses.
pub(crate) fn address<A: Address>(block: u8, n: u8) -> A {
    let base: u128 = if A::BITS == 32 { 10 << 24 } else { 0xfd << 120 };
    A::from_bits(base | u128::from(block) << 16 | u128::from(n))
}

fn protocol() -> impl Strategy<Value = Protocol> {
    prop_oneof![Just(Protocol::Tcp), Just(Protocol::Udp), Just(Protocol::Sctp)]
}

fn port_id(n: u8) -> ServicePortId {
    ServicePortId {
        service: ObjectKey::new("ns", format!("s{n}")),
        port: "p".into(),
        protocol: Protocol::Tcp,
    }
}

fn pool_id(n: u8, scope: Scope) -> PoolId {
    PoolId { port: port_id(n), scope }
}

fn pool<A: Address>() -> impl Strategy<Value = Pool<A>> {
    let endpoint = (0u8..4, 8080u16..8082).prop_map(|(n, port)| Endpoint { address: address(1, n), port });
    let affinity = prop_oneof![3 => Just(None), 1 => Just(Some(60)), 1 => Just(Some(10800))];
    (prop::collection::btree_set(endpoint, 1..5), affinity)
        .prop_map(|(endpoints, affinity)| Pool { endpoints: endpoints.into_iter().collect(), affinity })
}

fn sources() -> impl Strategy<Value = (u8, Sources<Action>)> {
    let refuse = prop_oneof![Just(Action::Reject), Just(Action::Drop)];
    (0u8..3, 0u8..4, any::<[bool; 3]>(), refuse).prop_map(|(n, shape, snat, refuse)| {
        let to = |scope, snat| Action::Balance { pool: pool_id(n, scope), snat };
        let sources = match shape {
            0 => Sources::all(refuse),
            1 => Sources {
                pod: to(Scope::Cluster, snat[0]),
                node: to(Scope::Cluster, snat[1]),
                outside: to(Scope::Cluster, snat[2]),
            },
            2 => Sources {
                pod: to(Scope::Cluster, snat[0]),
                node: to(Scope::Cluster, snat[1]),
                outside: to(Scope::Local, snat[2]),
            },
            _ => Sources {
                pod: to(Scope::Cluster, snat[0]),
                node: to(Scope::Cluster, snat[1]),
                outside: refuse,
            },
        };
        (n, sources)
    })
}

fn rule<A: Address>() -> impl Strategy<Value = Rule<A>> {
    let ranges = prop_oneof![
        3 => Just(None),
        1 => Just(Some(BTreeSet::from([Cidr::new(address::<A>(3, 0), A::BITS - 1).unwrap()]))),
        1 => Just(Some(BTreeSet::from([
            Cidr::new(address::<A>(1, 0), A::BITS - 16).unwrap(),
            Cidr::host(address::<A>(3, 2)),
        ]))),
    ];
    (sources(), ranges).prop_map(|((n, sources), allow_from)| Rule {
        owner: port_id(n),
        kind: FrontKind::LoadBalancer,
        allow_from,
        sources,
    })
}

fn front<A: Address>() -> impl Strategy<Value = (Front<A>, Rule<A>)> {
    let at = prop_oneof![3 => (0u8..3).prop_map(|n| At::Vip(address(4, n))), 1 => Just(At::NodePort)];
    (at, protocol(), 80u16..82, rule()).prop_map(|(at, protocol, port, mut rule)| {
        if at == At::NodePort {
            rule.allow_from = None;
        }
        (Front { at, protocol, port }, rule)
    })
}

fn locality<A: Address>() -> impl Strategy<Value = Locality<A>> {
    prop_oneof![
        Just(Locality::Off),
        Just(Locality::Source(Cidr::new(address::<A>(1, 0), A::BITS - 16).unwrap())),
        Just(Locality::Interface("cni0".into())),
        Just(Locality::InterfacePrefix("veth".into())),
    ]
}

fn node_addresses<A: Address>() -> impl Strategy<Value = NodeAddresses<A>> {
    prop_oneof![
        Just(NodeAddresses::All),
        Just(NodeAddresses::Only(BTreeSet::new())),
        Just(NodeAddresses::Only(BTreeSet::from([address::<A>(2, 1)]))),
    ]
}

/// One family.
pub(crate) fn family<A: Address>() -> impl Strategy<Value = FamilyIntent<A>> {
    let pools = prop::collection::vec((pool::<A>(), pool::<A>()), 3);
    let fronts = prop::collection::btree_map(0u8..12, front::<A>(), 0..8);
    let hairpin = prop::collection::btree_set((0u8..4).prop_map(|n| address(1, n)), 0..4);
    let cluster_ips = prop::collection::btree_set((0u8..4).prop_map(|n| address(4, n)), 0..4);
    let range = prop_oneof![Just(None), Just(Cidr::new(address::<A>(4, 0), A::BITS - 16))];
    (pools, fronts, hairpin, cluster_ips, range, locality(), node_addresses(), prop_oneof![Just(14), Just(3)])
        .prop_map(|(pools, fronts, hairpin, cluster_ips, range, locality, node_addresses, bit)| {
            let mut intent = FamilyIntent {
                fronts: fronts.into_values().collect(),
                hairpin,
                cluster_ips: cluster_ips.into_iter().map(|ip| (ip, ObjectKey::new("ns", "s0"))).collect(),
                service_cidrs: range.into_iter().collect(),
                locality,
                node_addresses,
                ..FamilyIntent::default()
            };
            intent.masquerade.bit = bit;
            for (n, (cluster, local)) in (0u8..).zip(pools) {
                intent.pools.insert(pool_id(n, Scope::Cluster), cluster);
                intent.pools.insert(pool_id(n, Scope::Local), local);
            }
            intent.check().unwrap();
            intent
        })
}

/// A packet of that world.
pub(crate) fn packet<A: Address>() -> impl Strategy<Value = Packet<A>> {
    let source = prop_oneof![
        4 => (1u8..4, 0u8..4).prop_map(|(block, n)| address::<A>(block, n)),
        1 => Just(address::<A>(2, 1)),
    ];
    let destination = prop_oneof![
        4 => (0u8..4).prop_map(|n| address::<A>(4, n)),
        2 => Just(address::<A>(2, 1)),
        1 => Just(address::<A>(2, 2)),
        1 => Just(if A::BITS == 32 { A::from_bits(127 << 24 | 1) } else { A::from_bits(1) }),
    ];
    let interface = prop_oneof![Just("cni0"), Just("veth0"), Just("eth0")];
    (source, destination, protocol(), 80u16..82, interface).prop_map(
        |(source, destination, protocol, port, interface)| {
            let own = |a: A| a == address(2, 1) || a.is_loopback();
            Packet {
                source,
                destination,
                protocol,
                port,
                origin: if own(source) { Origin::Node } else { Origin::Interface(interface.into()) },
                source_is_local: own(source),
                destination_is_local: own(destination),
            }
        },
    )
}
