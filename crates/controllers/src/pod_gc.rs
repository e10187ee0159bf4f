//! Pods nobody will finish: on nodes that are gone, or dying without ever having had a place.

use std::time::Duration;

use jiff::Timestamp;
use portway_api::Object;
use portway_api::types::node::Node;
use portway_api::types::pod::Pod;
use portway_base::ObjectKey;
use portway_client::{Action, Gvr, Preconditions, Write};

use crate::controller::{Controller, Dirty};
use crate::plan::{Guard, Plan};
use crate::snapshot::{Changed, Snapshot};

/// The controller.
#[derive(Debug)]
pub struct PodGc {
    /// How long a node must be gone; it may come back under the same name.
    pub quarantine: Duration,
}

impl Controller for PodGc {
    fn name(&self) -> &'static str {
        "pod-garbage-collector"
    }

    fn touched(&self, change: &Changed, snapshot: &Snapshot, dirty: &mut Dirty) {
        match change {
            Changed::Node(c) if c.now.is_none() => {
                for pod in snapshot.pods_on(&c.key.name) {
                    dirty.later(pod.key(), self.quarantine);
                }
            }
            Changed::Pod(c) => {
                let Some(pod) = &c.now else { return };
                let node = &pod.spec.node_name;
                if node.is_empty() {
                    if pod.metadata.deletion_timestamp.is_some() {
                        dirty.now(c.key.clone());
                    }
                } else if c.before.as_ref().is_none_or(|b| b.spec.node_name != *node)
                    && !exists(snapshot, node)
                {
                    dirty.later(c.key.clone(), self.quarantine);
                }
            }
            _ => {}
        }
    }

    fn reconcile(&mut self, snapshot: &Snapshot, key: &ObjectKey, _now: Timestamp) -> Plan {
        let Some(pod) = snapshot.pods.get(key) else { return Plan::nothing() };
        let node = &pod.spec.node_name;
        let guards = if node.is_empty() {
            if pod.metadata.deletion_timestamp.is_none() {
                return Plan::nothing();
            }
            Vec::new()
        } else if exists(snapshot, node) {
            return Plan::nothing();
        } else {
            vec![Guard::Absent {
                resource: Gvr::of::<Node>(),
                key: ObjectKey::cluster(node),
                uid: String::new(),
            }]
        };
        let action = Action::Delete {
            preconditions: Preconditions::uid(&pod.metadata.uid),
            grace: Some(0),
            propagation: None,
        };
        Plan { guards, writes: vec![Write::of::<Pod>(key.clone(), action)], ..Plan::default() }
    }
}

fn exists(snapshot: &Snapshot, node: &str) -> bool {
    snapshot.nodes.get(&ObjectKey::cluster(node)).is_some()
}
