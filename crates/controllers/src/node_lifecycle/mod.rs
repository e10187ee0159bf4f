//! Nodes that stopped reporting: they become not ready, are tainted, and their Pods go out of service and later away.

mod evict;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use portway_api::Object;
use portway_api::types::meta::Condition;
use portway_api::types::node::{Node, Taint};
use portway_api::types::pod::Pod;
use portway_base::ObjectKey;
use portway_client::{Action, Write};
use serde_json::json;

use crate::controller::{Controller, Dirty};
use crate::plan::{Note, Plan};
use crate::selection::is_terminal;
use crate::snapshot::{Changed, Snapshot};

const LEASES: &str = "kube-node-lease";
const NOT_READY: &str = "node.kubernetes.io/not-ready";
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
/// Conditions that only the node can know.
const CONDITIONS: [&str; 4] = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"];

/// Times of the controller.
#[derive(Clone, Copy, Debug)]
pub struct NodeTimes {
    /// Without a sign of life for this long, a node counts as lost.
    pub grace: Duration,
    /// The same for a node that never reported.
    pub startup_grace: Duration,
    /// How long Pods that do not say otherwise stay on a lost node.
    pub eviction: Duration,
}

impl Default for NodeTimes {
    fn default() -> Self {
        Self {
            grace: Duration::from_secs(50),
            startup_grace: Duration::from_secs(60),
            eviction: Duration::from_secs(300),
        }
    }
}

/// The controller; its keys are names of Nodes.
#[derive(Debug)]
pub struct NodeLifecycle {
    times: NodeTimes,
    /// The last sign of life of each node and when it was seen here: clocks of nodes are not to be trusted.
    seen: BTreeMap<String, (Vec<Option<String>>, Timestamp)>,
}

impl NodeLifecycle {
    /// With these times.
    pub const fn new(times: NodeTimes) -> Self {
        Self { times, seen: BTreeMap::new() }
    }
}

impl Controller for NodeLifecycle {
    fn name(&self) -> &'static str {
        "node-controller"
    }

    fn touched(&self, change: &Changed, snapshot: &Snapshot, dirty: &mut Dirty) {
        match change {
            Changed::Node(c) => dirty.now(c.key.clone()),
            Changed::Lease(c) if c.key.namespace == LEASES => dirty.now(ObjectKey::cluster(&c.key.name)),
            Changed::Pod(c) => {
                let node = c.now.as_ref().map(|pod| ObjectKey::cluster(&pod.spec.node_name));
                if let Some(key) = node
                    && snapshot.nodes.get(&key).is_some_and(|n| !is_ready(n) || !n.spec.taints.is_empty())
                {
                    dirty.now(key);
                }
            }
            _ => {}
        }
    }

    fn reconcile(&mut self, snapshot: &Snapshot, key: &ObjectKey, now: Timestamp) -> Plan {
        let Some(node) = snapshot.nodes.get(key) else {
            self.seen.remove(&key.name);
            return Plan::nothing();
        };
        let mut plan = Plan { parallel: true, ..Plan::default() };
        let lost = self.is_lost(snapshot, node, now, &mut plan);
        let ready = ready_status(node);
        if lost && ready != Some("Unknown") {
            plan.writes.push(mark_lost(node, now));
            if ready == Some("True") {
                plan.notes.push(note::<Node>(
                    &node.metadata,
                    false,
                    format!("Node {} status is now: NodeNotReady", key.name),
                ));
            }
        }
        let state = if lost { "Unknown" } else { ready.unwrap_or("Unknown") };
        plan.writes.extend(taints(node, state, now));
        if state != "True" && (lost || ready.is_some()) {
            for pod in snapshot.pods_on(&key.name).filter(|pod| pod.is_ready() && !is_terminal(pod)) {
                plan.writes.push(mark_pod(pod, now));
                plan.notes.push(note::<Pod>(&pod.metadata, true, "Node is not ready".to_owned()));
            }
        }
        evict::evict(snapshot, node, self.times.eviction, now, &mut plan);
        if plan.writes.is_empty() { Plan { parallel: false, ..plan } } else { plan }
    }
}

