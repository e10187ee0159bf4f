//! A node falls silent and comes back.

use std::time::Duration;

use portway_api::types::coordination::Lease;
use portway_api::types::node::Node;
use portway_api::types::pod::Pod;
use portway_base::ObjectKey;
use portway_client::{Action, Gvr, Write};
use serde_json::{Value, json};

use super::{NodeLifecycle, NodeTimes};
use crate::testing::{Cluster, node, pod};

fn lease(cluster: &mut Cluster) {
    let time = format!("{:.6}", cluster.now().wall);
    let key = ObjectKey::new("kube-node-lease", "n1");
    let spec = json!({"holderIdentity": "n1", "leaseDurationSeconds": 40, "renewTime": time});
    if cluster.world.get(&Gvr::of::<Lease>(), &key).is_some() {
        cluster.world.write(&Write::of::<Lease>(key, Action::MergePatch(json!({"spec": spec})))).unwrap();
    } else {
        let object = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"namespace": "kube-node-lease", "name": "n1"}, "spec": spec});
        cluster.world.create(object).unwrap();
    }
}

fn get(cluster: &Cluster) -> Value {
    cluster.world.get(&Gvr::of::<Node>(), &ObjectKey::cluster("n1")).unwrap().clone()
}

fn taints(cluster: &Cluster) -> Vec<String> {
    let node = get(cluster);
    let all = node["spec"]["taints"].as_array().cloned().unwrap_or_default();
    all.iter().map(|t| format!("{}:{}", t["key"].as_str().unwrap(), t["effect"].as_str().unwrap())).collect()
}

fn the_pod(cluster: &Cluster) -> Value {
    cluster.world.get(&Gvr::of::<Pod>(), &ObjectKey::new("ns", "p")).unwrap().clone()
}

#[test]
fn a_silent_node_is_lost_its_pods_go_and_a_voice_brings_it_back() {
    let times = NodeTimes { grace: Duration::from_secs(40), ..NodeTimes::default() };
    let mut cluster = Cluster::new(vec![Box::new(NodeLifecycle::new(times))]);
    cluster.world.create(node("n1", "a")).unwrap();
    cluster.world.create(pod("p", json!({}), "n1", "10.0.0.1", true)).unwrap();
    for _ in 0..10 {
        lease(&mut cluster);
        cluster.settle_for(Duration::from_secs(10));
    }
    assert_eq!(get(&cluster)["status"]["conditions"][0]["status"], "True");
    assert_eq!(cluster.world.writes, 9, "only the renewals");

    cluster.settle_for(Duration::from_secs(35));
    let condition = get(&cluster)["status"]["conditions"][0].clone();
    assert_eq!(
        (&condition["status"], &condition["reason"]),
        (&json!("Unknown"), &json!("NodeStatusUnknown"))
    );
    let unreachable = ["NoSchedule", "NoExecute"].map(|e| format!("node.kubernetes.io/unreachable:{e}"));
    assert_eq!(taints(&cluster), unreachable);
    assert_eq!(the_pod(&cluster)["status"]["conditions"][0]["status"], "False");
    assert!(the_pod(&cluster)["metadata"]["deletionTimestamp"].is_null(), "it has its time");
    assert!(cluster.notes.iter().any(|n| n.reason == "NodeNotReady" && n.kind == "Pod" && n.warning));

    // The node speaks again: it, not the controller, sets the conditions.
    lease(&mut cluster);
    let ready = json!({"status": {"conditions": [
        {"type": "Ready", "status": "True", "lastHeartbeatTime": "2024-01-01T01:00:00Z"}]}});
    let write = Write::of::<Node>(ObjectKey::cluster("n1"), Action::StrategicPatch(ready)).on("status");
    cluster.world.write(&write).unwrap();
    cluster.settle();
    assert_eq!(taints(&cluster), Vec::<String>::new());

    // This time it stays away for longer than its Pods may wait.
    cluster.settle_for(Duration::from_secs(345));
    assert!(!the_pod(&cluster)["metadata"]["deletionTimestamp"].is_null());
}

#[test]
fn a_node_that_says_it_is_not_ready_is_tainted() {
    let mut cluster = Cluster::new(vec![Box::new(NodeLifecycle::new(NodeTimes::default()))]);
    let mut sick = node("n1", "a");
    sick["status"]["conditions"][0]["status"] = "False".into();
    cluster.world.create(sick).unwrap();
    cluster.settle();
    assert_eq!(
        taints(&cluster),
        ["NoSchedule", "NoExecute"].map(|e| format!("node.kubernetes.io/not-ready:{e}"))
    );
}
