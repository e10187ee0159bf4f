//! Keys waiting for their turn: each at most once, never two turns of one key at a time, failures with growing delays.
//!
//! Time is an argument (since some start); nothing here waits.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// Delays after failures.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    /// After the first failure.
    pub base: Duration,
    /// Never longer.
    pub max: Duration,
}

impl Backoff {
    /// The delay after the `failures`th failure in a row; `luck` in 0..1 spreads it by up to a fifth.
    pub fn delay(&self, failures: u32, luck: f64) -> Duration {
        let exponent = failures.saturating_sub(1).min(30);
        let plain = self.base.saturating_mul(1 << exponent).min(self.max);
        plain.mul_f64(1.0 + luck / 5.0)
    }
}

/// The queue.
#[derive(Debug)]
pub struct Queue<K> {
    backoff: Backoff,
    ready: VecDeque<K>,
    queued: BTreeSet<K>,
    delayed: BTreeSet<(Duration, K)>,
    due: BTreeMap<K, Duration>,
    /// Having their turn.
    busy: BTreeSet<K>,
    /// Asked for again during their turn.
    again: BTreeSet<K>,
    failures: BTreeMap<K, u32>,
}

impl<K: Ord + Clone> Queue<K> {
    /// An empty queue.
    pub fn new(backoff: Backoff) -> Self {
        Self {
            backoff,
            ready: VecDeque::new(),
            queued: BTreeSet::new(),
            delayed: BTreeSet::new(),
            due: BTreeMap::new(),
            busy: BTreeSet::new(),
            again: BTreeSet::new(),
            failures: BTreeMap::new(),
        }
    }

    /// Asks for a turn at once (or right after the one being had).
    pub fn add(&mut self, key: K) {
        if self.busy.contains(&key) {
            self.again.insert(key);
            return;
        }
        self.forget_delay(&key);
        if self.queued.insert(key.clone()) {
            self.ready.push_back(key);
        }
    }

    /// Asks for a turn at `due`, unless it has one sooner.
    pub fn add_at(&mut self, key: K, due: Duration) {
        if self.queued.contains(&key) || self.due.get(&key).is_some_and(|earlier| *earlier <= due) {
            return;
        }
        self.forget_delay(&key);
        self.delayed.insert((due, key.clone()));
        self.due.insert(key, due);
    }

    /// Gives the next key its turn; it ends with [`Queue::done`].
    pub fn pop(&mut self, now: Duration) -> Option<K> {
        while let Some((due, _)) = self.delayed.first()
            && *due <= now
        {
            if let Some((_, key)) = self.delayed.pop_first() {
                self.due.remove(&key);
                self.add(key);
            }
        }
        let key = self.ready.pop_front()?;
        self.queued.remove(&key);
        self.busy.insert(key.clone());
        Some(key)
    }

    /// Ends a turn that went well.
    pub fn done(&mut self, key: &K) {
        self.failures.remove(key);
        self.end(key);
    }

    /// Ends a turn that failed; there will be another after a while. Returns the delay.
    pub fn failed(&mut self, key: &K, now: Duration, luck: f64) -> Duration {
        let failures = self.failures.entry(key.clone()).or_default();
        *failures = failures.saturating_add(1);
        let delay = self.backoff.delay(*failures, luck);
        // What asked again during the turn waits as well: it would most likely fail the same way.
        self.busy.remove(key);
        self.again.remove(key);
        self.add_at(key.clone(), now + delay);
        delay
    }

    /// Failures in a row.
    pub fn failures(&self, key: &K) -> u32 {
        self.failures.get(key).copied().unwrap_or_default()
    }

    /// When the next delayed key is due; zero if keys are ready.
    pub fn deadline(&self) -> Option<Duration> {
        if self.ready.is_empty() { self.delayed.first().map(|(due, _)| *due) } else { Some(Duration::ZERO) }
    }

    /// Nothing is ready or having its turn (delayed keys may exist).
    pub fn is_idle(&self) -> bool {
        self.ready.is_empty() && self.busy.is_empty()
    }

    fn end(&mut self, key: &K) {
        self.busy.remove(key);
        if self.again.remove(key) {
            self.add(key.clone());
        }
    }

    fn forget_delay(&mut self, key: &K) {
        if let Some(due) = self.due.remove(key) {
            self.delayed.remove(&(due, key.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn queue() -> Queue<&'static str> {
        Queue::new(Backoff { base: ms(5), max: ms(50) })
    }

    #[test]
    fn a_key_waits_once_and_has_one_turn_at_a_time() {
        let mut q = queue();
        q.add("a");
        q.add("b");
        q.add("a");
        assert_eq!(q.pop(ms(0)), Some("a"));
        q.add("a");
        assert_eq!(q.pop(ms(0)), Some("b"));
        assert_eq!(q.pop(ms(0)), None, "a is having its turn");
        q.done(&"a");
        assert_eq!(q.pop(ms(0)), Some("a"), "asked again meanwhile");
        q.done(&"a");
        q.done(&"b");
        assert!(q.is_idle() && q.pop(ms(0)).is_none());
    }

    #[test]
    fn failures_wait_longer_each_time_and_success_forgets_them() {
        let mut q = queue();
        let mut now = ms(0);
        q.add("a");
        for expect in [5, 10, 20, 40, 50, 50] {
            assert_eq!(q.pop(now), Some("a"));
            assert_eq!(q.failed(&"a", now, 0.0), ms(expect));
            assert_eq!(q.pop(now), None);
            assert_eq!(q.deadline(), Some(now + ms(expect)));
            now += ms(expect);
        }
        assert_eq!(q.pop(now), Some("a"));
        q.done(&"a");
        assert_eq!((q.failures(&"a"), q.deadline()), (0, None));
    }

    #[test]
    fn the_sooner_of_two_dates_counts() {
        let mut q = queue();
        q.add_at("a", ms(100));
        q.add_at("a", ms(50));
        q.add_at("a", ms(70));
        assert_eq!(q.deadline(), Some(ms(50)));
        assert_eq!(q.pop(ms(49)), None);
        q.add("a");
        assert_eq!((q.pop(ms(49)), q.deadline()), (Some("a"), None), "now is sooner than later");
    }

    #[test]
    fn jitter_is_bounded() {
        let backoff = Backoff { base: ms(10), max: ms(100) };
        assert_eq!(backoff.delay(1, 0.0), ms(10));
        assert_eq!(backoff.delay(1, 1.0), ms(12));
        assert_eq!(backoff.delay(4_000_000, 0.0), ms(100));
    }
}
