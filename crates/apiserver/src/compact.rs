//! Forgets history that is older than promised, or too much.

use std::sync::Arc;
use std::time::{Duration, Instant};

use portway_store::{Retention, Store};
use tokio::task::JoinHandle;

/// Looks at the clock in a promised duration.
const STEPS: u32 = 16;

/// The task; it ends when this is dropped.
pub(crate) struct Compactor(JoinHandle<()>);

impl Drop for Compactor {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Compactor {
    /// Keeps `history` of every change (and a little more), as long as it is not excessively long.
    pub(crate) fn start(store: Arc<dyn Store>, history: Duration) -> Self {
        Self(tokio::spawn(run(store, history)))
    }
}

async fn run(store: Arc<dyn Store>, history: Duration) {
    let step = (history / STEPS).max(Duration::from_millis(100));
    let mut policy = portway_store::Compactor::new(Retention { age: history, ..Retention::default() });
    loop {
        tokio::time::sleep(step).await;
        if let Some(before) = policy.tick(Instant::now(), store.revision())
            && let Err(error) = store.compact(before).await
        {
            tracing::warn!(%error, "the store's history could not be compacted");
        }
    }
}
