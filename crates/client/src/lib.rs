//! Access to an API server, over HTTPS or in process; lists, self-healing watches, writes.
//!
//! Requests ([`Write`], [`ListOptions`]) and the watch protocol ([`watch::State`]) are pure values; the async part
//! only carries bytes. Knows nothing of what objects mean.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod cache;
mod client;
mod error;
mod https;
mod kubeconfig;
mod list;
mod partial;
mod resource;
mod status;
mod tls;
mod transport;
pub mod watch;
mod write;

pub use cache::{Cache, Change};
pub use client::Client;
pub use error::Error;
pub use kubeconfig::{Auth, Identity, KubeConfig, Tls};
pub use list::{List, ListMeta, ListOptions};
pub use partial::{Partial, Watched};
pub use resource::Gvr;
pub use status::{Status, StatusCause, StatusDetails};
pub use transport::{Body, BoxError};
pub use watch::Event;
pub use write::{Action, Preconditions, Propagation, Write};
