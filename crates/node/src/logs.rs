//! Reading what containers wrote, as `kubectl logs` asks for it.

mod reader;

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt, StreamExt};
use jiff::Timestamp;
use portway_api::types::pod::Pod;
use portway_base::ObjectKey;
use tokio::net::UnixStream;

use self::reader::Reader;
use crate::agent::NodeAgent;
use crate::pod::containers;
use crate::run;
use crate::state::PodDir;

/// Which part of a log is wanted; the default is all of the present run's.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogOptions {
    /// Go on with what is written from now on, until the container ends.
    pub follow: bool,
    /// The run before the present one.
    pub previous: bool,
    /// Only what was written at or after this time.
    pub since: Option<Timestamp>,
    /// The time of each line before it.
    pub timestamps: bool,
    /// At most so many of the last lines.
    pub tail_lines: Option<u64>,
    /// At most so many bytes.
    pub limit_bytes: Option<u64>,
}

/// Why there is no log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// The Pod is not on this node.
    #[error("pod {0:?} not found")]
    NoPod(String),
    /// The Pod has no such container, or several and none was named.
    #[error("{0}")]
    NoContainer(String),
    /// The container has not started yet, or there was no run before.
    #[error("{0}")]
    NotStarted(String),
    /// The file cannot be read.
    #[error("{0}")]
    Unreadable(String),
}

/// How often a log that is followed is looked at.
const LOOK: Duration = Duration::from_millis(50);

impl NodeAgent {
    /// The log of a container (`None`: the Pod's only one), as a stream of what `kubectl logs` prints.
    ///
    /// # Errors
    /// [`LogError`] says what about the Pod or container is not as asked.
    pub async fn logs(
        &self,
        namespace: &str,
        pod: &str,
        container: Option<&str>,
        options: LogOptions,
    ) -> Result<BoxStream<'static, Bytes>, LogError> {
        let known =
            self.pod(&ObjectKey::new(namespace, pod)).ok_or_else(|| LogError::NoPod(pod.to_owned()))?;
        let container = choose(&known, container)?;
        let dir = PodDir::of(&self.config.state_dir, &known.metadata.uid);
        let waiting =
            || LogError::NotStarted(format!("container {container:?} in pod {pod:?} is waiting to start"));
        let newest = dir.newest(container).ok_or_else(waiting)?;
        let attempt = if options.previous {
            let none = || format!("previous terminated container {container:?} in pod {pod:?} not found");
            newest.checked_sub(1).ok_or_else(|| LogError::NotStarted(none()))?
        } else {
            newest
        };
        let follow = options.follow && !options.previous;
        let reader =
            Reader::open(&dir.log(container, attempt), options).map_err(|error| match error.kind() {
                std::io::ErrorKind::NotFound => waiting(),
                _ => LogError::Unreadable(format!("cannot read the log of container {container:?}: {error}")),
            })?;
        let ended = if follow { Followed::of(&dir.run(container, attempt)).await } else { Followed(None) };
        Ok(stream::unfold((reader, ended), next).boxed())
    }
}

/// The supervisor of a run that is followed; none once it has ended.
struct Followed(Option<UnixStream>);

impl Followed {
    async fn of(dir: &Path) -> Self {
        Self(run::connect(dir).await.ok())
    }

    /// Notes whether the run has ended meanwhile; true if it had not.
    fn look(&mut self) -> bool {
        let Some(connection) = &self.0 else { return false };
        // Nothing is ever sent without a request: readable means the end.
        if connection.readable().now_or_never().is_some() {
            self.0 = None;
        }
        true
    }
}

async fn next((mut reader, mut followed): (Reader, Followed)) -> Option<(Bytes, (Reader, Followed))> {
    loop {
        // First whether it runs, then what it wrote: the last words of a run that ends in between are read.
        let runs = followed.look();
        match reader.more() {
            Ok(bytes) if !bytes.is_empty() => return Some((bytes, (reader, followed))),
            Ok(_) if runs && !reader.is_full() => tokio::time::sleep(LOOK).await,
            _ => return None,
        }
    }
}

/// The container that is meant.
fn choose<'a>(pod: &'a Pod, named: Option<&str>) -> Result<&'a str, LogError> {
    let name = &pod.metadata.name;
    let names = || containers(pod).map(|(c, _)| c.name.as_str());
    match named.filter(|n| !n.is_empty()) {
        Some(wanted) => names()
            .find(|n| *n == wanted)
            .ok_or_else(|| LogError::NoContainer(format!("container {wanted} is not valid for pod {name}"))),
        None => match pod.spec.containers.as_slice() {
            [only] => Ok(&only.name),
            _ => {
                let all: Vec<&str> = names().collect();
                let all = all.join(" ");
                let text =
                    format!("a container name must be specified for pod {name}, choose one of: [{all}]");
                Err(LogError::NoContainer(text))
            }
        },
    }
}
