//! Why the store refused, told apart by what the caller can do about it.

use portway_base::Revision;

/// A failed store operation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The revision's history is gone: list anew and watch from there.
    #[error("the requested revision has been compacted; the oldest one kept is {oldest}")]
    Compacted {
        /// The oldest revision that can still be listed or watched from.
        oldest: Revision,
    },
    /// The revision has not been reached: wait, or the client holds another store's revision.
    #[error("the requested revision is in the future; the current one is {current}")]
    FutureRevision {
        /// The revision of the last commit.
        current: Revision,
    },
    /// The transaction can never be committed as it is: change it.
    #[error("invalid transaction: {0}")]
    Invalid(String),
    /// The store cannot serve now (disk full, I/O error, closed). A write may or may not have been applied.
    #[error("store unavailable: {0}")]
    Unavailable(String),
    /// Another process has the store's directory open.
    #[error("store in use: {0}")]
    InUse(String),
    /// What is on disk is not a store this program wrote: restore a backup.
    #[error("store corrupt: {0}")]
    Corrupt(String),
}
