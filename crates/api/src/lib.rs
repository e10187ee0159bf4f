//! The Kubernetes API as Portway serves it: types, schema, defaults, validation, columns, one file a kind.
//!
//! Pure values. Must not know HTTP, the store, or async. The three views of one object:
//! - [`schema`]: what fields exist, for decoding, patching, apply, OpenAPI and protobuf; covers every field.
//! - [`kinds`]: the registry; how a kind is named, defaulted, validated and printed, on JSON values.
//! - [`types`]: slim typed views for the code that computes with objects. They read what that code needs;
//!   objects are never stored through them, so nothing a client wrote is lost.
#![forbid(unsafe_code)]

pub mod field;
pub mod kinds;
pub mod quantity;
pub mod schema;
pub mod types;

pub use types::{Object, ObjectMeta};
