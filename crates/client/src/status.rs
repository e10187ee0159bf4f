//! meta/v1 Status: what a server says when it refuses.

use serde::{Deserialize, Serialize};

/// A refusal (or, for deletes, a success) in the server's words.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Status {
    /// `Success` or `Failure`.
    pub status: String,
    /// For people.
    pub message: String,
    /// `NotFound`, `AlreadyExists`, `Conflict`, ...
    pub reason: String,
    /// What it is about.
    pub details: Option<StatusDetails>,
    /// HTTP status code.
    pub code: u16,
}

/// What a [`Status`] is about.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StatusDetails {
    /// Name of the object.
    pub name: String,
    /// Group of the resource.
    pub group: String,
    /// The resource.
    pub kind: String,
    /// UID of the object.
    pub uid: String,
    /// Each thing wrong.
    pub causes: Vec<StatusCause>,
    /// Wait before trying again.
    pub retry_after_seconds: u32,
}

/// One thing wrong.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StatusCause {
    /// `FieldValueInvalid`, `NamespaceTerminating`, ...
    pub reason: String,
    /// For people.
    pub message: String,
    /// Path of the field.
    pub field: String,
}

impl Status {
    /// Some cause has this reason.
    pub fn has_cause(&self, reason: &str) -> bool {
        self.details.iter().flat_map(|d| &d.causes).any(|c| c.reason == reason)
    }
}
