//! Deployments on the pretended cluster, with a node agent that starts and ends Pods.

use portway_api::types::apps::{Deployment, ReplicaSet};
use portway_api::types::pod::Pod;
use portway_base::ObjectKey;
use portway_client::{Action, Gvr, Write};
use serde_json::{Value, json};

use super::Cluster;
use super::world::others;
use crate::deployment::Deployments;
use crate::endpoints::EndpointsObjects;
use crate::endpointslice::EndpointSlices;
use crate::garbage::Garbage;
use crate::replicaset::ReplicaSets;
use crate::scheduler::Scheduler;

/// A Deployment in namespace `ns`.
pub fn deployment(name: &str, replicas: i32, image: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": "ns", "name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "c", "image": image}]}}}})
}

/// A cluster that runs Deployments.
pub fn cluster() -> Cluster {
    Cluster::new(vec![
        Box::new(EndpointSlices::new(100)),
        Box::new(EndpointsObjects::default()),
        Box::new(ReplicaSets),
        Box::new(Deployments),
        Box::new(Garbage::new(others())),
        Box::new(Scheduler::default()),
    ])
}

/// Plays the node agent: placed Pods become ready, those asked to end are gone. Tells whether it did anything.
pub fn run_pods(cluster: &mut Cluster, at_most: usize) -> bool {
    let pods = Gvr::of::<Pod>();
    let mut todo = Vec::new();
    for pod in cluster.world.all(&pods) {
        let placed = pod["spec"]["nodeName"].as_str().is_some_and(|n| !n.is_empty());
        let dying = !pod["metadata"]["deletionTimestamp"].is_null();
        let running = pod["status"]["phase"] == "Running";
        if dying || (placed && !running) {
            let name = pod["metadata"]["name"].as_str().unwrap();
            todo.push((
                ObjectKey::new("ns", name),
                dying,
                pod["metadata"]["uid"].as_str().unwrap().to_owned(),
            ));
        }
    }
    todo.truncate(at_most);
    for (key, dying, uid) in &todo {
        if *dying {
            cluster.world.remove(&pods, key);
            continue;
        }
        let n: u32 = uid.trim_start_matches("uid-").parse().unwrap();
        let ip = format!("10.244.{}.{}", n / 250, n % 250 + 1);
        let status = json!({"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}],
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2024-01-01T00:00:00Z"}]});
        let write = Write::of::<Pod>(key.clone(), Action::MergePatch(json!({"status": status}))).on("status");
        cluster.world.write(&write).unwrap();
    }
    !todo.is_empty()
}

/// Lets controllers and nodes work until nothing is left to do.
pub fn finish(cluster: &mut Cluster) {
    for _ in 0..500 {
        cluster.settle();
        if !run_pods(cluster, usize::MAX) {
            return;
        }
    }
    panic!("the Pods do not come to rest");
}

/// One Deployment, as it is.
pub fn get(cluster: &Cluster, name: &str) -> Value {
    cluster.world.get(&Gvr::of::<Deployment>(), &ObjectKey::new("ns", name)).unwrap().clone()
}

/// Its ReplicaSets: revision, replicas wanted, replicas available.
pub fn sets(cluster: &Cluster) -> Vec<(String, i64, i64)> {
    let number = |v: &Value| v.as_i64().unwrap_or_default();
    let revision = |s: &Value| {
        s["metadata"]["annotations"]["deployment.kubernetes.io/revision"].as_str().unwrap_or("-").to_owned()
    };
    let resource = Gvr::of::<ReplicaSet>();
    let all = cluster.world.all(&resource);
    let mut sets: Vec<_> = all
        .map(|s| (revision(s), number(&s["spec"]["replicas"]), number(&s["status"]["availableReplicas"])))
        .collect();
    sets.sort();
    sets
}

/// Merge-patches the Deployment.
pub fn patch(cluster: &mut Cluster, name: &str, body: Value) {
    cluster
        .world
        .write(&Write::of::<Deployment>(ObjectKey::new("ns", name), Action::MergePatch(body)))
        .unwrap();
}
