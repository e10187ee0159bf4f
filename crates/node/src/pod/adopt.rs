//! What an earlier agent left of a Pod: its network, and containers that still run.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use portway_api::types::pod::Pod;
use portway_netns::Namespace;
use serde_json::Value;
use tokio::net::UnixStream;

use super::containers;
use super::seen::{ContainerSeen, Ended, Network, Run, Seen};
use crate::run;
use crate::shared::Shared;
use crate::state::{Kept, PodDir};
use crate::supervisor::Record;

/// A Pod as it was found.
pub(super) struct Found {
    pub seen: Seen,
    pub namespace: Option<Namespace>,
    /// Connections to the supervisors of containers that run.
    pub running: Vec<(String, UnixStream)>,
}

/// Looks for what is there of a Pod.
pub(super) async fn adopt(shared: &Arc<Shared>, pod: &Pod, dir: &PodDir) -> Found {
    let mut seen = Seen { since: started_before(pod), ..Seen::default() };
    let mut found = Vec::new();
    let Some(kept) = dir.load() else { return Found { seen, namespace: None, running: found } };
    let namespace = match &kept.network {
        None => Some(shared.config.namespace.clone()),
        Some(name) => Namespace::open(name).ok().filter(|_| kept.connected),
    };
    if namespace.is_some() {
        seen.network = Network::Ready(kept.addresses);
    } else {
        // Half made, or gone with a restart of the machine: it is made anew, with other addresses.
        shared.network.release(&kept.addresses);
    }
    for (container, _) in containers(pod) {
        let Some(attempt) = dir.newest(&container.name) else { continue };
        let (known, connection) = look(&dir.run(&container.name, attempt), attempt).await;
        let (was_ready, was_started) = said(pod, &container.name);
        let running = matches!(known.run, Run::Running(_));
        let known = ContainerSeen { ready: running && was_ready, started: running && was_started, ..known };
        seen.containers.insert(container.name.clone(), known);
        found.extend(connection.map(|c| (container.name.clone(), c)));
    }
    Found { seen, namespace, running: found }
}

async fn look(dir: &Path, attempt: u32) -> (ContainerSeen, Option<UnixStream>) {
    let connection = run::find(dir).await;
    let run = match (&connection, Record::read(dir)) {
        (Some(_), Some(Record { started, finished: None, .. })) => Run::Running(started),
        (_, Some(record)) => Run::Ended(ended(Some(record), Timestamp::now())),
        (_, None) => Run::Never,
    };
    let crashes = u32::from(matches!(run, Run::Ended(_)));
    let connection = connection.filter(|_| matches!(run, Run::Running(_)));
    (ContainerSeen { run, restarts: attempt, crashes, ..ContainerSeen::default() }, connection)
}

/// The end of a run, from the record its supervisor left.
pub(super) fn ended(record: Option<Record>, now: Timestamp) -> Ended {
    match record {
        Some(Record { started, finished: Some(finished), code, signal }) => {
            let reason = if code == 0 { "Completed" } else { "Error" };
            Ended { started, finished, code, signal, reason, message: String::new() }
        }
        // The supervisor was killed, and everything in the container with it.
        other => Ended {
            started: other.map_or(now, |record| record.started),
            finished: now,
            code: 137,
            signal: 9,
            reason: "Error",
            message: "the container was killed together with its supervisor".to_owned(),
        },
    }
}

fn started_before(pod: &Pod) -> Option<Timestamp> {
    pod.status.start_time.as_deref()?.parse().ok()
}

/// What the status says of a container: ready, started.
fn said(pod: &Pod, name: &str) -> (bool, bool) {
    let all = pod.status.container_statuses.iter().chain(&pod.status.init_container_statuses);
    let status = all.into_iter().find(|s| s.get("name").and_then(Value::as_str) == Some(name));
    let flag = |field: &str| status.and_then(|s| s.get(field)).and_then(Value::as_bool).unwrap_or(false);
    (flag("ready"), flag("started"))
}

/// Ends what is left of a Pod whose object is gone, and forgets it.
pub(crate) async fn clear_away(shared: &Shared, dir: &PodDir) {
    for run_dir in dir.runs() {
        if let Some(connection) = run::find(&run_dir).await {
            run::send(&run_dir, &crate::supervisor::Request::Kill).await;
            run::wait(connection, &run_dir).await;
        }
    }
    if let Some(Kept { uid, network: Some(network), addresses, .. }) = dir.load() {
        if let Err(error) = shared.network.disconnect(&network, &crate::state::link_name(&uid), &addresses) {
            tracing::warn!(network, %error, "the network of a Pod that is gone is left");
        }
        shared.network.release(&addresses);
    }
    if let Err(error) = dir.remove() {
        tracing::warn!(%error, "the files of a Pod that is gone are left");
    }
}
