//! The DNS message format: names, records, messages, EDNS; RFC 1035, 2181, 3597, 6891.
//!
//! Pure bytes in, values out. Must not know zones, sockets or Kubernetes. Decoding never panics and never
//! allocates more than the packet justifies; encoding never exceeds the limit it was given.

mod code;
mod edns;
mod header;
mod message;
mod name;
mod rdata;
mod reader;
mod request;
mod writer;

pub use code::{Class, Opcode, Rcode, Rtype};
pub use edns::Edns;
pub use header::Header;
pub use message::{Message, Question, Record, Reply};
pub use name::{Folded, MAX_LABEL, MAX_NAME, Name, NameError};
pub use rdata::{Data, Hinfo, Mx, Rdata, Soa, Srv, Txt};
pub use reader::{DecodeError, Reader};
pub use request::{Reject, Request};
pub use writer::Writer;

#[cfg(test)]
mod tests;
