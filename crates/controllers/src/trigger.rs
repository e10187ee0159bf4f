//! `endpoints.kubernetes.io/last-change-trigger-time`: when the change happened that led to a write, for latency figures.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use portway_api::types::pod::Pod;
use portway_api::types::service::Service;
use portway_base::ObjectKey;

/// The annotation.
pub const ANNOTATION: &str = "endpoints.kubernetes.io/last-change-trigger-time";

/// What was seen of each Service at its last sync.
#[derive(Debug, Default)]
pub struct Triggers {
    seen: BTreeMap<ObjectKey, Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    service: String,
    pods: BTreeMap<String, String>,
}

impl Triggers {
    /// The time to annotate with; `None` removes the annotation.
    pub fn sync(&mut self, key: &ObjectKey, service: &Service, pods: &[&Arc<Pod>]) -> Option<String> {
        let created = service.metadata.creation_timestamp.clone().unwrap_or_default();
        let times: BTreeMap<String, String> =
            pods.iter().filter_map(|pod| Some((pod.metadata.name.clone(), ready_since(pod)?))).collect();
        let Some(seen) = self.seen.get_mut(key) else {
            self.seen.insert(key.clone(), Seen { service: created.clone(), pods: times });
            return Some(created).filter(|t| !t.is_empty());
        };
        // RFC 3339 in UTC with whole seconds: text order is time order.
        let mut changed: BTreeSet<&String> = times
            .iter()
            .filter(|(pod, time)| seen.pods.get(*pod).is_none_or(|old| old < *time))
            .map(|(_, t)| t)
            .collect();
        if seen.service < created {
            changed.insert(&created);
        }
        let earliest = changed.first().map(|t| (*t).clone());
        *seen = Seen { service: created, pods: times };
        earliest
    }

    /// The Service is gone.
    pub fn forget(&mut self, key: &ObjectKey) {
        self.seen.remove(key);
    }
}

fn ready_since(pod: &Pod) -> Option<String> {
    pod.status.conditions.iter().find(|c| c.kind == "Ready")?.last_transition_time.clone()
}
