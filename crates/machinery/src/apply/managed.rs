//! `metadata.managedFields`: reading, writing, order, and the limit on entries.

use serde_json::{Map, Value, json};

use super::fieldset::FieldSet;
use crate::meta;

/// Most entries of operation Update; older ones are put together.
const MAX_UPDATES: usize = 10;
const ANCIENT: &str = "ancient-changes";

/// How fields came to belong to a manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Operation {
    Apply,
    Update,
}

/// One entry.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub manager: String,
    pub operation: Operation,
    pub api_version: String,
    pub subresource: String,
    /// RFC 3339; may be empty.
    pub time: String,
    pub fields: FieldSet,
}

impl Entry {
    /// Whether both speak for one manager: an applier does in any version.
    pub fn is_of(&self, other: &Self) -> bool {
        (&self.manager, self.operation, &self.subresource)
            == (&other.manager, other.operation, &other.subresource)
            && (self.operation == Operation::Apply || self.api_version == other.api_version)
    }

    /// As conflicts name it: `"m" with subresource "status" using v1`.
    pub fn shown(&self) -> String {
        let mut text = format!("{:?}", self.manager);
        if !self.subresource.is_empty() {
            text.push_str(&format!(" with subresource {:?}", self.subresource));
        }
        if self.operation == Operation::Update {
            text.push_str(&format!(" using {}", self.api_version));
        }
        text
    }

    fn read(value: &Value) -> Option<Self> {
        let text = |field: &str| value.get(field).and_then(Value::as_str).unwrap_or("").to_owned();
        let operation = match text("operation").as_str() {
            "Apply" => Operation::Apply,
            "Update" => Operation::Update,
            _ => return None,
        };
        if text("fieldsType") != "FieldsV1" || text("apiVersion").is_empty() {
            return None;
        }
        Some(Self {
            manager: text("manager"),
            operation,
            api_version: text("apiVersion"),
            subresource: text("subresource"),
            time: text("time"),
            fields: FieldSet::from_value(value.get("fieldsV1").unwrap_or(&Value::Object(Map::new())))?,
        })
    }

    fn write(&self) -> Value {
        let mut value = json!({
            "manager": self.manager,
            "operation": match self.operation { Operation::Apply => "Apply", Operation::Update => "Update" },
            "apiVersion": self.api_version,
            "fieldsType": "FieldsV1",
            "fieldsV1": self.fields.to_value(),
        });
        for (name, text) in [("time", &self.time), ("subresource", &self.subresource)] {
            if !text.is_empty() {
                value[name] = json!(text);
            }
        }
        value
    }
}

/// What a request says about managed fields.
pub(super) enum Sent {
    /// Nothing, or nothing that can be read.
    Nothing,
    /// `[{}]`: forget them.
    Reset,
    Entries(Vec<Entry>),
}

pub(super) fn sent(object: &Value) -> Sent {
    let list = object.get("metadata").and_then(|m| m.get("managedFields")).and_then(Value::as_array);
    match list.map(Vec::as_slice) {
        None | Some([]) => Sent::Nothing,
        Some([Value::Object(one)]) if one.is_empty() => Sent::Reset,
        Some(entries) => match entries.iter().map(Entry::read).collect::<Option<Vec<_>>>() {
            Some(entries) => Sent::Entries(entries),
            None => Sent::Nothing,
        },
    }
}

pub(super) fn stored(object: &Value) -> Vec<Entry> {
    match sent(object) {
        Sent::Entries(entries) => entries,
        _ => Vec::new(),
    }
}

/// Writes the entries into an object; none removes the field.
pub(super) fn write(object: &mut Value, mut entries: Vec<Entry>) {
    entries.retain(|entry| !entry.fields.is_empty());
    cap(&mut entries);
    sort(&mut entries);
    if entries.is_empty() {
        meta::remove(object, "managedFields");
    } else {
        let list: Vec<Value> = entries.iter().map(Entry::write).collect();
        meta::set(object, "managedFields", list);
    }
}

fn sort(entries: &mut [Entry]) {
    entries.sort_by(|a, b| {
        (a.operation, &a.time, &a.manager, &a.api_version, &a.subresource).cmp(&(
            b.operation,
            &b.time,
            &b.manager,
            &b.api_version,
            &b.subresource,
        ))
    });
}

/// Puts the oldest updates together when there are too many.
fn cap(entries: &mut Vec<Entry>) {
    let updates = entries.iter().filter(|e| e.operation == Operation::Update).count();
    let Some(excess) = updates.checked_sub(MAX_UPDATES).filter(|n| *n > 0) else { return };
    sort(entries);
    // The ones put together take one place, or one for each version.
    let mut left = excess + 1;
    let mut kept: Vec<Entry> = Vec::with_capacity(entries.len());
    let mut ancient: Vec<Entry> = Vec::new();
    for entry in entries.drain(..) {
        if entry.operation == Operation::Apply || left == 0 {
            kept.push(entry);
            continue;
        }
        left -= 1;
        match ancient.iter_mut().find(|a| a.api_version == entry.api_version) {
            Some(together) => {
                together.fields = std::mem::take(&mut together.fields).union(&entry.fields);
                together.time = entry.time.clone();
            }
            None => ancient.push(Entry { manager: ANCIENT.to_owned(), subresource: String::new(), ..entry }),
        }
    }
    kept.extend(ancient);
    *entries = kept;
}
