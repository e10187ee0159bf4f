//! What to do next: a function of the Pod, what was seen of it, and the time.

use jiff::{SignedDuration, Timestamp};
use portway_api::types::pod::{Container, Pod};

use super::seen::{ContainerSeen, Network, Run, Seen};
use super::{containers, grace, is_sidecar};

/// Something to do. The caller notes in [`Seen`] that it is under way before it asks again.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Make the Pod's network.
    Connect,
    /// Give the Pod's network back.
    Disconnect,
    /// Start a container.
    Start(String),
    /// Begin to stop a container, its preStop hook first.
    Stop {
        /// Which.
        container: String,
        /// Seconds it may take.
        grace: i64,
        /// For the event.
        why: String,
    },
    /// Send SIGTERM.
    Terminate(String),
    /// Kill everything in a container.
    Kill(String),
    /// Nothing of the Pod is left: delete its object.
    Finish,
}

/// What to do now, and when to ask again if nothing happens before.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    /// What to do, in this order.
    pub actions: Vec<Action>,
    /// When time alone will change the answer.
    pub wake: Option<Timestamp>,
}

/// How long after a refusal it is tried again, in seconds.
const RETRY: i64 = 5;
/// SIGTERM gets at least this long after a hook that used the grace period up, in seconds.
const AFTER_HOOK: i64 = 2;

impl Step {
    fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    fn at(&mut self, time: Timestamp) {
        self.wake = Some(self.wake.map_or(time, |wake| wake.min(time)));
    }
}

/// Decides. Total: any Pod and any facts have an answer.
pub fn step(pod: &Pod, seen: &Seen, now: Timestamp) -> Step {
    let mut step = Step::default();
    if let Some(since) = seen.ending {
        wind_down(pod, seen, now, &mut step, since);
        let idle = !seen.containers.values().any(|c| c.run.is_active());
        if idle && seen.network != Network::Connecting {
            if matches!(seen.network, Network::Ready(_)) {
                step.act(Action::Disconnect);
            }
            step.act(Action::Finish);
        }
        return step;
    }
    if is_over(pod, seen) {
        wind_down(pod, seen, now, &mut step, now);
        let idle = !seen.containers.values().any(|c| c.run.is_active());
        if idle && matches!(seen.network, Network::Ready(_)) {
            step.act(Action::Disconnect);
        }
        return step;
    }
    match &seen.network {
        Network::Absent => {
            step.act(Action::Connect);
            return step;
        }
        Network::Failed(at, _) if now < after(*at, RETRY) => {
            step.at(after(*at, RETRY));
            return step;
        }
        Network::Failed(..) => {
            step.act(Action::Connect);
            return step;
        }
        Network::Ready(_) => {}
        Network::Connecting | Network::Released(_) => return step,
    }
    if initialise(pod, seen, now, &mut step) {
        for container in &pod.spec.containers {
            let seen = of(seen, container);
            keep(container, seen, restarts(pod, container, seen), pod, now, &mut step);
        }
    }
    step
}

/// Starts init containers in turn and keeps sidecars running; true once the Pod's own containers may run.
fn initialise(pod: &Pod, seen: &Seen, now: Timestamp, step: &mut Step) -> bool {
    // After a restart of the agent, or of a sidecar: what is done is done.
    let begun =
        pod.spec.containers.iter().any(|c| !matches!(of(seen, c).run, Run::Never | Run::Refused { .. }));
    for container in &pod.spec.init_containers {
        let known = of(seen, container);
        if is_sidecar(container) {
            keep(container, known, true, pod, now, step);
            if !begun && !is_started(container, known) {
                return false;
            }
        } else if !begun && !matches!(&known.run, Run::Ended(ended) if ended.code == 0) {
            keep(container, known, restarts(pod, container, known), pod, now, step);
            return false;
        }
    }
    true
}

/// Starts the container if it should run and does not; stops it if a probe wants that.
fn keep(
    container: &Container,
    seen: &ContainerSeen,
    again: bool,
    pod: &Pod,
    now: Timestamp,
    step: &mut Step,
) {
    let start_at = match &seen.run {
        Run::Never => now,
        Run::Refused { at, .. } => after(*at, RETRY),
        Run::Ended(ended) if again => ended.finished.saturating_add(seen.backoff()).unwrap_or(Timestamp::MAX),
        Run::Ended(_) | Run::Starting => return,
        Run::Running(_) => {
            if let Some((why, own)) = &seen.unhealthy {
                let why = format!("Container {} {why}, will be restarted", container.name);
                stop(container, seen, now, own.unwrap_or_else(|| grace(pod)), &why, now, step);
            }
            return;
        }
    };
    if start_at <= now {
        step.act(Action::Start(container.name.clone()));
    } else {
        step.at(start_at);
    }
}

