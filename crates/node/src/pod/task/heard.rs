//! Noting what was heard.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use portway_api::types::pod::Pod;

use super::{Message, Task};
use crate::pod::adopt;
use crate::pod::container;
use crate::pod::launch::StartError;
use crate::pod::seen::{Ended, Network, Run};
use crate::pod::step::is_over;
use crate::probe::{Finding, ProbeKind, Verdict};
use crate::run;

impl Task {
    /// Notes it in what was seen. Decides nothing.
    pub(super) fn hear(&mut self, message: Message) {
        match message {
            Message::Pod(pod) => {
                self.pod = pod;
                self.note_object();
            }
            Message::Gone(pod) => {
                self.gone = true;
                self.pod = Arc::new(Pod {
                    // Removed at once, by force: what is left gets the shortest grace there is.
                    metadata: portway_api::ObjectMeta {
                        deletion_grace_period_seconds: pod.metadata.deletion_grace_period_seconds.or(Some(1)),
                        ..pod.metadata.clone()
                    },
                    ..Pod::clone(&pod)
                });
                self.seen.ending.get_or_insert_with(Timestamp::now);
            }
            Message::Connected(Ok(namespace), addresses) => {
                self.namespace = Some(namespace);
                self.seen.network = Network::Ready(addresses);
            }
            Message::Connected(Err(why), _) => {
                let text = format!("Failed to create pod network: {why}");
                self.shared.events.say(&self.pod, None, true, "FailedCreatePodSandBox", text);
                self.seen.network = Network::Failed(Timestamp::now(), why);
            }
            Message::Started { container, attempt, outcome } if !self.is_stale(&container, attempt) => {
                self.on_started(&container, outcome);
            }
            Message::Ended { container, attempt, ended } if !self.is_stale(&container, attempt) => {
                self.on_ended(&container, ended);
            }
            Message::HookDone { container, attempt, outcome } if !self.is_stale(&container, attempt) => {
                if let Err(why) = outcome {
                    let text = format!("PreStopHook failed: {why}");
                    self.shared.events.say(&self.pod, Some(&container), true, "FailedPreStopHook", text);
                }
                if let Some(stop) = self.seen.containers.get_mut(&container).and_then(|c| c.stop.as_mut()) {
                    stop.hook = false;
                }
            }
            Message::HookFailed { container, attempt, why } if !self.is_stale(&container, attempt) => {
                let text = format!("PostStartHook failed: {why}");
                self.shared.events.say(&self.pod, Some(&container), true, "FailedPostStartHook", text);
                self.unhealthy(&container, "failed its postStart hook", None);
            }
            Message::Probe { container, attempt, kind, finding } if !self.is_stale(&container, attempt) => {
                self.on_probe(&container, kind, finding);
            }
            // About a run that is over.
            _ => {}
        }
    }

    /// Notes what the object says of the Pod's life.
    pub(super) fn note_object(&mut self) {
        self.seen.since.get_or_insert_with(Timestamp::now);
        if let Some(deadline) = &self.pod.metadata.deletion_timestamp
            && self.seen.ending.is_none()
        {
            // The time the deletion was asked for, as an agent that started later must know it too.
            let grace = self.pod.metadata.deletion_grace_period_seconds.unwrap_or(0);
            let asked = deadline
                .parse::<Timestamp>()
                .ok()
                .and_then(|d| d.checked_sub(SignedDuration::from_secs(grace)).ok());
            let now = Timestamp::now();
            self.seen.ending = Some(asked.map_or(now, |asked| asked.min(now)));
        }
    }

