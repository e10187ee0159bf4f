//! The durable engine: one file of copy-on-write B-trees (redb), written by one thread.
//!
//! Reads run on a snapshot of the last commit, in the caller's thread. Writes are queued to the writer
//! thread, which commits all that are waiting with one fsync. Semantics are in `history`; here is only
//! what concerns the disk. Knows nothing of time.

mod codec;
mod file;
mod tables;
mod writer;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock, mpsc};
use std::thread::JoinHandle;

use futures_core::future::BoxFuture;
use portway_base::Revision;
use redb::Database;
use tokio::sync::oneshot;

use self::file::{Directory, Medium};
use self::tables::{Snapshot, storage};
use self::writer::{Job, Writer};
use crate::history::{self, Keys, Rows as _};
use crate::hub::Hub;
use crate::watch::Log;
use crate::{Change, Entry, Error, Page, Store, Txn, TxnOutcome, Watch};

/// Pages kept in memory. The kernel caches the file as well, so little is gained from more.
const CACHE: usize = 4 << 20;

/// Longer lists are read on a thread of their own, so that they do not hold up the async one.
const SHORT: usize = 500;

/// A durable [`Store`] in a directory of its own.
pub struct EmbeddedStore {
    shared: Arc<Shared>,
    jobs: Option<mpsc::Sender<Job>>,
    writer: Option<JoinHandle<()>>,
}

/// What readers and the writer thread have in common.
struct Shared {
    medium: Box<dyn Medium>,
    /// The error says why there is no database just now.
    database: RwLock<Result<Database, Error>>,
    hub: Arc<Hub>,
}

impl EmbeddedStore {
    /// Opens the store in a directory, creating both if need be, for this process alone.
    ///
    /// Fails with [`Error::InUse`] if another process has it open, with [`Error::Corrupt`] if the file is
    /// not a sound store, and with [`Error::Unavailable`] if the directory cannot be used.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        Self::on(Box::new(Directory::open(directory)?))
    }

    fn on(medium: Box<dyn Medium>) -> Result<Self, Error> {
        let database = open_database(&*medium)?;
        let meta = Snapshot::new(&database)?.meta()?;
        let hub = Arc::new(Hub::new(meta.revision));
        let shared = Arc::new(Shared { medium, database: RwLock::new(Ok(database)), hub });
        let (jobs, queue) = mpsc::channel();
        let writer = Writer::new(shared.clone(), queue, meta);
        let writer = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| Error::Unavailable(format!("cannot start the writer thread: {error}")))?;
        Ok(Self { shared, jobs: Some(jobs), writer: Some(writer) })
    }

    /// Has the writer look after the database if a read failed: the database refuses everything from then on.
    fn noting<T>(&self, read: Result<T, Error>) -> Result<T, Error> {
        if let (Err(Error::Unavailable(_)), Some(jobs)) = (&read, &self.jobs) {
            // If the writer has ended there is nobody to heal anything.
            let _ = jobs.send(Job::Heal);
        }
        read
    }

    /// Queues a job and waits for its answer.
    async fn ask<T>(&self, job: impl FnOnce(oneshot::Sender<Result<T, Error>>) -> Job) -> Result<T, Error> {
        let gone = || Error::Unavailable("the store's writer has ended".to_owned());
        let (answer, answered) = oneshot::channel();
        let jobs = self.jobs.as_ref().ok_or_else(gone)?;
        jobs.send(job(answer)).map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

fn open_database(medium: &dyn Medium) -> Result<Database, Error> {
    let mut builder = Database::builder();
    // The check reads the whole file once. Without it a damaged file may panic in the middle of serving.
    builder.set_cache_size(CACHE).set_check_integrity_on_open(true);
    let database = medium.open(&builder)?;
    tables::prepare(&database)?;
    Ok(database)
}

impl Shared {
    fn snapshot(&self) -> Result<Snapshot, Error> {
        match &*self.database.read().unwrap_or_else(PoisonError::into_inner) {
            Ok(database) => Snapshot::new(database),
            Err(error) => Err(error.clone()),
        }
    }
}

impl Log for Shared {
    fn changes(&self, prefix: &str, after: Revision, max: usize) -> Result<(Vec<Change>, Revision), Error> {
        history::changes(&self.snapshot()?, prefix, after, max)
    }
}

impl Store for EmbeddedStore {
    fn get(&self, key: &str) -> BoxFuture<'_, Result<(Revision, Option<Entry>), Error>> {
        let read = || {
            let rows = self.shared.snapshot()?;
            Ok((rows.meta()?.revision, rows.current(key)?))
        };
        Box::pin(std::future::ready(self.noting(read())))
    }

    fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
        at: Option<Revision>,
    ) -> BoxFuture<'_, Result<Page, Error>> {
        let (prefix, after) = (prefix.to_owned(), after.map(str::to_owned));
        let shared = self.shared.clone();
        let read = move || {
            let keys = Keys { prefix: &prefix, after: after.as_deref() };
            history::list(&shared.snapshot()?, keys, limit, at)
        };
        Box::pin(async move {
            if (1..=SHORT).contains(&limit) || tokio::runtime::Handle::try_current().is_err() {
                return self.noting(read());
            }
            let ended = |error| Error::Unavailable(format!("the list was not finished: {error}"));
            self.noting(tokio::task::spawn_blocking(read).await.map_err(ended)?)
        })
    }

    fn commit(&self, txn: Txn) -> BoxFuture<'_, Result<TxnOutcome, Error>> {
        Box::pin(async move {
            txn.check()?;
            self.ask(|answer| Job::Commit { txn, answer }).await
        })
    }

    fn watch(&self, prefix: &str, after: Revision) -> BoxFuture<'_, Result<Watch, Error>> {
        let checked = self.noting(self.shared.snapshot().and_then(|rows| rows.meta()?.check(after)));
        let watch = || Watch::new(self.shared.clone(), self.shared.hub.clone(), prefix, after);
        Box::pin(std::future::ready(checked.map(|()| watch())))
    }

    fn compact(&self, before: Revision) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(self.ask(move |answer| Job::Compact { before, answer }))
    }

    fn revision(&self) -> Revision {
        self.shared.hub.revision()
    }
}

/// Finishes what was queued, then closes the file and gives the directory free.
impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(writer) = self.writer.take() {
            // A panic there was reported by the panic hook, and callers got an error.
            let _ = writer.join();
        }
        let closed = Error::Unavailable("the store was closed".to_owned());
        let mut database = self.shared.database.write().unwrap_or_else(PoisonError::into_inner);
        if let Ok(database) = std::mem::replace(&mut *database, Err(closed.clone()))
            && let Err(error) = database.close().map_err(storage)
        {
            tracing::warn!(%error, "the store was not closed cleanly; the next start will check it");
        }
        drop(database);
        self.shared.medium.release();
        self.shared.hub.close(closed);
    }
}
