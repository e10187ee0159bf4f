//! Strategic merge patch on real kinds, and a round trip through a computed patch.

use portway_api::schema::schema;
use proptest::prelude::*;
use serde_json::json;

use super::*;

const SERVICE: &str = "io.k8s.api.core.v1.Service";
const POD: &str = "io.k8s.api.core.v1.Pod";
const DEPLOYMENT: &str = "io.k8s.api.apps.v1.Deployment";

fn check(message: &str, object: Value, patch: Value, expect: Option<Value>) {
    let got = apply(schema(), message, object.clone(), patch.clone());
    assert_eq!(got.as_ref().ok(), expect.as_ref(), "{object}\n{patch}\n{got:?}");
}

#[test]
fn lists_by_key() {
    let service = |ports: Value| json!({"spec": {"ports": ports}});
    let two = service(json!([{"port": 80, "name": "a"}, {"port": 81, "name": "b"}]));
    let port = |patch: Value, expect: Option<Value>| {
        check(SERVICE, two.clone(), json!({"spec": patch}), expect.map(service));
    };
    port(
        json!({"ports": [{"port": 81, "targetPort": 9}]}),
        Some(json!([{"port": 80, "name": "a"}, {"port": 81, "name": "b", "targetPort": 9}])),
    );
    port(
        json!({"ports": [{"port": 82}]}),
        Some(json!([{"port": 82}, {"port": 80, "name": "a"}, {"port": 81, "name": "b"}])),
    );
    port(json!({"ports": [{"port": 80, "$patch": "delete"}]}), Some(json!([{"port": 81, "name": "b"}])));
    port(
        json!({"ports": [{"port": 99, "$patch": "delete"}]}),
        Some(json!([{"port": 80, "name": "a"}, {"port": 81, "name": "b"}])),
    );
    port(
        json!({"ports": [{"$patch": "replace"}, {"port": 99, "name": "z"}]}),
        Some(json!([{"port": 99, "name": "z"}])),
    );
    port(json!({"ports": [{"$patch": "replace"}]}), Some(json!([])));
    port(
        json!({"ports": [{"$patch": "replace"}, {"port": 81}, {"port": 7}, {"port": 80}]}),
        Some(json!([{"port": 81}, {"port": 7}, {"port": 80}])),
    );
    port(
        json!({"ports": [{"port": 80, "name": null}]}),
        Some(json!([{"port": 80}, {"port": 81, "name": "b"}])),
    );
    port(json!({"ports": [{"name": "c"}]}), None);
    port(json!({"ports": [{"port": 80, "$patch": "frob"}]}), None);
    port(json!({"ports": [5]}), None);
    port(
        json!({"$setElementOrder/ports": [{"port": 81}, {"port": 80}], "ports": [{"port": 80, "targetPort": 7}]}),
        Some(json!([{"port": 81, "name": "b"}, {"port": 80, "name": "a", "targetPort": 7}])),
    );
    port(
        json!({"$setElementOrder/ports": [{"port": 90}, {"port": 81}], "ports": [{"port": 90}]}),
        Some(json!([{"port": 90}, {"port": 80, "name": "a"}, {"port": 81, "name": "b"}])),
    );
    port(json!({"$setElementOrder/ports": [{"port": 81}], "ports": [{"port": 80}]}), None);
    port(
        json!({"$setElementOrder/ports": [{"port": 81}], "ports": [{"port": 80, "$patch": "delete"}]}),
        Some(json!([{"port": 81, "name": "b"}])),
    );
    // The protocol is not part of the key: the first of two ports with one number changes.
    check(
        SERVICE,
        service(json!([{"port": 53, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}])),
        json!({"spec": {"ports": [{"port": 53, "targetPort": 5353}]}}),
        Some(service(
            json!([{"port": 53, "protocol": "TCP", "targetPort": 5353}, {"port": 53, "protocol": "UDP"}]),
        )),
    );
    check(
        POD,
        json!({"spec": {"containers": [{"name": "c", "image": "i", "env": [{"name": "A", "value": "1"}]}]}}),
        json!({"spec": {"containers": [{"name": "c", "env": [{"name": "B", "value": "2"}]}]}}),
        Some(
            json!({"spec": {"containers": [{"name": "c", "image": "i", "env": [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}]}]}}),
        ),
    );
}

