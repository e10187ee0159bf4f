//! The health of one upstream server, learned from the queries it gets.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// Failures in a row after which a server rests.
const MAX_FAILS: u32 = 2;
/// How long it rests; one query after that tries it again.
const REST: Duration = Duration::from_millis(500);

/// An upstream server.
pub(super) struct Upstream {
    pub address: SocketAddr,
    fails: AtomicU32,
    /// When it may be tried again, milliseconds on the forwarder's clock.
    retry_at: AtomicU64,
}

impl Upstream {
    pub fn new(address: SocketAddr) -> Self {
        Self { address, fails: AtomicU32::new(0), retry_at: AtomicU64::new(0) }
    }

    /// Whether to ask it now. While it rests, the first caller after the rest gets a yes and the next ones wait again.
    pub fn may_try(&self, now: Duration) -> bool {
        if self.fails.load(Ordering::Relaxed) < MAX_FAILS {
            return true;
        }
        let at = self.retry_at.load(Ordering::Relaxed);
        let next = (now + REST).as_millis() as u64;
        at <= now.as_millis() as u64
            && self.retry_at.compare_exchange(at, next, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Whether its last query failed.
    pub fn is_failing(&self) -> bool {
        self.fails.load(Ordering::Relaxed) > 0
    }

    pub fn succeeded(&self) {
        self.fails.store(0, Ordering::Relaxed);
    }

    pub fn failed(&self, now: Duration) {
        self.fails.fetch_add(1, Ordering::Relaxed);
        self.retry_at.store((now + REST).as_millis() as u64, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn rests_after_two_failures_and_is_probed_once() {
        let upstream = Upstream::new("192.0.2.1:53".parse().unwrap());
        let at = Duration::from_millis;
        upstream.failed(at(0));
        assert!(upstream.may_try(at(1)));
        upstream.failed(at(1));
        assert!(!upstream.may_try(at(2)));
        assert!(upstream.may_try(at(600)));
        assert!(!upstream.may_try(at(601)));
        upstream.succeeded();
        assert!(upstream.may_try(at(602)));
    }
}
