//! The scheduler: a node for each Pod that has none.

mod fit;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use portway_api::Object;
use portway_api::types::node::Node;
use portway_api::types::pod::Pod;
use portway_base::ObjectKey;
use portway_client::{Action, Write};
use serde_json::json;

pub use fit::tolerates;

use crate::controller::{Controller, Dirty};
use crate::ownership::controller_of;
use crate::plan::{Note, Plan};
use crate::selection::is_terminal;
use crate::snapshot::{Changed, Snapshot};

/// The controller.
#[derive(Debug, Default)]
pub struct Scheduler {
    /// Places given that the caches do not show yet.
    assumed: BTreeMap<ObjectKey, (Arc<Pod>, String)>,
}

impl Controller for Scheduler {
    fn name(&self) -> &'static str {
        "default-scheduler"
    }

    fn touched(&self, change: &Changed, snapshot: &Snapshot, dirty: &mut Dirty) {
        match change {
            Changed::Pod(c) => {
                let waits = |pod: &Arc<Pod>| pod.spec.node_name.is_empty();
                if c.before.as_ref().is_some_and(waits) || c.now.as_ref().is_some_and(waits) {
                    dirty.now(c.key.clone());
                }
                // Room that became free.
                if c.now.as_ref().is_none_or(|pod| is_terminal(pod))
                    && c.before.as_ref().is_some_and(|p| !waits(p))
                {
                    touch_waiting(snapshot, dirty);
                }
            }
            Changed::Node(c) => {
                let facts = |node: &Arc<Node>| {
                    let ready = fit::is_ready(node);
                    (node.metadata.labels.clone(), node.spec.clone(), ready, node.status.allocatable.clone())
                };
                if c.now.is_some() && c.before.as_ref().map(facts) != c.now.as_ref().map(facts) {
                    touch_waiting(snapshot, dirty);
                }
            }
            _ => {}
        }
    }

    fn reconcile(&mut self, snapshot: &Snapshot, key: &ObjectKey, now: Timestamp) -> Plan {
        let Some(pod) = snapshot.pods.get(key).filter(|pod| pod.spec.node_name.is_empty()) else {
            self.assumed.remove(key);
            return Plan::nothing();
        };
        let ours = matches!(pod.spec.scheduler_name.as_str(), "" | "default-scheduler");
        let gated = !pod.spec.scheduling_gates.is_empty();
        if !ours || gated || pod.metadata.deletion_timestamp.is_some() || is_terminal(pod) {
            return Plan::nothing();
        }
        self.assumed.remove(key);
        match self.choose(snapshot, pod) {
            Ok(node) => {
                self.assumed.insert(key.clone(), (pod.clone(), node.clone()));
                bind(pod, &node)
            }
            Err(why) => unschedulable(pod, &why, now),
        }
    }
}

fn touch_waiting(snapshot: &Snapshot, dirty: &mut Dirty) {
    snapshot.pods_on("").for_each(|pod| dirty.now(pod.key()));
}

impl Scheduler {
    /// The node with the fewest Pods of the same owner, then with the fewest Pods.
    fn choose(&self, snapshot: &Snapshot, pod: &Pod) -> Result<String, String> {
        let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
        let mut best: Option<((usize, usize, usize), &Node)> = None;
        for node in snapshot.nodes.values() {
            let there = self.pods_on(snapshot, &node.metadata.name);
            if let Err(reason) = fit::check(pod, node, &there) {
                *reasons.entry(reason).or_default() += 1;
                continue;
            }
            let siblings = there.iter().filter(|other| is_sibling(pod, other)).count();
            let score = (fit::avoided(pod, node), siblings, there.len());
            if best.as_ref().is_none_or(|(least, _)| score < *least) {
                best = Some((score, node));
            }
        }
        best.map(|(_, node)| node.metadata.name.clone()).ok_or_else(|| {
            let total = snapshot.nodes.len();
            let details: Vec<String> = reasons.iter().map(|(why, n)| format!("{n} {why}")).collect();
            if details.is_empty() {
                "no nodes available to schedule pods".to_owned()
            } else {
                format!("0/{total} nodes are available: {}.", details.join(", "))
            }
        })
    }

    fn pods_on<'a>(&'a self, snapshot: &'a Snapshot, node: &str) -> Vec<&'a Pod> {
        let placed = snapshot.pods_on(node).filter(|pod| !is_terminal(pod));
        let waiting = |key: &&ObjectKey| snapshot.pods.get(key).is_some_and(|p| p.spec.node_name.is_empty());
        let assumed = self.assumed.iter().filter(|(key, (_, on))| on == node && waiting(key));
        placed.chain(assumed.map(|(_, (pod, _))| pod)).map(AsRef::as_ref).collect()
    }
}

/// Both are of the same owner; without owners, of the same labels.
fn is_sibling(a: &Pod, b: &Pod) -> bool {
    match (controller_of(&a.metadata), controller_of(&b.metadata)) {
        (Some(x), Some(y)) => x.uid == y.uid,
        (None, None) => {
            a.metadata.namespace == b.metadata.namespace
                && !a.metadata.labels.is_empty()
                && a.metadata.labels == b.metadata.labels
        }
        _ => false,
    }
}

fn bind(pod: &Pod, node: &str) -> Plan {
    let body = json!({
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"namespace": pod.metadata.namespace, "name": pod.metadata.name, "uid": pod.metadata.uid},
        "target": {"apiVersion": "v1", "kind": "Node", "name": node},
    });
    let message = format!("Successfully assigned {} to {node}", pod.key());
    Plan {
        writes: vec![Write::of::<Pod>(pod.key(), Action::Create(body)).on("binding")],
        notes: vec![note(pod, false, "Scheduled", message)],
        ..Plan::default()
    }
}

fn unschedulable(pod: &Pod, why: &str, now: Timestamp) -> Plan {
    let told = pod
        .status
        .conditions
        .iter()
        .any(|c| c.kind == "PodScheduled" && c.status == "False" && c.message == why);
    if told {
        return Plan::nothing();
    }
    let condition = json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": why,
        "lastTransitionTime": format!("{now:.0}")});
    let patch = json!({"metadata": {"uid": pod.metadata.uid}, "status": {"conditions": [condition]}});
    Plan {
        writes: vec![Write::of::<Pod>(pod.key(), Action::StrategicPatch(patch)).on("status")],
        notes: vec![note(pod, true, "FailedScheduling", why.to_owned())],
        ..Plan::default()
    }
}

fn note(pod: &Pod, warning: bool, reason: &'static str, message: String) -> Note {
    Note {
        api_version: "v1".to_owned(),
        kind: Pod::KIND,
        key: pod.key(),
        uid: pod.metadata.uid.clone(),
        warning,
        reason,
        message,
    }
}
