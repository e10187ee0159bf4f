//! The Pod's status, from what was seen.

use std::net::IpAddr;

use jiff::Timestamp;
use portway_api::types::meta::Condition;
use portway_api::types::pod::{Container, Pod};
use serde_json::{Map, Value, json};

use super::is_sidecar;
use super::seen::{ContainerSeen, Ended, Network, Run, Seen};
use super::step::{is_over, is_started, of, restarts};

/// What the status needs to know of the node.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The node's addresses.
    pub host_ips: Vec<IpAddr>,
}

/// Conditions this agent writes; others belong to someone else.
pub(crate) const CONDITIONS: [&str; 5] =
    ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"];

/// The status to write. `before` are the conditions last written, for their transition times.
pub fn status(pod: &Pod, seen: &Seen, facts: &Facts, before: &[Condition], now: Timestamp) -> Value {
    let phase = phase(pod, seen);
    let done = matches!(phase, "Succeeded" | "Failed");
    let unready: Vec<&str> =
        serving(pod).filter(|c| !is_ready(c, of(seen, c))).map(|c| c.name.as_str()).collect();
    let containers_ready = match (done, unready.is_empty()) {
        (true, _) if phase == "Failed" => Err(("PodFailed".to_owned(), String::new())),
        (true, _) => Err(("PodCompleted".to_owned(), String::new())),
        (_, true) => Ok(()),
        (_, false) => Err((
            "ContainersNotReady".to_owned(),
            format!("containers with unready status: [{}]", unready.join(" ")),
        )),
    };
    let ready = containers_ready.clone().and_then(|()| gates(pod));
    let initialised = initialised(pod, seen);
    let connected = if matches!(seen.network, Network::Ready(_)) { Ok(()) } else { Err(Default::default()) };
    let outcomes = [connected, initialised, ready, containers_ready, Ok(())];
    let conditions: Vec<Value> = CONDITIONS
        .iter()
        .zip(outcomes)
        .map(|(kind, outcome)| condition(kind, outcome, before, now))
        .collect();

    let mut status = json!({
        "phase": phase,
        "conditions": conditions,
        "containerStatuses": statuses(pod, seen, &pod.spec.containers, now),
    });
    if !pod.spec.init_containers.is_empty() {
        status["initContainerStatuses"] = statuses(pod, seen, &pod.spec.init_containers, now);
    }
    if let Some(since) = seen.since {
        status["startTime"] = seconds(since).into();
    }
    if let Some(first) = facts.host_ips.first() {
        status["hostIP"] = first.to_string().into();
        status["hostIPs"] = ips(&facts.host_ips);
    }
    if let Some(first) = seen.network.addresses().first() {
        status["podIP"] = first.to_string().into();
        status["podIPs"] = ips(seen.network.addresses());
    }
    status
}

/// RFC 3339 with whole seconds, as the API writes times.
pub(crate) fn seconds(time: Timestamp) -> String {
    format!("{time:.0}")
}

fn ips(all: &[IpAddr]) -> Value {
    all.iter().map(|ip| json!({"ip": ip.to_string()})).collect()
}

/// Containers whose readiness is the Pod's: its own and the sidecars.
fn serving(pod: &Pod) -> impl Iterator<Item = &Container> {
    pod.spec.init_containers.iter().filter(|c| is_sidecar(c)).chain(&pod.spec.containers)
}

fn is_ready(container: &Container, seen: &ContainerSeen) -> bool {
    is_started(container, seen) && (container.readiness_probe.is_none() || seen.ready)
}

type Outcome = Result<(), (String, String)>;

fn initialised(pod: &Pod, seen: &Seen) -> Outcome {
    let incomplete: Vec<&str> = pod
        .spec
        .init_containers
        .iter()
        .filter(|c| match &of(seen, c).run {
            Run::Ended(ended) => ended.code != 0 && !is_sidecar(c),
            _ => !(is_sidecar(c) && is_started(c, of(seen, c))),
        })
        .map(|c| c.name.as_str())
        .collect();
    let begun =
        pod.spec.containers.iter().any(|c| !matches!(of(seen, c).run, Run::Never | Run::Refused { .. }));
    if incomplete.is_empty() || begun {
        return Ok(());
    }
    let message = format!("containers with incomplete status: [{}]", incomplete.join(" "));
    Err(("ContainersNotInitialized".to_owned(), message))
}

/// The conditions others set, that the Pod has asked to wait for.
fn gates(pod: &Pod) -> Outcome {
    let mut messages = Vec::new();
    for gate in &pod.spec.readiness_gates {
        let kind = &gate.condition_type;
        match pod.status.conditions.iter().find(|c| c.kind == *kind) {
            Some(condition) if condition.status == "True" => {}
            Some(condition) => messages.push(format!(
                "the status of pod readiness gate {kind:?} is not \"True\", but {}",
                condition.status
            )),
            None => messages
                .push(format!("corresponding condition of pod readiness gate {kind:?} does not exist.")),
        }
    }
    if messages.is_empty() { Ok(()) } else { Err(("ReadinessGatesNotReady".to_owned(), messages.join(", "))) }
}

