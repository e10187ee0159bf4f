//! Request bodies: text to JSON values, checked against the schema.
//!
//! Two steps. [`parse`] reads JSON or YAML into a [`Document`], which still has duplicate keys and the order
//! of the text. [`Document::conform`] checks it against a message of the schema: types, ranges, unknown and
//! duplicate fields, one canonical form for times and quantities. [`object`] does both for a request and
//! words the errors. Must not know defaults or validation rules of kinds.

mod conform;
mod json;
mod node;
mod quantity;
mod scalar;
mod time;
mod yaml;

#[cfg(test)]
mod tests;

use portway_api::field::FieldError;
use portway_api::schema::Schema;
use serde_json::Value;

use crate::status::{Status, Subject};
pub use conform::conform_value;
use node::Node;
pub use quantity::canonical as canonical_quantity;
pub use time::{canonical_micro_time, canonical_time};

/// Deepest nesting of a body, and of anything a patch makes of it. Everything that walks values recursively
/// relies on it. Upstream allows more, but no object comes near.
pub const MAX_DEPTH: usize = 120;

/// Most bytes of a request body.
pub const MAX_BODY: usize = 3 * 1024 * 1024;

/// How many unknown or duplicate fields are reported.
const MAX_PROBLEMS: usize = 100;

/// Syntax of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `application/json`.
    Json,
    /// `application/yaml`.
    Yaml,
}

/// A body that cannot be read, or does not fit the schema: 400 BadRequest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DecodeError(pub String);

/// A parsed body, not yet checked.
#[derive(Clone, Debug)]
pub struct Document(Node);

/// A body that fits the schema.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// Without unknown fields and nulls; of duplicate fields the last. Zeros are kept:
    /// [`Schema::normalize`] knows which of them mean nothing.
    pub value: Value,
    /// `unknown field "spec.zz"`, `duplicate field "spec.type"`, in the order of the text.
    pub problems: Vec<String>,
}

/// Reads a body. Never panics, never recurses deeper than [`MAX_DEPTH`].
pub fn parse(format: Format, body: &[u8]) -> Result<Document, DecodeError> {
    match format {
        Format::Json => json::parse(body),
        Format::Yaml => yaml::parse(body),
    }
    .map(Document)
}

impl Document {
    /// A text member of the top level (`kind`, `apiVersion`).
    pub fn text(&self, field: &str) -> Option<&str> {
        match self.0.get(field) {
            Some(Node::String(text)) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// Whether it is an object at all.
    pub fn is_object(&self) -> bool {
        matches!(self.0, Node::Map(_))
    }

    /// Checks against a message of the schema.
    pub fn conform(self, schema: &Schema, message: &str) -> Result<Decoded, DecodeError> {
        conform::conform(schema, message, self.0)
    }

    /// The value as it is, for bodies without a schema (patches); of duplicate keys the last.
    pub fn into_value(self) -> Value {
        self.0.into_value()
    }

    /// `duplicate field "a.b"` for each duplicate key.
    pub fn duplicates(&self) -> Vec<String> {
        self.0.duplicates()
    }
}

/// What a request body has to be.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// API group; empty for core.
    pub group: &'a str,
    /// API version.
    pub version: &'a str,
    /// `Service`.
    pub kind: &'a str,
    /// Full schema name.
    pub message: &'a str,
}

impl<'a> Expected<'a> {
    /// An object of a registered kind.
    pub fn of(kind: &portway_api::kinds::Kind) -> Expected<'static> {
        Expected { group: kind.group, version: kind.version, kind: kind.kind, message: kind.schema }
    }

    /// `v1`, `apps/v1`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_owned()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// 400: `Service in version "v1" cannot be handled as a Service: WHY`.
    pub fn refuse(&self, why: &str) -> Status {
        self.refuse_as(self.kind, self.version, why)
    }

    fn refuse_as(&self, kind: &str, version: &str, why: &str) -> Status {
        Status::bad_request(format!(
            "{kind} in version {version:?} cannot be handled as a {}: {why}",
            self.kind
        ))
    }
}

