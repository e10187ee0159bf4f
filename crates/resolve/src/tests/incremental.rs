//! However the objects came, the intent is the same.

use portway_base::ObjectKey;
use portway_intent::Delta;
use proptest::prelude::*;
use serde_json::json;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Service { name: u8, ip: u8, node_port: u8, local: bool, affinity: bool },
    Slice { name: u8, service: u8, endpoints: Vec<(u8, u8)> },
    ServiceGone(u8),
    SliceGone(u8),
    Zone(bool),
    Commit,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0u8..3, 1u8..3, 0u8..3, any::<bool>(), any::<bool>()).prop_map(
            |(name, ip, node_port, local, affinity)| Step::Service { name, ip, node_port, local, affinity }),
        6 => (0u8..4, 0u8..3, prop::collection::vec((2u8..6, 0u8..5), 0..4)).prop_map(
            |(name, service, endpoints)| Step::Slice { name, service, endpoints }),
        1 => (0u8..3).prop_map(Step::ServiceGone),
        1 => (0u8..4).prop_map(Step::SliceGone),
        1 => any::<bool>().prop_map(Step::Zone),
        3 => Just(Step::Commit),
    ]
}

fn input(step: &Step) -> Option<Input> {
    let policy = |local: bool| if local { "Local" } else { "Cluster" };
    Some(match step {
        Step::Service { name, ip, node_port, local, affinity } => {
            let ip = format!("10.96.0.{ip}");
            let spec = json!({
                "type": "NodePort", "clusterIP": ip, "clusterIPs": [ip],
                "externalTrafficPolicy": policy(*local),
                "sessionAffinity": if *affinity { "ClientIP" } else { "None" },
                "ports": [
                    {"name": "http", "port": 80, "nodePort": if *node_port == 0 { 0 } else { 30000 + i32::from(*node_port) }},
                    {"name": "dns", "port": 53, "protocol": "UDP"},
                ],
            });
            named(&format!("s{name}"), spec, json!({}))
        }
        Step::Slice { name, service, endpoints } => {
            let states = ["@n1", "@n2", "@n1 draining", "@n2 zone=a", "@n1 zone=b"];
            let texts: Vec<_> = endpoints
                .iter()
                .map(|(host, state)| format!("10.244.0.{host}{}", states[usize::from(*state)]))
                .collect();
            let texts: Vec<_> = texts.iter().map(String::as_str).collect();
            slice_of(&format!("s{service}"), &format!("slice{name}"), "IPv4", &texts)
        }
        Step::ServiceGone(name) => Input::ServiceGone(ObjectKey::new("default", format!("s{name}"))),
        Step::SliceGone(name) => Input::SliceGone(ObjectKey::new("default", format!("slice{name}"))),
        Step::Zone(a) => Input::Facts(NodeFacts { zone: Some(if *a { "a" } else { "b" }.into()), ..facts() }),
        Step::Commit => return None,
    })
}

proptest! {
    #[test]
    fn resolve_all_is_incremental(steps in prop::collection::vec(step(), 0..60)) {
        let mut resolver = Resolver::new(settings(), facts());
        let mut before = resolver.intent();
        let mut objects = Vec::new();
        for step in steps.iter().chain([&Step::Commit]) {
            if let Some(input) = input(step) {
                objects.push(input.clone());
                resolver.apply(input);
                continue;
            }
            let outcome = resolver.commit();
            let after = resolver.intent();
            prop_assert_eq!(after.check(), Ok(()));
            prop_assert_eq!(&outcome.delta, &Delta::between(&before, &after));
            before = after;
        }
        let (all, _) = resolve_all(settings(), facts(), objects);
        prop_assert_eq!(before.to_string(), all.to_string());
        prop_assert_eq!(before, all);
    }
}
