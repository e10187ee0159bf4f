//! The cached objects of one resource, and the log of their recent changes.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use portway_base::Revision;
use portway_store::{Change, Entry};
use tokio::sync::Notify;

use super::Cached;
use crate::resource::Resource;

/// Most changes a log keeps.
const MAX_EVENTS: usize = 4096;
/// A log over this many bytes keeps [`MIN_EVENTS`] changes at most.
const MAX_BYTES: usize = 4 << 20;
const MIN_EVENTS: usize = 128;

/// One change of one object.
#[derive(Clone, Debug)]
pub struct Event {
    /// The write that made it.
    pub revision: Revision,
    /// The object from now on; `None` if it was deleted.
    pub now: Option<Arc<Cached>>,
    /// The object until now; `None` if it was created.
    pub before: Option<Arc<Cached>>,
}

/// Objects as of one revision.
pub struct Snapshot {
    /// The revision.
    pub revision: Revision,
    /// In key order.
    pub objects: Vec<Arc<Cached>>,
}

/// A position in a log.
#[derive(Clone, Debug, Default)]
pub struct Cursor {
    next: u64,
}

/// The log no longer holds what comes next: the watcher was too slow.
#[derive(Debug, PartialEq, Eq)]
pub struct Lagged;

#[derive(Default)]
pub(super) struct Shard {
    state: RwLock<State>,
    grown: Notify,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<Arc<str>, Arc<Cached>>,
    /// Every change of this resource up to here is in `objects`.
    applied: Revision,
    log: VecDeque<Event>,
    bytes: usize,
    /// Sequence number of the log's first event.
    first: u64,
    /// The log holds every change after this revision.
    floor: Revision,
}

impl Shard {
    // A panic while a lock was held leaves whole values behind: state changes are single assignments.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, key: &str) -> Option<Arc<Cached>> {
        self.read().objects.get(key).cloned()
    }

    pub(super) fn snapshot(&self, prefix: &str, reached: Revision) -> Snapshot {
        self.read().snapshot(prefix, reached)
    }

    pub(super) fn follow(&self, prefix: &str, reached: Revision) -> (Snapshot, Cursor) {
        let state = self.read();
        (state.snapshot(prefix, reached), Cursor { next: state.first + state.log.len() as u64 })
    }

    pub(super) fn cursor(&self, revision: Revision) -> Result<Cursor, Revision> {
        let state = self.read();
        if revision < state.floor {
            return Err(state.floor);
        }
        let behind = state.log.partition_point(|event| event.revision <= revision);
        Ok(Cursor { next: state.first + behind as u64 })
    }

    pub(super) fn take(&self, cursor: &mut Cursor, max: usize) -> Result<Vec<Event>, Lagged> {
        let state = self.read();
        let skip = cursor.next.checked_sub(state.first).ok_or(Lagged)?;
        let skip = usize::try_from(skip).map_err(|_| Lagged)?;
        let events: Vec<Event> = state.log.iter().skip(skip).take(max).cloned().collect();
        cursor.next += events.len() as u64;
        Ok(events)
    }

    /// Resolves once the log has grown past the cursor (or has been cut beyond it).
    pub(super) async fn changed(&self, cursor: &Cursor) {
        loop {
            // Registered before the look at the log, so that growth in between is not missed.
            let grown = self.grown.notified();
            {
                let state = self.read();
                if cursor.next < state.first + state.log.len() as u64 {
                    return;
                }
            }
            grown.await;
        }
    }

    pub(super) fn apply(&self, resource: &Resource, changes: &[&Change]) {
        let mut state = self.write();
        for change in changes {
            state.change(resource, change);
        }
        state.trim();
        drop(state);
        self.grown.notify_waiters();
    }

    /// Makes the content what a fresh read of the store gave. Cursors are cut off: what happened between is
    /// not known change by change.
    pub(super) fn reset(&self, resource: &Resource, entries: Vec<Entry>, revision: Revision) {
        let objects = entries.into_iter().filter_map(|entry| {
            let object = decode(resource, &entry)?;
            Some((entry.key, object))
        });
        let objects = objects.collect();
        let mut state = self.write();
        state.objects = objects;
        // One more than the last number given out, so that every cursor is behind.
        state.first += state.log.len() as u64 + 1;
        state.log.clear();
        state.bytes = 0;
        state.floor = revision;
        state.applied = revision;
        drop(state);
        self.grown.notify_waiters();
    }
}

impl State {
    fn snapshot(&self, prefix: &str, reached: Revision) -> Snapshot {
        let from = (Bound::Included(prefix), Bound::Unbounded);
        let objects = self.objects.range::<str, _>(from).take_while(|(key, _)| key.starts_with(prefix));
        Snapshot {
            revision: reached.max(self.applied),
            objects: objects.map(|(_, object)| object.clone()).collect(),
        }
    }

    fn change(&mut self, resource: &Resource, change: &Change) {
        self.applied = self.applied.max(change.revision);
        let now = change.now.as_ref().and_then(|entry| decode(resource, entry));
        let before = match &now {
            Some(object) => self.objects.insert(change.key.clone(), object.clone()),
            None => self.objects.remove(&change.key),
        };
        if now.is_none() && before.is_none() {
            return;
        }
        let event = Event { revision: change.revision, now, before };
        self.bytes += size(&event);
        self.log.push_back(event);
    }

    fn trim(&mut self) {
        while self.log.len() > MAX_EVENTS || (self.bytes > MAX_BYTES && self.log.len() > MIN_EVENTS) {
            let Some(event) = self.log.pop_front() else { break };
            self.bytes -= size(&event);
            self.first += 1;
            self.floor = event.revision;
        }
        // Changes of one transaction share a revision: a log must not start in the middle of one.
        while self.log.front().is_some_and(|event| event.revision == self.floor) {
            let Some(event) = self.log.pop_front() else { break };
            self.bytes -= size(&event);
            self.first += 1;
        }
    }
}

/// What an event alone keeps in memory: the object it replaced.
fn size(event: &Event) -> usize {
    event.before.as_ref().map_or(0, |object| object.body.len()) + size_of::<Event>()
}

fn decode(resource: &Resource, entry: &Entry) -> Option<Arc<Cached>> {
    let object = Cached::new(resource, entry.key.clone(), &entry.value, entry.modified);
    if object.is_none() {
        tracing::error!(key = %entry.key, "stored value is not an object; it is not served");
    }
    object.map(Arc::new)
}
