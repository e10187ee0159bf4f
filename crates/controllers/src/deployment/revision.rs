//! Revisions: the numbers behind `kubectl rollout history` and `undo`, and how many old ReplicaSets stay.

use std::collections::BTreeMap;

use portway_api::Object;
use portway_api::types::apps::{Deployment, ReplicaSet};
use portway_client::{Action, Write};
use serde_json::{Value, json};

use super::{Rollout, replicas, scale};
use crate::plan::Plan;

/// Annotation with the number of a template.
pub const REVISION: &str = "deployment.kubernetes.io/revision";
const HISTORY: &str = "deployment.kubernetes.io/revision-history";
/// Annotations of the Deployment that its ReplicaSets do not get.
const NOT_COPIED: [&str; 6] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    HISTORY,
    scale::DESIRED,
    scale::MAX,
    "deprecated.deployment.rollback.to",
];

/// The number of a ReplicaSet's template; zero if it has none.
pub fn of(set: &ReplicaSet) -> i64 {
    set.metadata.annotations.get(REVISION).and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// The number the current template should have.
pub fn next(rollout: &Rollout<'_>) -> i64 {
    rollout.old.iter().map(|set| of(set)).max().unwrap_or_default() + 1
}

fn copied(deployment: &Deployment) -> BTreeMap<String, String> {
    let all = deployment.metadata.annotations.iter();
    all.filter(|(key, _)| !NOT_COPIED.contains(&key.as_str())).map(|(k, v)| (k.clone(), v.clone())).collect()
}

/// Annotations of a ReplicaSet to be made.
pub fn annotations_for_new(rollout: &Rollout<'_>) -> BTreeMap<String, String> {
    let mut annotations = copied(rollout.deployment);
    annotations.insert(REVISION.to_owned(), next(rollout).to_string());
    annotations.extend(scale::annotations(rollout));
    annotations
}

/// Brings the numbers of the current ReplicaSet and of the Deployment up to date, and what else they share.
pub fn adjust(rollout: &Rollout<'_>, set: &ReplicaSet, plan: &mut Plan) {
    let deployment = rollout.deployment;
    let mut wanted = copied(deployment);
    let next = next(rollout);
    let current = of(set);
    if current < next {
        wanted.insert(REVISION.to_owned(), next.to_string());
        if current > 0 {
            // An older template has come back: its former numbers are kept.
            let mut history: Vec<String> = set
                .metadata
                .annotations
                .get(HISTORY)
                .into_iter()
                .flat_map(|h| h.split(','))
                .map(str::to_owned)
                .collect();
            history.push(current.to_string());
            wanted.insert(HISTORY.to_owned(), history.join(","));
        }
    }
    wanted.retain(|key, value| set.metadata.annotations.get(key) != Some(value));
    let mut patch = json!({});
    if !wanted.is_empty() {
        patch["metadata"]["annotations"] = json!(wanted);
    }
    if set.spec.min_ready_seconds != deployment.spec.min_ready_seconds {
        patch["spec"]["minReadySeconds"] = deployment.spec.min_ready_seconds.into();
    }
    if patch != json!({}) {
        plan.writes.push(Write::of::<ReplicaSet>(set.key(), Action::MergePatch(patch)));
    }
    number(rollout, current.max(next), plan);
}

/// Writes the number on the Deployment.
pub fn number(rollout: &Rollout<'_>, revision: i64, plan: &mut Plan) {
    let deployment = rollout.deployment;
    let text = revision.to_string();
    if deployment.metadata.annotations.get(REVISION) != Some(&text) {
        let patch: Value = json!({"metadata": {"annotations": {REVISION: text}}});
        plan.writes.push(Write::of::<Deployment>(deployment.key(), Action::MergePatch(patch)));
    }
}

/// Deletes old ReplicaSets beyond the limit, the oldest templates first.
pub fn clean_up(rollout: &Rollout<'_>, plan: &mut Plan) {
    let limit =
        usize::try_from(rollout.deployment.spec.revision_history_limit.unwrap_or(10)).unwrap_or_default();
    let settled = |set: &&&ReplicaSet| {
        replicas(set) == 0
            && set.status.replicas == 0
            && set.status.observed_generation >= set.metadata.generation
            && set.metadata.deletion_timestamp.is_none()
    };
    let alive = rollout.old.iter().filter(|s| s.metadata.deletion_timestamp.is_none()).count();
    let mut candidates: Vec<&&ReplicaSet> = rollout.old.iter().filter(settled).collect();
    candidates.sort_by_key(|set| of(set));
    for set in candidates.into_iter().take(alive.saturating_sub(limit)) {
        plan.writes.push(Write::delete::<ReplicaSet>(set.key()));
    }
}
