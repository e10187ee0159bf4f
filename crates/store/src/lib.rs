//! The revisioned key-value store behind the API server.
//!
//! A [`Store`] maps keys to bytes, gives every transaction the next [`Revision`], keeps enough history to
//! list at an older revision and to watch from one, and forgets that history on [`Store::compact`].
//! Engines: [`memory::MemoryStore`] and the durable [`embedded::EmbeddedStore`]; both pass the same tests.
//!
//! It must not know what the values mean: no Kubernetes kinds, no JSON, no clock.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod embedded;
pub mod memory;

mod error;
mod history;
mod hub;
mod retention;
mod types;
mod watch;

use futures_core::future::BoxFuture;
use portway_base::Revision;

pub use error::Error;
pub use retention::{Compactor, Retention};
pub use types::{Change, Entry, Guard, MAX_KEY, MAX_VALUE, Op, Page, Txn, TxnOutcome};
pub use watch::Watch;

/// A revisioned key-value store. Shared as `Arc<dyn Store>`.
///
/// Reads see a state at least as new as every commit that has been answered and every change that a
/// [`Watch`] has delivered. They never wait for a commit in progress.
pub trait Store: Send + Sync {
    /// The current entry of a key, and the revision of the state it was read from.
    fn get(&self, key: &str) -> BoxFuture<'_, Result<(Revision, Option<Entry>), Error>>;

    /// The entries whose keys start with `prefix`, in key order, as they were at revision `at`
    /// (`None`: now), starting behind the key `after`, at most `limit` of them (0: all).
    ///
    /// To page, pass the last key of a page as `after` and the page's revision as `at`.
    /// Fails with [`Error::Compacted`] or [`Error::FutureRevision`] when `at` cannot be served.
    fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
        at: Option<Revision>,
    ) -> BoxFuture<'_, Result<Page, Error>>;

    /// Applies a transaction whole or not at all, and resolves once it is durable.
    ///
    /// A transaction that changes nothing (no operations, or only deletes of absent keys) commits without
    /// a new revision. Dropping the future does not take the transaction back. After
    /// [`Error::Unavailable`] the caller must read to learn whether it was applied.
    fn commit(&self, txn: Txn) -> BoxFuture<'_, Result<TxnOutcome, Error>>;

    /// The changes after revision `after` of keys that start with `prefix`, from history first and then live.
    fn watch(&self, prefix: &str, after: Revision) -> BoxFuture<'_, Result<Watch, Error>>;

    /// Forgets the history before revision `before`: listing and watching stay possible from `before` on.
    ///
    /// Current entries are never touched. Compacting what is already compacted does nothing.
    fn compact(&self, before: Revision) -> BoxFuture<'_, Result<(), Error>>;

    /// The revision of the last commit. All changes up to it are already in every watch's buffer.
    fn revision(&self) -> Revision;
}
