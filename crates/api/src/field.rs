//! Field errors, in the words kubectl users know.

use std::fmt;

use serde_json::Value;

/// What is wrong with a field; upstream's `field.ErrorType`.
#[derive(Clone, Debug, PartialEq)]
pub enum ErrorKind {
    /// `Required value`.
    Required,
    /// `Invalid value: VALUE`.
    Invalid(Value),
    /// `Unsupported value: VALUE`.
    NotSupported(Value),
    /// `Duplicate value: VALUE`.
    Duplicate(Value),
    /// `Forbidden`.
    Forbidden,
    /// `Too long` (the detail gives the limit).
    TooLong,
    /// `Too many: ACTUAL`.
    TooMany(usize),
    /// `Not found: VALUE`.
    NotFound(Value),
    /// `Internal error`.
    Internal,
    /// `Invalid value: VALUE` for a value of the wrong type.
    TypeInvalid(Value),
}

impl ErrorKind {
    /// The `reason` of a `StatusCause`.
    pub const fn cause(&self) -> &'static str {
        match self {
            Self::Required => "FieldValueRequired",
            Self::Invalid(_) => "FieldValueInvalid",
            Self::NotSupported(_) => "FieldValueNotSupported",
            Self::Duplicate(_) => "FieldValueDuplicate",
            Self::Forbidden => "FieldValueForbidden",
            Self::TooLong => "FieldValueTooLong",
            Self::TooMany(_) => "FieldValueTooMany",
            Self::NotFound(_) => "FieldValueNotFound",
            Self::Internal => "InternalError",
            Self::TypeInvalid(_) => "FieldValueTypeInvalid",
        }
    }
}

/// One thing wrong with one field.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldError {
    /// What is wrong.
    pub kind: ErrorKind,
    /// Path as users write it: `spec.ports[0].port`, `metadata.labels`, `spec.selector[app]`.
    pub field: String,
    /// What would be right; may be empty.
    pub detail: String,
}

impl FieldError {
    /// An error of `kind` at `field`.
    pub fn new(kind: ErrorKind, field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { kind, field: field.into(), detail: detail.into() }
    }

    /// `Invalid value`.
    pub fn invalid(field: impl Into<String>, value: impl Into<Value>, detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid(value.into()), field, detail)
    }

    /// `Required value`.
    pub fn required(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::Required, field, detail)
    }

    /// `Forbidden`.
    pub fn forbidden(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::Forbidden, field, detail)
    }

    /// `Duplicate value`.
    pub fn duplicate(field: impl Into<String>, value: impl Into<Value>) -> Self {
        Self::new(ErrorKind::Duplicate(value.into()), field, "")
    }

    /// `Unsupported value`, listing the supported ones in the order given.
    pub fn not_supported(field: impl Into<String>, value: impl Into<Value>, supported: &[&str]) -> Self {
        let list: Vec<String> = supported.iter().map(|s| format!("{s:?}")).collect();
        let detail =
            if list.is_empty() { String::new() } else { format!("supported values: {}", list.join(", ")) };
        Self::new(ErrorKind::NotSupported(value.into()), field, detail)
    }

    /// The text without the path, as a `StatusCause` message has it.
    pub fn body(&self) -> String {
        let head = match &self.kind {
            ErrorKind::Required => "Required value".to_owned(),
            ErrorKind::Invalid(v) | ErrorKind::TypeInvalid(v) => format!("Invalid value: {}", shown(v)),
            ErrorKind::NotSupported(v) => format!("Unsupported value: {}", shown(v)),
            ErrorKind::Duplicate(v) => format!("Duplicate value: {}", shown(v)),
            ErrorKind::Forbidden => "Forbidden".to_owned(),
            ErrorKind::TooLong => "Too long".to_owned(),
            ErrorKind::TooMany(actual) => format!("Too many: {actual}"),
            ErrorKind::NotFound(v) => format!("Not found: {}", shown(v)),
            ErrorKind::Internal => "Internal error".to_owned(),
        };
        if self.detail.is_empty() { head } else { format!("{head}: {}", self.detail) }
    }
}

/// Values as upstream prints them: strings quoted, `null` for an unset pointer, composites as JSON.
fn shown(value: &Value) -> String {
    value.to_string()
}

/// `spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive`
impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.body())
    }
}
