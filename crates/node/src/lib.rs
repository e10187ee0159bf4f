//! The node agent: Pods as processes in their own network namespaces.
//!
//! Decisions are plain functions: [`pod::step`] says what a Pod needs next, [`pod::status`] what its status is,
//! [`probe::State`] what a row of results means, [`env`] and [`etc`] what a container gets. The [`NodeAgent`]
//! around them watches, starts, kills and writes. A container runs under a [`supervisor`] of its own and so
//! outlives the agent. Knows nothing of how Services reach Pods.
#![deny(unsafe_code)]

mod agent;
pub mod env;
pub mod etc;
mod events;
pub mod exec;
mod ipam;
mod logs;
mod network;
pub mod pod;
pub mod probe;
mod register;
mod run;
mod shared;
mod state;
pub mod supervisor;

pub use agent::{AgentConfig, Error, NodeAgent};
pub use logs::{LogError, LogOptions};
pub use network::{BRIDGE, gateway};
pub use state::namespace_name;
pub use supervisor::supervisor_main;
