//! Checks a document against the schema and brings it into canonical form.

use std::collections::BTreeSet;

use base64::Engine as _;
use portway_api::schema::{Field, Message, Schema, Type};
use serde_json::{Map, Value};

use super::node::Node;
use super::{
    DecodeError, Decoded, MAX_DEPTH, MAX_PROBLEMS, canonical_micro_time, canonical_quantity, canonical_time,
};

pub(super) fn conform(schema: &Schema, message: &str, node: Node) -> Result<Decoded, DecodeError> {
    let Some(message) = schema.message(message) else {
        return Err(DecodeError(format!("no schema for {message}")));
    };
    let mut check = Check { schema, path: String::new(), fields: Vec::new(), depth: 0, problems: Vec::new() };
    let value = match node {
        Node::Map(entries) => check.message(message, entries)?,
        Node::Null => Value::Object(Map::new()),
        other => {
            let found = other.go_type();
            return Err(DecodeError(format!(
                "json: cannot unmarshal {found} into Go value of type {}",
                short(&message.name)
            )));
        }
    };
    Ok(Decoded { value, problems: check.problems })
}

/// Checks a value (the result of a patch) against a message of the schema.
pub fn conform_value(schema: &Schema, message: &str, value: Value) -> Result<Decoded, DecodeError> {
    conform(schema, message, Node::from(value))
}

struct Check<'s> {
    schema: &'s Schema,
    /// Path for unknown and duplicate fields: `spec.ports[0].nodeProt`.
    path: String,
    /// Message and field names from the root, for type errors, which name no index.
    fields: Vec<(&'s str, &'s str)>,
    depth: usize,
    problems: Vec<String>,
}

impl<'s> Check<'s> {
    fn message(&mut self, message: &'s Message, entries: Vec<(String, Node)>) -> Result<Value, DecodeError> {
        if self.depth > MAX_DEPTH {
            return Err(DecodeError("exceeded max depth".to_owned()));
        }
        self.depth += 1;
        let mut map = Map::new();
        let mut seen = BTreeSet::new();
        for (name, node) in entries {
            let Some(field) = message.field(&name) else {
                self.problem("unknown", &name);
                continue;
            };
            if !seen.insert(field.name.as_str()) {
                self.problem("duplicate", &name);
                map.remove(&name);
            }
            let length = self.enter(&name);
            self.fields.push((&message.name, &field.name));
            if let Some(value) = self.field(field, node)? {
                map.insert(name, value);
            }
            self.fields.pop();
            self.path.truncate(length);
        }
        self.depth -= 1;
        Ok(Value::Object(map))
    }

    /// `None` leaves the field out: null is the same as absent.
    fn field(&mut self, field: &'s Field, node: Node) -> Result<Option<Value>, DecodeError> {
        if node == Node::Null && field.ty != Type::Any {
            return Ok(None);
        }
        self.value(&field.ty, node).map(Some)
    }

    fn value(&mut self, ty: &'s Type, node: Node) -> Result<Value, DecodeError> {
        Ok(match (ty, node) {
            (Type::Any, node) => node.into_value(),
            (_, Node::Null) => zero(ty),
            (Type::Message(name), Node::Map(entries)) => match self.schema.message(name) {
                Some(message) => self.message(message, entries)?,
                None => Node::Map(entries).into_value(),
            },
            (Type::List(element), Node::List(items)) => self.list(element, items)?,
            (Type::Map(element), Node::Map(entries)) => self.map(element, entries)?,
            (Type::String, Node::String(text)) => Value::String(text),
            (Type::Bool, Node::Bool(b)) => Value::Bool(b),
            (Type::Int32, Node::Number(n)) if n.as_i64().is_some_and(|n| i32::try_from(n).is_ok()) => {
                Value::Number(n)
            }
            (Type::Int64, Node::Number(n)) if n.is_i64() => Value::Number(n),
            (Type::Double, Node::Number(n)) => Value::Number(n),
            (Type::Int32 | Type::Int64, Node::Number(n)) => {
                return Err(self.wrong(&format!("number {n}"), ty));
            }
            (Type::IntOrString, Node::String(text)) => Value::String(text),
            (Type::IntOrString, Node::Number(n)) if n.as_i64().is_some_and(|n| i32::try_from(n).is_ok()) => {
                Value::Number(n)
            }
            (Type::IntOrString, Node::Number(n)) => return Err(wrong_value(&format!("number {n}"), "int32")),
            (Type::IntOrString, other) => return Err(wrong_value(&other.go_type(), "int32")),
            (Type::Bytes, Node::String(text)) => Value::String(base64_text(text)?),
            (Type::Time, Node::String(text)) => Value::String(canonical_time(&text).map_err(DecodeError)?),
            (Type::MicroTime, Node::String(text)) => {
                Value::String(canonical_micro_time(&text).map_err(DecodeError)?)
            }
            (Type::Time | Type::MicroTime, other) => return Err(wrong_value(&other.go_type(), "string")),
            (Type::Quantity, node) => Value::String(quantity(node)?),
            (ty, other) => return Err(self.wrong(&other.go_type(), ty)),
        })
    }

