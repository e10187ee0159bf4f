//! However a state was reached, the answers are those of a zone built from it at once.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::super::{PodMode, Zone, ZoneConfig};
use super::ask;
use super::world::{World, alias, namespace, pod, service, slice};

/// A change: an object, and whether it is put or removed.
fn change() -> impl Strategy<Value = (World, bool)> {
    let ns = prop::sample::select(vec!["a", "b"]);
    let svc = prop::sample::select(vec!["s", "t"]);
    let ip = prop::sample::select(vec!["10.96.0.1", "10.96.0.2", "fd00::1", "None", "10.96.0.1,fd00::2"]);
    let end = prop::sample::select(vec![
        "10.1.0.1",
        "10.1.0.2",
        "10.1.0.1=h",
        "10.1.0.2=h",
        "!10.1.0.1",
        "fd00::9=h",
        "10.96.0.1",
    ]);
    let ports = prop::sample::select(vec![vec![], vec!["http:80"], vec!["http:81", "x:9"]]);
    let object = prop_oneof![
        (ns.clone(), svc.clone(), ip, ports.clone()).prop_map(|(n, s, ip, p)| service(
            &format!("{n}/{s}"),
            ip,
            &p
        )),
        (ns.clone(), svc.clone()).prop_map(|(n, s)| alias(&format!("{n}/{s}"), "t.a.svc.cluster.local")),
        (
            ns.clone(),
            svc,
            prop::sample::select(vec!["e1", "e2"]),
            ports,
            prop::collection::vec(end.clone(), 0..4)
        )
            .prop_map(|(n, s, name, p, e)| slice(&format!("{n}/{name}"), s, &p, &e)),
        ns.clone().prop_map(namespace),
        (ns, prop::sample::select(vec!["p", "q"]), prop::sample::select(vec!["10.1.0.1", "10.1.0.2"]))
            .prop_map(|(n, name, ip)| pod(&format!("{n}/{name}"), ip, "Running")),
    ];
    (object, prop::bool::weighted(0.7))
}

fn questions() -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for ns in ["a", "b"] {
        names.extend([format!("{ns}.svc"), format!("{ns}.pod"), format!("10-1-0-1.{ns}.pod")]);
        for svc in ["s", "t"] {
            let base = format!("{svc}.{ns}.svc");
            for front in ["", "h.", "10-1-0-1.", "10-96-0-1.", "_http._tcp.", "_x._tcp."] {
                names.push(format!("{front}{base}"));
            }
        }
    }
    let mut queries: Vec<String> = Vec::new();
    for name in names {
        queries.extend(
            ["A", "AAAA", "SRV", "CNAME", "TXT"].map(|rtype| format!("{name}.cluster.local {rtype}")),
        );
    }
    for address in ["1.0.96.10", "2.0.96.10", "1.0.1.10", "2.0.1.10"] {
        queries.push(format!("{address}.in-addr.arpa PTR"));
    }
    queries
}

fn empty() -> Zone {
    let config = ZoneConfig { pods: PodMode::Verified, ..ZoneConfig::cluster("cluster.local").unwrap() };
    let mut zone = Zone::new(config);
    zone.set_synced();
    zone
}

/// The answer as a set of lines, since the order of data may depend on history.
fn lines(zone: &Zone, query: &str) -> BTreeSet<String> {
    ask(zone, query).lines().map(str::to_owned).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn history_does_not_matter(changes in prop::collection::vec(change(), 0..30)) {
        let mut lived = empty();
        let mut state = BTreeMap::new();
        for (object, put) in &changes {
            // An address belongs to one Service at a time: the API server sees to that.
            if *put && taken(&state, object) {
                continue;
            }
            if *put {
                object.put(&mut lived, 1);
                state.insert(object.id(), object.clone());
            } else {
                object.remove(&mut lived, 1);
                state.remove(&object.id());
            }
        }
        let mut fresh = empty();
        state.values().for_each(|object| object.put(&mut fresh, 1));
        for query in questions() {
            prop_assert_eq!(lines(&lived, &query), lines(&fresh, &query), "{}", query);
        }
        // A list without anything empties it.
        let none = BTreeSet::new();
        lived.retain_services(&none, 2);
        lived.retain_slices(&none, 2);
        lived.retain_pods(&none, 2);
        prop_assert!(lived.slots.is_empty() && lived.slices.is_empty());
        prop_assert!(lived.vips.is_empty() && lived.backs.is_empty());
        prop_assert!(lived.pods.names().next().is_none());
    }
}

fn taken(state: &BTreeMap<(u8, portway_base::ObjectKey), World>, object: &World) -> bool {
    let World::Service(key, new) = object else { return false };
    state.values().any(|other| match other {
        World::Service(owner, old) if owner != key => {
            old.spec.cluster_ips.iter().any(|ip| ip != "None" && new.spec.cluster_ips.contains(ip))
        }
        _ => false,
    })
}
