//! A parsed document before it is checked: like a JSON value, but maps keep order and duplicate keys.

use serde_json::{Map, Number, Value};

use super::MAX_PROBLEMS;

/// One value of a document.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Null,
    Bool(bool),
    Number(Number),
    String(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl Node {
    /// A member of a map; of duplicates the last.
    pub fn get(&self, key: &str) -> Option<&Node> {
        match self {
            Self::Map(entries) => entries.iter().rev().find(|(k, _)| k == key).map(|(_, v)| v),
            _ => None,
        }
    }

    /// How error texts name what was found.
    pub fn go_type(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(_) => "bool".to_owned(),
            Self::Number(n) if n.is_f64() => format!("number {n}"),
            Self::Number(_) => "number".to_owned(),
            Self::String(_) => "string".to_owned(),
            Self::List(_) => "array".to_owned(),
            Self::Map(_) => "object".to_owned(),
        }
    }

    pub fn into_value(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(b) => Value::Bool(b),
            Self::Number(n) => Value::Number(n),
            Self::String(s) => Value::String(s),
            Self::List(items) => items.into_iter().map(Self::into_value).collect(),
            Self::Map(entries) => {
                Value::Object(entries.into_iter().map(|(k, v)| (k, v.into_value())).collect::<Map<_, _>>())
            }
        }
    }

    pub fn duplicates(&self) -> Vec<String> {
        let mut found = Vec::new();
        self.find_duplicates("", &mut found);
        found
    }

    fn find_duplicates(&self, path: &str, found: &mut Vec<String>) {
        match self {
            Self::List(items) => {
                for (i, item) in items.iter().enumerate() {
                    item.find_duplicates(&format!("{path}[{i}]"), found);
                }
            }
            Self::Map(entries) => {
                let mut seen = std::collections::BTreeSet::new();
                for (key, value) in entries {
                    let path = join(path, key);
                    if !seen.insert(key) && found.len() < MAX_PROBLEMS {
                        found.push(format!("duplicate field {path:?}"));
                    }
                    value.find_duplicates(&path, found);
                }
            }
            _ => {}
        }
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

impl From<Value> for Node {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(b) => Self::Bool(b),
            Value::Number(n) => Self::Number(n),
            Value::String(s) => Self::String(s),
            Value::Array(items) => Self::List(items.into_iter().map(Self::from).collect()),
            Value::Object(map) => Self::Map(map.into_iter().map(|(k, v)| (k, Self::from(v))).collect()),
        }
    }
}