    fn list(&mut self, element: &'s Type, items: Vec<Node>) -> Result<Value, DecodeError> {
        let mut list = Vec::with_capacity(items.len());
        for (i, item) in items.into_iter().enumerate() {
            let length = self.path.len();
            self.path.push_str(&format!("[{i}]"));
            list.push(self.value(element, item)?);
            self.path.truncate(length);
        }
        Ok(Value::Array(list))
    }

    fn map(&mut self, element: &'s Type, entries: Vec<(String, Node)>) -> Result<Value, DecodeError> {
        let mut map = Map::new();
        for (key, item) in entries {
            if map.contains_key(&key) {
                self.problem("duplicate", &key);
            }
            let length = self.enter(&key);
            let value = self.value(element, item)?;
            self.path.truncate(length);
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }

    /// Adds a name to the path; returns the length to cut it back to.
    fn enter(&mut self, name: &str) -> usize {
        let length = self.path.len();
        if length > 0 {
            self.path.push('.');
        }
        self.path.push_str(name);
        length
    }

    fn problem(&mut self, what: &str, name: &str) {
        let length = self.enter(name);
        let text = format!("{what} field {:?}", self.path);
        self.path.truncate(length);
        if self.problems.len() < MAX_PROBLEMS && !self.problems.contains(&text) {
            self.problems.push(text);
        }
    }

    fn wrong(&self, found: &str, wanted: &Type) -> DecodeError {
        let names: Vec<&str> = self.fields.iter().map(|(_, field)| *field).collect();
        let message =
            self.fields.last().map_or("", |(message, _)| message.rsplit('.').next().unwrap_or(message));
        DecodeError(format!(
            "json: cannot unmarshal {found} into Go struct field {message}.{} of type {}",
            names.join("."),
            go_type(wanted)
        ))
    }
}

fn wrong_value(found: &str, wanted: &str) -> DecodeError {
    DecodeError(format!("json: cannot unmarshal {found} into Go value of type {wanted}"))
}

/// What a null element of a list or map means.
fn zero(ty: &Type) -> Value {
    match ty {
        Type::String | Type::Bytes => Value::from(""),
        Type::Bool => Value::from(false),
        Type::Int32 | Type::Int64 | Type::Double | Type::IntOrString => Value::from(0),
        Type::Quantity => Value::from("0"),
        Type::Message(_) | Type::Map(_) => Value::Object(Map::new()),
        Type::List(_) => Value::Array(Vec::new()),
        Type::Time | Type::MicroTime | Type::Any => Value::Null,
    }
}

fn quantity(node: Node) -> Result<String, DecodeError> {
    let text = match node {
        Node::String(text) => text,
        Node::Number(n) => n.to_string(),
        other => other.go_type(),
    };
    canonical_quantity(&text).map_err(|e| DecodeError(e.to_owned()))
}

/// base64 without line breaks.
fn base64_text(text: String) -> Result<String, DecodeError> {
    let text = if text.contains(['\r', '\n']) { text.replace(['\r', '\n'], "") } else { text };
    match base64::engine::general_purpose::STANDARD.decode(&text) {
        Ok(_) => Ok(text),
        Err(error) => {
            let at = match error {
                base64::DecodeError::InvalidByte(at, _)
                | base64::DecodeError::InvalidLastSymbol { offset: at, .. } => at,
                _ => text.len(),
            };
            Err(DecodeError(format!("illegal base64 data at input byte {at}")))
        }
    }
}

/// The type in the words of upstream's errors.
fn go_type(ty: &Type) -> String {
    match ty {
        Type::String | Type::Time | Type::MicroTime => "string".to_owned(),
        Type::Bool => "bool".to_owned(),
        Type::Int32 | Type::IntOrString => "int32".to_owned(),
        Type::Int64 => "int64".to_owned(),
        Type::Double => "float64".to_owned(),
        Type::Bytes => "[]uint8".to_owned(),
        Type::Quantity => "resource.Quantity".to_owned(),
        Type::Any => "interface {}".to_owned(),
        Type::Message(name) => short(name),
        Type::List(element) => format!("[]{}", go_type(element)),
        Type::Map(element) => format!("map[string]{}", go_type(element)),
    }
}

/// `v1.ServicePort` of `io.k8s.api.core.v1.ServicePort`.
fn short(name: &str) -> String {
    let mut parts = name.rsplitn(3, '.');
    match (parts.next(), parts.next()) {
        (Some(name), Some(version)) => format!("{version}.{name}"),
        _ => name.to_owned(),
    }
}
