//! A pretended cluster for tests: a server of values in memory, the engine on it, and cases read from files.

mod cases;
mod cluster;
mod objects;
mod observe;
pub mod workloads;
mod world;

pub use cluster::Cluster;
pub use objects::{node, pod, service};
pub use world::World;
