//! What a row of results means. Pure: results and times come in.

use std::time::Duration;

use portway_api::types::pod::Probe;

/// The numbers of a probe, with their defaults filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Before the first check.
    pub initial_delay: Duration,
    /// Between checks.
    pub period: Duration,
    /// A check may take this long.
    pub timeout: Duration,
    /// Successes in a row that count.
    pub successes: u32,
    /// Failures in a row that count.
    pub failures: u32,
}

impl Spec {
    /// Reads the numbers of a probe.
    pub fn of(probe: &Probe) -> Self {
        let number = |n: i32, default: u32| u32::try_from(n).ok().filter(|n| *n > 0).unwrap_or(default);
        let seconds = |n, default| Duration::from_secs(number(n, default).into());
        Self {
            initial_delay: seconds(probe.initial_delay_seconds, 0),
            period: seconds(probe.period_seconds, 10),
            timeout: seconds(probe.timeout_seconds, 1),
            successes: number(probe.success_threshold, 1),
            failures: number(probe.failure_threshold, 3),
        }
    }
}

/// What a probe has made out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Enough successes in a row.
    Passed,
    /// Enough failures in a row.
    Failed,
}

/// Memory of one probe of one run.
#[derive(Clone, Debug)]
pub struct State {
    spec: Spec,
    verdict: Option<Verdict>,
    last: Option<bool>,
    row: u32,
    early: u32,
}

impl State {
    /// Nothing checked yet. `verdict` is what holds until enough results say otherwise.
    pub const fn new(spec: Spec, verdict: Option<Verdict>) -> Self {
        Self { spec, verdict, last: None, row: 0, early: 0 }
    }

    /// Takes a result in; a verdict that is new comes out.
    pub fn on_result(&mut self, success: bool) -> Option<Verdict> {
        self.row = if self.last == Some(success) { self.row.saturating_add(1) } else { 1 };
        self.last = Some(success);
        let (needed, verdict) = match success {
            true => (self.spec.successes, Verdict::Passed),
            false => (self.spec.failures, Verdict::Failed),
        };
        if self.row < needed || self.verdict == Some(verdict) {
            return None;
        }
        self.verdict = Some(verdict);
        Some(verdict)
    }

    /// Failures so far are those of a process that is still starting.
    pub fn is_early(&self) -> bool {
        self.verdict.is_none() && Duration::from_millis(10 << self.early.min(16)) < self.spec.period
    }

    /// How long to wait before the next check. With `eager`, a probe that has not passed yet is tried sooner than
    /// its period at first, so that a process is found ready soon after it is: 10 ms, then double each time.
    pub fn pause(&mut self, eager: bool) -> Duration {
        if !eager || self.verdict == Some(Verdict::Passed) {
            return self.spec.period;
        }
        let pause = Duration::from_millis(10 << self.early.min(16));
        self.early += 1;
        pause.min(self.spec.period)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(successes: u32, failures: u32) -> Spec {
        Spec { successes, failures, ..Spec::of(&Probe::default()) }
    }

    #[test]
    fn defaults() {
        let expect = Spec {
            initial_delay: Duration::ZERO,
            period: Duration::from_secs(10),
            timeout: Duration::from_secs(1),
            successes: 1,
            failures: 3,
        };
        assert_eq!(Spec::of(&Probe::default()), expect);
        assert_eq!(Spec::of(&Probe { period_seconds: -1, ..Probe::default() }), expect);
    }

    /// Results as `+` and `-`; verdicts as `P`, `F` or `.` for none.
    #[test]
    fn verdicts_follow_rows_of_results() {
        let check = |spec: Spec, first: Option<Verdict>, results: &str, expect: &str| {
            let mut state = State::new(spec, first);
            let seen: String = results
                .chars()
                .map(|c| match state.on_result(c == '+') {
                    None => '.',
                    Some(Verdict::Passed) => 'P',
                    Some(Verdict::Failed) => 'F',
                })
                .collect();
            assert_eq!(seen, expect, "{results} with {spec:?}");
        };
        check(spec(1, 3), None, "+++", "P..");
        check(spec(1, 3), None, "---", "..F");
        check(spec(1, 3), None, "+--+---+", "P.....FP");
        check(spec(2, 1), None, "+-++-", ".F.PF");
        check(spec(1, 3), Some(Verdict::Failed), "---+", "...P");
        check(spec(1, 3), Some(Verdict::Passed), "+---", "...F");
    }

    #[test]
    fn early_checks_come_sooner() {
        let mut state = State::new(spec(1, 3), None);
        let pauses: Vec<_> = (0..12).map(|_| state.pause(true).as_millis()).collect();
        assert_eq!(pauses, [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120, 10_000, 10_000]);
        state.on_result(true);
        assert_eq!(state.pause(true), Duration::from_secs(10));
        assert_eq!(State::new(spec(1, 3), None).pause(false), Duration::from_secs(10));
    }
}
