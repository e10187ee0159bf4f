//! When to forget history: a pure policy over a clock that the caller passes in.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use portway_base::Revision;

/// How much history to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// History is kept at least this long, unless `revisions` says otherwise, and not much longer.
    pub age: Duration,
    /// At most so many revisions are kept.
    pub revisions: u64,
}

impl Default for Retention {
    /// Five minutes, as upstream; 50,000 revisions.
    fn default() -> Self {
        Self { age: Duration::from_secs(300), revisions: 50_000 }
    }
}

/// Turns a clock and the current revision into revisions to compact to. Call [`Compactor::tick`] every few
/// seconds and pass what it answers to [`crate::Store::compact`].
#[derive(Clone, Debug)]
pub struct Compactor {
    retention: Retention,
    /// When a revision was current; at most `MARKS`.
    marks: VecDeque<(Instant, Revision)>,
    done: Revision,
}

/// History outlives its age by at most one part of so many.
const MARKS: u32 = 16;

impl Compactor {
    /// Starts without knowing the age of what is there: it counts from the first tick.
    pub fn new(retention: Retention) -> Self {
        Self { retention, marks: VecDeque::new(), done: Revision::ZERO }
    }

    /// The revision to compact to now, if any.
    pub fn tick(&mut self, now: Instant, current: Revision) -> Option<Revision> {
        let Retention { age, revisions } = self.retention;
        if self.marks.back().is_none_or(|(at, _)| now.saturating_duration_since(*at) >= age / MARKS) {
            self.marks.push_back((now, current));
        }
        let mut target = Revision(current.0.saturating_sub(revisions));
        while let Some((at, revision)) = self.marks.front()
            && now.saturating_duration_since(*at) >= age
        {
            target = target.max(*revision);
            self.marks.pop_front();
        }
        let new = target > self.done;
        self.done = self.done.max(target);
        new.then_some(target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_is_kept_for_its_age_and_up_to_its_count() {
        let retention = Retention { age: Duration::from_secs(160), revisions: 1000 };
        let mut compactor = Compactor::new(retention);
        let start = Instant::now();
        let mut check = |seconds: u64, current: u64, expect: Option<u64>| {
            let at = start + Duration::from_secs(seconds);
            assert_eq!(compactor.tick(at, Revision(current)), expect.map(Revision), "at {seconds} s");
        };
        check(0, 5, None);
        check(1, 6, None);
        check(10, 7, None);
        check(100, 500, None);
        check(159, 501, None);
        check(160, 502, Some(5));
        check(160, 502, None);
        check(170, 503, Some(7));
        // Nothing happened: nothing to forget.
        check(259, 503, None);
        check(260, 503, Some(500));
        // Too much happened.
        check(261, 2000, Some(1000));
        check(262, 2001, Some(1001));
        check(320, 2001, None);
        // A long sleep.
        check(9000, 2001, Some(2001));
    }

    #[test]
    fn marks_are_bounded() {
        let mut compactor = Compactor::new(Retention::default());
        let start = Instant::now();
        for i in 0..10_000 {
            compactor.tick(start + Duration::from_millis(100 * i), Revision(i));
            assert!(compactor.marks.len() <= MARKS as usize + 1);
        }
    }
}
