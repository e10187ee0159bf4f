//! Cells of `kubectl get pods`.

use serde_json::Value;

use crate::kinds::column::age;
use crate::kinds::value::Read;

/// What the containers of a Pod amount to.
struct Summary {
    ready: usize,
    total: usize,
    reason: String,
    restarts: i64,
    /// RFC 3339; when a container last restarted, if one did.
    last_restart: String,
}

pub(super) fn ready(pod: &Value) -> Value {
    let summary = summarize(pod);
    format!("{}/{}", summary.ready, summary.total).into()
}

pub(super) fn status(pod: &Value) -> Value {
    summarize(pod).reason.into()
}

pub(super) fn restarts(pod: &Value, now: i64) -> Value {
    let summary = summarize(pod);
    if summary.restarts != 0 && !summary.last_restart.is_empty() {
        format!("{} ({} ago)", summary.restarts, age(&summary.last_restart, now)).into()
    } else {
        summary.restarts.to_string().into()
    }
}

pub(super) fn ip(pod: &Value) -> Value {
    let first = pod.list("status.podIPs").first().map(|ip| ip.text("ip")).unwrap_or_default();
    let ip = if first.is_empty() { pod.text("status.podIP") } else { first };
    crate::kinds::column::or_none(ip)
}

pub(super) fn readiness_gates(pod: &Value) -> Value {
    let gates = pod.list("spec.readinessGates");
    if gates.is_empty() {
        return "<none>".into();
    }
    let met = gates.iter().filter(|gate| condition(pod, gate.text("conditionType")) == Some("True")).count();
    format!("{met}/{}", gates.len()).into()
}

fn condition<'a>(pod: &'a Value, kind: &str) -> Option<&'a str> {
    let conditions = pod.list("status.conditions");
    conditions
        .iter()
        .find(|condition| condition.text("type") == kind)
        .map(|condition| condition.text("status"))
}

/// An init container that keeps running beside the others.
fn is_sidecar(pod: &Value, name: &str) -> bool {
    pod.list("spec.initContainers")
        .iter()
        .any(|container| container.text("name") == name && container.text("restartPolicy") == "Always")
}

fn summarize(pod: &Value) -> Summary {
    let sidecars =
        pod.list("spec.initContainers").iter().filter(|c| c.text("restartPolicy") == "Always").count();
    let mut summary = Summary {
        ready: 0,
        total: pod.list("spec.containers").len() + sidecars,
        reason: match pod.text("status.reason") {
            "" => pod.text("status.phase").to_owned(),
            reason => reason.to_owned(),
        },
        restarts: 0,
        last_restart: String::new(),
    };
    let gated = |c: &Value| c.text("type") == "PodScheduled" && c.text("reason") == "SchedulingGated";
    if pod.list("status.conditions").iter().any(gated) {
        summary.reason = "SchedulingGated".to_owned();
    }
    let (initializing, sidecar_restarts, sidecar_last) = init_containers(pod, &mut summary);
    if !initializing || condition(pod, "Initialized") == Some("True") {
        summary.restarts = sidecar_restarts;
        summary.last_restart = sidecar_last;
        containers(pod, &mut summary);
    }
    if pod.has("metadata.deletionTimestamp") {
        if pod.text("status.reason") == "NodeLost" {
            summary.reason = "Unknown".to_owned();
        } else if !["Succeeded", "Failed"].contains(&pod.text("status.phase")) {
            summary.reason = "Terminating".to_owned();
        }
    }
    summary
}

/// Takes a later restart into account. RFC 3339 times in UTC order as texts.
fn later(last: &mut String, status: &Value) {
    let finished = status.text("lastState.terminated.finishedAt");
    if finished > last.as_str() {
        finished.clone_into(last);
    }
}

/// Returns whether the Pod is still initializing, and the restarts of its sidecars with the latest.
fn init_containers(pod: &Value, summary: &mut Summary) -> (bool, i64, String) {
    let (mut restarts, mut last) = (0i64, String::new());
    for (index, status) in pod.list("status.initContainerStatuses").iter().enumerate() {
        let sidecar = is_sidecar(pod, status.text("name"));
        summary.restarts = summary.restarts.saturating_add(status.int("restartCount"));
        later(&mut summary.last_restart, status);
        if sidecar {
            restarts = restarts.saturating_add(status.int("restartCount"));
            later(&mut last, status);
        }
        let terminated = status.at("state.terminated");
        if terminated.is_some_and(|t| t.int("exitCode") == 0) {
            continue;
        }
        if sidecar && status.flag("started") {
            summary.ready += usize::from(status.flag("ready"));
            continue;
        }
        let waiting = status.text("state.waiting.reason");
        summary.reason = match terminated {
            Some(terminated) => format!("Init:{}", ended(terminated)),
            None if !waiting.is_empty() && waiting != "PodInitializing" => format!("Init:{waiting}"),
            None => format!("Init:{index}/{}", pod.list("spec.initContainers").len()),
        };
        return (true, restarts, last);
    }
    (false, restarts, last)
}

fn ended(terminated: &Value) -> String {
    match (terminated.text("reason"), terminated.int("signal")) {
        ("", 0) => format!("ExitCode:{}", terminated.int("exitCode")),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    }
}

fn containers(pod: &Value, summary: &mut Summary) {
    let mut running = false;
    for status in pod.list("status.containerStatuses").iter().rev() {
        summary.restarts = summary.restarts.saturating_add(status.int("restartCount"));
        later(&mut summary.last_restart, status);
        let waiting = status.text("state.waiting.reason");
        if !waiting.is_empty() {
            summary.reason = waiting.to_owned();
        } else if let Some(terminated) = status.at("state.terminated") {
            summary.reason = ended(terminated);
        } else if status.flag("ready") && status.has("state.running") {
            running = true;
            summary.ready += 1;
        }
    }
    if summary.reason == "Completed" && running {
        let ready = condition(pod, "Ready") == Some("True");
        summary.reason = if ready { "Running" } else { "NotReady" }.to_owned();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn status_cells() {
        let check = |status: Value, expect: (&str, &str, &str)| {
            let pod = json!({"spec": {"containers": [{"name": "c"}], "initContainers": [{"name": "i"}]}, "status": status});
            let cells = (ready(&pod), super::status(&pod), restarts(&pod, 100));
            assert_eq!(cells, (expect.0.into(), expect.1.into(), expect.2.into()), "{pod}");
        };
        check(json!({"phase": "Pending"}), ("0/1", "Pending", "0"));
        check(
            json!({"phase": "Running", "containerStatuses": [{"ready": true, "restartCount": 2,
                "state": {"running": {}}, "lastState": {"terminated": {"finishedAt": "1970-01-01T00:00:40Z"}}}]}),
            ("1/1", "Running", "2 (60s ago)"),
        );
        check(
            json!({"phase": "Running", "containerStatuses": [{"restartCount": 3,
                "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}),
            ("0/1", "CrashLoopBackOff", "3"),
        );
        check(
            json!({"phase": "Failed", "containerStatuses": [{"state": {"terminated": {"exitCode": 3}}}]}),
            ("0/1", "ExitCode:3", "0"),
        );
        check(
            json!({"phase": "Pending", "initContainerStatuses": [{"name": "i", "state": {"running": {}}}]}),
            ("0/1", "Init:0/1", "0"),
        );
    }

    #[test]
    fn terminating() {
        let pod = json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}, "status": {"phase": "Running"}});
        assert_eq!(status(&pod), "Terminating");
    }
}
