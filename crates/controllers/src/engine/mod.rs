//! The loop's core, without I/O: news in, jobs out, results in.
//!
//! One turn of a key is: reconcile, the job's writes, and the wait until the caches show them. Nothing of the same key
//! happens meanwhile; different keys go on in parallel.

mod queue;
mod settle;
mod told;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use portway_base::ObjectKey;

pub use queue::{Backoff, Queue};
pub use settle::{Settling, Written};
use told::Told;

use crate::controller::{Controller, Dirty};
use crate::plan::Plan;
use crate::snapshot::{Changed, Input, Snapshot};

/// Which key of which controller.
pub type JobId = (usize, ObjectKey);

/// The time, both ways.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Since some start; never goes back.
    pub since_start: Duration,
    /// On the wall clock.
    pub wall: Timestamp,
}

/// Writes to be done.
#[derive(Debug)]
pub struct Job {
    /// To be given back with the result.
    pub id: JobId,
    /// Name of the controller.
    pub controller: &'static str,
    /// What to do.
    pub plan: Plan,
}

/// What became of a job.
#[derive(Debug)]
pub struct Report {
    /// The writes that were done.
    pub written: Vec<Written>,
    /// Why the others were not.
    pub error: Option<String>,
}

/// The controllers, what they know, and whose turn it is.
pub struct Engine {
    snapshot: Snapshot,
    controllers: Vec<Box<dyn Controller>>,
    queue: Queue<JobId>,
    settling: Settling<JobId>,
    /// Plans under way whose keys want another look, or must be tried again.
    under_way: BTreeMap<JobId, (Option<Duration>, Option<String>)>,
    told: Told,
}

impl Engine {
    /// Controllers over an empty snapshot. `snapshot.others` must hold the kinds that will be watched besides.
    pub fn new(snapshot: Snapshot, controllers: Vec<Box<dyn Controller>>, backoff: Backoff) -> Self {
        Self {
            snapshot,
            controllers,
            queue: Queue::new(backoff),
            settling: Settling::default(),
            under_way: BTreeMap::new(),
            told: Told::default(),
        }
    }

    /// What is known of the cluster.
    pub const fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Takes news in.
    pub fn input(&mut self, input: Input, now: Now) {
        let changes = self.snapshot.apply(input);
        for change in &changes {
            self.settled(change);
            let mut dirty = Dirty::default();
            for (i, controller) in self.controllers.iter().enumerate() {
                controller.touched(change, &self.snapshot, &mut dirty);
                for (key, delay) in dirty.keys.drain(..) {
                    if delay.is_zero() {
                        self.queue.add((i, key));
                    } else {
                        self.queue.add_at((i, key), now.since_start + delay);
                    }
                }
            }
        }
    }

    fn settled(&mut self, change: &Changed) {
        let gone = change.metas().1.is_none();
        for id in self.settling.seen(&change.resource(), change.key(), gone, &self.snapshot) {
            self.queue.done(&id);
        }
    }

    /// The next job, if there is something to do now. `None` before every kind has been listed once.
    pub fn next(&mut self, now: Now, luck: impl Fn() -> f64) -> Option<Job> {
        if !self.snapshot.is_synced() {
            return None;
        }
        for id in self.settling.expired(now.since_start) {
            self.queue.done(&id);
        }
        while let Some(id) = self.queue.pop(now.since_start) {
            let controller = &mut self.controllers[id.0];
            let mut plan = controller.reconcile(&self.snapshot, &id.1, now.wall);
            plan.notes.retain(|note| self.told.is_news(note, now.since_start));
            let name = controller.name();
            if plan.writes.is_empty() && plan.notes.is_empty() {
                self.finish(&id, plan.again, plan.problem.as_deref(), now, luck());
                continue;
            }
            self.under_way.insert(id.clone(), (plan.again, plan.problem.clone()));
            return Some(Job { id, controller: name, plan });
        }
        None
    }

    /// Takes the result of a job in.
    pub fn done(&mut self, id: &JobId, report: Report, now: Now, luck: f64) {
        let (again, problem) = self.under_way.remove(id).unwrap_or_default();
        let problem = report.error.or(problem);
        if problem.is_some() {
            // The delay lets the caches catch up as well.
            self.finish(id, again, problem.as_deref(), now, luck);
            return;
        }
        if let Some(again) = again {
            self.queue.add_at(id.clone(), now.since_start + again);
        }
        if self.settling.begin(id, report.written, &self.snapshot, now.since_start) {
            self.queue.done(id);
        }
    }

    fn finish(&mut self, id: &JobId, again: Option<Duration>, problem: Option<&str>, now: Now, luck: f64) {
        if let Some(problem) = problem {
            let delay = self.queue.failed(id, now.since_start, luck);
            let failures = self.queue.failures(id);
            let controller = self.controllers[id.0].name();
            tracing::info!(controller, key = %id.1, problem, failures, ?delay, "will try again");
        } else {
            self.queue.done(id);
        }
        if let Some(again) = again {
            self.queue.add_at(id.clone(), now.since_start + again);
        }
    }

    /// When to ask for a job again, if no news come before (since the start).
    pub fn deadline(&self) -> Option<Duration> {
        if !self.snapshot.is_synced() {
            return None;
        }
        [self.queue.deadline(), self.settling.deadline()].into_iter().flatten().min()
    }

    /// No key is ready, under way or waiting for the caches.
    pub fn is_idle(&self) -> bool {
        self.queue.is_idle()
    }
}
