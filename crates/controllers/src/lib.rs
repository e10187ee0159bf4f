//! The controllers: pure reconcile functions, and the loop that runs them.
//!
//! News of the cluster feed a [`snapshot::Snapshot`]; each controller turns it into a [`plan::Plan`] of writes, key by
//! key; [`engine::Engine`] decides whose turn it is, without I/O; [`run`] connects it to an API server. Must not know
//! HTTP, nor how objects are stored.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod config;
pub mod controller;
pub mod deployment;
mod discover;
pub mod endpoints;
pub mod endpointslice;
pub mod engine;
mod event;
mod execute;
pub mod garbage;
pub mod mirror;
pub mod namespace;
pub mod node_lifecycle;
mod ownership;
pub mod plan;
pub mod pod_gc;
pub mod replicaset;
mod run;
pub mod scheduler;
mod selection;
pub mod service_account;
pub mod snapshot;
#[cfg(test)]
mod testing;
mod trigger;

pub use config::{ControllerConfig, Controllers};
