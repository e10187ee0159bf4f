//! The thread that does the work: takes what has come, resolves, commits, cleans up, and starts over.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use portway_intent::{Driver, Trouble};
use portway_netns::Namespace;
use portway_nftables::netlink::Socket;
use portway_resolve::{Input, Outcome, Resolver, Settings};
use tokio::sync::watch;
use tracing::{debug, info, warn};

use crate::conntrack::Serving;
use crate::facts::{interface_addresses, node_facts};
use crate::state::State;
use crate::{Metrics, ProxyConfig, Reconciler, Status, Update};

/// What the worker hears.
#[derive(Debug)]
pub(crate) enum Message {
    /// The API changed.
    Update(Box<Update>),
    /// Somebody else changed the ruleset.
    Foreign,
}

/// Shortest time between two comparisons that changes by others cause.
const REST: Duration = Duration::from_millis(500);
/// Waits between attempts that fail.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(10));

pub(crate) struct Worker<D> {
    node_name: String,
    addresses: Vec<std::net::IpAddr>,
    namespace: Namespace,
    settings: Settings,
    audit: Duration,
    state: State,
    resolver: Resolver,
    reconciler: Reconciler<D>,
    conntrack: Option<Socket>,
    /// UDP flows to look after, and not before when.
    serving: Serving,
    clean_at: Instant,
    metrics: Arc<Metrics>,
    status: watch::Sender<Status>,
    taken: u64,
    started: bool,
    backoff: Duration,
    /// When to compare everything next.
    compare_at: Instant,
    compared: Instant,
    /// How long the last comparison took.
    comparing: Duration,
}

impl<D: Driver> Worker<D> {
    pub(crate) fn new(
        config: &ProxyConfig,
        driver: D,
        metrics: Arc<Metrics>,
        status: watch::Sender<Status>,
    ) -> Self {
        let facts = node_facts(&config.node_name, &config.addresses, None, Vec::new());
        let conntrack = config.namespace.run(Socket::open).ok().and_then(Result::ok);
        Self {
            node_name: config.node_name.clone(),
            addresses: config.addresses.clone(),
            namespace: config.namespace.clone(),
            settings: config.settings.clone(),
            audit: config.audit,
            state: State::new(&config.node_name),
            resolver: Resolver::new(config.settings.clone(), facts),
            reconciler: Reconciler::new(driver),
            conntrack,
            serving: Serving::default(),
            clean_at: Instant::now(),
            metrics,
            status,
            taken: 0,
            started: false,
            backoff: BACKOFF.0,
            compare_at: Instant::now(),
            compared: Instant::now(),
            comparing: Duration::ZERO,
        }
    }

    /// Works until the other end of the channel is gone. The rules stay.
    pub(crate) fn run(mut self, messages: &Receiver<Message>) {
        loop {
            let wait = match (self.started, self.serving.is_empty()) {
                (false, _) => self.audit,
                (true, true) => self.compare_at.saturating_duration_since(Instant::now()),
                (true, false) => self.compare_at.min(self.clean_at).saturating_duration_since(Instant::now()),
            };
            match messages.recv_timeout(wait) {
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
                Ok(message) => {
                    self.take(message);
                    // Whatever else has come goes into the same commit.
                    while let Ok(message) = messages.try_recv() {
                        self.take(message);
                    }
                }
            }
            if self.state.is_complete() {
                self.step();
            }
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Foreign => {
                let soonest = self.compared + REST.max(self.comparing * 4);
                self.compare_at = self.compare_at.min(soonest.max(Instant::now()));
            }
            Message::Update(update) => {
                self.taken += 1;
                let touched = self.state.take(*update, &mut self.resolver);
                if touched.node {
                    self.node_changed();
                }
                if touched.ranges {
                    self.settings.service_cidrs = self.state.service_cidrs();
                    self.resolver.apply(Input::Settings(self.settings.clone()));
                }
            }
        }
    }

