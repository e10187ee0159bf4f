//! What an API server does to objects that no kind does differently: selectors, decoding, patches, Status
//! answers, Tables, discovery, OpenAPI.
//!
//! Plain functions over JSON values, driven by the schema and the kind registry. Must not know sockets, the
//! store, async, the clock or random numbers: time and randomness are arguments.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod apply;
pub mod decode;
pub mod discovery;
#[cfg(test)]
mod fixture;
pub mod meta;
pub mod openapi;
pub mod patch;
pub mod protobuf;
pub mod selector;
pub mod status;
pub mod table;
