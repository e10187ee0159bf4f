//! Names outside the cluster: asked of other servers, raced so that a dead one costs little time.
//!
//! Knows nothing of zones. Every query has its own socket, so its own source port, and a random id.

mod cache;
mod exchange;
mod resolv;
mod upstream;

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::wire::{Edns, Header, Message, Question};

pub use cache::{Cache, CacheConfig, Cached};
pub use resolv::{nameservers, system_nameservers};

use exchange::{ExchangeError, tcp, udp};
use upstream::Upstream;

/// Whom to ask, and how long to wait.
#[derive(Clone, Debug)]
pub struct ForwardConfig {
    /// Servers to ask; none means every query fails at once.
    pub upstreams: Vec<SocketAddr>,
    /// How long one server has before the next is asked as well.
    pub hedge: Duration,
    /// When to give up on all of them. Resolvers in clients wait 5 seconds; this is to be well below.
    pub deadline: Duration,
    /// Queries under way at once; more are refused.
    pub max_concurrent: usize,
}

impl ForwardConfig {
    /// These servers, with the usual patience.
    pub fn new(upstreams: Vec<SocketAddr>) -> Self {
        Self {
            upstreams,
            hedge: Duration::from_millis(300),
            deadline: Duration::from_secs(2),
            max_concurrent: 1000,
        }
    }
}

/// What goes upstream: the question and the flags that matter there.
#[derive(Clone, Debug)]
pub struct Query {
    /// What is asked.
    pub question: Question,
    /// The asker's header; RD, AD and CD are passed on.
    pub header: Header,
    /// The asker's OPT record; its size and DO are passed on, its options are not.
    pub edns: Option<Edns>,
    /// Ask over TCP, as the asker did.
    pub tcp: bool,
}

/// Why nobody answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForwardError {
    /// No server is configured, or all failed just now: SERVFAIL.
    #[error("no upstream is usable")]
    Unusable,
    /// Too many queries wait already: REFUSED.
    #[error("too many queries are under way")]
    Overloaded,
    /// A server answered another question: FORMERR.
    #[error("an upstream answered another question")]
    Mismatch,
}

/// Asks upstream servers.
pub struct Forwarder {
    config: ForwardConfig,
    upstreams: Vec<Upstream>,
    slots: Semaphore,
    start: Instant,
}

impl Forwarder {
    /// Does nothing until asked.
    pub fn new(config: ForwardConfig) -> Self {
        Self {
            upstreams: config.upstreams.iter().map(|&address| Upstream::new(address)).collect(),
            slots: Semaphore::new(config.max_concurrent),
            start: Instant::now(),
            config,
        }
    }

    /// The first answer of any upstream.
    ///
    /// One is asked; each time one fails, or takes longer than the hedge delay, the next is asked too. Each gets a
    /// second try, against lost packets. Servers that failed or were overtaken twice in a row rest for a while.
    ///
    /// # Errors
    /// When nobody answered in time, or nobody may be asked; see [`ForwardError`].
    pub async fn ask(&self, query: &Query) -> Result<Message, ForwardError> {
        let _slot = self.slots.try_acquire().map_err(|_| ForwardError::Overloaded)?;
        let order = self.order();
        if order.is_empty() {
            return Err(ForwardError::Unusable);
        }
        let give_up = Instant::now() + self.config.deadline;
        let mut left = order.iter().chain(&order).copied();
        let mut running = FuturesUnordered::new();
        let mut started: Vec<(&Upstream, Instant)> = Vec::new();
        let mut hedge = Instant::now();
        loop {
            if running.is_empty() || Instant::now() >= hedge {
                match left.next() {
                    Some(upstream) => {
                        started.push((upstream, Instant::now()));
                        running.push(self.attempt(upstream, query, give_up));
                    }
                    None if running.is_empty() => return Err(ForwardError::Unusable),
                    None => {}
                }
                hedge = Instant::now() + self.config.hedge;
            }
            tokio::select! {
                Some((upstream, result)) = running.next() => match result {
                    Ok(message) => {
                        let slow = started.iter().filter(|(_, since)| since.elapsed() >= self.config.hedge);
                        slow.for_each(|(slow, _)| slow.failed(self.start.elapsed()));
                        upstream.succeeded();
                        return Ok(message);
                    }
                    Err(ExchangeError::Mismatch) => return Err(ForwardError::Mismatch),
                    Err(ExchangeError::Failed) => {
                        upstream.failed(self.start.elapsed());
                        hedge = Instant::now();
                    }
                },
                () = sleep_until(hedge.min(give_up)) => {
                    if Instant::now() >= give_up {
                        order.iter().for_each(|upstream| upstream.failed(self.start.elapsed()));
                        return Err(ForwardError::Unusable);
                    }
                }
            }
        }
    }

    async fn attempt<'u>(
        &self,
        upstream: &'u Upstream,
        query: &Query,
        give_up: Instant,
    ) -> (&'u Upstream, Result<Message, ExchangeError>) {
        let exchange = async {
            if query.tcp { tcp(upstream.address, query).await } else { udp(upstream.address, query).await }
        };
        let result = timeout_at(give_up, exchange).await.unwrap_or(Err(ExchangeError::Failed));
        (upstream, result)
    }

    /// Usable servers, those without trouble first, otherwise at random.
    fn order(&self) -> Vec<&Upstream> {
        let now = self.start.elapsed();
        let mut order: Vec<_> = self.upstreams.iter().filter(|upstream| upstream.may_try(now)).collect();
        fastrand::shuffle(&mut order);
        order.sort_by_key(|upstream| upstream.is_failing());
        order
    }
}

#[cfg(test)]
mod tests;
