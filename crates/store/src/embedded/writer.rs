//! The one thread that writes: takes all waiting jobs, applies them in one database transaction, commits
//! once, publishes, answers.
//!
//! If the disk fails, every job of the batch is answered with an error and the database is opened again.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use portway_base::Revision;
use tokio::sync::oneshot::Sender;

use super::tables::{Snapshot, Writing, storage};
use super::{Shared, open_database};
use crate::history::{self, Applied, Meta, Rows as _, RowsMut as _};
use crate::{Change, Error, Op, Txn, TxnOutcome};

/// Bounds of one database transaction.
const MAX_JOBS: usize = 1024;
const MAX_BYTES: usize = 16 << 20;
/// Compacted rows removed along with one batch: a few milliseconds.
const TRIM: usize = 1024;
/// Left free on the disk, so that compaction still has room when writes have not.
const RESERVE: u64 = 8 << 20;
/// Between attempts to open a failed database again.
const RETRY: Duration = Duration::from_secs(1);

/// What the writer is asked to do.
pub(super) enum Job {
    Commit {
        txn: Txn,
        answer: Sender<Result<TxnOutcome, Error>>,
    },
    Compact {
        before: Revision,
        answer: Sender<Result<(), Error>>,
    },
    /// A read failed: make sure that the database works.
    Heal,
}

impl Job {
    fn bytes(&self) -> usize {
        let op = |op: &Op| match op {
            Op::Put { key, value } => key.len() + value.len(),
            Op::Delete { key } => key.len(),
        };
        match self {
            Self::Commit { txn, .. } => txn.ops.iter().map(op).sum(),
            Self::Compact { .. } | Self::Heal => 0,
        }
    }

    /// The caller may have gone; the job is done all the same.
    fn refuse(self, error: &Error) {
        match self {
            Self::Commit { answer, .. } => drop(answer.send(Err(error.clone()))),
            Self::Compact { answer, .. } => drop(answer.send(Err(error.clone()))),
            Self::Heal => {}
        }
    }
}

/// What one job came to. `Err` is the job's own fault.
enum Outcome {
    Commit(TxnOutcome),
    Compact(Result<(), Error>),
    Heal,
}

/// A batch applied and durable.
struct Done {
    outcomes: Vec<Outcome>,
    changes: Vec<Change>,
    meta: Meta,
    trimmed: bool,
}

pub(super) struct Writer {
    shared: Arc<Shared>,
    queue: Receiver<Job>,
    /// Log rows up to here are still to be removed.
    trim: Option<Revision>,
    /// When the database was last opened again.
    attempted: Option<Instant>,
}

impl Writer {
    pub fn new(shared: Arc<Shared>, queue: Receiver<Job>, meta: Meta) -> Self {
        let trim = (meta.oldest > Revision::ZERO).then_some(meta.oldest);
        Self { shared, queue, trim, attempted: None }
    }

