//! The API server: one generic path for every verb over the kind registry, a watch cache, HTTP and TLS.
//!
//! Must not know the dataplane, DNS, or how Pods run.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod authn;
pub mod authz;
pub mod media;
pub mod path;
pub mod pki;
pub mod podlogs;
pub mod query;

mod allocate;
mod answer;
mod body;
mod bootstrap;
mod cache;
mod call;
mod codec;
mod compact;
mod config;
mod dispatch;
mod docs;
mod filter;
mod gzip;
mod health;
mod metrics;
mod options;
mod resource;
mod reviews;
mod serve;
mod server;
mod service;
mod shape;
mod subresource;
mod verbs;

pub use authn::Identity;
pub use body::Body;
pub use config::Config;
pub use server::{ApiServer, Error};
pub use service::LocalService;

#[cfg(test)]
mod tests;
