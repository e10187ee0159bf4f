//! Cluster DNS: the zone made of Services, Endpoints, Namespaces and Pods, and the server around it.
//!
//! [`wire`] is the message format and [`zone`] the data and its answers; both are pure. Must not know the proxy.
#![forbid(unsafe_code)]

pub mod wire;
pub mod zone;
