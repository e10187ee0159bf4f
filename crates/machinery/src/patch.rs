//! Patches: JSON patch, merge patch, strategic merge patch.
//!
//! Each makes a new value of an object as a GET shows it. The result is not checked here: the caller decodes
//! it against the schema ([`crate::decode::conform_value`]) and validates it like any other write.

pub mod json;
pub mod merge;
pub mod strategic;

use portway_api::schema::Schema;
use serde_json::Value;

use crate::decode::{self, Format};
use crate::status::Status;

/// The patch formats that change an object in place (server-side apply is another thing).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchKind {
    /// `application/json-patch+json`, RFC 6902.
    Json,
    /// `application/merge-patch+json`, RFC 7386.
    Merge,
    /// `application/strategic-merge-patch+json`.
    Strategic,
}

impl PatchKind {
    /// The kind for a media type (without parameters).
    pub fn from_media_type(media_type: &str) -> Option<Self> {
        Some(match media_type {
            "application/json-patch+json" => Self::Json,
            "application/merge-patch+json" => Self::Merge,
            "application/strategic-merge-patch+json" => Self::Strategic,
            _ => return None,
        })
    }
}

/// A patch that does nothing, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// The body is no patch of this kind: 400 BadRequest.
    #[error("{0}")]
    Malformed(String),
    /// It does not fit the object (missing path, failed test): 422 without causes.
    #[error("{0}")]
    Inapplicable(String),
    /// Too many operations or too much copied: 413.
    #[error("{0}")]
    TooLarge(String),
}

impl From<PatchError> for Status {
    fn from(error: PatchError) -> Self {
        match error {
            PatchError::Malformed(text) => Self::bad_request(text),
            PatchError::Inapplicable(_) => Self::unprocessable(),
            PatchError::TooLarge(text) => Self {
                code: 413,
                reason: "RequestEntityTooLarge",
                message: text,
                details: None,
                resume: None,
            },
        }
    }
}

/// A patch read from a request body, to be applied as often as a conflict asks for it.
#[derive(Clone, Debug)]
pub struct Patch {
    kind: PatchKind,
    body: Value,
    /// `duplicate field "a.b"` for each duplicate key of the patch itself.
    pub problems: Vec<String>,
}

impl Patch {
    /// Reads a body.
    pub fn parse(kind: PatchKind, body: &[u8]) -> Result<Self, PatchError> {
        let document = decode::parse(Format::Json, body)
            .map_err(|e| PatchError::Malformed(format!("error decoding patch: {}", e.0)))?;
        let problems = document.duplicates();
        let body = document.into_value();
        if kind == PatchKind::Json {
            json::check(&body)?;
        } else if !body.is_object() {
            return Err(PatchError::Malformed(
                "error decoding patch: the patch is not a JSON object".to_owned(),
            ));
        }
        Ok(Self { kind, body, problems })
    }

    /// Applies it to an object of this schema message.
    pub fn apply(&self, schema: &Schema, message: &str, object: &Value) -> Result<Value, PatchError> {
        match self.kind {
            PatchKind::Json => json::apply(object.clone(), &self.body),
            PatchKind::Merge => Ok(merge::apply(object.clone(), self.body.clone())),
            PatchKind::Strategic => strategic::apply(schema, message, object.clone(), self.body.clone()),
        }
    }

    /// `metadata.resourceVersion` of the patch, which makes a conflict final.
    pub fn resource_version(&self) -> Option<&str> {
        match &self.body {
            Value::Array(operations) => operations.iter().find_map(|operation| {
                let path = operation.get("path")?.as_str()?;
                let value = operation.get("value")?.as_str()?;
                (path == "/metadata/resourceVersion").then_some(value)
            }),
            body => body.get("metadata")?.get("resourceVersion")?.as_str(),
        }
    }
}
