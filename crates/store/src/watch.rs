//! A watch: history first, then live, then history again if it fell behind, without a gap or a repetition.
//!
//! Knows the log only as a function from a revision to the changes after it.

use std::fmt;
use std::sync::Arc;

use portway_base::Revision;

use crate::hub::{BUFFER, Hub, Subscription, Taken};
use crate::{Change, Error};

/// Changes read from history at once.
const CHUNK: usize = 512;

/// Reads history; implemented by the engines.
pub(crate) trait Log: Send + Sync {
    /// See [`crate::history::changes`].
    fn changes(&self, prefix: &str, after: Revision, max: usize) -> Result<(Vec<Change>, Revision), Error>;
}

/// The changes of the keys under a prefix, in revision order, each exactly once.
///
/// Live changes wait in a bounded buffer. When it overflows, the watch reads what it missed from history; if
/// that has been compacted meanwhile, it ends with [`Error::Compacted`]. It never skips a change silently.
pub struct Watch {
    prefix: Box<str>,
    /// Everything up to here was returned.
    reached: Revision,
    /// `None` while catching up.
    live: Option<Subscription>,
    /// History is still to be read up to here before `live` is.
    catch_up: Revision,
    limit: usize,
    log: Arc<dyn Log>,
    hub: Arc<Hub>,
}

impl Watch {
    /// Starts a watch; `after` must have been checked against the history.
    pub(crate) fn new(log: Arc<dyn Log>, hub: Arc<Hub>, prefix: &str, after: Revision) -> Self {
        Self {
            prefix: prefix.into(),
            reached: after,
            live: None,
            catch_up: Revision::ZERO,
            limit: BUFFER,
            log,
            hub,
        }
    }

    /// The next changes: at least one, and whole transactions. Waits for them.
    ///
    /// May be dropped and called again without losing anything. After an error the watch is over.
    pub async fn next(&mut self) -> Result<Vec<Change>, Error> {
        loop {
            let Some(live) = &self.live else {
                // Subscribe first, read history up to that point second: no gap.
                let (live, at) = self.hub.subscribe(&self.prefix, self.limit)?;
                self.live = Some(live);
                self.catch_up = at;
                continue;
            };
            if self.reached < self.catch_up {
                let (mut changes, reached) = self.log.changes(&self.prefix, self.reached, CHUNK)?;
                // What is newer than the subscription comes through it.
                changes.retain(|change| change.revision <= self.catch_up);
                self.reached = reached.min(self.catch_up);
                if !changes.is_empty() {
                    return Ok(changes);
                }
                continue;
            }
            match live.take().await? {
                Taken::Changes(mut changes, reached) => {
                    // A watch may start from a revision that is visible to reads but not yet published.
                    changes.retain(|change| change.revision > self.reached);
                    self.reached = self.reached.max(reached);
                    if !changes.is_empty() {
                        return Ok(changes);
                    }
                }
                Taken::Overflow => self.live = None,
            }
        }
    }

    /// The revision up to which every change has been returned. It moves on without [`Watch::next`] while
    /// only other prefixes change.
    pub fn reached(&self) -> Revision {
        match &self.live {
            Some(live) if self.reached >= self.catch_up => {
                live.reached().map_or(self.reached, |reached| reached.max(self.reached))
            }
            _ => self.reached,
        }
    }

    /// Sets how many changes the buffer holds (4096 unless set). Only for tests of slow watches, and of no
    /// effect once the watch runs.
    #[doc(hidden)]
    #[must_use]
    pub fn with_buffer(mut self, changes: usize) -> Self {
        self.limit = changes;
        self
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("prefix", &self.prefix)
            .field("reached", &self.reached)
            .finish_non_exhaustive()
    }
}
