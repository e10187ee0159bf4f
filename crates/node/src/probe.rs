//! Probes: when the next check is due and what its result means (pure), and the checks themselves.

mod check;
mod grpc;
mod http;
mod state;
mod watch;

pub(crate) use check::{Handler, Target};
pub use state::{Spec, State, Verdict};
pub(crate) use watch::{Finding, ProbeKind, watch};