/// Stops everything: the Pod's own containers at once, then sidecars, the last one first.
fn wind_down(pod: &Pod, seen: &Seen, now: Timestamp, step: &mut Step, since: Timestamp) {
    let mut end = |container: &Container| {
        let why = format!("Stopping container {}", container.name);
        stop(container, of(seen, container), now, grace(pod), &why, since, step);
    };
    let (sidecars, others): (Vec<_>, Vec<_>) =
        containers(pod).map(|(c, _)| c).partition(|c| pod.spec.init_containers.contains(c) && is_sidecar(c));
    others.iter().for_each(|c| end(c));
    if others.iter().any(|c| of(seen, c).run.is_active()) {
        return;
    }
    if let Some(last) = sidecars.iter().rev().find(|c| of(seen, c).run.is_active()) {
        end(last);
    }
}

/// The next act of stopping a container that runs. `since` and `grace` give the time by which all must be over.
fn stop(
    container: &Container,
    seen: &ContainerSeen,
    now: Timestamp,
    grace: i64,
    why: &str,
    since: Timestamp,
    step: &mut Step,
) {
    if !matches!(seen.run, Run::Running(_)) {
        return;
    }
    let name = || container.name.clone();
    let Some(stop) = &seen.stop else {
        let left = grace - now.duration_since(since).as_secs();
        step.act(Action::Stop { container: name(), grace: left.max(1), why: why.to_owned() });
        return;
    };
    let deadline = after(stop.since, stop.grace.min(grace));
    match stop.terminated {
        None if stop.hook && now < deadline => step.at(deadline),
        None => step.act(Action::Terminate(name())),
        Some(at) => {
            let kill_at = deadline.max(after(at, if at >= deadline { AFTER_HOOK } else { 0 }));
            if now < kill_at {
                step.at(kill_at);
            } else if !stop.killed {
                step.act(Action::Kill(name()));
            }
        }
    }
}

/// The Pod has done its work, or has failed for good: nothing starts any more.
pub(super) fn is_over(pod: &Pod, seen: &Seen) -> bool {
    if matches!(pod.status.phase.as_str(), "Succeeded" | "Failed") {
        return true;
    }
    let final_end = |c: &Container| {
        let seen = of(seen, c);
        matches!(seen.run, Run::Ended(_)) && !restarts(pod, c, seen)
    };
    let failed_init = pod.spec.init_containers.iter().any(|c| {
        let failed = matches!(&of(seen, c).run, Run::Ended(ended) if ended.code != 0);
        !is_sidecar(c) && failed && final_end(c)
    });
    failed_init || (!pod.spec.containers.is_empty() && pod.spec.containers.iter().all(final_end))
}

/// A container that has ended is to be run again.
pub(super) fn restarts(pod: &Pod, container: &Container, seen: &ContainerSeen) -> bool {
    let failed = matches!(&seen.run, Run::Ended(ended) if ended.code != 0);
    let own = container.restart_policy.as_deref().unwrap_or(&pod.spec.restart_policy);
    let init = pod.spec.init_containers.iter().any(|c| c.name == container.name) && !is_sidecar(container);
    match own {
        "Never" => false,
        "OnFailure" => failed,
        // An init container has only to succeed once.
        _ => failed || !init,
    }
}

/// It runs, and its startup probe, if any, has passed.
pub(super) fn is_started(container: &Container, seen: &ContainerSeen) -> bool {
    matches!(seen.run, Run::Running(_)) && (container.startup_probe.is_none() || seen.started)
}

/// What was seen of a container.
pub(super) fn of<'a>(seen: &'a Seen, container: &Container) -> &'a ContainerSeen {
    static NEVER: ContainerSeen = ContainerSeen {
        run: Run::Never,
        restarts: 0,
        crashes: 0,
        last: None,
        started: false,
        ready: false,
        unhealthy: None,
        stop: None,
    };
    seen.containers.get(&container.name).unwrap_or(&NEVER)
}

fn after(time: Timestamp, seconds: i64) -> Timestamp {
    time.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}
