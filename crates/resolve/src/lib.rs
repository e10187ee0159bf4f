//! All Service semantics of the dataplane: API objects in, [`Intent`](portway_intent::Intent) out.
//!
//! [`Resolver`] keeps the objects it was told and the intent they make; a changed object re-resolves its own
//! Service and nothing else. Pure: no clock, no I/O. Must not know backends.
//!
//! The stages, one file each: [`facts`] what is known of the node, `service` the fields of a Service,
//! `endpoints` the merged slices, `select` who may answer, `rules` the fronts, `resolver` the bookkeeping.
#![forbid(unsafe_code)]

mod diagnostic;
mod endpoints;
pub mod facts;
mod ledger;
mod parse;
mod resolver;
mod rules;
mod select;
mod service;

pub use diagnostic::{Diagnostic, Reason};
pub use facts::{Detect, NodeFacts, NodePortAddresses, Settings};
pub use resolver::{Input, Outcome, Resolver, resolve_all};
pub use rules::UdpFlows;

#[cfg(test)]
mod tests;
