//! Rolling update: new Pods come as far as the surge allows, old ones go as far as availability allows.

use portway_api::types::apps::ReplicaSet;
use portway_api::types::meta::IntOrString;

use super::{Rollout, create_new, replicas, revision, scale};
use crate::plan::Plan;

/// How far a rollout may go from the number wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Pods above it.
    pub surge: i32,
    /// Pods below it.
    pub unavailable: i32,
}

/// The limits as numbers.
pub fn limits(rollout: &Rollout<'_>) -> Limits {
    if rollout.is_recreate() {
        return Limits { surge: 0, unavailable: 0 };
    }
    let wanted = rollout.wanted();
    let given = rollout.deployment.spec.strategy.rolling_update.clone().unwrap_or_default();
    let quarter = || IntOrString::String("25%".to_owned());
    let surge = resolve(&given.max_surge.unwrap_or_else(quarter), wanted, true);
    let mut unavailable = resolve(&given.max_unavailable.unwrap_or_else(quarter), wanted, false);
    if surge == 0 && unavailable == 0 {
        // Nothing could ever move.
        unavailable = 1;
    }
    Limits { surge, unavailable: unavailable.min(wanted) }
}

fn resolve(value: &IntOrString, of: i32, up: bool) -> i32 {
    match value {
        IntOrString::Int(n) => (*n).max(0),
        IntOrString::String(text) => {
            let percent: i64 = text.trim_end_matches('%').parse().unwrap_or_default();
            let product = percent.max(0) * i64::from(of.max(0));
            let rounded = if up { (product + 99) / 100 } else { product / 100 };
            i32::try_from(rounded).unwrap_or(i32::MAX)
        }
    }
}

/// One step: up if there is room above, else down if there is room below.
pub fn step(rollout: &Rollout<'_>, plan: &mut Plan) {
    let Some(new) = rollout.new else {
        create_new(rollout, new_size(rollout, 0), plan);
        return;
    };
    revision::adjust(rollout, new, plan);
    if !plan.writes.is_empty() {
        // Scaling goes by the revision these leave behind.
        return;
    }
    let size = new_size(rollout, replicas(new));
    if size != replicas(new) {
        scale::to(rollout, new, size, plan);
        return;
    }
    down(rollout, new, plan);
}

/// The size the new ReplicaSet may have now.
fn new_size(rollout: &Rollout<'_>, has: i32) -> i32 {
    let wanted = rollout.wanted();
    if has >= wanted {
        return wanted;
    }
    let total: i32 = rollout.all().map(replicas).sum();
    let room = wanted + limits(rollout).surge - total;
    has + room.clamp(0, wanted - has)
}

fn down(rollout: &Rollout<'_>, new: &ReplicaSet, plan: &mut Plan) {
    let least = rollout.wanted() - limits(rollout).unavailable;
    let total: i32 = rollout.all().map(replicas).sum();
    let new_unavailable = replicas(new) - new.status.available_replicas;
    let mut sizes: Vec<(&ReplicaSet, i32)> = rollout.old.iter().map(|set| (*set, replicas(set))).collect();
    // Pods that serve nobody go first; the new ones on their way count as not there.
    let mut room = total - least - new_unavailable;
    for (set, size) in &mut sizes {
        let idle = (*size - set.status.available_replicas).clamp(0, room.max(0));
        *size -= idle;
        room -= idle;
    }
    let available: i32 = rollout.all().map(|set| set.status.available_replicas).sum();
    let mut room = (available - least).min(room).max(0);
    for (_, size) in &mut sizes {
        let part = (*size).min(room);
        *size -= part;
        room -= part;
    }
    for (set, size) in sizes {
        if size != replicas(set) {
            scale::to(rollout, set, size, plan);
        }
    }
}
