//! The engine on a pretended server, under a clock of its own.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use portway_client::{Action, Gvr, Write};
use serde_json::Value;

use super::world::{World, others, synced};
use crate::controller::Controller;
use crate::engine::{Backoff, Engine, Job, JobId, Now, Report, Written};
use crate::plan::{Guard, Note};
use crate::snapshot::Snapshot;

/// A job with the writes it has still to do.
struct Running {
    id: JobId,
    todo: VecDeque<Write>,
    written: Vec<Written>,
}

/// Server, engine and clock.
pub struct Cluster {
    /// The server.
    pub world: World,
    /// The engine.
    pub engine: Engine,
    /// The Events published.
    pub notes: Vec<Note>,
    since_start: Duration,
    start: Timestamp,
    running: Vec<Running>,
    /// Why jobs failed.
    pub errors: Vec<String>,
}

impl Cluster {
    /// An empty cluster with these controllers.
    pub fn new(controllers: Vec<Box<dyn Controller>>) -> Self {
        let others: Vec<Gvr> = others().into_iter().map(|(resource, _, _)| resource).collect();
        let backoff = Backoff { base: Duration::from_millis(5), max: Duration::from_secs(60) };
        let mut cluster = Self {
            world: World::default(),
            engine: Engine::new(Snapshot::with_others(others.clone()), controllers, backoff),
            notes: Vec::new(),
            since_start: Duration::ZERO,
            start: "2024-01-01T00:00:00Z".parse().unwrap(),
            running: Vec::new(),
            errors: Vec::new(),
        };
        for input in synced(&others) {
            cluster.engine.input(input, cluster.now());
        }
        cluster
    }

    /// The time.
    pub fn now(&self) -> Now {
        let passed = SignedDuration::try_from(self.since_start).unwrap();
        Now { since_start: self.since_start, wall: self.start.checked_add(passed).unwrap() }
    }

    /// The kinds of which there is unread news.
    pub fn unread(&self) -> Vec<Gvr> {
        self.world.news.keys().cloned().collect()
    }

    /// Lets the engine see the next news of a kind.
    pub fn read(&mut self, resource: &Gvr) {
        if let Some(input) = self.world.read(resource) {
            let now = self.now();
            self.engine.input(input, now);
        }
    }

    /// Starts the next job, if there is one.
    pub fn start_job(&mut self) -> bool {
        let now = self.now();
        let Some(Job { id, plan, .. }) = self.engine.next(now, || 0.0) else { return false };
        self.notes.extend(plan.notes);
        let failed = plan.guards.iter().find(|guard| !self.holds(guard)).map(|guard| format!("{guard:?}"));
        if let Some(error) = failed {
            self.end(&id, Vec::new(), Some(error));
        } else {
            self.running.push(Running { id, todo: plan.writes.into(), written: Vec::new() });
        }
        true
    }

    /// Jobs under way.
    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// Does the next write of a job.
    pub fn work(&mut self, job: usize) {
        let Some(write) = self.running[job].todo.pop_front() else {
            let Running { id, written, .. } = self.running.remove(job);
            return self.end(&id, written, None);
        };
        match self.world.write(&write) {
            Ok(answer) => self.running[job].written.extend(written(&write, &answer)),
            Err(error) if error.contains("NotFound") && matches!(write.action, Action::Delete { .. }) => {}
            Err(error) => {
                let Running { id, written, .. } = self.running.remove(job);
                self.errors.push(format!("{write:?}: {error}"));
                self.end(&id, written, Some(error));
            }
        }
    }

    fn end(&mut self, id: &JobId, written: Vec<Written>, error: Option<String>) {
        let now = self.now();
        self.engine.done(id, Report { written, error }, now, 0.0);
    }

    fn holds(&self, guard: &Guard) -> bool {
        match guard {
            Guard::Empty { resource, namespace } => {
                !self.world.all(resource).any(|o| o["metadata"]["namespace"] == namespace.as_str())
            }
            Guard::Absent { resource, key, uid } => self
                .world
                .get(resource, key)
                .is_none_or(|o| !uid.is_empty() && o["metadata"]["uid"] != uid.as_str()),
        }
    }

    /// Lets everything happen that can happen now.
    pub fn settle(&mut self) {
        for _ in 0..200_000 {
            if let Some(resource) = self.unread().first() {
                self.read(&resource.clone());
            } else if !self.running.is_empty() {
                self.work(0);
            } else if !self.start_job() {
                return;
            }
        }
        panic!("does not come to rest; errors: {:?}", self.errors.iter().rev().take(5).collect::<Vec<_>>());
    }

    /// Lets everything happen that happens within `time`.
    pub fn settle_for(&mut self, time: Duration) {
        let end = self.since_start + time;
        loop {
            self.settle();
            match self.engine.deadline() {
                Some(due) if due <= end => self.since_start = due.max(self.since_start),
                _ => break,
            }
        }
        self.since_start = end;
    }
}

fn written(write: &Write, answer: &Value) -> Option<Written> {
    crate::execute::written(write, answer)
}
