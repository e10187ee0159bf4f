//! What a Deployment says of itself: counts, `Available`, `Progressing`.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use portway_api::Object;
use portway_api::types::apps::{Deployment, DeploymentStatus, ReplicaSet};
use portway_api::types::meta::Condition;
use portway_client::{Action, Write};
use serde_json::{Value, json};

use super::rolling::limits;
use super::{Rollout, replicas};
use crate::plan::Plan;

/// Every Pod is of the current template and available, and no other is left.
pub fn is_complete(rollout: &Rollout<'_>) -> bool {
    let status = counts(rollout);
    let wanted = rollout.wanted();
    status.updated_replicas == wanted
        && status.replicas == wanted
        && status.available_replicas == wanted
        && rollout.new.is_some()
}

/// Writes the status if it changed.
pub fn update(rollout: &Rollout<'_>, now: Timestamp, plan: &mut Plan) {
    let mut status = counts(rollout);
    available(rollout, &mut status, now);
    progressing(rollout, &mut status, now, plan);
    write(rollout, &status, plan);
}

fn counts(rollout: &Rollout<'_>) -> DeploymentStatus {
    let sum = |of: fn(&ReplicaSet) -> i32| rollout.all().map(of).sum::<i32>();
    let available = sum(|set| set.status.available_replicas);
    DeploymentStatus {
        observed_generation: rollout.deployment.metadata.generation,
        replicas: sum(|set| set.status.replicas),
        updated_replicas: rollout.new.map_or(0, |set| set.status.replicas),
        ready_replicas: sum(|set| set.status.ready_replicas),
        available_replicas: available,
        unavailable_replicas: (sum(replicas) - available).max(0),
        conditions: rollout.deployment.status.conditions.clone(),
        collision_count: rollout.deployment.status.collision_count,
    }
}

fn available(rollout: &Rollout<'_>, status: &mut DeploymentStatus, now: Timestamp) {
    let enough = status.available_replicas >= rollout.wanted() - limits(rollout).unavailable;
    let (value, reason, message) = if enough {
        ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    } else {
        ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    };
    set(status, "Available", value, reason, message.to_owned(), now);
}

fn progressing(rollout: &Rollout<'_>, status: &mut DeploymentStatus, now: Timestamp, plan: &mut Plan) {
    const KIND: &str = "Progressing";
    let deployment = rollout.deployment;
    // i32::MAX means: no deadline, and no condition.
    let deadline = deployment.spec.progress_deadline_seconds.unwrap_or(600);
    if deadline == i32::MAX {
        status.conditions.retain(|c| c.kind != KIND);
        return;
    }
    let current = status.conditions.iter().find(|c| c.kind == KIND).cloned();
    let reason = current.as_ref().map(|c| c.reason.as_str()).unwrap_or_default();
    if deployment.spec.paused {
        if reason != "DeploymentPaused" {
            set(status, KIND, "Unknown", "DeploymentPaused", "Deployment is paused".to_owned(), now);
        }
        return;
    }
    if reason == "DeploymentPaused" {
        set(status, KIND, "Unknown", "DeploymentResumed", "Deployment is resumed".to_owned(), now);
        return;
    }
    let name = rollout.new.map(|set| set.metadata.name.clone());
    let subject = name.map_or_else(
        || format!("Deployment {:?}", deployment.metadata.name),
        |name| format!("ReplicaSet {name:?}"),
    );
    if is_complete(rollout) {
        let text = format!("{subject} has successfully progressed.");
        set(status, KIND, "True", "NewReplicaSetAvailable", text, now);
        return;
    }
    let old = &deployment.status;
    let moved = status.updated_replicas > old.updated_replicas
        || status.ready_replicas > old.ready_replicas
        || status.available_replicas > old.available_replicas
        || status.replicas - status.updated_replicas < old.replicas - old.updated_replicas;
    let started = current.is_none() || deployment.metadata.generation != old.observed_generation;
    if moved || (started && reason != "NewReplicaSetAvailable") || (started && rollout.new.is_none()) {
        let text = format!("{subject} is progressing.");
        status.conditions.retain(|c| c.kind != KIND || c.status == "True");
        set(status, KIND, "True", "ReplicaSetUpdated", text, now);
        touch(status, KIND, now);
        plan.look_again(seconds(deadline));
        return;
    }
    // A rollout that was complete stays so when a Pod fails later.
    if matches!(reason, "NewReplicaSetAvailable" | "ProgressDeadlineExceeded") {
        return;
    }
    let since =
        current.and_then(|c| c.last_update_time).and_then(|t| t.parse::<Timestamp>().ok()).unwrap_or(now);
    let due = since.checked_add(SignedDuration::from_secs(i64::from(deadline))).unwrap_or(since);
    match Duration::try_from(due.duration_since(now)) {
        Ok(wait) if !wait.is_zero() => plan.look_again(wait),
        _ => {
            let text = format!("{subject} has timed out progressing.");
            set(status, KIND, "False", "ProgressDeadlineExceeded", text, now);
        }
    }
}

fn seconds(n: i32) -> Duration {
    Duration::from_secs(u64::try_from(n).unwrap_or_default())
}

/// Sets a condition; times move only with what they tell the time of.
fn set(
    status: &mut DeploymentStatus,
    kind: &str,
    value: &str,
    reason: &str,
    message: String,
    now: Timestamp,
) {
    let old = status.conditions.iter().find(|c| c.kind == kind).cloned();
    if old.as_ref().is_some_and(|c| c.status == value && c.reason == reason && c.message == message) {
        return;
    }
    let time = Some(format!("{now:.0}"));
    let since =
        old.filter(|c| c.status == value).and_then(|c| c.last_transition_time).or_else(|| time.clone());
    let condition = Condition {
        kind: kind.to_owned(),
        status: value.to_owned(),
        last_transition_time: since,
        last_update_time: time,
        reason: reason.to_owned(),
        message,
        ..Condition::default()
    };
    match status.conditions.iter_mut().find(|c| c.kind == kind) {
        Some(place) => *place = condition,
        None => status.conditions.push(condition),
    }
}

fn touch(status: &mut DeploymentStatus, kind: &str, now: Timestamp) {
    if let Some(condition) = status.conditions.iter_mut().find(|c| c.kind == kind) {
        condition.last_update_time = Some(format!("{now:.0}"));
    }
}

fn write(rollout: &Rollout<'_>, status: &DeploymentStatus, plan: &mut Plan) {
    let deployment = rollout.deployment;
    if *status == deployment.status {
        return;
    }
    let or_null = |n: i32| if n == 0 { Value::Null } else { n.into() };
    let patch = json!({"metadata": {"uid": deployment.metadata.uid}, "status": {
        "observedGeneration": status.observed_generation,
        "replicas": or_null(status.replicas),
        "updatedReplicas": or_null(status.updated_replicas),
        "readyReplicas": or_null(status.ready_replicas),
        "availableReplicas": or_null(status.available_replicas),
        "unavailableReplicas": or_null(status.unavailable_replicas),
        "conditions": status.conditions,
    }});
    plan.writes.push(Write::of::<Deployment>(deployment.key(), Action::MergePatch(patch)).on("status"));
}
