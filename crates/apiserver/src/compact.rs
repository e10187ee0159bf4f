//! Forgets history that is older than promised.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use portway_base::Revision;
use portway_store::Store;
use tokio::task::JoinHandle;

/// Steps a promised duration is kept in.
const STEPS: u32 = 5;

/// The task; it ends when this is dropped.
pub(crate) struct Compactor(JoinHandle<()>);

impl Drop for Compactor {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Compactor {
    /// Keeps `history` of every change (and up to a fifth more).
    pub(crate) fn start(store: Arc<dyn Store>, history: Duration) -> Self {
        Self(tokio::spawn(run(store, history)))
    }
}

async fn run(store: Arc<dyn Store>, history: Duration) {
    let step = (history / STEPS).max(Duration::from_millis(100));
    let mut marks: VecDeque<Revision> = VecDeque::new();
    loop {
        tokio::time::sleep(step).await;
        marks.push_back(store.revision());
        if marks.len() > STEPS as usize
            && let Some(before) = marks.pop_front()
            && before > Revision::ZERO
            && let Err(error) = store.compact(before).await
        {
            tracing::warn!(%error, "the store's history could not be compacted");
        }
    }
}
