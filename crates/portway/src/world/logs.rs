//! `kubectl logs`: from the API server to the agent of the Pod's node, in the same process.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use portway_apiserver::podlogs::{LogError, LogOptions, LogStream, PodLogs};
use portway_node::NodeAgent;

/// The agents of this process, by node.
#[derive(Default)]
pub struct Agents(RwLock<BTreeMap<String, NodeAgent>>);

impl Agents {
    /// Adds the agent of a node.
    pub fn add(&self, node: &str, agent: NodeAgent) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(node.to_owned(), agent);
    }

    fn get(&self, node: &str) -> Option<NodeAgent> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(node).cloned()
    }
}

impl PodLogs for Agents {
    fn logs(
        &self,
        node: &str,
        namespace: &str,
        name: &str,
        options: LogOptions,
    ) -> BoxFuture<'_, Result<LogStream, LogError>> {
        let agent = self
            .get(node)
            .ok_or_else(|| LogError::Unavailable(format!("node {node:?} is not run by this server")));
        let (namespace, name) = (namespace.to_owned(), name.to_owned());
        Box::pin(async move {
            let wanted = portway_node::LogOptions {
                follow: options.follow,
                previous: options.previous,
                since: options.since_seconds.map(since),
                timestamps: options.timestamps,
                tail_lines: options.tail_lines,
                limit_bytes: options.limit_bytes,
            };
            let log = agent?
                .logs(&namespace, &name, options.container.as_deref(), wanted)
                .await
                .map_err(refusal)?;
            Ok(log.boxed() as LogStream)
        })
    }
}

fn since(seconds: u64) -> jiff::Timestamp {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    let now = jiff::Timestamp::now();
    now.checked_sub(jiff::SignedDuration::from_secs(seconds)).unwrap_or(jiff::Timestamp::MIN)
}

fn refusal(error: portway_node::LogError) -> LogError {
    use portway_node::LogError as Theirs;
    let text = error.to_string();
    match error {
        Theirs::NoPod(_) => LogError::NotFound(text),
        Theirs::NoContainer(_) | Theirs::NotStarted(_) => LogError::BadRequest(text),
        Theirs::Unreadable(_) => LogError::Unavailable(text),
    }
}
