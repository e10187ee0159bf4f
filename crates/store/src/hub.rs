//! Hands committed changes to live watches through bounded buffers.
//!
//! Knows nothing of storage: a watch whose buffer overflowed is cut off here and catches up from history
//! (see `watch`). The engine publishes in revision order, after the change is visible to reads.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use portway_base::Revision;
use tokio::sync::Notify;

use crate::{Change, Error};

/// Changes a watch's buffer holds before it is cut off. They share their bytes with whoever else holds
/// the entries.
pub(crate) const BUFFER: usize = 4096;

/// The live watches of one store.
pub(crate) struct Hub {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    revision: Revision,
    next_id: u64,
    queues: BTreeMap<u64, Arc<Queue>>,
    closed: Option<Error>,
}

/// A live watch's buffer.
struct Queue {
    prefix: Box<str>,
    limit: usize,
    buffer: Mutex<Buffer>,
    ready: Notify,
}

struct Buffer {
    changes: Vec<Change>,
    /// Everything up to here is in `changes` or was taken.
    reached: Revision,
    end: Option<End>,
}

/// Why nothing more comes.
#[derive(Clone)]
enum End {
    Overflow,
    Closed(Error),
}

/// What a live watch finds in its buffer.
pub(crate) enum Taken {
    /// Changes, never none, and the revision up to which they are complete.
    Changes(Vec<Change>, Revision),
    /// The buffer overflowed; whatever it held was taken before.
    Overflow,
}

impl Hub {
    pub fn new(revision: Revision) -> Self {
        Self { state: Mutex::new(State { revision, ..State::default() }) }
    }

    /// The last published revision: under the lock, so that it is neither ahead of any watch's buffer nor
    /// behind.
    pub fn revision(&self) -> Revision {
        lock(&self.state).revision
    }

    /// Publishes the changes of consecutive transactions, the last one being `revision`.
    pub fn publish(&self, changes: &[Change], revision: Revision) {
        let mut state = lock(&self.state);
        state.queues.retain(|_, queue| queue.push(changes, revision));
        state.revision = revision;
    }

    /// Cuts off all live watches, so that each reads from history what it has not seen: for an engine that
    /// does not know what became of its last transaction.
    pub fn reset(&self, revision: Revision) {
        let mut state = lock(&self.state);
        for queue in std::mem::take(&mut state.queues).into_values() {
            lock(&queue.buffer).end.get_or_insert(End::Overflow);
            queue.ready.notify_one();
        }
        state.revision = revision;
    }

    /// Adds a live watch. It gets everything after the revision returned.
    pub fn subscribe(
        self: &Arc<Self>,
        prefix: &str,
        limit: usize,
    ) -> Result<(Subscription, Revision), Error> {
        let mut state = lock(&self.state);
        if let Some(error) = &state.closed {
            return Err(error.clone());
        }
        let revision = state.revision;
        let queue = Arc::new(Queue {
            prefix: prefix.into(),
            limit,
            buffer: Mutex::new(Buffer { changes: Vec::new(), reached: revision, end: None }),
            ready: Notify::new(),
        });
        let id = state.next_id;
        state.next_id += 1;
        state.queues.insert(id, queue.clone());
        Ok((Subscription { id, queue, hub: self.clone() }, revision))
    }

    /// Ends all watches, now and later, with an error.
    pub fn close(&self, error: Error) {
        let mut state = lock(&self.state);
        for queue in std::mem::take(&mut state.queues).into_values() {
            lock(&queue.buffer).end.get_or_insert(End::Closed(error.clone()));
            queue.ready.notify_one();
        }
        state.closed.get_or_insert(error);
    }
}

impl Queue {
    /// Answers false when the queue is to be forgotten.
    fn push(&self, changes: &[Change], revision: Revision) -> bool {
        let mut buffer = lock(&self.buffer);
        let room = self.limit.saturating_sub(buffer.changes.len());
        let matching = || changes.iter().filter(|change| change.key.starts_with(&*self.prefix));
        // An empty buffer takes a batch of any size: otherwise a transaction larger than the buffer could
        // never pass.
        if !buffer.changes.is_empty() && matching().count() > room {
            buffer.end = Some(End::Overflow);
        } else {
            let had = buffer.changes.len();
            buffer.changes.extend(matching().cloned());
            buffer.reached = revision;
            if buffer.changes.len() == had {
                return true;
            }
        }
        self.ready.notify_one();
        buffer.end.is_none()
    }
}

/// One live watch's end of its buffer. Dropping it ends the watch.
pub(crate) struct Subscription {
    id: u64,
    queue: Arc<Queue>,
    hub: Arc<Hub>,
}

impl Subscription {
    /// Waits for changes. Nothing is lost if the future is dropped.
    pub async fn take(&self) -> Result<Taken, Error> {
        loop {
            {
                let mut buffer = lock(&self.queue.buffer);
                if !buffer.changes.is_empty() {
                    return Ok(Taken::Changes(std::mem::take(&mut buffer.changes), buffer.reached));
                }
                match &buffer.end {
                    Some(End::Overflow) => return Ok(Taken::Overflow),
                    Some(End::Closed(error)) => return Err(error.clone()),
                    None => {}
                }
            }
            self.queue.ready.notified().await;
        }
    }

    /// The revision up to which all changes were taken, if none is waiting.
    pub fn reached(&self) -> Option<Revision> {
        let buffer = lock(&self.queue.buffer);
        buffer.changes.is_empty().then_some(buffer.reached)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        lock(&self.hub.state).queues.remove(&self.id);
    }
}

/// The state is consistent between any two statements that can panic, so poison means nothing here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
