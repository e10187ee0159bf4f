//! Cluster DNS: the zone made of Services, EndpointSlices, Namespaces and Pods, and the server around it.
//!
//! [`wire`] is the message format and [`zone`] the data and its answers, both pure; [`forward`] asks other servers;
//! [`DnsServer`] joins them on sockets it is given. Must not know the proxy.
#![forbid(unsafe_code)]

mod feed;
pub mod forward;
mod server;
pub mod wire;
pub mod zone;

pub use server::{
    Begun, DnsConfig, DnsHandle, DnsServer, Engine, Listeners, Pending, ServerError, TcpLimits, Transport,
};