impl NodeLifecycle {
    fn is_lost(&mut self, snapshot: &Snapshot, node: &Node, now: Timestamp, plan: &mut Plan) -> bool {
        let name = &node.metadata.name;
        let lease = snapshot.leases.get(&ObjectKey::new(LEASES, name));
        let own = node.status.conditions.iter().filter(|c| c.status != "Unknown");
        let mut signs: Vec<Option<String>> = vec![lease.and_then(|l| l.spec.renew_time.clone())];
        signs.extend(own.map(|c| c.last_heartbeat_time.clone()));
        let reported = ready_status(node).is_some();
        let entry = self.seen.entry(name.clone()).or_insert_with(|| (signs.clone(), now));
        // Conditions turning Unknown by our own hand are no sign of life.
        let alive =
            entry.0.first() != signs.first() || signs[1..].iter().any(|sign| !entry.0[1..].contains(sign));
        if alive {
            *entry = (signs, now);
        }
        let grace = if reported { self.times.grace } else { self.times.startup_grace };
        let silent = Duration::try_from(now.duration_since(entry.1)).unwrap_or_default();
        if silent >= grace {
            return true;
        }
        plan.look_again(grace - silent);
        // A node that was lost stays so until it says itself that it is not.
        ready_status(node) == Some("Unknown")
    }
}

fn ready_status(node: &Node) -> Option<&str> {
    node.status.conditions.iter().find(|c| c.kind == "Ready").map(|c| c.status.as_str())
}

fn is_ready(node: &Node) -> bool {
    ready_status(node) == Some("True")
}

fn mark_lost(node: &Node, now: Timestamp) -> Write {
    let never = ready_status(node).is_none();
    let (reason, message) = if never {
        ("NodeStatusNeverUpdated", "Kubelet never posted node status.")
    } else {
        ("NodeStatusUnknown", "Kubelet stopped posting node status.")
    };
    let conditions: Vec<Condition> = CONDITIONS
        .iter()
        .filter(|kind| never || node.status.conditions.iter().any(|c| c.kind == **kind))
        .map(|kind| Condition {
            kind: (*kind).to_owned(),
            status: "Unknown".to_owned(),
            last_transition_time: Some(format!("{now:.0}")),
            reason: reason.to_owned(),
            message: message.to_owned(),
            ..Condition::default()
        })
        .collect();
    let patch = json!({"metadata": {"uid": node.metadata.uid}, "status": {"conditions": conditions}});
    Write::of::<Node>(node.key(), Action::StrategicPatch(patch)).on("status")
}

/// The taints that go with the state of the node, if it does not have them.
fn taints(node: &Node, ready: &str, now: Timestamp) -> Option<Write> {
    let wanted = match ready {
        "True" => None,
        "Unknown" => Some(UNREACHABLE),
        _ => Some(NOT_READY),
    };
    let ours = |t: &Taint| (t.key == NOT_READY || t.key == UNREACHABLE) && t.effect != "PreferNoSchedule";
    let mut taints: Vec<Taint> =
        node.spec.taints.iter().filter(|t| !ours(t) || Some(t.key.as_str()) == wanted).cloned().collect();
    if let Some(key) = wanted {
        for effect in ["NoSchedule", "NoExecute"] {
            if !taints.iter().any(|t| t.key == key && t.effect == effect) {
                let time_added = Some(format!("{now:.0}"));
                taints.push(Taint {
                    key: key.to_owned(),
                    effect: effect.to_owned(),
                    time_added,
                    ..Taint::default()
                });
            }
        }
    }
    if taints == node.spec.taints {
        return None;
    }
    let patch = json!({"metadata": {"uid": node.metadata.uid, "resourceVersion": node.metadata.resource_version},
        "spec": {"taints": taints}});
    Some(Write::of::<Node>(node.key(), Action::MergePatch(patch)))
}

fn mark_pod(pod: &Pod, now: Timestamp) -> Write {
    let condition = json!({"type": "Ready", "status": "False", "reason": "NodeNotReady",
        "lastTransitionTime": format!("{now:.0}")});
    let patch = json!({"metadata": {"uid": pod.metadata.uid}, "status": {"conditions": [condition]}});
    Write::of::<Pod>(pod.key(), Action::StrategicPatch(patch)).on("status")
}

fn note<T: Object>(meta: &portway_api::ObjectMeta, warning: bool, message: String) -> Note {
    Note {
        api_version: T::api_version(),
        kind: T::KIND,
        key: ObjectKey::new(&meta.namespace, &meta.name),
        uid: meta.uid.clone(),
        warning,
        reason: "NodeNotReady",
        message,
    }
}
