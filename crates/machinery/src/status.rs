//! The Status object: how a request that ends without an object is answered.
//!
//! One constructor for each thing that can go wrong, in the API's words. Must not know HTTP beyond the code.

mod errors;
#[cfg(test)]
mod tests;

use std::fmt;

use serde_json::{Map, Value, json};

pub use errors::Subject;

/// An answer of kind `Status`; usable as an error type.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// HTTP status code; also tells success from failure.
    pub code: u16,
    /// One word for programs; empty where upstream sends none.
    pub reason: &'static str,
    /// For people.
    pub message: String,
    /// What it is about. `Some` of an empty value is written as `{}`.
    pub details: Option<Box<Details>>,
    /// `metadata.continue` of an expired list that can go on inconsistently.
    pub resume: Option<Box<str>>,
}

/// `details` of a Status.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Details {
    /// Name of the object.
    pub name: String,
    /// API group; empty for core.
    pub group: String,
    /// The resource (`services`), or for validation errors the kind (`Service`).
    pub kind: String,
    /// UID of a deleted object.
    pub uid: String,
    /// The single problems.
    pub causes: Vec<Cause>,
    /// When to try again; 0 = not said.
    pub retry_after_seconds: u32,
}

/// One problem out of several.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cause {
    /// `FieldValueInvalid`, ...; may be empty.
    pub reason: String,
    /// For people.
    pub message: String,
    /// Path of the field; may be empty.
    pub field: String,
}

impl Status {
    /// Whether the request did what was asked.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// `Retry-After`, in seconds.
    pub fn retry_after(&self) -> Option<u32> {
        self.details.as_ref().map(|d| d.retry_after_seconds).filter(|s| *s > 0)
    }

    /// The JSON body.
    pub fn to_value(&self) -> Value {
        let mut body = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": if self.is_success() { "Success" } else { "Failure" },
        });
        if let Some(resume) = &self.resume {
            body["metadata"]["continue"] = Value::from(resume.as_ref());
        }
        if !self.message.is_empty() {
            body["message"] = Value::from(self.message.as_str());
        }
        if !self.reason.is_empty() {
            body["reason"] = Value::from(self.reason);
        }
        if let Some(details) = &self.details {
            body["details"] = details.to_value();
        }
        if !self.is_success() {
            body["code"] = Value::from(self.code);
        }
        body
    }
}

impl Details {
    fn to_value(&self) -> Value {
        let mut map = Map::new();
        texts(
            &mut map,
            [("name", &self.name), ("group", &self.group), ("kind", &self.kind), ("uid", &self.uid)],
        );
        if !self.causes.is_empty() {
            map.insert("causes".to_owned(), self.causes.iter().map(Cause::to_value).collect());
        }
        if self.retry_after_seconds > 0 {
            map.insert("retryAfterSeconds".to_owned(), Value::from(self.retry_after_seconds));
        }
        Value::Object(map)
    }
}

impl Cause {
    fn to_value(&self) -> Value {
        let mut map = Map::new();
        texts(&mut map, [("reason", &self.reason), ("message", &self.message), ("field", &self.field)]);
        Value::Object(map)
    }
}

fn texts<const N: usize>(map: &mut Map<String, Value>, fields: [(&str, &String); N]) {
    for (name, text) in fields {
        if !text.is_empty() {
            map.insert(name.to_owned(), Value::from(text.as_str()));
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Status {}
