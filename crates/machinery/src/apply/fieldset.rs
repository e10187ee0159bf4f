//! Sets of fields: which parts of an object a manager owns.
//!
//! A set is a tree. Its edges are path elements in the text form of `fieldsV1`: `f:NAME`, `k:{KEYS}` for an
//! element of a keyed list, `v:VALUE` for one of a set, `i:N` for an index.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::decode::MAX_DEPTH;

/// A set of fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSet {
    /// The field at this node is in the set.
    pub member: bool,
    /// Below it.
    pub children: BTreeMap<String, FieldSet>,
}

impl FieldSet {
    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        !self.member && self.children.values().all(Self::is_empty)
    }

    /// The node of a path, made if absent.
    pub fn at(&mut self, element: &str) -> &mut Self {
        self.children.entry(element.to_owned()).or_default()
    }

    /// Everything in either.
    #[must_use]
    pub fn union(mut self, other: &Self) -> Self {
        self.member |= other.member;
        for (element, theirs) in &other.children {
            let own = self.children.remove(element).unwrap_or_default();
            self.children.insert(element.clone(), own.union(theirs));
        }
        self
    }

    /// What is not in the other.
    #[must_use]
    pub fn difference(mut self, other: &Self) -> Self {
        self.member &= !other.member;
        for (element, theirs) in &other.children {
            if let Some(own) = self.children.remove(element) {
                let rest = own.difference(theirs);
                if !rest.is_empty() {
                    self.children.insert(element.clone(), rest);
                }
            }
        }
        self
    }

    /// What is in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let children = self.children.iter().filter_map(|(element, own)| {
            let both = own.intersection(other.children.get(element)?);
            (!both.is_empty()).then(|| (element.clone(), both))
        });
        Self { member: self.member && other.member, children: children.collect() }
    }

    /// Without the fields at and below a path of names.
    pub fn remove_below(&mut self, path: &[&str]) {
        match path {
            [] => {}
            [last] => {
                self.children.remove(&format!("f:{last}"));
            }
            [first, rest @ ..] => {
                let element = format!("f:{first}");
                if let Some(child) = self.children.get_mut(&element) {
                    child.remove_below(rest);
                    if child.is_empty() {
                        self.children.remove(&element);
                    }
                }
            }
        }
    }

    /// Without the one field at a path of names; what is below it stays.
    pub fn remove_field(&mut self, path: &[&str]) {
        match path {
            [] => self.member = false,
            [first, rest @ ..] => {
                let element = format!("f:{first}");
                if let Some(child) = self.children.get_mut(&element) {
                    child.remove_field(rest);
                    if child.is_empty() {
                        self.children.remove(&element);
                    }
                }
            }
        }
    }

    /// The fields as people read them: `.spec.ports[port=80,protocol="TCP"].name`.
    pub fn paths(&self) -> Vec<String> {
        let mut found = Vec::new();
        self.collect("", &mut found);
        found
    }

    fn collect(&self, path: &str, found: &mut Vec<String>) {
        if self.member && !path.is_empty() {
            found.push(path.to_owned());
        }
        for (element, child) in &self.children {
            child.collect(&format!("{path}{}", shown(element)), found);
        }
    }

    /// The `fieldsV1` form.
    pub fn to_value(&self) -> Value {
        let mut map = Map::new();
        for (element, child) in &self.children {
            let mut inner = child.to_value();
            if let Value::Object(inner) = &mut inner
                && child.member
                && !child.children.is_empty()
            {
                inner.insert(".".to_owned(), Value::Object(Map::new()));
            }
            map.insert(element.clone(), inner);
        }
        Value::Object(map)
    }

    /// Reads the `fieldsV1` form; `None` if it is none.
    pub fn from_value(value: &Value) -> Option<Self> {
        let mut set = Self::read(value, 0)?;
        // The object itself is not a field.
        set.member = false;
        Some(set)
    }

    fn read(value: &Value, depth: usize) -> Option<Self> {
        let map = value.as_object().filter(|_| depth <= MAX_DEPTH)?;
        let mut set = Self { member: map.is_empty(), children: BTreeMap::new() };
        for (element, inner) in map {
            if element == "." {
                set.member = true;
            } else {
                set.children.insert(canonical(element)?, Self::read(inner, depth + 1)?);
            }
        }
        Some(set)
    }
}

/// A path element with its JSON in canonical form; `None` if it is none.
fn canonical(element: &str) -> Option<String> {
    let (kind, rest) = element.split_once(':')?;
    match kind {
        "f" => Some(element.to_owned()),
        "i" => rest.parse::<i64>().ok().map(|_| element.to_owned()),
        "v" => Some(format!("v:{}", serde_json::from_str::<Value>(rest).ok()?)),
        "k" => Some(format!("k:{}", Value::Object(serde_json::from_str::<Map<String, Value>>(rest).ok()?))),
        _ => None,
    }
}

fn shown(element: &str) -> String {
    let (kind, rest) = element.split_once(':').unwrap_or(("f", element));
    match kind {
        "i" => format!("[{rest}]"),
        "v" => format!("[={rest}]"),
        "k" => {
            let keys: Map<String, Value> = serde_json::from_str(rest).unwrap_or_default();
            let pairs: Vec<String> = keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
            format!("[{}]", pairs.join(","))
        }
        _ => format!(".{rest}"),
    }
}
