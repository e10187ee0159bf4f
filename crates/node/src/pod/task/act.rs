//! Doing what the step says.

use std::net::IpAddr;

use jiff::Timestamp;
use portway_api::types::pod::Pod;
use portway_base::ObjectKey;
use portway_client::{Action as WriteAction, Error, Preconditions, Write};
use serde_json::Value;
use tokio::net::UnixStream;

use super::{Message, Task};
use crate::env::Own;
use crate::etc;
use crate::pod::adopt::{clear_away, ended};
use crate::pod::launch::Start;
use crate::pod::seen::{Network, Run, Stop};
use crate::pod::step::Action;
use crate::pod::{container, seconds};
use crate::probe::{Handler, ProbeKind, Target, Verdict, watch};
use crate::run;
use crate::state::{Kept, link_name, namespace_name};
use crate::supervisor::Request;

impl Task {
    /// Does it, or sets it under way, and notes that. False once nothing of the Pod is left.
    pub(super) async fn act(&mut self, action: Action) -> bool {
        match action {
            Action::Connect => self.connect(),
            Action::Disconnect => self.disconnect().await,
            Action::Start(container) => self.start(&container),
            Action::Stop { container, grace, why } => self.stop(&container, grace, why),
            Action::Terminate(container) => {
                self.signal(&container, Request::Signal(libc::SIGTERM));
                self.stopping(&container, |stop| stop.terminated = Some(Timestamp::now()));
            }
            Action::Kill(container) => {
                self.signal(&container, Request::Kill);
                self.stopping(&container, |stop| stop.killed = true);
            }
            Action::Finish => {
                self.finish().await;
                return false;
            }
        }
        true
    }

    fn connect(&mut self) {
        let host = self.pod.spec.host_network;
        let meta = &self.pod.metadata;
        let network = (!host).then(|| namespace_name(&self.pod));
        let addresses = if host {
            Ok(self.shared.config.addresses.clone())
        } else {
            self.shared.network.take().map_err(|e| e.to_string())
        };
        let kept = Kept {
            namespace: meta.namespace.clone(),
            name: meta.name.clone(),
            uid: meta.uid.clone(),
            addresses: addresses.clone().unwrap_or_default(),
            network: network.clone(),
            connected: host,
        };
        let (shared, sender, dir) = (self.shared.clone(), self.sender.clone(), self.dir.clone());
        self.seen.network = Network::Connecting;
        tokio::task::spawn_blocking(move || {
            let made = addresses.and_then(|addresses| {
                // On disk before it is made: whatever happens, the next agent knows what to look for.
                dir.save(&kept).map_err(|e| format!("cannot write the Pod's state: {e}"))?;
                let Some(name) = network else { return Ok(shared.config.namespace.clone()) };
                let made = shared.network.connect(&name, &link_name(&kept.uid), &addresses);
                let made = made.map_err(|e| e.to_string())?;
                dir.save(&Kept { connected: true, ..kept.clone() })
                    .map_err(|e| format!("cannot write the Pod's state: {e}"))?;
                Ok(made)
            });
            if made.is_err() && !host {
                shared.network.release(&kept.addresses);
            }
            sender.send(Message::Connected(made, kept.addresses)).ok();
        });
    }

    async fn disconnect(&mut self) {
        let addresses = self.seen.network.addresses().to_vec();
        self.seen.network = Network::Released(addresses.clone());
        self.namespace = None;
        if self.pod.spec.host_network {
            return;
        }
        let (shared, name) = (self.shared.clone(), namespace_name(&self.pod));
        let link = link_name(&self.pod.metadata.uid);
        let work = tokio::task::spawn_blocking(move || {
            if let Err(error) = shared.network.disconnect(&name, &link, &addresses) {
                tracing::warn!(name, %error, "the network of a Pod is left");
            }
            shared.network.release(&addresses);
        });
        work.await.ok();
    }

    fn start(&mut self, name: &str) {
        let Some(spec) = container(&self.pod, name).cloned() else { return };
        let Some(namespace) = self.namespace.clone() else { return };
        let seen = self.seen.containers.entry(name.to_owned()).or_default();
        seen.starting();
        let attempt = seen.restarts;
        let start = Start {
            shared: self.shared.clone(),
            pod: self.pod.clone(),
            dir: self.dir.clone(),
            namespace,
            own: self.own(),
            attempt,
        };
        let sender = self.sender.clone();
        // Not among the run's work: a start that is under way is never left half done.
        tokio::spawn(async move {
            let outcome = start.run(&spec).await;
            sender.send(Message::Started { container: spec.name, attempt, outcome }).ok();
        });
    }

    fn own(&self) -> Own {
        let addresses: &[IpAddr] = self.seen.network.addresses();
        Own {
            hostname: etc::hostname(&self.pod, &self.shared.config.name),
            pod_ips: addresses.to_vec(),
            host_ips: self.shared.config.addresses.clone(),
            path: self.shared.config.path.clone(),
        }
    }

    /// Waits in the background for the end of a run.
    pub(in crate::pod) fn watch_run(&mut self, container: &str, connection: UnixStream) {
        let attempt = self.attempt(container);
        let dir = self.dir.run(container, attempt);
        let (sender, container) = (self.sender.clone(), container.to_owned());
        tokio::spawn(async move {
            let record = run::wait(connection, &dir).await;
            let ended = ended(record, Timestamp::now());
            sender.send(Message::Ended { container, attempt, ended }).ok();
        });
    }

