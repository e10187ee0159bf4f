//! What the dataplane of one node shall do: the IR between Service semantics and backends.
//!
//! Decisions, not raw fields: who answers on which address, from which source, with or without source
//! translation. [`FamilyIntent::oracle`] says what shall happen to one packet; every backend is tested
//! against it. Must not know Service objects, serde, or any backend.
#![forbid(unsafe_code)]

mod address;
mod backend;
mod check;
mod delta;
mod model;
mod oracle;
mod text;

pub use address::{Address, Cidr};
pub use backend::{Backend, Driver, Trouble};
pub use check::Violation;
pub use delta::{Change, Delta, FamilyDelta};
pub use model::{
    Action, At, Endpoint, FamilyIntent, Front, FrontKind, HealthCheck, Intent, Locality, Masquerade,
    NodeAddresses, Pool, PoolId, Rule, Scope, Sources,
};
pub use oracle::{Origin, Packet, Verdict};

#[cfg(test)]
mod tests;
