//! ReplicaSets: as many Pods as asked for.

mod rank;
#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use portway_api::Object;
use portway_api::types::apps::{ReplicaSet, ReplicaSetStatus};
use portway_api::types::pod::Pod;
use portway_base::ObjectKey;
use portway_client::{Action, Preconditions, Write};
use portway_machinery::selector::Selector;
use serde_json::{Value, json};

use crate::controller::{Controller, Dirty};
use crate::ownership::{Claim, adopt, claim, controller_of, reference, release, template_labels};
use crate::plan::{Note, Plan};
use crate::selection::is_terminal;
use crate::snapshot::{Changed, Snapshot};

/// Pods made or deleted at once; the rest follows when these are seen.
const BURST: usize = 500;

/// The controller.
#[derive(Debug, Default)]
pub struct ReplicaSets;

impl Controller for ReplicaSets {
    fn name(&self) -> &'static str {
        "replicaset-controller"
    }

    fn touched(&self, change: &Changed, snapshot: &Snapshot, dirty: &mut Dirty) {
        match change {
            Changed::ReplicaSet(c) => dirty.now(c.key.clone()),
            Changed::Pod(c) => {
                for pod in c.before.iter().chain(&c.now) {
                    match controller_of(&pod.metadata) {
                        Some(owner) if owner.kind == ReplicaSet::KIND => {
                            dirty.now(ObjectKey::new(&c.key.namespace, &owner.name));
                        }
                        Some(_) => {}
                        None => touch_adopters(pod, snapshot, dirty),
                    }
                }
            }
            _ => {}
        }
    }

    fn reconcile(&mut self, snapshot: &Snapshot, key: &ObjectKey, now: Timestamp) -> Plan {
        let Some(set) = snapshot.replica_sets.get(key) else { return Plan::nothing() };
        let Ok(selector) = Selector::from_typed(&set.spec.selector) else { return Plan::nothing() };
        let mut plan = Plan { parallel: true, ..Plan::default() };
        let mut pods: Vec<&Pod> = Vec::new();
        for pod in snapshot.pods_with(&key.namespace, &set.spec.selector.match_labels) {
            match claim(&set.metadata, &selector, &pod.metadata) {
                Claim::Owned => pods.push(pod),
                Claim::Adopted if !is_terminal(pod) => {
                    plan.writes.push(adopt(&**set, &**pod));
                    pods.push(pod);
                }
                _ => {}
            }
        }
        for pod in released(snapshot, set, &selector) {
            plan.writes.push(release(&set.metadata.uid, pod));
        }
        pods.retain(|pod| !is_terminal(pod));
        let active: Vec<&Pod> =
            pods.iter().copied().filter(|p| p.metadata.deletion_timestamp.is_none()).collect();
        if set.metadata.deletion_timestamp.is_none() {
            scale(set, &active, snapshot, &mut plan);
        }
        status(set, &active, now, &mut plan);
        if plan.writes.is_empty() { Plan { parallel: false, ..plan } } else { plan }
    }
}

fn touch_adopters(pod: &Pod, snapshot: &Snapshot, dirty: &mut Dirty) {
    for set in snapshot.replica_sets.in_namespace(&pod.metadata.namespace) {
        let selector = Selector::from_typed(&set.spec.selector);
        if selector.is_ok_and(|s| !s.is_everything() && s.matches(&pod.metadata.labels)) {
            dirty.now(set.key());
        }
    }
}

/// Pods that name this set as their owner and are no longer selected by it.
fn released<'a>(snapshot: &'a Snapshot, set: &ReplicaSet, selector: &Selector) -> Vec<&'a Pod> {
    let dependents = snapshot.dependents(&set.metadata.uid).filter(|r| r.resource.resource == Pod::PLURAL);
    let pods = dependents.filter_map(|r| snapshot.pods.get(&r.key)).map(AsRef::as_ref);
    pods.filter(|p| claim(&set.metadata, selector, &p.metadata) == Claim::Released).collect()
}