    fn on_started(&mut self, name: &str, outcome: Result<Timestamp, StartError>) {
        let events = self.shared.events.clone();
        let attempt = self.attempt(name);
        let Some(seen) = self.seen.containers.get_mut(name) else { return };
        match outcome {
            Ok(started) => {
                seen.run = Run::Running(started);
                let has_startup = container(&self.pod, name).is_some_and(|c| c.startup_probe.is_some());
                seen.started = !has_startup;
                events.say(&self.pod, Some(name), false, "Created", format!("Container created: {name}"));
                events.say(&self.pod, Some(name), false, "Started", format!("Container started: {name}"));
                self.connect_to_run(name, started);
                self.begin_probes(name);
                if let Some((handler, target)) = self.hook(name, "postStart") {
                    let (sender, container) = (self.sender.clone(), name.to_owned());
                    self.work.entry(name.to_owned()).or_default().spawn(async move {
                        if let Err(why) = handler.check(&target).await {
                            sender.send(Message::HookFailed { container, attempt, why }).ok();
                        }
                    });
                }
            }
            Err(StartError::Refused(reason, message)) => {
                events.say(&self.pod, Some(name), true, "Failed", format!("Error: {message}"));
                seen.run = Run::Refused { at: Timestamp::now(), reason, message };
            }
            Err(StartError::Failed(message)) => {
                events.say(&self.pod, Some(name), true, "Failed", format!("Error: {message}"));
                let now = Timestamp::now();
                let ended = Ended {
                    started: now,
                    finished: now,
                    code: 128,
                    signal: 0,
                    reason: "StartError",
                    message,
                };
                self.on_ended(name, ended);
            }
        }
    }

    /// Waits for the end of a run that has just begun.
    fn connect_to_run(&self, name: &str, started: Timestamp) {
        let attempt = self.attempt(name);
        let dir = self.dir.run(name, attempt);
        let (sender, container) = (self.sender.clone(), name.to_owned());
        tokio::spawn(async move {
            // A supervisor that cannot be reached has ended already, and left its record.
            let record = match run::connect(&dir).await {
                Ok(connection) => run::wait(connection, &dir).await,
                Err(_) => crate::supervisor::Record::read(&dir),
            };
            let mut ended = adopt::ended(record, Timestamp::now());
            ended.started = started;
            sender.send(Message::Ended { container, attempt, ended }).ok();
        });
    }

    fn on_ended(&mut self, name: &str, ended: Ended) {
        self.work.remove(name);
        let Some(seen) = self.seen.containers.get_mut(name) else { return };
        if matches!(seen.run, Run::Ended(_)) {
            return;
        }
        seen.ended(ended);
        let delay = seen.backoff().as_secs();
        if delay > 0 && self.seen.ending.is_none() && !is_over(&self.pod, &self.seen) {
            let text =
                format!("Back-off restarting failed container {name} in pod {}", self.pod.metadata.name);
            self.shared.events.say(&self.pod, Some(name), true, "BackOff", text);
        }
    }

    fn on_probe(&mut self, name: &str, kind: ProbeKind, finding: Finding) {
        if !self.is_running(name) {
            return;
        }
        match (kind, finding) {
            (_, Finding::Failure(why)) => {
                let text = format!("{} probe failed: {why}", kind.name());
                self.shared.events.say(&self.pod, Some(name), true, "Unhealthy", text);
            }
            (ProbeKind::Startup, Finding::Verdict(Verdict::Passed)) => {
                if let Some(seen) = self.seen.containers.get_mut(name) {
                    seen.started = true;
                }
                self.begin_probe(name, ProbeKind::Readiness, None);
                self.begin_probe(name, ProbeKind::Liveness, Some(Verdict::Passed));
            }
            (ProbeKind::Readiness, Finding::Verdict(verdict)) => {
                if let Some(seen) = self.seen.containers.get_mut(name) {
                    seen.ready = verdict == Verdict::Passed;
                }
            }
            (ProbeKind::Liveness, Finding::Verdict(Verdict::Passed)) => {}
            (ProbeKind::Startup, Finding::Verdict(Verdict::Failed)) => {
                let grace = container(&self.pod, name).and_then(|c| c.startup_probe.as_ref());
                let grace = grace.and_then(|p| p.termination_grace_period_seconds);
                self.unhealthy(name, "failed startup probe", grace);
            }
            (ProbeKind::Liveness, Finding::Verdict(Verdict::Failed)) => {
                let grace = container(&self.pod, name).and_then(|c| c.liveness_probe.as_ref());
                let grace = grace.and_then(|p| p.termination_grace_period_seconds);
                self.unhealthy(name, "failed liveness probe", grace);
            }
        }
    }

    fn unhealthy(&mut self, name: &str, why: &str, grace: Option<i64>) {
        if let Some(seen) = self.seen.containers.get_mut(name) {
            seen.unhealthy = Some((why.to_owned(), grace));
        }
    }
}