#[test]
fn scalars_and_maps() {
    let object = |finalizers: Value| json!({"metadata": {"finalizers": finalizers}});
    let finalizers = |patch: Value, expect: Option<Value>| {
        check(SERVICE, object(json!(["x/a", "x/b"])), json!({"metadata": patch}), expect.map(object));
    };
    finalizers(json!({"finalizers": ["x/c"]}), Some(json!(["x/c", "x/a", "x/b"])));
    finalizers(json!({"finalizers": ["x/b"]}), Some(json!(["x/a", "x/b"])));
    finalizers(json!({"$deleteFromPrimitiveList/finalizers": ["x/a"]}), Some(json!(["x/b"])));
    finalizers(
        json!({"$deleteFromPrimitiveList/finalizers": ["x/a"], "$setElementOrder/finalizers": ["x/c", "x/b"], "finalizers": ["x/c"]}),
        Some(json!(["x/c", "x/b"])),
    );
    finalizers(json!({"finalizers": [{"a": 1}]}), None);
    finalizers(json!({"$deleteFromPrimitiveList/finalizers": 1}), None);
    finalizers(json!({"$setElementOrder/finalizers": 1}), None);

    let spec = |spec: Value, patch: Value, expect: Option<Value>| {
        check(
            SERVICE,
            json!({"spec": spec}),
            json!({"spec": patch}),
            expect.map(|spec| json!({"spec": spec})),
        );
    };
    spec(
        json!({"externalIPs": ["1.1.1.1"]}),
        json!({"externalIPs": ["2.2.2.2"]}),
        Some(json!({"externalIPs": ["2.2.2.2"]})),
    );
    spec(
        json!({"selector": {"a": "b"}}),
        json!({"selector": {"c": "d"}}),
        Some(json!({"selector": {"a": "b", "c": "d"}})),
    );
    spec(json!({"selector": {"a": "b"}}), json!({"selector": {"a": null}}), Some(json!({"selector": {}})));
    spec(
        json!({"selector": {"a": "b"}}),
        json!({"selector": {"$patch": "replace", "n": "v"}}),
        Some(json!({"selector": {"n": "v"}})),
    );
    spec(
        json!({"selector": {"a": "b"}, "type": "x"}),
        json!({"selector": {"$patch": "delete"}}),
        Some(json!({"type": "x"})),
    );
    spec(json!({"type": "x"}), json!({"selector": {"$patch": "delete"}}), Some(json!({"type": "x"})));
    spec(json!({}), json!({"selector": {"$patch": "frob"}}), Some(json!({"selector": {}})));
    spec(json!({"selector": {"a": "b"}}), json!({"selector": {"$patch": "frob"}}), None);
    spec(json!({"type": "x"}), json!({"type": null}), Some(json!({})));
    spec(
        json!({"type": "x", "clusterIP": "y"}),
        json!({"$retainKeys": ["type"], "type": "z"}),
        Some(json!({"type": "z"})),
    );
    spec(json!({"type": "x"}), json!({"$retainKeys": ["type"], "clusterIP": "z"}), None);
    spec(json!({"type": "x"}), json!({"$retainKeys": "type"}), None);
    spec(
        json!({}),
        json!({"ports": [{"port": 1, "name": null, "$patch": "merge"}, {"port": 2, "$patch": "delete"}]}),
        Some(json!({"ports": [{"port": 1}]})),
    );
    spec(json!({"zz": [1]}), json!({"zz": [2]}), Some(json!({"zz": [2]})));

    check(
        DEPLOYMENT,
        json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}),
        json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}),
        Some(json!({"spec": {"strategy": {"type": "Recreate"}}})),
    );
    check(
        "no.such.Message",
        json!({"a": {"b": [1]}}),
        json!({"a": {"b": [2]}}),
        Some(json!({"a": {"b": [2]}})),
    );
    assert!(apply(schema(), SERVICE, json!({}), json!([])).is_err());
}

/// The patch a client would send to get from one list of ports to another.
fn port_patch(from: &[(u16, u8)], to: &[(u16, u8)]) -> Value {
    let order: Vec<Value> = to.iter().map(|(port, _)| json!({"port": port})).collect();
    let mut ports: Vec<Value> =
        to.iter().map(|(port, node)| json!({"port": port, "nodePort": node})).collect();
    for (port, _) in from.iter().filter(|(port, _)| !to.iter().any(|(p, _)| p == port)) {
        ports.push(json!({"port": port, "$patch": "delete"}));
    }
    json!({"spec": {"$setElementOrder/ports": order, "ports": ports}})
}

fn ports() -> impl Strategy2<Value = Vec<(u16, u8)>> {
    prop::collection::btree_map(0..8u16, 0..3u8, 0..6)
        .prop_map(|map| map.into_iter().collect::<Vec<_>>())
        .prop_shuffle()
}
use proptest::strategy::Strategy as Strategy2;

proptest! {
    #[test]
    fn a_computed_patch_leads_to_the_wanted_list(from in ports(), to in ports()) {
        let list = |ports: &[(u16, u8)]| -> Value {
            ports.iter().map(|(port, node)| json!({"port": port, "nodePort": node})).collect()
        };
        let object = json!({"spec": {"ports": list(&from)}});
        let got = apply(schema(), SERVICE, object, port_patch(&from, &to)).unwrap();
        prop_assert_eq!(&got["spec"]["ports"], &list(&to));
    }

    #[test]
    fn without_lists_it_is_a_merge_patch(
        labels in prop::collection::btree_map("[a-d]", "[x-z]", 0..4),
        patch in prop::collection::btree_map("[a-d]", prop::option::of("[x-z]"), 0..4),
    ) {
        let object = json!({"metadata": {"labels": labels}});
        let patch = json!({"metadata": {"labels": patch}});
        let got = apply(schema(), SERVICE, object.clone(), patch.clone()).unwrap();
        prop_assert_eq!(got, crate::patch::merge::apply(object, patch));
    }

    #[test]
    fn arbitrary_patches_never_panic(text in "[{]\"(spec|metadata)\":[{]((\"(ports|[$]patch|[$]retainKeys|[$]setElementOrder/ports|finalizers|[$]deleteFromPrimitiveList/finalizers|selector)\":([\\[]([{]\"port\":1[}])?[\\]]|1|null|\"delete\"|[{][}])),){0,4}\"x\":1[}][}]") {
        if let Ok(patch) = serde_json::from_str(&text) {
            let object = json!({"spec": {"ports": [{"port": 1}], "selector": {"a": "b"}}, "metadata": {"finalizers": ["a"]}});
            let _ = apply(schema(), SERVICE, object, patch);
        }
    }
}
