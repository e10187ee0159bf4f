//! The API server: one generic path for every verb over the kind registry, a watch cache, HTTP and TLS.
//!
//! Must not know the dataplane, DNS, or how Pods run.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod authn;
pub mod authz;
mod config;
pub mod pki;
pub mod podlogs;

pub use config::Config;
