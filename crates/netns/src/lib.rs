//! Network namespaces, links, addresses and routes over rtnetlink; the sandbox and the lab.
//!
//! Everything here is synchronous and small: a namespace is set up by a few dozen kernel calls that take
//! microseconds each. Knows nothing of Kubernetes, and nothing of async.
//!
//! Requests are encoded here rather than by a crate: five message kinds are needed, the socket must be opened
//! inside the namespace it acts on, and dumps must survive attributes that a newer kernel adds.
#![deny(unsafe_code)]

mod error;
pub mod lab;
mod namespace;
mod netlink;
pub mod sandbox;

pub use error::{Error, Kind, Result};
pub use namespace::Namespace;
pub use netlink::{Address, Link, Mac, Neighbour, Netlink, Route, RouteKind, Veth};
