//! Request bodies in protobuf: bytes to JSON values, driven by the schema's field numbers.
//!
//! Clients of the official Go library send typed writes this way. Answers are JSON, which all of them take
//! too. Must not know defaults or validation rules of kinds.

mod message;
mod wire;

#[cfg(test)]
mod tests;

use portway_api::schema::Schema;
use serde_json::Value;

use crate::decode::{Decoded, Expected};
use crate::status::Status;
use wire::{Field, Fields};

/// What an enveloped object starts with.
const MAGIC: &[u8] = b"k8s\0";

/// A body that is no protobuf object; the text says where it stops making sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct WireError(pub &'static str);

/// An opened envelope.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// `v1`; may be empty.
    pub api_version: &'a str,
    /// `Service`; may be empty.
    pub kind: &'a str,
    /// The object in its own message.
    pub raw: &'a [u8],
}

/// Opens the envelope that every object comes in.
pub fn open(body: &[u8]) -> Result<Envelope<'_>, WireError> {
    let unknown =
        body.strip_prefix(MAGIC).ok_or(WireError("the body does not start with the prefix k8s\\0"))?;
    let mut envelope = Envelope::default();
    for entry in Fields::new(unknown) {
        match entry? {
            (1, Field::Bytes(type_meta)) => {
                for entry in Fields::new(type_meta) {
                    match entry? {
                        (1, Field::Bytes(text)) => envelope.api_version = wire::text(text)?,
                        (2, Field::Bytes(text)) => envelope.kind = wire::text(text)?,
                        _ => {}
                    }
                }
            }
            (2, Field::Bytes(raw)) => envelope.raw = raw,
            _ => {}
        }
    }
    Ok(envelope)
}

/// Reads a bare message of the schema. Fields the schema does not know are ignored, as upstream does.
pub fn decode(schema: &Schema, message: &str, raw: &[u8]) -> Result<Value, WireError> {
    let found = schema.message(message).ok_or(WireError("there is no schema for the object"))?;
    let mut value = Value::Object(message::decode(schema, found, raw, 0)?);
    // Plain fields are always on the wire, zero or not: the normal form tells which of them mean something.
    schema.normalize(&mut value, message);
    Ok(value)
}

/// Reads the body of a POST, PUT or DELETE. A kind or version the envelope does not name is the expected one.
pub fn object(body: &[u8], expected: &Expected<'_>, schema: &Schema) -> Result<Decoded, Status> {
    let unrecognized = |error: WireError| {
        Status::bad_request(format!(
            "the object provided is unrecognized (must be of type {}): {error}",
            expected.kind
        ))
    };
    let envelope = open(body).map_err(unrecognized)?;
    let wanted = expected.api_version();
    if !envelope.kind.is_empty() && envelope.kind != expected.kind {
        let why = format!("the body holds a {}", envelope.kind);
        return Err(expected.refuse(&why));
    }
    // Options belong to every group and are sent under the group of the request.
    let options = expected.kind.ends_with("Options");
    if !envelope.api_version.is_empty() && envelope.api_version != wanted && !options {
        return Err(Status::bad_request(format!(
            "the API version in the data ({}) does not match the expected API version ({wanted})",
            envelope.api_version
        )));
    }
    let mut value = decode(schema, expected.message, envelope.raw).map_err(unrecognized)?;
    if let Value::Object(map) = &mut value {
        map.insert("apiVersion".to_owned(), Value::from(wanted));
        map.insert("kind".to_owned(), Value::from(expected.kind));
    }
    Ok(Decoded { value, problems: Vec::new() })
}
