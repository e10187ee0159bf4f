//! How a value is taken apart for server-side apply, by the schema's list and map types.

use std::collections::BTreeMap;

use portway_api::schema::{Field, Message, Schema, Topology, Type};
use serde_json::{Map, Value};

use super::ApplyError;

/// A value's type, with how it merges.
#[derive(Clone, Copy)]
pub(super) struct Shape<'s> {
    schema: &'s Schema,
    atom: Atom<'s>,
}

#[derive(Clone, Copy)]
enum Atom<'s> {
    /// A scalar, or a list or map owned as a whole.
    Leaf,
    Struct(&'s Message),
    Map(&'s Type),
    Keyed(&'s Type, &'s [String]),
    Set,
}

impl<'s> Shape<'s> {
    pub fn message(schema: &'s Schema, name: &str) -> Self {
        let atom = schema.message(name).map_or(Atom::Leaf, Atom::Struct);
        Self { schema, atom }
    }

    fn field(self, field: &'s Field) -> Self {
        self.of(&field.ty, &field.topology)
    }

    fn of(self, ty: &'s Type, topology: &'s Topology) -> Self {
        let atom = match (ty, topology) {
            (_, Topology::Atomic) => Atom::Leaf,
            (Type::List(element), Topology::ListMap(keys)) => Atom::Keyed(element, keys),
            (Type::List(_), Topology::Set) => Atom::Set,
            (Type::Map(element), _) => Atom::Map(element),
            (Type::Message(name), _) => match self.schema.message(name) {
                Some(message) if !message.atomic => Atom::Struct(message),
                _ => Atom::Leaf,
            },
            _ => Atom::Leaf,
        };
        Self { schema: self.schema, atom }
    }

    pub fn is_leaf(self) -> bool {
        matches!(self.atom, Atom::Leaf)
    }

    /// Whether its values are maps with named members.
    pub fn is_map(self) -> bool {
        matches!(self.atom, Atom::Struct(_) | Atom::Map(_))
    }

    /// A map whose keys are data (labels), not fields.
    pub fn has_free_keys(self) -> bool {
        matches!(self.atom, Atom::Map(_))
    }

    /// The shape of a member of a map.
    pub fn member(self, name: &str) -> Self {
        match self.atom {
            Atom::Struct(message) => match message.field(name) {
                Some(field) => self.field(field),
                None => self.leaf(),
            },
            Atom::Map(element) => self.of(element, &Topology::Default),
            _ => self.leaf(),
        }
    }

    /// The shape of a list's elements.
    pub fn element(self) -> Self {
        match self.atom {
            Atom::Keyed(element, _) => self.of(element, &Topology::Default),
            _ => self.leaf(),
        }
    }

    fn leaf(self) -> Self {
        Self { schema: self.schema, atom: Atom::Leaf }
    }

    /// The path element of a list's element.
    pub fn identity(self, item: &Value) -> Result<String, ApplyError> {
        let Atom::Keyed(_, keys) = self.atom else { return Ok(format!("v:{item}")) };
        let mut map = Map::new();
        for key in keys {
            match item.get(key) {
                Some(value) => map.insert(key.clone(), value.clone()),
                // The one key with a default, in all the lists that have it.
                None if key == "protocol" => map.insert(key.clone(), Value::from("TCP")),
                None => {
                    let text =
                        format!("associative list with keys has an element that omits key field {key:?}");
                    return Err(ApplyError::Typed(text));
                }
            };
        }
        Ok(format!("k:{}", Value::Object(map)))
    }

    /// The parts of a value that are owned by themselves, by path element, in order; more than one if a list
    /// has an element twice. `None` for a leaf, and for a value that is not of its type.
    pub fn parts<'v>(self, value: &'v Value) -> Option<Vec<(String, Shape<'s>, Vec<&'v Value>)>> {
        match value {
            Value::Object(map) if self.is_map() => {
                Some(map.iter().map(|(k, v)| (format!("f:{k}"), self.member(k), vec![v])).collect())
            }
            Value::Array(items) if !self.is_leaf() && !self.is_map() => {
                let mut parts: Vec<(String, Shape<'s>, Vec<&Value>)> = Vec::with_capacity(items.len());
                let mut places = BTreeMap::new();
                for item in items {
                    let identity = self.identity(item).ok()?;
                    let place = *places.entry(identity.clone()).or_insert(parts.len());
                    match parts.get_mut(place) {
                        Some((_, _, same)) => same.push(item),
                        None => parts.push((identity, self.element(), vec![item])),
                    }
                }
                Some(parts)
            }
            _ => None,
        }
    }
}
