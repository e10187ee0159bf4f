//! Services under random lives: what is given out is what they hold, and a manifest applied again changes
//! nothing.

use portway_api::kinds::value::Read;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::world::World;

const PATH: &str = "/api/v1/namespaces/test/services";

fn port() -> impl Strategy<Value = Value> {
    let node_port = prop_oneof![4 => Just(0), 1 => 30_000..30_004i64];
    (1..4i64, prop_oneof![Just("TCP"), Just("UDP")], node_port).prop_map(|(port, protocol, node_port)| {
        let mut value = json!({"name": format!("p{port}{}", protocol.to_lowercase()), "port": port, "protocol": protocol});
        if node_port != 0 {
            value["nodePort"] = node_port.into();
        }
        value
    })
}

fn one_of(texts: &'static [&'static str]) -> impl Strategy<Value = Value> {
    proptest::option::weighted(0.5, proptest::sample::select(texts)).prop_map(|text| json!(text))
}

fn some(value: Value) -> impl Strategy<Value = Value> {
    proptest::option::weighted(0.3, Just(value)).prop_map(|value| json!(value))
}

/// A manifest as people write them: most are valid on their own.
fn manifest() -> impl Strategy<Value = Value> {
    let spec = (
        one_of(&["ClusterIP", "NodePort", "NodePort", "LoadBalancer", "LoadBalancer", "ExternalName"]),
        proptest::collection::vec(port(), 1..4),
        one_of(&["SingleStack", "PreferDualStack", "RequireDualStack"]),
        prop_oneof![8 => Just(Value::Null), 1 => Just(json!("None")), 1 => Just(json!("10.96.0.77"))],
        prop_oneof![6 => Just(Value::Null), 1 => Just(json!(["IPv6"])), 1 => Just(json!(["IPv4", "IPv6"]))],
        one_of(&["Cluster", "Local"]),
        some(json!(false)),
        some(json!(["192.0.2.1"])),
        some(json!({"app": "a"})),
        one_of(&["None", "ClientIP"]),
    );
    spec.prop_map(|(kind, mut ports, policy, ip, families, external, allocate, external_ips, selector, affinity)| {
        ports.dedup_by_key(|port| port["name"].clone());
        let local = ["NodePort", "LoadBalancer"].contains(&kind.as_str().unwrap_or_default());
        let external = if local { external } else { Value::Null };
        let allocate = if kind == "LoadBalancer" { allocate } else { Value::Null };
        let name = if kind == "ExternalName" { json!("example.com") } else { Value::Null };
        let plain = kind != "ExternalName";
        let keep = |value: Value| if plain { value } else { Value::Null };
        let spec = json!({"type": kind, "ports": ports, "ipFamilyPolicy": keep(policy), "clusterIP": keep(ip),
            "ipFamilies": keep(families), "externalTrafficPolicy": external, "externalName": name,
            "allocateLoadBalancerNodePorts": allocate, "externalIPs": external_ips, "selector": selector,
            "sessionAffinity": affinity});
        let spec: Map<String, Value> =
            spec.as_object().into_iter().flatten().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.clone(), v.clone())).collect();
        json!({"spec": spec})
    })
}

#[derive(Clone, Debug)]
enum Step {
    Apply(usize, Value),
    Delete(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0..3usize, manifest()).prop_map(|(which, manifest)| Step::Apply(which, manifest)),
        1 => (0..3usize).prop_map(Step::Delete),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn given_out_is_held(steps in proptest::collection::vec(step(), 1..12), dual in any::<bool>()) {
        let mut world = World::new(dual);
        for step in steps {
            match step {
                Step::Apply(which, mut manifest) => {
                    manifest["metadata"] = json!({"name": format!("s{which}")});
                    let Some(first) = world.request("PUT", &format!("{PATH}/s{which}"), "", manifest.clone()) else {
                        panic!("not understood");
                    };
                    if first.code < 300 {
                        holds_together(&first.body);
                        // A family that was added is not dropped by a manifest that lists fewer; it is refused.
                        let listed = manifest.list("spec.ipFamilies").len();
                        let fewer = listed != 0 && listed < first.body.list("spec.ipFamilies").len();
                        // Going back to one family may still list both, but only on the way there.
                        let more = listed > first.body.list("spec.ipFamilies").len();
                        // A number that one port names is not carried over to another that shares it.
                        let shared = manifest.list("spec.ports").iter().any(|port| port.int("nodePort") != 0);
                        let manifest = if fewer || more || shared { first.body.clone() } else { manifest };
                        for again in [manifest, first.body.clone()] {
                            let second = world.request("PUT", &format!("{PATH}/s{which}"), "", again);
                            let second = second.map(|answer| answer.body).unwrap_or_default();
                            prop_assert_eq!(&second, &first.body);
                        }
                    }
                }
                Step::Delete(which) => {
                    world.request("DELETE", &format!("{PATH}/s{which}"), "", Value::Null);
                }
            }
            world.check_books();
        }
    }
}

/// What every stored Service is like.
fn holds_together(service: &Value) {
    let (ips, families) = (service.texts("spec.clusterIPs"), service.texts("spec.ipFamilies"));
    assert_eq!(service.text("spec.clusterIP"), ips.first().copied().unwrap_or_default(), "{service}");
    if service.text("spec.type") == "ExternalName" {
        assert!(ips.is_empty() && families.is_empty(), "{service}");
        return;
    }
    if ips != ["None"] {
        assert_eq!(ips.len(), families.len(), "{service}");
    }
    let single = service.text("spec.ipFamilyPolicy") == "SingleStack";
    assert!(!single || families.len() == 1, "{service}");
    for (ip, family) in ips.iter().zip(families) {
        assert!(*ip == "None" || ip.contains(':') == (family == "IPv6"), "{service}");
    }
    let wanted = match service.text("spec.type") {
        "NodePort" => true,
        "LoadBalancer" => service.flag("spec.allocateLoadBalancerNodePorts"),
        _ => false,
    };
    for port in service.list("spec.ports") {
        assert!(!wanted || port.int("nodePort") != 0, "{service}");
    }
}
