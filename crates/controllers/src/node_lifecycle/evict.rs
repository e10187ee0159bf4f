//! Pods leave nodes with `NoExecute` taints they do not bear, or do not bear for longer.

use std::time::Duration;

use jiff::Timestamp;
use portway_api::Object;
use portway_api::types::node::{Node, Taint};
use portway_api::types::pod::Pod;
use portway_client::{Action, Preconditions, Write};

use super::{NOT_READY, UNREACHABLE};
use crate::plan::Plan;
use crate::scheduler::tolerates;
use crate::snapshot::Snapshot;

/// Deletes the Pods whose time on the node is over.
pub fn evict(snapshot: &Snapshot, node: &Node, default: Duration, now: Timestamp, plan: &mut Plan) {
    let taints: Vec<&Taint> = node.spec.taints.iter().filter(|t| t.effect == "NoExecute").collect();
    if taints.is_empty() {
        return;
    }
    for pod in snapshot.pods_on(&node.metadata.name).filter(|p| p.metadata.deletion_timestamp.is_none()) {
        let left = taints.iter().filter_map(|taint| time_left(pod, taint, default, now)).min();
        match left {
            None => {}
            Some(left) if left.is_zero() => plan.writes.push(delete(pod)),
            Some(left) => plan.look_again(left),
        }
    }
}

/// How long the Pod may stay in spite of the taint; `None` for ever.
fn time_left(pod: &Pod, taint: &Taint, default: Duration, now: Timestamp) -> Option<Duration> {
    let mut matching = pod.spec.tolerations.iter().filter(|t| tolerates(t, taint)).peekable();
    let bears = if matching.peek().is_some() {
        // The shortest of those that say a time; none of them says one: for ever.
        let seconds = matching.filter_map(|t| t.toleration_seconds).min()?;
        Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
    } else if taint.key == NOT_READY || taint.key == UNREACHABLE {
        default
    } else {
        return Some(Duration::ZERO);
    };
    let since: Option<Timestamp> = taint.time_added.as_deref().and_then(|t| t.parse().ok());
    let gone = since.and_then(|since| Duration::try_from(now.duration_since(since)).ok()).unwrap_or_default();
    Some(bears.saturating_sub(gone))
}

fn delete(pod: &Pod) -> Write {
    let action = Action::Delete {
        preconditions: Preconditions::uid(&pod.metadata.uid),
        grace: None,
        propagation: None,
    };
    Write::of::<Pod>(pod.key(), action)
}
