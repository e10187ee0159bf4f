//! The watch cache: every stored object once, encoded, with a bounded log of recent changes.
//!
//! Fed by one watch on the store, read by everyone. A watcher is a cursor into a shared log: it costs nothing
//! while it waits, and one that falls behind the log's start is cut off. Must not know HTTP.

mod feed;
mod object;
mod shard;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use portway_base::Revision;
use portway_store::{Change, Error, Store};
use tokio::sync::watch;

pub use feed::Feed;
pub use object::Cached;
pub use shard::{Cursor, Event, Lagged, Snapshot};

use crate::resource::{Resource, Resources};
use shard::Shard;

/// The cache.
pub struct Cache {
    resources: Arc<Resources>,
    shards: Vec<Shard>,
    reached: watch::Sender<Revision>,
}

impl Cache {
    /// Reads everything in the store; the watch continues from there.
    pub async fn open(resources: Arc<Resources>, store: &Arc<dyn Store>) -> Result<(Arc<Self>, Feed), Error> {
        let shards = resources.iter().map(|_| Shard::default()).collect();
        let cache = Arc::new(Self { resources, shards, reached: watch::Sender::new(Revision::ZERO) });
        let feed = Feed::start(Arc::clone(&cache), Arc::clone(store)).await?;
        Ok((cache, feed))
    }

    /// The revision up to which everything is in the cache.
    pub fn reached(&self) -> Revision {
        *self.reached.borrow()
    }

    /// Waits until everything up to `revision` is in the cache; `false` if that takes longer than `patience`.
    pub async fn wait(&self, revision: Revision, patience: Duration) -> bool {
        if self.reached() >= revision {
            return true;
        }
        let mut reached = self.reached.subscribe();
        let arrived = reached.wait_for(|r| *r >= revision);
        matches!(tokio::time::timeout(patience, arrived).await, Ok(Ok(_)))
    }

    /// An object, as of now.
    pub fn get(&self, resource: &Resource, key: &str) -> Option<Arc<Cached>> {
        self.shards.get(resource.index)?.get(key)
    }

    /// Whether there is an object.
    pub fn contains(&self, resource: &Resource, key: &str) -> bool {
        self.get(resource, key).is_some()
    }

    /// The objects under a key prefix, in key order, all as of one revision.
    pub fn snapshot(&self, resource: &Resource, prefix: &str) -> Snapshot {
        let reached = self.reached();
        match self.shards.get(resource.index) {
            Some(shard) => shard.snapshot(prefix, reached),
            None => Snapshot { revision: reached, objects: Vec::new() },
        }
    }

    /// A snapshot, and a cursor at its revision.
    pub fn follow(&self, resource: &Resource, prefix: &str) -> (Snapshot, Cursor) {
        let reached = self.reached();
        match self.shards.get(resource.index) {
            Some(shard) => shard.follow(prefix, reached),
            None => (Snapshot { revision: reached, objects: Vec::new() }, Cursor::default()),
        }
    }

    /// A cursor behind `revision`; `Err` with the oldest possible revision if the log does not go back so far.
    pub fn cursor(&self, resource: &Resource, revision: Revision) -> Result<Cursor, Revision> {
        self.shards.get(resource.index).map_or(Ok(Cursor::default()), |shard| shard.cursor(revision))
    }

    /// The next events behind a cursor, at most `max`; none if there are none yet. With them the revision up to
    /// which the cursor now has seen everything.
    pub fn take(
        &self,
        resource: &Resource,
        cursor: &mut Cursor,
        max: usize,
    ) -> Result<(Vec<Event>, Revision), Lagged> {
        let reached = self.reached();
        let events = match self.shards.get(resource.index) {
            Some(shard) => shard.take(cursor, max)?,
            None => Vec::new(),
        };
        let seen = if events.len() == max { events.last().map_or(reached, |e| e.revision) } else { reached };
        Ok((events, seen))
    }

    /// Waits until a cursor has something to take.
    pub async fn changed(&self, resource: &Resource, cursor: &Cursor) {
        match self.shards.get(resource.index) {
            Some(shard) => shard.changed(cursor).await,
            None => std::future::pending().await,
        }
    }

    /// Takes in changes, in revision order and whole transactions.
    fn apply(&self, changes: &[Change]) {
        let mut by_resource: BTreeMap<usize, Vec<&Change>> = BTreeMap::new();
        for change in changes {
            if let Some(resource) = self.resources.of_key(&change.key) {
                by_resource.entry(resource.index).or_default().push(change);
            }
        }
        for (index, changes) in by_resource {
            if let (Some(shard), Some(resource)) = (self.shards.get(index), self.resources.at(index)) {
                shard.apply(resource, &changes);
            }
        }
        if let Some(last) = changes.last() {
            self.reach(last.revision);
        }
    }

    fn reach(&self, revision: Revision) {
        self.reached.send_if_modified(|reached| {
            let moved = revision > *reached;
            *reached = revision.max(*reached);
            moved
        });
    }
}