/// Reads the body of a POST or PUT: parses, checks `apiVersion` and `kind` (absent ones are filled in),
/// checks against the schema.
pub fn object(
    body: &[u8],
    format: Format,
    expected: &Expected<'_>,
    schema: &Schema,
) -> Result<Decoded, Status> {
    let unrecognized = |error: &str| {
        let kind = expected.kind;
        let head = match format {
            Format::Json => "couldn't get version/kind; json parse error: ",
            Format::Yaml => "error converting YAML to JSON: ",
        };
        Status::bad_request(format!(
            "the object provided is unrecognized (must be of type {kind}): {head}{error} ({})",
            summary(body)
        ))
    };
    let document = parse(format, body).map_err(|e| unrecognized(&e.0))?;
    if !document.is_object() {
        return Err(unrecognized(&format!(
            "json: cannot unmarshal {} into Go value of type struct",
            document.0.go_type()
        )));
    }
    if let Node::Map(entries) = &document.0 {
        for name in ["apiVersion", "kind"] {
            let wrong = entries.iter().find(|(k, v)| k == name && !matches!(v, Node::String(_) | Node::Null));
            if let Some((_, node)) = wrong {
                return Err(unrecognized(&format!(
                    "json: cannot unmarshal {} into Go struct field .{name} of type string",
                    node.go_type()
                )));
            }
        }
    }
    let wanted = expected.api_version();
    let version = document.text("apiVersion").unwrap_or(&wanted);
    let kind = document.text("kind").unwrap_or(expected.kind);
    if kind != expected.kind {
        let short = version.rsplit('/').next().unwrap_or(version);
        let why = format!("no kind {kind:?} is registered for version {version:?} as a body of this request");
        return Err(expected.refuse_as(kind, short, &why));
    }
    if version != wanted {
        return Err(Status::bad_request(format!(
            "the API version in the data ({version}) does not match the expected API version ({wanted})"
        )));
    }
    let mut decoded = document.conform(schema, expected.message).map_err(|e| expected.refuse(&e.0))?;
    if let Value::Object(map) = &mut decoded.value {
        map.insert("apiVersion".to_owned(), Value::from(wanted));
        map.insert("kind".to_owned(), Value::from(expected.kind));
    }
    Ok(decoded)
}

/// The first bytes of a body that could not be read, for the error text.
fn summary(body: &[u8]) -> String {
    const LIMIT: usize = 30;
    let head = &body[..body.len().min(LIMIT)];
    let more = if body.len() > LIMIT { " ..." } else { "" };
    match body.first() {
        None => "<empty>".to_owned(),
        Some(b'{') => format!("{}{more}", String::from_utf8_lossy(head)),
        Some(_) => {
            let hex: String = head.iter().map(|b| format!("{b:02x}")).collect();
            format!("{hex}{more}")
        }
    }
}

/// What becomes of unknown and duplicate fields (query parameter `fieldValidation`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FieldValidation {
    /// Dropped silently.
    Ignore,
    /// Dropped, with a `Warning` header each.
    #[default]
    Warn,
    /// Refused.
    Strict,
}

impl FieldValidation {
    /// Reads the query parameter; absent or empty is `Warn`. The error is one of options (422).
    pub fn from_parameter(text: Option<&str>) -> Result<Self, FieldError> {
        match text.unwrap_or("") {
            "" | "Warn" => Ok(Self::Warn),
            "Ignore" => Ok(Self::Ignore),
            "Strict" => Ok(Self::Strict),
            other => Err(FieldError::not_supported("fieldValidation", other, &["Ignore", "Strict", "Warn"])),
        }
    }

    /// The warnings to send along, or the one text of a strict refusal: `strict decoding error: ...`.
    pub fn judge(self, problems: Vec<String>) -> Result<Vec<String>, String> {
        match self {
            Self::Ignore => Ok(Vec::new()),
            Self::Warn => Ok(problems),
            Self::Strict if problems.is_empty() => Ok(problems),
            Self::Strict => Err(format!("strict decoding error: {}", problems.join(", "))),
        }
    }

    /// For the body of a POST or PUT: the object and its warnings, or 400.
    pub fn settle(self, decoded: Decoded, expected: &Expected<'_>) -> Result<(Value, Vec<String>), Status> {
        let warnings = self.judge(decoded.problems).map_err(|why| expected.refuse(&why))?;
        Ok((decoded.value, warnings))
    }

    /// For the result of a patch: the object and its warnings, or 422 with cause `patch`.
    pub fn settle_patch(
        self,
        decoded: Decoded,
        subject: Subject<'_>,
        patch: &[u8],
    ) -> Result<(Value, Vec<String>), Status> {
        let warnings = self
            .judge(decoded.problems)
            .map_err(|why| Status::invalid_patch(subject, &String::from_utf8_lossy(patch), &why))?;
        Ok((decoded.value, warnings))
    }
}
