//! Tests of the IR on one hand-made intent.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use portway_base::{ObjectKey, Protocol, ServicePortId};
use proptest::prelude::*;

use crate::*;

fn ip(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

fn port_id() -> ServicePortId {
    ServicePortId { service: ObjectKey::new("default", "web"), port: "http".into(), protocol: Protocol::Tcp }
}

fn pool(scope: Scope) -> PoolId {
    PoolId { port: port_id(), scope }
}

fn balance(scope: Scope, snat: bool) -> Action {
    Action::Balance { pool: pool(scope), snat }
}

/// ClusterIP 10.96.0.1:80 over two endpoints, node port 30080 with the Local policy over one.
fn sample() -> FamilyIntent<Ipv4Addr> {
    let near = Endpoint { address: ip("10.244.1.2"), port: 8080 };
    let far = Endpoint { address: ip("10.244.2.2"), port: 8080 };
    let rule = |kind, sources| Rule { owner: port_id(), kind, allow_from: None, sources };
    let tcp = |at, port| Front { at, protocol: Protocol::Tcp, port };
    let cluster =
        Sources { pod: balance(Scope::Cluster, false), ..Sources::all(balance(Scope::Cluster, true)) };
    let external = Sources {
        pod: balance(Scope::Cluster, false),
        node: balance(Scope::Cluster, true),
        outside: balance(Scope::Local, false),
    };
    FamilyIntent {
        fronts: BTreeMap::from([
            (tcp(At::Vip(ip("10.96.0.1")), 80), rule(FrontKind::ClusterIp, cluster)),
            (tcp(At::NodePort, 30080), rule(FrontKind::NodePort, external)),
            (
                tcp(At::Vip(ip("203.0.113.1")), 80),
                Rule {
                    allow_from: Some(BTreeSet::from([Cidr::new(ip("198.51.100.0"), 24).unwrap()])),
                    ..rule(FrontKind::LoadBalancer, Sources::all(Action::Reject))
                },
            ),
        ]),
        pools: BTreeMap::from([
            (pool(Scope::Cluster), Pool { endpoints: vec![near, far], affinity: None }),
            (pool(Scope::Local), Pool { endpoints: vec![near], affinity: Some(60) }),
        ]),
        cluster_ips: BTreeMap::from([(ip("10.96.0.1"), ObjectKey::new("default", "web"))]),
        service_cidrs: BTreeSet::from([Cidr::new(ip("10.96.0.0"), 16).unwrap()]),
        hairpin: BTreeSet::from([ip("10.244.1.2")]),
        locality: Locality::Source(Cidr::new(ip("10.244.0.0"), 16).unwrap()),
        node_addresses: NodeAddresses::Only(BTreeSet::from([ip("10.88.0.11")])),
        ..FamilyIntent::default()
    }
}

fn packet(source: &str, destination: &str, port: u16) -> Packet<Ipv4Addr> {
    let node = |text: &str| text == "10.88.0.11";
    Packet {
        source: ip(source),
        destination: ip(destination),
        protocol: Protocol::Tcp,
        port,
        origin: if node(source) { Origin::Node } else { Origin::Interface("eth0".into()) },
        source_is_local: node(source),
        destination_is_local: node(destination),
    }
}

#[test]
fn oracle_follows_the_traffic_matrix() {
    let intent = sample();
    intent.check().unwrap();
    let check = |source, destination, port, expect: &str| {
        let text = match intent.oracle(&packet(source, destination, port)) {
            Verdict::Deliver { to, affinity } => {
                let to: Vec<_> =
                    to.iter().map(|(e, snat)| format!("{e}{}", if *snat { "*" } else { "" })).collect();
                format!("{}{}", to.join(" "), affinity.map_or(String::new(), |s| format!(" {s}s")))
            }
            other => format!("{other:?}"),
        };
        assert_eq!(text, expect, "{source} -> {destination}:{port}");
    };
    check("10.244.1.3", "10.96.0.1", 80, "10.244.1.2:8080 10.244.2.2:8080");
    check("10.244.1.2", "10.96.0.1", 80, "10.244.1.2:8080* 10.244.2.2:8080");
    check("10.88.0.11", "10.96.0.1", 80, "10.244.1.2:8080* 10.244.2.2:8080*");
    check("10.244.1.3", "10.96.0.1", 81, "Reject");
    check("10.244.1.3", "10.96.0.2", 80, "Drop");
    check("10.244.1.3", "10.88.0.11", 30080, "10.244.1.2:8080 10.244.2.2:8080");
    check("10.88.0.11", "10.88.0.11", 30080, "10.244.1.2:8080* 10.244.2.2:8080*");
    check("198.51.100.10", "10.88.0.11", 30080, "10.244.1.2:8080 60s");
    check("198.51.100.10", "10.88.0.12", 30080, "Pass");
    check("198.51.100.10", "203.0.113.1", 80, "Reject");
    check("192.0.2.1", "203.0.113.1", 80, "Drop");
}

#[test]
fn text_is_canonical() {
    let text = sample().to_string();
    let line = "  front node:30080/TCP node-port of default/web:http: \
                pod cluster, node cluster masqueraded, outside local\n";
    assert!(text.contains(line), "{text}");
    let line = "  pool default/web/TCP/http/local affinity 60s: 10.244.1.2:8080\n";
    assert!(text.contains(line), "{text}");
}

#[test]
fn broken_invariants_are_found() {
    let check = |spoil: fn(&mut FamilyIntent<Ipv4Addr>), expect: fn(&Violation) -> bool| {
        let mut intent = sample();
        spoil(&mut intent);
        let violation = intent.check().unwrap_err();
        assert!(expect(&violation), "{violation}");
    };
    check(|i| drop(i.pools.pop_last()), |v| matches!(v, Violation::NoPool { .. }));
    check(|i| i.pools.values_mut().for_each(|p| p.endpoints.clear()), |v| matches!(v, Violation::Pool(_)));
    check(|i| i.masquerade.bit = 32, |v| *v == Violation::Bit(32));
    check(
        |i| i.node_addresses = NodeAddresses::Only(BTreeSet::from([Ipv4Addr::LOCALHOST])),
        |v| *v == Violation::Loopback,
    );
}

#[test]
fn delta_names_fronts_of_changed_pools() {
    let old = sample();
    let mut new = old.clone();
    new.pools.get_mut(&pool(Scope::Local)).unwrap().affinity = None;
    let delta = FamilyDelta::between(&old, &new);
    assert_eq!(delta.pools.len(), 1);
    assert_eq!(delta.fronts.keys().map(ToString::to_string).collect::<Vec<_>>(), ["node:30080/TCP"]);
    assert!(FamilyDelta::between(&new, &new).is_empty());
}

proptest! {
    #[test]
    fn ranges_contain_what_they_span(bits: u32, prefix in 0u8..=32, other: u32) {
        let range = Cidr::new(Ipv4Addr::from_bits(bits), prefix).unwrap();
        let inside = (range.first()..=range.last()).contains(&Ipv4Addr::from_bits(other));
        prop_assert_eq!(range.contains(Ipv4Addr::from_bits(other)), inside);
        prop_assert!(range.contains(Ipv4Addr::from_bits(bits)));
    }
}
