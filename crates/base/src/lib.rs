//! Vocabulary shared by every part of Portway: object keys, protocols, address families, revisions.
//!
//! Knows nothing else of Portway: no API objects, no I/O, no async.
#![forbid(unsafe_code)]

mod key;
mod net;
mod revision;

pub use key::{ObjectKey, ParseKeyError, ServicePortId};
pub use net::{IpFamily, ParseProtocolError, Protocol};
pub use revision::Revision;
