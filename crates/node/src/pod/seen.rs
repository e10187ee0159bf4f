//! What has been seen of a Pod: facts, no decisions.

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};

/// Everything known of a Pod besides its object.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Its network.
    pub network: Network,
    /// When it was first seen.
    pub since: Option<Timestamp>,
    /// When it was first seen that it must end.
    pub ending: Option<Timestamp>,
    /// Containers by name, init containers too.
    pub containers: BTreeMap<String, ContainerSeen>,
}

/// State of a Pod's network.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Network {
    /// Not begun.
    #[default]
    Absent,
    /// Being made.
    Connecting,
    /// Addresses, IPv4 first if there is one.
    Ready(Vec<IpAddr>),
    /// Could not be made; when, and why.
    Failed(Timestamp, String),
    /// Given back; the addresses it had.
    Released(Vec<IpAddr>),
}

impl Network {
    /// The addresses it has or had.
    pub fn addresses(&self) -> &[IpAddr] {
        match self {
            Self::Ready(all) | Self::Released(all) => all,
            Self::Absent | Self::Connecting | Self::Failed(..) => &[],
        }
    }
}

/// What is known of one container.
#[derive(Clone, Debug, Default)]
pub struct ContainerSeen {
    /// Its present run.
    pub run: Run,
    /// Runs before the present one.
    pub restarts: u32,
    /// Short runs in a row that have ended.
    pub crashes: u32,
    /// How the run before the present one ended.
    pub last: Option<Ended>,
    /// The startup probe has passed.
    pub started: bool,
    /// The readiness probe holds.
    pub ready: bool,
    /// A probe wants it killed: why, and with which grace in seconds.
    pub unhealthy: Option<(String, Option<i64>)>,
    /// It is being stopped.
    pub stop: Option<Stop>,
}

/// The present run of a container.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Run {
    /// There was none yet.
    #[default]
    Never,
    /// It cannot be started as it is written, or something it needs is missing.
    Refused {
        /// When that was found.
        at: Timestamp,
        /// One word: `CreateContainerError`.
        reason: &'static str,
        /// For people.
        message: String,
    },
    /// It is being started.
    Starting,
    /// Its process runs.
    Running(Timestamp),
    /// Its process has ended.
    Ended(Ended),
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// When the process started.
    pub started: Timestamp,
    /// When it ended.
    pub finished: Timestamp,
    /// Exit code.
    pub code: i32,
    /// Signal that ended it, or 0.
    pub signal: i32,
    /// One word: `Completed`, `Error`, `StartError`.
    pub reason: &'static str,
    /// For people.
    pub message: String,
}

/// How far the stopping of a container has come.
#[derive(Clone, Debug, PartialEq)]
pub struct Stop {
    /// When it began.
    pub since: Timestamp,
    /// Seconds it may take.
    pub grace: i64,
    /// The preStop hook still runs.
    pub hook: bool,
    /// When SIGTERM was sent.
    pub terminated: Option<Timestamp>,
    /// SIGKILL was sent.
    pub killed: bool,
}

impl Run {
    /// There is a process, or soon will be.
    pub const fn is_active(&self) -> bool {
        matches!(self, Self::Starting | Self::Running(_))
    }
}

impl ContainerSeen {
    /// A run begins.
    pub fn starting(&mut self) {
        if let Run::Ended(ended) = std::mem::replace(&mut self.run, Run::Starting) {
            self.last = Some(ended);
            self.restarts += 1;
        }
        (self.started, self.ready, self.unhealthy, self.stop) = (false, false, None, None);
    }

    /// The run has ended.
    pub fn ended(&mut self, ended: Ended) {
        /// A run this long clears the count of crashes.
        const STEADY: SignedDuration = SignedDuration::from_mins(10);
        let steady = ended.finished.duration_since(ended.started) >= STEADY;
        self.crashes = if steady { 1 } else { self.crashes.saturating_add(1) };
        (self.started, self.ready, self.unhealthy, self.stop) = (false, false, None, None);
        self.run = Run::Ended(ended);
    }

    /// How long the next run is held back after the end of the last: not at all after the first crash, then ten
    /// seconds, doubling up to five minutes.
    pub fn backoff(&self) -> SignedDuration {
        let seconds = match self.crashes {
            0 | 1 => 0,
            n => 10_i64.checked_shl(n - 2).unwrap_or(300).clamp(10, 300),
        };
        SignedDuration::from_secs(seconds)
    }
}
