//! The engine that keeps everything in memory: for tests, and for a server without a data directory.
//!
//! Knows nothing of files. It has no semantics of its own: all of them are in `history`.

mod rows;

use std::future::ready;
use std::sync::{Arc, PoisonError, RwLock};

use futures_core::future::BoxFuture;
use portway_base::Revision;

use self::rows::Tables;
use crate::history::{self, Applied, Keys, Rows as _, RowsMut as _};
use crate::hub::Hub;
use crate::watch::Log;
use crate::{Change, Entry, Error, Page, Store, Txn, TxnOutcome, Watch};

/// A [`Store`] in memory. Its content is gone when it is dropped.
pub struct MemoryStore {
    shared: Arc<Shared>,
}

struct Shared {
    tables: RwLock<Tables>,
    hub: Arc<Hub>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// An empty store, at revision zero.
    pub fn new() -> Self {
        let hub = Arc::new(Hub::new(Revision::ZERO));
        Self { shared: Arc::new(Shared { tables: RwLock::default(), hub }) }
    }
}

impl Shared {
    fn read<T>(&self, f: impl FnOnce(&Tables) -> T) -> T {
        f(&self.tables.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn commit(&self, txn: &Txn) -> Result<TxnOutcome, Error> {
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        Ok(match history::apply(&mut *tables, txn)? {
            Applied::Conflict(current) => TxnOutcome::Conflict { current },
            Applied::Changes(changes) => {
                let revision = tables.meta()?.revision;
                if !changes.is_empty() {
                    // Still under the lock: publication follows the order of the commits.
                    self.hub.publish(&changes, revision);
                }
                TxnOutcome::Committed { revision }
            }
        })
    }
}

impl Log for Shared {
    fn changes(&self, prefix: &str, after: Revision, max: usize) -> Result<(Vec<Change>, Revision), Error> {
        self.read(|tables| history::changes(tables, prefix, after, max))
    }
}

impl Store for MemoryStore {
    fn get(&self, key: &str) -> BoxFuture<'_, Result<(Revision, Option<Entry>), Error>> {
        let found = self.shared.read(|tables| Ok((tables.meta()?.revision, tables.current(key)?)));
        Box::pin(ready(found))
    }

    fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
        at: Option<Revision>,
    ) -> BoxFuture<'_, Result<Page, Error>> {
        let keys = Keys { prefix, after };
        Box::pin(ready(self.shared.read(|tables| history::list(tables, keys, limit, at))))
    }

    fn commit(&self, txn: Txn) -> BoxFuture<'_, Result<TxnOutcome, Error>> {
        // Not before it is polled: a future that is never awaited must not write.
        Box::pin(async move { self.shared.commit(&txn) })
    }

    fn watch(&self, prefix: &str, after: Revision) -> BoxFuture<'_, Result<Watch, Error>> {
        let checked = self.shared.read(|tables| tables.meta()?.check(after));
        let watch = || Watch::new(self.shared.clone(), self.shared.hub.clone(), prefix, after);
        Box::pin(ready(checked.map(|()| watch())))
    }

    fn compact(&self, before: Revision) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            let mut tables = self.shared.tables.write().unwrap_or_else(PoisonError::into_inner);
            history::forget(&mut *tables, before)?;
            tables.trim(before, usize::MAX)?;
            Ok(())
        })
    }

    fn revision(&self) -> Revision {
        self.shared.hub.revision()
    }
}

impl Drop for MemoryStore {
    fn drop(&mut self) {
        self.shared.hub.close(Error::Unavailable("the store was closed".to_owned()));
    }
}
