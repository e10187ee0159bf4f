//! Which Pods go first when there are too many.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use portway_api::types::pod::Pod;
use portway_base::ObjectKey;
use serde_json::Value;

use crate::snapshot::Snapshot;

const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// The Pods, the most dispensable first: not placed before placed, pending before running, not ready before ready,
/// cheap before dear, on crowded nodes before alone, then those ready or existing for the shortest time.
pub fn victims<'a>(pods: &[&'a Pod], snapshot: &Snapshot) -> Vec<&'a Pod> {
    let mut per_node: BTreeMap<&str, usize> = BTreeMap::new();
    for pod in pods.iter().filter(|p| p.is_ready()) {
        *per_node.entry(pod.spec.node_name.as_str()).or_default() += 1;
    }
    let mut sorted = pods.to_vec();
    sorted.sort_by_cached_key(|pod| {
        let phase = match pod.status.phase.as_str() {
            "Running" => 2,
            "Unknown" => 1,
            _ => 0,
        };
        let node = pod.spec.node_name.as_str();
        // A Pod on a node that is gone serves nobody.
        let placed = snapshot.nodes.get(&ObjectKey::cluster(node)).is_some();
        let crowd = per_node.get(node).copied().unwrap_or_default();
        (
            (placed, phase, pod.is_ready(), cost(pod)),
            Reverse(crowd),
            Reverse(ready_since(pod)),
            Reverse(restarts(pod)),
            Reverse(pod.metadata.creation_timestamp.clone()),
            pod.metadata.name.clone(),
        )
    });
    sorted
}

fn cost(pod: &Pod) -> i32 {
    pod.metadata.annotations.get(DELETION_COST).and_then(|text| text.parse().ok()).unwrap_or_default()
}

fn ready_since(pod: &Pod) -> Option<String> {
    pod.status
        .conditions
        .iter()
        .find(|c| c.kind == "Ready" && c.status == "True")?
        .last_transition_time
        .clone()
}

fn restarts(pod: &Pod) -> u64 {
    let count = |status: &Value| status["restartCount"].as_u64().unwrap_or_default();
    pod.status.container_statuses.iter().map(count).max().unwrap_or_default()
}
