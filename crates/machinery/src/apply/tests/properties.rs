//! Algebra of field sets, and applies of random configurations.

use proptest::prelude::*;

use super::*;

fn set() -> impl Strategy<Value = FieldSet> {
    let leaf = any::<bool>().prop_map(|member| FieldSet { member, ..FieldSet::default() });
    leaf.prop_recursive(3, 12, 3, |inner| {
        (any::<bool>(), prop::collection::btree_map("f:[a-c]|v:[12]|i:0|k:[{]\"a\":[12][}]", inner, 0..3))
            .prop_map(|(member, children)| FieldSet { member, children })
    })
    .prop_map(|mut set| {
        fn tidy(set: &mut FieldSet) {
            set.children.values_mut().for_each(tidy);
            set.children.retain(|_, child| !child.is_empty());
        }
        tidy(&mut set);
        set.member = false;
        set
    })
}

fn spec() -> impl Strategy<Value = Value> {
    let port = (80..84u16, 0..2u8)
        .prop_map(|(port, name)| (port, json!({"port": port, "name": format!("n{name}")})));
    let ports = prop::collection::vec(port, 0..4).prop_map(|ports| {
        let unique: std::collections::BTreeMap<u16, Value> = ports.into_iter().collect();
        Value::from(unique.into_values().collect::<Vec<_>>())
    });
    let selector = prop::collection::btree_map("[ab]", "[xy]", 1..2);
    (prop::option::of(ports), prop::option::of(selector)).prop_map(|(ports, selector)| {
        let mut spec = json!({});
        if let Some(ports) = ports {
            spec["ports"] = ports;
        }
        if let Some(selector) = selector {
            spec["selector"] = json!(selector);
        }
        spec
    })
}

proptest! {
    #[test]
    fn sets_obey_algebra(a in set(), b in set()) {
        prop_assert_eq!(FieldSet::from_value(&a.to_value()), Some(a.clone()));
        prop_assert_eq!(a.clone().union(&b), b.clone().union(&a));
        prop_assert_eq!(a.clone().difference(&b).union(&a.intersection(&b)), a.clone());
        prop_assert!(a.clone().difference(&a).is_empty());
        prop_assert!(a.clone().difference(&b).intersection(&b).is_empty());
    }

    #[test]
    fn an_applied_configuration_is_what_the_object_has(specs in prop::collection::vec((spec(), 0..2usize), 1..5)) {
        let mut live = blank(schema(), service());
        for (spec, manager) in specs {
            let manager = ["m1", "m2"][manager];
            live = applied(&live, spec.clone(), manager, true).unwrap();
            // Applying lays the whole configuration over the object, and doing it again changes nothing.
            let shape = Shape::message(schema(), service().schema);
            let merged = walk::merge(shape, live.clone(), config(spec.clone())).unwrap();
            prop_assert_eq!(&store(merged), &live);
            prop_assert_eq!(applied(&live, spec, manager, false), Ok(live.clone()));
        }
        // Without configurations of its own a manager leaves nothing behind.
        for manager in ["m1", "m2"] {
            live = applied(&live, json!({}), manager, true).unwrap();
        }
        prop_assert_eq!(&live["spec"].get("ports"), &None);
        prop_assert_eq!(&live["spec"].get("selector"), &None);
    }

    #[test]
    fn arbitrary_managed_fields_never_panic(text in "[{]((\"(f:spec|f:ports|k:[{][}]|v:1|.|f:)\":[{][}],){0,3}\"f:x\":([{][}]|1))[}]") {
        if let Ok(fields) = serde_json::from_str::<Value>(&text) {
            let mut live = created(json!({"ports": port()}), "m1");
            live["metadata"]["managedFields"] = managed_entry("x", fields);
            let _ = applied(&live, json!({"ports": []}), "m1", false);
            let mut new = live.clone();
            new["spec"]["ports"] = json!([1, null, {"port": 1}, {"port": 1}]);
            track_update(schema(), service(), Some(&live), &mut new, &writer("w", "t"));
        }
    }
}
