//! Numbers of replicas outside a rollout's own steps: the Deployment was scaled, or it is paused.

use std::collections::BTreeMap;

use portway_api::Object;
use portway_api::types::apps::ReplicaSet;
use portway_client::{Action, Write};
use serde_json::json;

use super::rolling::limits;
use super::{Rollout, note, replicas};
use crate::plan::Plan;

/// Annotation with the replicas the Deployment wanted when its ReplicaSet was last scaled.
pub const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
/// Annotation with the most it allowed.
pub const MAX: &str = "deployment.kubernetes.io/max-replicas";

/// The annotations that go with the present number.
pub fn annotations(rollout: &Rollout<'_>) -> BTreeMap<String, String> {
    let most = rollout.wanted() + limits(rollout).surge;
    [(DESIRED, rollout.wanted()), (MAX, most)].map(|(key, n)| (key.to_owned(), n.to_string())).into()
}

/// The number wanted has changed since the active ReplicaSets were last scaled.
pub fn is_due(rollout: &Rollout<'_>) -> bool {
    let active = rollout.all().filter(|set| replicas(set) > 0);
    active
        .filter_map(|set| set.metadata.annotations.get(DESIRED)?.parse().ok())
        .any(|n: i32| n != rollout.wanted())
}

/// Brings all ReplicaSets to the number wanted, each in proportion to what it has.
pub fn all(rollout: &Rollout<'_>, plan: &mut Plan) {
    let wanted = rollout.wanted();
    let active: Vec<&ReplicaSet> = rollout.all().filter(|set| replicas(set) > 0).collect();
    let only = match active.as_slice() {
        [] => rollout.new.or_else(|| rollout.old.last().copied()),
        [one] => Some(*one),
        _ => None,
    };
    if let Some(set) = only {
        to(rollout, set, wanted, plan);
        return;
    }
    if rollout.new.is_some_and(|set| replicas(set) == wanted && set.status.available_replicas == wanted) {
        active.iter().filter(|s| rollout.new.is_none_or(|n| n.metadata.uid != s.metadata.uid)).for_each(
            |set| {
                to(rollout, set, 0, plan);
            },
        );
        return;
    }
    if rollout.is_recreate() {
        return;
    }
    let allowed = if wanted > 0 { wanted + limits(rollout).surge } else { 0 };
    let have: i32 = active.iter().map(|set| replicas(set)).sum();
    let mut left = allowed - have;
    // The largest first (newest among equals), so that rounding hits those it hurts least.
    let mut sorted = active;
    sorted.sort_by_key(|set| {
        (std::cmp::Reverse(replicas(set)), std::cmp::Reverse(set.metadata.creation_timestamp.clone()))
    });
    let mut sizes: Vec<(&ReplicaSet, i32)> = Vec::new();
    for set in sorted {
        let part = if left == 0 { 0 } else { proportion(rollout, set, allowed, left) };
        left -= part;
        sizes.push((set, replicas(set) + part));
    }
    // What rounding left over goes to the largest.
    if let Some((_, size)) = sizes.first_mut() {
        *size = (*size + left).max(0);
    }
    for (set, size) in sizes {
        to(rollout, set, size, plan);
    }
}

/// The part of `left` that is due to a ReplicaSet.
fn proportion(rollout: &Rollout<'_>, set: &ReplicaSet, allowed: i32, left: i32) -> i32 {
    let before = set.metadata.annotations.get(MAX).and_then(|text| text.parse::<f64>().ok());
    let before = before.filter(|n| *n > 0.0).unwrap_or_else(|| f64::from(rollout.wanted()));
    #[expect(clippy::cast_possible_truncation, reason = "replica counts are small")]
    let size = (f64::from(replicas(set)) * f64::from(allowed) / before).round() as i32;
    let part = size - replicas(set);
    if left > 0 { part.clamp(0, left) } else { part.clamp(left, 0) }
}

/// Scales one ReplicaSet, if its number or what is noted on it differs.
pub fn to(rollout: &Rollout<'_>, set: &ReplicaSet, size: i32, plan: &mut Plan) {
    let annotations = annotations(rollout);
    let noted = annotations.iter().all(|(key, value)| set.metadata.annotations.get(key) == Some(value));
    let from = replicas(set);
    if from == size && noted {
        return;
    }
    let patch = json!({
        "metadata": {"resourceVersion": set.metadata.resource_version, "annotations": annotations},
        "spec": {"replicas": size},
    });
    plan.writes.push(Write::of::<ReplicaSet>(set.key(), Action::MergePatch(patch)));
    if from != size {
        let direction = if size > from { "up" } else { "down" };
        let name = &set.metadata.name;
        plan.notes.push(note(
            rollout.deployment,
            format!("Scaled {direction} replica set {name} from {from} to {size}"),
        ));
    }
}
