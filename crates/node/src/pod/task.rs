//! The task of one Pod: keeps what was seen, asks [`step`] what to do, does it, and writes the status.

mod act;
mod heard;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use portway_api::types::pod::Pod;
use portway_netns::Namespace;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::adopt;
use super::launch::StartError;
use super::seen::{Ended, Network, Run, Seen};
use super::status::status;
use super::step::step;
use super::writer::StatusWriter;
use crate::probe::{Finding, ProbeKind};
use crate::shared::Shared;
use crate::state::PodDir;

/// What a Pod's task is told.
pub(crate) enum Message {
    /// The object, new or changed.
    Pod(Arc<Pod>),
    /// The object is gone; its last state.
    Gone(Arc<Pod>),
    /// The network is there, or not.
    Connected(Result<Namespace, String>, Vec<std::net::IpAddr>),
    /// A start has come to its end.
    Started { container: String, attempt: u32, outcome: Result<Timestamp, StartError> },
    /// A run has come to its end.
    Ended { container: String, attempt: u32, ended: Ended },
    /// A preStop hook has.
    HookDone { container: String, attempt: u32, outcome: Result<(), String> },
    /// A postStart hook has failed.
    HookFailed { container: String, attempt: u32, why: String },
    /// A probe has something to say.
    Probe { container: String, attempt: u32, kind: ProbeKind, finding: Finding },
}

/// One Pod on this node.
pub(crate) struct Task {
    shared: Arc<Shared>,
    pod: Arc<Pod>,
    seen: Seen,
    dir: PodDir,
    namespace: Option<Namespace>,
    /// The object is gone: there is nothing to write any more.
    gone: bool,
    writer: StatusWriter,
    sender: mpsc::UnboundedSender<Message>,
    /// Everything under way for a run; dropped with it.
    work: BTreeMap<String, JoinSet<()>>,
}

impl Task {
    /// Runs a Pod until nothing of it is left.
    pub async fn run(
        shared: Arc<Shared>,
        pod: Arc<Pod>,
        sender: mpsc::UnboundedSender<Message>,
        mut inbox: mpsc::UnboundedReceiver<Message>,
    ) {
        let dir = PodDir::of(&shared.config.state_dir, &pod.metadata.uid);
        let found = adopt::adopt(&shared, &pod, &dir).await;
        let writer = StatusWriter::start(shared.config.client.clone(), &pod);
        let (seen, namespace) = (found.seen, found.namespace);
        let work = BTreeMap::new();
        let mut task = Self { shared, pod, seen, dir, namespace, gone: false, writer, sender, work };
        if let Network::Ready(addresses) = &task.seen.network
            && !task.pod.spec.host_network
        {
            task.shared.network.reserve(addresses);
        }
        for (container, connection) in found.running {
            task.watch_run(&container, connection);
            task.resume_probes(&container);
        }
        task.note_object();
        while task.advance().await {
            let wake = step(&task.pod, &task.seen, Timestamp::now()).wake;
            let message = match wake {
                Some(at) => {
                    let pause = at.duration_since(Timestamp::now()).max(jiff::SignedDuration::ZERO);
                    let pause = std::time::Duration::try_from(pause).unwrap_or_default();
                    tokio::time::timeout(pause, inbox.recv()).await.ok()
                }
                None => Some(inbox.recv().await),
            };
            // `None`: it is time. `Some(None)` cannot be: the task itself holds a sender.
            let Some(Some(message)) = message else { continue };
            task.hear(message);
            while let Ok(more) = inbox.try_recv() {
                task.hear(more);
            }
        }
    }

    /// Does all that is to do now and gives the status to the writer; false once nothing of the Pod is left.
    async fn advance(&mut self) -> bool {
        loop {
            let now = Timestamp::now();
            let step = step(&self.pod, &self.seen, now);
            if step.actions.is_empty() {
                break;
            }
            for action in step.actions {
                if !self.act(action).await {
                    return false;
                }
            }
        }
        self.write_status();
        true
    }

    fn write_status(&mut self) {
        let was_over = matches!(self.pod.status.phase.as_str(), "Succeeded" | "Failed");
        if self.gone || (was_over && self.seen.containers.is_empty()) {
            // What an earlier agent wrote of a Pod that had ended is all there is to say.
            return;
        }
        let before = self.writer.conditions(&self.pod);
        let status = status(&self.pod, &self.seen, &self.shared.facts, &before, Timestamp::now());
        self.writer.give(status);
    }

    /// The attempt a container is at.
    fn attempt(&self, container: &str) -> u32 {
        self.seen.containers.get(container).map_or(0, |c| c.restarts)
    }

    /// A message about a run that is not the present one any more.
    fn is_stale(&self, container: &str, attempt: u32) -> bool {
        self.attempt(container) != attempt
    }

    fn is_running(&self, container: &str) -> bool {
        self.seen.containers.get(container).is_some_and(|c| matches!(c.run, Run::Running(_)))
    }
}
