//! The one error of this crate: what was tried, on which object, and what the caller can do about it.

use std::io;

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a caller can do about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A privilege is missing: enter the sandbox first, or run as root.
    Denied,
    /// The object is there already: reuse it or delete it first.
    Exists,
    /// The object (or the link, namespace or route it refers to) is not there.
    NotFound,
    /// The kernel lacks the feature.
    Unsupported,
    /// Anything else; see the source.
    Other,
}

/// A failed operation.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation}: {reason}{}", hint(.kind))]
pub struct Error {
    /// What the caller can do.
    pub kind: Kind,
    /// What was tried, naming the object: `add address 10.0.0.1/24 to eth0`.
    pub operation: String,
    reason: String,
    #[source]
    source: io::Error,
}

fn hint(kind: &Kind) -> &'static str {
    match kind {
        Kind::Denied => {
            " (needs CAP_NET_ADMIN and CAP_SYS_ADMIN over the namespace: run as root, \
             or in a sandbox where the kernel allows user namespaces)"
        }
        Kind::Unsupported => " (this kernel lacks the feature)",
        Kind::Exists | Kind::NotFound | Kind::Other => "",
    }
}

impl Error {
    pub(crate) fn new(operation: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::explained(operation, source, "")
    }

    /// `explanation` is the kernel's own sentence, where it gave one.
    pub(crate) fn explained(
        operation: impl Into<String>,
        source: impl Into<io::Error>,
        explanation: &str,
    ) -> Self {
        let source = source.into();
        let kind = match source.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => Kind::Denied,
            Some(libc::EEXIST | libc::EADDRINUSE) => Kind::Exists,
            Some(libc::ENOENT | libc::ENODEV | libc::ESRCH | libc::EADDRNOTAVAIL) => Kind::NotFound,
            Some(libc::EOPNOTSUPP | libc::EAFNOSUPPORT | libc::EPROTONOSUPPORT) => Kind::Unsupported,
            _ => Kind::Other,
        };
        let reason =
            if explanation.is_empty() { source.to_string() } else { format!("{explanation} ({source})") };
        Self { kind, operation: operation.into(), reason, source }
    }

    /// The operating system's error.
    pub fn io(&self) -> &io::Error {
        &self.source
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        Self::new(error.source.kind(), error)
    }
}

/// Names the operation of a failed system call; `what` is evaluated on failure only.
pub(crate) trait Context<T> {
    fn context<S: Into<String>>(self, what: impl FnOnce() -> S) -> Result<T>;
}

impl<T, E: Into<io::Error>> Context<T> for std::result::Result<T, E> {
    fn context<S: Into<String>>(self, what: impl FnOnce() -> S) -> Result<T> {
        self.map_err(|e| Error::new(what(), e))
    }
}