fn condition(kind: &str, outcome: Outcome, before: &[Condition], now: Timestamp) -> Value {
    let status = if outcome.is_ok() { "True" } else { "False" };
    let since = before
        .iter()
        .find(|c| c.kind == kind && c.status == status)
        .and_then(|c| c.last_transition_time.clone())
        .unwrap_or_else(|| seconds(now));
    let (reason, message) = outcome.err().unwrap_or_default();
    let mut condition =
        json!({"type": kind, "status": status, "lastProbeTime": null, "lastTransitionTime": since});
    let last = before.iter().find(|c| c.kind == kind);
    for (field, text, said) in [
        ("reason", reason, last.is_some_and(|c| !c.reason.is_empty())),
        ("message", message, last.is_some_and(|c| !c.message.is_empty())),
    ] {
        if !text.is_empty() {
            condition[field] = text.into();
        } else if said {
            // The status is written as a patch, which would leave what an earlier one said.
            condition[field] = Value::Null;
        }
    }
    condition
}

/// The Pod's phase, by the rules of upstream's kubelet.
pub(super) fn phase(pod: &Pod, seen: &Seen) -> &'static str {
    if let "Succeeded" | "Failed" = pod.status.phase.as_str() {
        return if pod.status.phase == "Failed" { "Failed" } else { "Succeeded" };
    }
    let ends = pod.spec.containers.iter().map(|c| &of(seen, c).run);
    let all_ended = !pod.spec.containers.is_empty() && ends.clone().all(|run| matches!(run, Run::Ended(_)));
    let all_well = ends.clone().all(|run| matches!(run, Run::Ended(ended) if ended.code == 0));
    let idle = !seen.containers.values().any(|c| c.run.is_active());
    if is_over(pod, seen) || (seen.ending.is_some() && idle) {
        return match (idle, all_ended && all_well) {
            // Sidecars are still being stopped.
            (false, _) => "Running",
            (true, true) => "Succeeded",
            (true, false) => "Failed",
        };
    }
    let begun = |c: &Container| {
        let seen = of(seen, c);
        matches!(seen.run, Run::Running(_) | Run::Ended(_)) || seen.last.is_some()
    };
    if initialised(pod, seen).is_ok() && pod.spec.containers.iter().all(begun) {
        "Running"
    } else {
        "Pending"
    }
}

fn statuses(pod: &Pod, seen: &Seen, containers: &[Container], now: Timestamp) -> Value {
    containers.iter().map(|container| container_status(pod, seen, container, now)).collect()
}

fn container_status(pod: &Pod, all: &Seen, container: &Container, now: Timestamp) -> Value {
    let seen = of(all, container);
    let id = |attempt: u32| format!("portway://{}/{}/{attempt}", pod.metadata.uid, container.name);
    let init = !is_sidecar(container) && pod.spec.init_containers.iter().any(|c| c.name == container.name);
    let waiting = |reason: &str, message: String| {
        let mut state = Map::from_iter([("reason".to_owned(), reason.into())]);
        if !message.is_empty() {
            state.insert("message".to_owned(), message.into());
        }
        json!({"waiting": state})
    };
    let not_yet = || {
        let early = !pod.spec.init_containers.is_empty() && initialised(pod, all).is_err();
        waiting(if early { "PodInitializing" } else { "ContainerCreating" }, String::new())
    };
    let mut last = seen.last.as_ref().map(|ended| terminated(ended, &id(seen.restarts.saturating_sub(1))));
    let state = match &seen.run {
        Run::Never if all.ending.is_some() || is_over(pod, all) => {
            waiting("ContainerCreating", String::new())
        }
        Run::Never | Run::Starting => not_yet(),
        Run::Refused { reason, message, .. } => waiting(reason, message.clone()),
        Run::Running(since) => json!({"running": {"startedAt": seconds(*since)}}),
        Run::Ended(ended) => {
            let delay = seen.backoff();
            let back = ended.finished.saturating_add(delay).unwrap_or(Timestamp::MAX);
            let ended = terminated(ended, &id(seen.restarts));
            if all.ending.is_none() && restarts(pod, container, seen) && !is_over(pod, all) && now < back {
                last = Some(ended);
                let pod_name =
                    format!("{}_{}({})", pod.metadata.name, pod.metadata.namespace, pod.metadata.uid);
                let text = format!(
                    "back-off {} restarting failed container={} pod={pod_name}",
                    go_duration(delay.as_secs()),
                    container.name
                );
                waiting("CrashLoopBackOff", text)
            } else {
                ended
            }
        }
    };
    let began = !matches!(seen.run, Run::Never | Run::Refused { .. } | Run::Starting);
    let ready = match &seen.run {
        Run::Ended(ended) => init && ended.code == 0,
        _ => !init && is_ready(container, seen),
    };
    let mut status = json!({
        "name": container.name,
        "state": state,
        "lastState": last.unwrap_or_else(|| json!({})),
        "ready": ready,
        "restartCount": seen.restarts,
        "image": container.image,
        "imageID": "",
        "started": is_started(container, seen),
    });
    if began {
        status["containerID"] = id(seen.restarts).into();
        status["imageID"] = container.image.as_str().into();
    }
    status
}

fn terminated(ended: &Ended, id: &str) -> Value {
    let mut state = json!({
        "exitCode": ended.code,
        "reason": ended.reason,
        "startedAt": seconds(ended.started),
        "finishedAt": seconds(ended.finished),
        "containerID": id,
    });
    if ended.signal != 0 {
        state["signal"] = ended.signal.into();
    }
    if !ended.message.is_empty() {
        state["message"] = ended.message.as_str().into();
    }
    json!({"terminated": state})
}

/// `10s`, `1m20s`, `5m0s`.
fn go_duration(seconds: i64) -> String {
    if seconds < 60 { format!("{seconds}s") } else { format!("{}m{}s", seconds / 60, seconds % 60) }
}
