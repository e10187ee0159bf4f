//! Counters, and what others may wait for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counters since the start of the process.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Full comparisons with the kernel.
    pub full_syncs: AtomicU64,
    /// Commits of single changes.
    pub partial_syncs: AtomicU64,
    /// Attempts that failed.
    pub failures: AtomicU64,
    /// Comparisons that found something to put right, not counting the first: changes by others, or chains that
    /// no Service needs any more.
    pub repairs: AtomicU64,
    /// Objects that were changed in the kernel.
    pub changes: AtomicU64,
    /// Connections that were forgotten because their endpoint is gone.
    pub connections_deleted: AtomicU64,
    /// Microseconds the last sync took.
    pub last_sync_micros: AtomicU64,
}

impl Metrics {
    pub(crate) fn add(counter: &AtomicU64, by: u64) {
        counter.fetch_add(by, Ordering::Relaxed);
    }

    pub(crate) fn took(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.last_sync_micros.store(micros, Ordering::Relaxed);
    }
}

/// How far the proxy is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Updates that are in the kernel, counted from the start.
    pub applied: u64,
    /// The rules were as they should be after the last attempt, and at least once.
    pub synced: bool,
    /// What the last attempt failed on.
    pub trouble: Option<String>,
}
