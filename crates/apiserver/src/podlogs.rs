//! The seam through which the server reads the output of Pods.
//!
//! Must not know what runs the Pods.

use std::pin::Pin;

use bytes::Bytes;
use futures_core::Stream;
use futures_core::future::BoxFuture;

/// A stream of log bytes; ends when the log does.
pub type LogStream = Pin<Box<dyn Stream<Item = Bytes> + Send>>;

/// What a client asked of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// Container; `None` for the Pod's only one.
    pub container: Option<String>,
    /// Goes on as the container writes.
    pub follow: bool,
    /// Output of the previous, terminated instance.
    pub previous: bool,
    /// RFC 3339 time before each line.
    pub timestamps: bool,
    /// At most this many of the last lines.
    pub tail_lines: Option<u64>,
    /// At most this many bytes.
    pub limit_bytes: Option<u64>,
    /// Nothing older than this many seconds.
    pub since_seconds: Option<u64>,
}

/// Why there is no log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// The request does not fit the Pod (no such container, several containers and none named): 400.
    #[error("{0}")]
    BadRequest(String),
    /// The node's agent does not know the Pod, or has no log of it: 404.
    #[error("{0}")]
    NotFound(String),
    /// The node's agent cannot answer now: 503.
    #[error("{0}")]
    Unavailable(String),
}

/// Reads logs where Pods run.
pub trait PodLogs: Send + Sync {
    /// The log of a container of Pod `namespace/name` on `node`.
    fn logs(
        &self,
        node: &str,
        namespace: &str,
        name: &str,
        options: LogOptions,
    ) -> BoxFuture<'_, Result<LogStream, LogError>>;
}