fn scale(set: &ReplicaSet, active: &[&Pod], snapshot: &Snapshot, plan: &mut Plan) {
    let wanted = usize::try_from(set.spec.replicas.unwrap_or(1)).unwrap_or_default();
    if active.len() < wanted {
        for _ in 0..(wanted - active.len()).min(BURST) {
            plan.writes.push(create(set));
        }
    } else if active.len() > wanted {
        for pod in rank::victims(active, snapshot).into_iter().take((active.len() - wanted).min(BURST)) {
            plan.writes.push(delete(pod));
            plan.notes.push(note(set, "SuccessfulDelete", format!("Deleted pod: {}", pod.metadata.name)));
        }
    }
}

fn create(set: &ReplicaSet) -> Write {
    let template = &set.spec.template;
    let mut metadata = json!({
        "generateName": format!("{}-", set.metadata.name),
        "namespace": set.metadata.namespace,
        "ownerReferences": [reference(set)],
    });
    for field in ["labels", "annotations", "finalizers"] {
        if !template["metadata"][field].is_null() {
            metadata[field] = template["metadata"][field].clone();
        }
    }
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]});
    Write::of::<Pod>(ObjectKey::new(&set.metadata.namespace, ""), Action::Create(pod))
}

fn delete(pod: &Pod) -> Write {
    let action = Action::Delete {
        preconditions: Preconditions::uid(&pod.metadata.uid),
        grace: None,
        propagation: None,
    };
    Write::of::<Pod>(pod.key(), action)
}

fn status(set: &ReplicaSet, active: &[&Pod], now: Timestamp, plan: &mut Plan) {
    let labels = template_labels(&set.spec.template);
    let labeled = active.iter().filter(|p| labels.iter().all(|(k, v)| p.metadata.labels.get(k) == Some(v)));
    let ready: Vec<&&Pod> = active.iter().filter(|p| p.is_ready()).collect();
    let mut available = 0;
    for pod in &ready {
        match available_in(pod, set.spec.min_ready_seconds, now) {
            None => available += 1,
            Some(wait) => plan.look_again(wait),
        }
    }
    let count = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    let status = ReplicaSetStatus {
        replicas: count(active.len()),
        fully_labeled_replicas: count(labeled.count()),
        ready_replicas: count(ready.len()),
        available_replicas: available,
        observed_generation: set.metadata.generation,
        conditions: set.status.conditions.clone(),
    };
    if status == set.status {
        return;
    }
    // Zeros are left out, except for the total.
    let or_null = |n: i32| if n == 0 { Value::Null } else { n.into() };
    let patch = json!({"metadata": {"uid": set.metadata.uid}, "status": {
        "replicas": status.replicas,
        "fullyLabeledReplicas": or_null(status.fully_labeled_replicas),
        "readyReplicas": or_null(status.ready_replicas),
        "availableReplicas": or_null(status.available_replicas),
        "observedGeneration": status.observed_generation,
    }});
    plan.writes.push(Write::of::<ReplicaSet>(set.key(), Action::MergePatch(patch)).on("status"));
}

/// How long until a ready Pod counts as available; `None` if it does.
pub fn available_in(pod: &Pod, min_ready_seconds: i32, now: Timestamp) -> Option<Duration> {
    if min_ready_seconds <= 0 {
        return None;
    }
    let since = pod.status.conditions.iter().find(|c| c.kind == "Ready")?.last_transition_time.as_deref()?;
    let since: Timestamp = since.parse().ok()?;
    let due = since.checked_add(SignedDuration::from_secs(i64::from(min_ready_seconds))).ok()?;
    let wait = Duration::try_from(due.duration_since(now)).ok()?;
    (!wait.is_zero()).then_some(wait)
}

fn note(set: &ReplicaSet, reason: &'static str, message: String) -> Note {
    Note {
        api_version: ReplicaSet::api_version(),
        kind: ReplicaSet::KIND,
        key: set.key(),
        uid: set.metadata.uid.clone(),
        warning: false,
        reason,
        message,
    }
}
