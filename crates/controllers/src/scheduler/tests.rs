//! Which node a Pod gets, and why it gets none.

use portway_api::Object;
use portway_api::types::node::{Node, Taint};
use portway_api::types::pod::{Pod, Toleration};
use portway_base::ObjectKey;
use portway_client::{Action, Gvr, Write};
use serde_json::{Value, json};

use super::{Scheduler, tolerates};
use crate::testing::{Cluster, node, pod};

fn waiting(name: &str, spec: Value) -> Value {
    let mut object = pod(name, json!({"app": "web"}), "", "10.0.0.1", false);
    object["spec"].as_object_mut().unwrap().remove("nodeName");
    object["status"] = json!({"phase": "Pending"});
    object["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    object
}

fn cluster(nodes: &[Value]) -> Cluster {
    let mut cluster = Cluster::new(vec![Box::new(Scheduler::default())]);
    for node in nodes {
        cluster.world.create(node.clone()).unwrap();
    }
    cluster
}

fn place_of(cluster: &Cluster, name: &str) -> String {
    let pod = cluster.world.get(&Gvr::of::<Pod>(), &ObjectKey::new("ns", name)).unwrap();
    match pod["spec"]["nodeName"].as_str() {
        Some(node) if !node.is_empty() => node.to_owned(),
        _ => pod["status"]["conditions"][0]["message"].as_str().unwrap_or_default().to_owned(),
    }
}

#[test]
fn pods_go_where_they_fit() {
    let check = |change: &dyn Fn(&mut Value), spec: Value, expect: &str| {
        let mut only = node("n1", "a");
        change(&mut only);
        let mut cluster = cluster(&[only]);
        cluster.world.create(waiting("p", spec)).unwrap();
        cluster.settle();
        let got = place_of(&cluster, "p");
        assert!(got.contains(expect), "{got:?} is not {expect:?}");
    };
    let same = |_: &mut Value| {};
    check(&same, json!({}), "n1");
    check(&same, json!({"nodeSelector": {"topology.kubernetes.io/zone": "a"}}), "n1");
    check(&same, json!({"nodeSelector": {"disk": "ssd"}}), "0/1 nodes are available: 1 node(s) didn't match");
    check(&|n| n["spec"]["unschedulable"] = true.into(), json!({}), "node(s) were unschedulable");
    check(
        &|n| n["status"]["conditions"][0]["status"] = "Unknown".into(),
        json!({}),
        "node(s) were not ready",
    );
    check(&|n| n["status"]["allocatable"]["pods"] = "0".into(), json!({}), "Too many pods");
    let taint =
        |n: &mut Value| n["spec"]["taints"] = json!([{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]);
    check(&taint, json!({}), "untolerated taint {gpu: yes}");
    check(&taint, json!({"tolerations": [{"key": "gpu", "operator": "Exists"}]}), "n1");
}

#[test]
fn pods_spread_even_when_they_come_all_at_once() {
    let mut cluster = cluster(&[node("n1", "a"), node("n2", "b"), node("n3", "c")]);
    for i in 0..9 {
        cluster.world.create(waiting(&format!("p{i}"), json!({}))).unwrap();
    }
    cluster.settle();
    let mut places: Vec<String> = (0..9).map(|i| place_of(&cluster, &format!("p{i}"))).collect();
    places.sort();
    assert_eq!(places, ["n1", "n1", "n1", "n2", "n2", "n2", "n3", "n3", "n3"]);
}

#[test]
fn a_host_port_is_used_once_a_node_and_free_again_afterwards() {
    let mut cluster = cluster(&[node("n1", "a")]);
    let port = || json!({"containers": [{"name": "c", "image": "x", "ports": [{"containerPort": 80, "hostPort": 80}]}]});
    cluster.world.create(waiting("p1", port())).unwrap();
    cluster.world.create(waiting("p2", port())).unwrap();
    cluster.settle();
    assert_eq!(place_of(&cluster, "p1"), "n1");
    assert!(place_of(&cluster, "p2").contains("free ports"));
    cluster.world.remove(&Gvr::of::<Pod>(), &ObjectKey::new("ns", "p1"));
    cluster.settle();
    assert_eq!(place_of(&cluster, "p2"), "n1");
}

#[test]
fn a_pod_waits_for_a_node() {
    let mut cluster = cluster(&[]);
    cluster.world.create(waiting("p", json!({}))).unwrap();
    cluster.settle();
    assert!(place_of(&cluster, "p").contains("no nodes available"));
    let mut sick = node("n1", "a");
    sick["status"]["conditions"][0]["status"] = "False".into();
    cluster.world.create(sick).unwrap();
    cluster.settle();
    assert!(place_of(&cluster, "p").contains("not ready"));
    let ready = json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}});
    let write = Write::of::<Node>(ObjectKey::cluster("n1"), Action::StrategicPatch(ready)).on("status");
    cluster.world.write(&write).unwrap();
    cluster.settle();
    assert_eq!(place_of(&cluster, "p"), "n1");
    assert!(cluster.notes.iter().any(|n| n.reason == "Scheduled" && n.kind == Pod::KIND));
}

#[test]
fn tolerations_match_taints() {
    let check = |toleration: [&str; 4], expect: bool| {
        let [key, operator, value, effect] = toleration.map(str::to_owned);
        let toleration = Toleration { key, operator, value, effect, toleration_seconds: None };
        let taint =
            Taint { key: "k".into(), value: "v".into(), effect: "NoSchedule".into(), time_added: None };
        assert_eq!(tolerates(&toleration, &taint), expect, "{toleration:?}");
    };
    check(["k", "Equal", "v", "NoSchedule"], true);
    check(["k", "", "v", ""], true);
    check(["k", "Equal", "w", ""], false);
    check(["k", "Exists", "", ""], true);
    check(["", "Exists", "", ""], true);
    check(["", "Equal", "", ""], false);
    check(["k", "Exists", "", "NoExecute"], false);
    check(["j", "Exists", "", ""], false);
}
