//! Who goes first, and when a Pod counts as available.

use std::time::Duration;

use jiff::Timestamp;
use portway_api::types::node::Node;
use portway_api::types::pod::Pod;
use portway_client::Event;
use serde_json::json;

use super::available_in;
use super::rank::victims;
use crate::snapshot::{Input, Snapshot};
use crate::testing::{node, pod};

fn make(name: &str, node: &str, ready: bool, since: &str) -> Pod {
    let mut value = pod(name, json!({}), node, "10.0.0.1", ready);
    value["status"]["conditions"][0]["lastTransitionTime"] = since.into();
    serde_json::from_value(value).unwrap()
}

#[test]
fn the_most_dispensable_pods_go_first() {
    let mut snapshot = Snapshot::default();
    for name in ["n1", "n2"] {
        let node: Node = serde_json::from_value(node(name, "a")).unwrap();
        snapshot.apply(Input::Node(Event::Apply(node.into())));
    }
    let (early, late) = ("2024-01-01T00:00:00Z", "2024-01-01T01:00:00Z");
    let mut dear = make("dear", "n1", true, late);
    dear.metadata.annotations.insert("controller.kubernetes.io/pod-deletion-cost".into(), "10".into());
    let pods = [
        make("old", "n1", true, early),
        make("alone", "n2", true, late),
        make("young", "n1", true, late),
        make("sick", "n1", false, early),
        make("unplaced", "", false, early),
        make("ghost", "gone", true, early),
        dear,
    ];
    let names: Vec<_> = victims(&pods.iter().collect::<Vec<_>>(), &snapshot)
        .iter()
        .map(|p| p.metadata.name.clone())
        .collect();
    assert_eq!(names, ["unplaced", "ghost", "sick", "young", "old", "alone", "dear"]);
}

#[test]
fn a_pod_is_available_after_its_time() {
    let pod = make("p", "n1", true, "2024-01-01T00:00:00Z");
    let check = |seconds: i32, now: &str, expect: Option<u64>| {
        let now: Timestamp = now.parse().unwrap();
        assert_eq!(available_in(&pod, seconds, now), expect.map(Duration::from_secs));
    };
    check(0, "2024-01-01T00:00:00Z", None);
    check(10, "2024-01-01T00:00:04Z", Some(6));
    check(10, "2024-01-01T00:00:10Z", None);
    check(10, "2024-01-02T00:00:00Z", None);
}