    fn target(&self, name: &str) -> Option<Target> {
        Some(Target {
            namespace: self.namespace.clone()?,
            address: *self.seen.network.addresses().first()?,
            ports: container(&self.pod, name)?.ports.clone(),
            dir: self.dir.run(name, self.attempt(name)),
        })
    }

    /// Begins a probe of the present run, if the container has it.
    pub(super) fn begin_probe(&mut self, name: &str, kind: ProbeKind, before: Option<Verdict>) {
        let Some(spec) = container(&self.pod, name) else { return };
        let probe = match kind {
            ProbeKind::Startup => &spec.startup_probe,
            ProbeKind::Readiness => &spec.readiness_probe,
            ProbeKind::Liveness => &spec.liveness_probe,
        };
        let started = match self.seen.containers.get(name).map(|c| &c.run) {
            Some(Run::Running(since)) => *since,
            _ => return,
        };
        let (Some(probe), Some(target)) = (probe.clone(), self.target(name)) else { return };
        let (sender, container, attempt) = (self.sender.clone(), name.to_owned(), self.attempt(name));
        let tell = move |finding| {
            sender.send(Message::Probe { container: container.clone(), attempt, kind, finding }).ok();
        };
        let work = self.work.entry(name.to_owned()).or_default();
        work.spawn(watch(kind, probe, target, started, before, tell));
    }

    /// The probes that a run begins with: the startup probe alone, or the two others.
    pub(super) fn begin_probes(&mut self, name: &str) {
        if container(&self.pod, name).is_some_and(|c| c.startup_probe.is_some()) {
            self.begin_probe(name, ProbeKind::Startup, None);
        } else {
            self.begin_probe(name, ProbeKind::Readiness, None);
            self.begin_probe(name, ProbeKind::Liveness, Some(Verdict::Passed));
        }
    }

    /// The probes of a run that an earlier agent began; what it found out holds.
    pub(in crate::pod) fn resume_probes(&mut self, name: &str) {
        let Some(seen) = self.seen.containers.get(name) else { return };
        let (ready, started) = (seen.ready, seen.started);
        if !started && container(&self.pod, name).is_some_and(|c| c.startup_probe.is_some()) {
            self.begin_probe(name, ProbeKind::Startup, None);
        } else {
            self.begin_probe(name, ProbeKind::Readiness, ready.then_some(Verdict::Passed));
            self.begin_probe(name, ProbeKind::Liveness, Some(Verdict::Passed));
        }
    }

    /// A hook of the container's `lifecycle`.
    pub(super) fn hook(&self, name: &str, which: &str) -> Option<(Handler, Target)> {
        let hook = container(&self.pod, name)?
            .lifecycle
            .as_ref()?
            .get(which)
            .filter(|hook| !Value::is_null(hook))?;
        Some((serde_json::from_value(hook.clone()).ok()?, self.target(name)?))
    }

    fn stop(&mut self, name: &str, grace: i64, why: String) {
        self.shared.events.say(&self.pod, Some(name), false, "Killing", why);
        let hook = self.hook(name, "preStop");
        let stop =
            Stop { since: Timestamp::now(), grace, hook: hook.is_some(), terminated: None, killed: false };
        if let Some((handler, target)) = hook {
            let (sender, container, attempt) = (self.sender.clone(), name.to_owned(), self.attempt(name));
            self.work.entry(name.to_owned()).or_default().spawn(async move {
                let outcome = handler.check(&target).await;
                sender.send(Message::HookDone { container, attempt, outcome }).ok();
            });
        }
        if let Some(seen) = self.seen.containers.get_mut(name) {
            seen.stop = Some(stop);
        }
    }

    fn stopping(&mut self, name: &str, change: impl FnOnce(&mut Stop)) {
        if let Some(stop) = self.seen.containers.get_mut(name).and_then(|c| c.stop.as_mut()) {
            change(stop);
        }
    }

    fn signal(&self, name: &str, request: Request) {
        let dir = self.dir.run(name, self.attempt(name));
        tokio::spawn(async move { run::send(&dir, &request).await });
    }

    /// Says the last word on the Pod and deletes its object.
    async fn finish(&mut self) {
        self.work.clear();
        self.write_status();
        let client = self.shared.config.client.clone();
        self.writer.finish().await;
        let key = ObjectKey::new(self.pod.metadata.namespace.clone(), self.pod.metadata.name.clone());
        let preconditions =
            Preconditions { uid: Some(self.pod.metadata.uid.clone()), resource_version: None };
        let delete = WriteAction::Delete { preconditions, grace: Some(0), propagation: None };
        let write = Write::of::<Pod>(key.clone(), delete);
        let mut pause = std::time::Duration::from_millis(20);
        if self.gone {
            return clear_away(&self.shared, &self.dir).await;
        }
        loop {
            match client.write(&write).await {
                Ok(_) | Err(Error::NotFound(_) | Error::Conflict(_) | Error::Invalid(_)) => break,
                Err(error) => {
                    tracing::debug!(pod = %key, %error, "the deletion will be tried again");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(std::time::Duration::from_secs(5));
                }
            }
        }
        clear_away(&self.shared, &self.dir).await;
        tracing::debug!(pod = %key, at = seconds(Timestamp::now()), "pod ended");
    }
}