    pub fn run(mut self) {
        loop {
            let mut batch = Vec::new();
            // Without work of its own the writer sleeps until there is a job.
            let next = if self.failed() {
                self.queue.recv_timeout(RETRY)
            } else if self.trim.is_some() {
                self.queue.recv_timeout(Duration::ZERO)
            } else {
                self.queue.recv().map_err(|_| RecvTimeoutError::Disconnected)
            };
            match next {
                Ok(job) => batch.push(job),
                Err(RecvTimeoutError::Timeout) => {}
                // What compaction left to remove, the next start goes on with.
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let mut bytes = batch.iter().map(Job::bytes).sum::<usize>();
            while !batch.is_empty()
                && batch.len() < MAX_JOBS
                && bytes < MAX_BYTES
                && let Ok(job) = self.queue.try_recv()
            {
                bytes += job.bytes();
                batch.push(job);
            }
            self.process(batch, bytes);
        }
    }

    fn failed(&self) -> bool {
        self.shared.database.read().unwrap_or_else(PoisonError::into_inner).is_err()
    }

    fn process(&mut self, mut batch: Vec<Job>, bytes: usize) {
        if self.failed()
            && let Err(error) = self.reopen()
        {
            batch.into_iter().for_each(|job| job.refuse(&error));
            return;
        }
        // A full disk is found out before the database finds it, because that would stop reads as well.
        // Values are written up to twice, with the pages that lead to them.
        if !batch.is_empty() && self.shared.medium.free() < RESERVE + 4 * bytes as u64 {
            let full = Error::Unavailable("no space left on the disk of the data directory".to_owned());
            let (commits, rest) = batch.into_iter().partition(|job| matches!(job, Job::Commit { .. }));
            Vec::into_iter(commits).for_each(|job: Job| job.refuse(&full));
            batch = rest;
        }
        if batch.is_empty() && self.trim.is_none() {
            return;
        }
        match self.attempt(&batch) {
            Ok(done) => self.conclude(batch, done),
            Err(error) => {
                tracing::error!(%error, "the store could not write");
                // Reopened before the answers, so that the callers' next look sees the truth.
                let reopened = self.reopen();
                batch.into_iter().for_each(|job| job.refuse(&error));
                if let Err(error) = reopened {
                    tracing::error!(%error, "the store could not be opened again; it will be tried every second");
                }
            }
        }
    }

    /// Applies a batch and makes it durable. After an error nothing of it may be assumed.
    fn attempt(&self, batch: &[Job]) -> Result<Done, Error> {
        let txn = match &*self.shared.database.read().unwrap_or_else(PoisonError::into_inner) {
            Ok(database) => database.begin_write().map_err(storage)?,
            Err(error) => return Err(error.clone()),
        };
        let mut rows = Writing::open(&txn)?;
        let before = rows.meta()?;
        let mut outcomes = Vec::with_capacity(batch.len());
        let mut changes = Vec::new();
        for job in batch {
            outcomes.push(match job {
                Job::Commit { txn, .. } => Outcome::Commit(match history::apply(&mut rows, txn)? {
                    Applied::Conflict(current) => TxnOutcome::Conflict { current },
                    Applied::Changes(new) => {
                        changes.extend(new);
                        TxnOutcome::Committed { revision: rows.meta()?.revision }
                    }
                }),
                Job::Compact { before, .. } => Outcome::Compact(history::forget(&mut rows, *before)),
                // That the transaction could begin says that no read failed since the database was opened.
                Job::Heal => Outcome::Heal,
            });
        }
        let (removed, trimmed) = match self.trim {
            Some(through) => {
                let removed = rows.trim(through, TRIM)?;
                (removed, removed < TRIM)
            }
            None => (0, false),
        };
        if rows.meta()? == before && removed == 0 {
            // Nothing but conflicts: they were read from the durable state, so there is nothing to wait for.
            drop(rows);
            txn.abort().map_err(storage)?;
            return Ok(Done { outcomes, changes, meta: before, trimmed });
        }
        let meta = rows.finish()?;
        txn.commit().map_err(storage)?;
        Ok(Done { outcomes, changes, meta, trimmed })
    }

    fn conclude(&mut self, batch: Vec<Job>, done: Done) {
        if !done.changes.is_empty() {
            self.shared.hub.publish(&done.changes, done.meta.revision);
        }
        if done.trimmed {
            self.trim = None;
        }
        for (job, outcome) in batch.into_iter().zip(done.outcomes) {
            match (job, outcome) {
                (Job::Commit { answer, .. }, Outcome::Commit(outcome)) => drop(answer.send(Ok(outcome))),
                (Job::Compact { answer, .. }, Outcome::Compact(result)) => {
                    if result.is_ok() {
                        self.trim = Some(done.meta.oldest);
                    }
                    drop(answer.send(result));
                }
                // Healing has no answer. Otherwise outcomes are made from the jobs, one for one.
                _ => {}
            }
        }
    }

    /// Opens the database again. Watches then read from history what became durable although its writers
    /// got an error.
    fn reopen(&mut self) -> Result<(), Error> {
        let mut database = self.shared.database.write().unwrap_or_else(PoisonError::into_inner);
        if let (Err(error), Some(attempt)) = (&*database, self.attempted)
            && attempt.elapsed() < RETRY / 2
        {
            return Err(error.clone());
        }
        self.attempted = Some(Instant::now());
        // The old one is closed first: it releases the file and reads no more.
        *database = Err(Error::Unavailable("the store is being opened again after a failure".to_owned()));
        let opened = open_database(&*self.shared.medium)
            .and_then(|database| Ok((Snapshot::new(&database)?.meta()?, database)));
        match opened {
            Ok((meta, opened)) => {
                *database = Ok(opened);
                drop(database);
                self.shared.hub.reset(meta.revision);
                tracing::info!("the store is open again");
                Ok(())
            }
            Err(error) => {
                *database = Err(error.clone());
                Err(error)
            }
        }
    }
}
