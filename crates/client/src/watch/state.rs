//! The watch protocol without I/O: what to do next, and what each answer means.

use std::sync::Arc;
use std::time::Duration;

use super::Event;
use super::frame::Frame;
use crate::error::Error;
use crate::list::List;
use crate::partial::Watched;

/// Objects a page of the initial list.
pub(super) const PAGE: u32 = 500;
/// A watch that lasted this long was a good one, even if nothing happened in it.
const LASTED: Duration = Duration::from_secs(5);
const FIRST_DELAY: Duration = Duration::from_millis(50);
const LONGEST_DELAY: Duration = Duration::from_secs(30);
/// Between two good watches, so that a server that hangs up at once is not asked in a tight loop.
const BREATH: Duration = Duration::from_millis(10);

/// Where a watch stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    phase: Phase,
    /// Failures since the last sign that the watch works.
    failures: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    List { token: String, limit: u32, begun: bool },
    Open { revision: String },
    Read { revision: String },
    Sleep { delay: Duration, then: Box<Phase> },
}

/// What the driver has to do; each is answered by the [`Input`] named.
#[derive(Debug, PartialEq, Eq)]
pub enum Want<'a> {
    /// Get a page of the list: [`Input::Page`].
    List {
        /// Continue token; empty for the first page.
        token: &'a str,
        /// Objects a page; 0 for all.
        limit: u32,
    },
    /// Open a watch: [`Input::Opened`].
    Open {
        /// From where in history.
        revision: &'a str,
    },
    /// Read from the open watch: [`Input::Frame`], [`Input::Closed`].
    Read,
    /// Wait, give or take some jitter: [`Input::Slept`].
    Sleep(Duration),
}

/// What happened.
#[derive(Debug)]
pub enum Input<T> {
    /// The answer to a list request.
    Page(Result<List<T>, Error>),
    /// The answer to a watch request.
    Opened(Result<(), Error>),
    /// A message of the watch.
    Frame(Frame<T>),
    /// The watch ended.
    Closed {
        /// How long it had been open.
        lasted: Duration,
    },
    /// The wait is over.
    Slept,
}

impl Default for State {
    fn default() -> Self {
        Self { phase: Phase::first_page(PAGE), failures: 0 }
    }
}

impl Phase {
    const fn first_page(limit: u32) -> Self {
        Self::List { token: String::new(), limit, begun: false }
    }
}

impl State {
    /// What to do next.
    pub fn want(&self) -> Want<'_> {
        match &self.phase {
            Phase::List { token, limit, .. } => Want::List { token, limit: *limit },
            Phase::Open { revision } => Want::Open { revision },
            Phase::Read { .. } => Want::Read,
            Phase::Sleep { delay, .. } => Want::Sleep(*delay),
        }
    }

    /// Failures since the watch last worked.
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// Takes an answer in: what to tell, and where that leads. An input nobody asked for changes nothing.
    #[must_use]
    pub fn step<T: Watched>(self, input: Input<T>) -> (Vec<Event<T>>, Self) {
        let Self { phase, failures } = self;
        match (phase, input) {
            (Phase::List { token, limit, begun }, Input::Page(page)) => {
                on_page(token, limit, begun, failures, page)
            }
            (Phase::Open { revision }, Input::Opened(Ok(()))) => {
                (Vec::new(), Self { phase: Phase::Read { revision }, failures })
            }
            (Phase::Open { revision }, Input::Opened(Err(error))) => {
                let next = if matches!(error, Error::Expired(_)) {
                    Phase::first_page(PAGE)
                } else {
                    Phase::Open { revision }
                };
                (Vec::new(), Self::after_failure(next, failures, retry_after(&error)))
            }
            (Phase::Read { revision }, Input::Frame(frame)) => on_frame(revision, failures, frame),
            (Phase::Read { revision }, Input::Closed { lasted }) => {
                let next = Phase::Open { revision };
                if lasted >= LASTED {
                    let phase = Phase::Sleep { delay: BREATH, then: Box::new(next) };
                    (Vec::new(), Self { phase, failures: 0 })
                } else {
                    (Vec::new(), Self::after_failure(next, failures, None))
                }
            }
            (Phase::Sleep { then, .. }, Input::Slept) => (Vec::new(), Self { phase: *then, failures }),
            (phase, _) => (Vec::new(), Self { phase, failures }),
        }
    }

    /// `next`, after a delay that doubles with each failure and is at least what the server asked for.
    fn after_failure(next: Phase, failures: u32, asked: Option<Duration>) -> Self {
        let own = FIRST_DELAY.saturating_mul(1 << failures.min(16)).min(LONGEST_DELAY);
        let delay = asked.map_or(own, |asked| own.max(asked));
        Self { phase: Phase::Sleep { delay, then: Box::new(next) }, failures: failures.saturating_add(1) }
    }
}

fn on_page<T: Watched>(
    token: String,
    limit: u32,
    begun: bool,
    failures: u32,
    page: Result<List<T>, Error>,
) -> (Vec<Event<T>>, State) {
    let page = match page {
        Ok(page) => page,
        Err(error) => {
            let next = match error {
                // The rest of a paged list is gone: take the next one in one piece, that cannot expire.
                Error::Expired(_) => Phase::first_page(0),
                _ => Phase::List { token, limit, begun },
            };
            return (Vec::new(), State::after_failure(next, failures, retry_after(&error)));
        }
    };
    let mut events = Vec::with_capacity(page.items.len() + 2);
    if !begun {
        events.push(Event::Init);
    }
    events.extend(page.items.into_iter().map(|object| Event::InitApply(Arc::new(object))));
    let phase = if page.metadata.continue_token.is_empty() {
        events.push(Event::InitDone);
        Phase::Open { revision: page.metadata.resource_version }
    } else {
        Phase::List { token: page.metadata.continue_token, limit, begun: true }
    };
    // A list that works proves nothing about the watch: `failures` stays, so that list, expire, list is slowed down.
    (events, State { phase, failures })
}

fn on_frame<T: Watched>(revision: String, failures: u32, frame: Frame<T>) -> (Vec<Event<T>>, State) {
    let read = |revision: String| State { phase: Phase::Read { revision }, failures: 0 };
    match frame {
        Frame::Apply(object) => {
            let state = read(object.meta().resource_version.clone());
            (vec![Event::Apply(Arc::new(object))], state)
        }
        Frame::Delete(object) => {
            let state = read(object.meta().resource_version.clone());
            (vec![Event::Delete(Arc::new(object))], state)
        }
        Frame::Bookmark(newer) => (Vec::new(), read(if newer.is_empty() { revision } else { newer })),
        Frame::Error(status) => {
            let error = Error::from_status(status);
            // Some servers send other codes for a revision they no longer have; a list always helps.
            let next = if error.is_temporary() { Phase::Open { revision } } else { Phase::first_page(PAGE) };
            (Vec::new(), State::after_failure(next, failures, retry_after(&error)))
        }
        // What it was about is unknown: only a new list can tell the state.
        Frame::Unreadable(_) => (Vec::new(), State::after_failure(Phase::first_page(PAGE), failures, None)),
    }
}

const fn retry_after(error: &Error) -> Option<Duration> {
    match error {
        Error::TooManyRequests { retry_after, .. } => *retry_after,
        _ => None,
    }
}
