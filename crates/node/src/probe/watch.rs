//! The task that checks one container again and again, and says what changed.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use portway_api::types::pod::Probe;

use super::check::{Handler, Target};
use super::state::{Spec, State, Verdict};

/// Which of a container's probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProbeKind {
    Startup,
    Readiness,
    Liveness,
}

impl ProbeKind {
    /// `Readiness`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Startup => "Startup",
            Self::Readiness => "Readiness",
            Self::Liveness => "Liveness",
        }
    }
}

/// What a probe has to say.
#[derive(Clone, Debug)]
pub(crate) enum Finding {
    /// A check failed; why.
    Failure(String),
    /// The verdict is another than before.
    Verdict(Verdict),
}

/// Checks for ever (a startup probe: until it has passed). `started` is when the container's process did.
pub(crate) async fn watch(
    kind: ProbeKind,
    probe: Probe,
    target: Target,
    started: Timestamp,
    before: Option<Verdict>,
    tell: impl Fn(Finding),
) {
    let spec = Spec::of(&probe);
    let handler = Handler::from(&probe);
    let mut state = State::new(spec, before);
    let age = Timestamp::now().duration_since(started);
    let age = Duration::try_from(age).unwrap_or_default();
    tokio::time::sleep(spec.initial_delay.saturating_sub(age)).await;
    loop {
        let begun = Instant::now();
        let outcome = match tokio::time::timeout(spec.timeout, handler.check(&target)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(format!("probe timed out after {} s", spec.timeout.as_secs())),
        };
        let success = outcome.is_ok();
        let early = kind == ProbeKind::Readiness && state.is_early();
        if let (Err(why), false) = (outcome, early) {
            tell(Finding::Failure(why));
        }
        if let Some(verdict) = state.on_result(success) {
            tell(Finding::Verdict(verdict));
            if kind == ProbeKind::Startup {
                return;
            }
        }
        let pause = state.pause(kind == ProbeKind::Readiness);
        tokio::time::sleep(pause.saturating_sub(begun.elapsed())).await;
    }
}