    fn node_changed(&mut self) {
        let interfaces = interface_addresses(&self.namespace).unwrap_or_else(|error| {
            warn!("addresses of the node are unknown: {error}");
            Vec::new()
        });
        let node = self.state.node().map(|node| &**node);
        let facts = node_facts(&self.node_name, &self.addresses, node, interfaces);
        self.resolver.apply(Input::Facts(facts));
    }

    fn step(&mut self) {
        let start = Instant::now();
        let compare = !self.started || start >= self.compare_at;
        if compare {
            // Addresses come and go without notice; a comparison is when they are looked at.
            self.node_changed();
        }
        let outcome = self.resolver.commit();
        for diagnostic in &outcome.diagnostics {
            info!("{diagnostic}");
        }
        if !compare && outcome.delta.is_empty() && self.reconciler.is_in_step() {
            self.clean();
            self.report(None);
            return;
        }
        let done = if compare {
            self.reconciler.full(&self.resolver.intent())
        } else {
            self.reconciler.sync(&outcome.delta, &self.resolver)
        };
        match done {
            Ok(done) => {
                if done.full {
                    Metrics::add(&self.metrics.full_syncs, 1);
                    // Changes that were on their way anyway are no repair.
                    if self.started && done.changes > 0 && outcome.delta.is_empty() {
                        Metrics::add(&self.metrics.repairs, 1);
                        info!(
                            "put right {} objects that were changed by others, or that nothing needs any more",
                            done.changes
                        );
                    }
                    self.compared = Instant::now();
                    self.comparing = start.elapsed();
                    self.compare_at = self.compared + self.audit;
                } else {
                    Metrics::add(&self.metrics.partial_syncs, 1);
                }
                Metrics::add(&self.metrics.changes, done.changes as u64);
                self.suspect(&outcome, !self.started);
                self.clean();
                self.started = true;
                self.backoff = BACKOFF.0;
                self.metrics.took(start.elapsed());
                debug!(
                    full = done.full,
                    changes = done.changes,
                    micros = start.elapsed().as_micros(),
                    "synced"
                );
                self.report(None);
            }
            Err(trouble) => self.failed(&trouble),
        }
    }

    fn failed(&mut self, trouble: &Trouble) {
        Metrics::add(&self.metrics.failures, 1);
        warn!("rules are not up to date: {trouble}");
        // What the failed attempt would have done is not remembered: compare everything.
        self.reconciler.distrust();
        self.started = true;
        self.compare_at = Instant::now() + self.backoff;
        self.backoff = (self.backoff * 2).min(BACKOFF.1);
        self.report(Some(trouble.to_string()));
    }

    /// Takes note of UDP flows that may have become stale.
    fn suspect(&mut self, outcome: &Outcome, all: bool) {
        if all {
            let (v4, v6) = self.resolver.udp_flows();
            self.serving.put(&v4);
            self.serving.put(&v6);
        } else {
            self.serving.put(&outcome.udp_v4);
            self.serving.put(&outcome.udp_v6);
        }
    }

    /// Forgets stale UDP flows. The kernel goes through all connections of the machine for that, so after a
    /// burst of changes it is done once, not once for each of them.
    fn clean(&mut self) {
        if self.serving.is_empty() || Instant::now() < self.clean_at {
            return;
        }
        let Some(socket) = &mut self.conntrack else { return };
        let start = Instant::now();
        match std::mem::take(&mut self.serving).clean(socket) {
            Ok(deleted) => Metrics::add(&self.metrics.connections_deleted, deleted),
            Err(error) => warn!("stale UDP connections may be left: {error}"),
        }
        self.clean_at = Instant::now() + start.elapsed() * 8;
    }

    fn report(&self, trouble: Option<String>) {
        let synced = self.started && trouble.is_none();
        self.status.send_if_modified(|status| {
            let applied = if synced { self.taken } else { status.applied };
            let now = Status { applied, synced, trouble };
            let changed = *status != now;
            *status = now;
            changed
        });
    }
}
