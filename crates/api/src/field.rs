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
        let list: Vec<String> = supported.iter().map(|s| quoted(s)).collect();
        let detail =
            if list.is_empty() { String::new() } else { format!("supported values: {}", list.join(", ")) };
        Self::new(ErrorKind::NotSupported(value.into()), field, detail)
    }

    /// `Too long`; the limit is in bytes.
    pub fn too_long(field: impl Into<String>, limit: usize) -> Self {
        let unit = if limit == 1 { "byte" } else { "bytes" };
        Self::new(ErrorKind::TooLong, field, format!("may not be more than {limit} {unit}"))
    }

    /// `Too many`.
    pub fn too_many(field: impl Into<String>, actual: usize, limit: usize) -> Self {
        let unit = if limit == 1 { "item" } else { "items" };
        Self::new(ErrorKind::TooMany(actual), field, format!("must have at most {limit} {unit}"))
    }

    /// One `Invalid value` for each message.
    pub fn each_invalid(field: &str, value: impl Into<Value>, problems: Vec<String>) -> Vec<Self> {
        let value = value.into();
        problems.into_iter().map(|problem| Self::invalid(field, value.clone(), problem)).collect()
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

/// Values as upstream prints them: texts quoted as Go does, composites as JSON with `<`, `>` and `&` escaped,
/// `null` for an unset pointer.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Array(_) | Value::Object(_) => {
            value.to_string().replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
        }
        plain => plain.to_string(),
    }
}

/// A text as Go's `%q` writes it.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\x0b' => out.push_str("\\v"),
            '\x0c' => out.push_str("\\f"),
            '\0'..='\x1f' | '\x7f' => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// `spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive`
impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.body())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn errors_read_as_kubectl_users_know_them() {
        let check = |error: FieldError, expect: &str| assert_eq!(error.to_string(), expect);
        check(
            FieldError::invalid("spec.ports[0].port", 0, "must be between 1 and 65535, inclusive"),
            "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
        );
        check(FieldError::required("spec.ports", ""), "spec.ports: Required value");
        check(
            FieldError::not_supported("spec.type", "Foo", &["ClusterIP", "NodePort"]),
            r#"spec.type: Unsupported value: "Foo": supported values: "ClusterIP", "NodePort""#,
        );
        check(FieldError::duplicate("a[1]", "x"), r#"a[1]: Duplicate value: "x""#);
        check(FieldError::forbidden("a", "not here"), "a: Forbidden: not here");
        check(FieldError::too_long("a", 1), "a: Too long: may not be more than 1 byte");
        check(FieldError::too_many("a", 9, 8), "a: Too many: 9: must have at most 8 items");
        check(FieldError::invalid("a", json!(["<x>"]), ""), r#"a: Invalid value: ["\u003cx\u003e"]"#);
        check(FieldError::invalid("a", "tab\t\u{1}é\"", ""), r#"a: Invalid value: "tab\t\x01é\"""#);
        check(FieldError::invalid("a", Value::Null, ""), "a: Invalid value: null");
    }
}
