//! The node proxy: what the API says in, what the kernel does out.
//!
//! Updates come in over a channel, a thread of its own resolves and commits them: every change at once, bursts
//! together, all of it again when somebody else was at the rules. Knows neither Service semantics (they are in
//! `resolve`) nor, beyond [`driver`], which backend it drives.
#![deny(unsafe_code)]

pub mod bench;
mod config;
pub mod conntrack;
mod driver;
mod facts;
mod metrics;
mod proxy;
mod reconciler;
mod state;
mod worker;

pub use config::{ProxyConfig, Source, Update};
pub use metrics::{Metrics, Status};
pub use proxy::{Error, NodeProxy};
pub use reconciler::{Done, Reconciler};

pub use portway_resolve::{Detect, NodePortAddresses, Settings};
