//! The schema of every API type, as data.
//!
//! Read from the text tables under `schema/`, once, on first use. Everything that has to know the fields of
//! an object is driven by it: strict decoding, strategic merge patch, server-side apply, OpenAPI, protobuf.

mod normal;
mod parse;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;

pub use parse::ParseError;

/// The tables, in the order they are read.
const TABLES: &[(&str, &str)] = &[
    ("meta", include_str!("../schema/meta.schema")),
    ("core", include_str!("../schema/core.schema")),
    ("service", include_str!("../schema/service.schema")),
    ("pod", include_str!("../schema/pod.schema")),
    ("container", include_str!("../schema/container.schema")),
    ("volume", include_str!("../schema/volume.schema")),
    ("node", include_str!("../schema/node.schema")),
    ("apps", include_str!("../schema/apps.schema")),
    ("autoscaling", include_str!("../schema/autoscaling.schema")),
    ("discovery", include_str!("../schema/discovery.schema")),
    ("networking", include_str!("../schema/networking.schema")),
    ("coordination", include_str!("../schema/coordination.schema")),
    ("events", include_str!("../schema/events.schema")),
    ("authentication", include_str!("../schema/authentication.schema")),
    ("authorization", include_str!("../schema/authorization.schema")),
];

/// The schema of every type Portway serves.
///
/// The tables are part of the program and a test parses them, so this cannot fail in a tested build; a
/// broken table stops the program here rather than leave fields out of every object it reads.
pub fn schema() -> &'static Schema {
    static SCHEMA: LazyLock<Schema> = LazyLock::new(|| match Schema::parse(TABLES) {
        Ok(schema) => schema,
        Err(error) => panic!("built-in schema: {error}"),
    });
    &SCHEMA
}

/// All types, by full name (`io.k8s.api.core.v1.Service`).
#[derive(Debug, Default)]
pub struct Schema {
    /// The messages.
    pub messages: BTreeMap<String, Message>,
}

impl Schema {
    /// Reads tables, each with a name for its errors. All or nothing: no message, field or line is skipped.
    pub fn parse(tables: &[(&str, &str)]) -> Result<Self, ParseError> {
        parse::parse(tables)
    }

    /// Brings an object of message `name` into the form upstream writes: zeros that mean nothing are left out,
    /// fields that are always written are there, times are UTC,
    /// quantities canonical. Idempotent. Unknown fields stay as they are,
    /// and so does a value of a wrong type (decoding refuses both).
    pub fn normalize(&self, value: &mut Value, name: &str) {
        if let Some(message) = self.message(name) {
            normal::message(self, value, message);
        }
    }

    /// The message of this full name.
    pub fn message(&self, name: &str) -> Option<&Message> {
        self.messages.get(name)
    }
}

/// One object type.
#[derive(Debug, Default)]
pub struct Message {
    /// Full name (`io.k8s.api.core.v1.ServicePort`).
    pub name: String,
    /// One or more sentences for `kubectl explain`.
    pub doc: String,
    /// Server-side apply replaces it as a whole wherever it stands (`x-kubernetes-map-type: atomic`).
    pub atomic: bool,
    /// Fields in declaration order.
    pub fields: Vec<Field>,
}

impl Message {
    /// The field with this JSON name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|f| f.name == name)
    }
}

/// One field of a message.
#[derive(Debug)]
pub struct Field {
    /// JSON name.
    pub name: String,
    /// Protobuf field number; 0 where there is none.
    pub number: u32,
    /// Protobuf number of the message this field is wrapped in, where JSON inlines what protobuf nests
    /// (`Volume.emptyDir` is field 2 of the message at field 2); 0 where it is not wrapped.
    pub wrapper: u32,
    /// Its type.
    pub ty: Type,
    /// Presence is told from the zero value: a `0`, `""` or `{}` that was sent is kept, and is written in
    /// protobuf. Without it a zero is the same as absent.
    pub optional: bool,
    /// The JSON form always has it, as a zero value when unset (`null` for lists, maps, times and `optional`
    /// fields, `{}` for messages). A `required` field always has this.
    pub always: bool,
    /// OpenAPI `required`.
    pub required: bool,
    /// How lists and maps merge under server-side apply.
    pub topology: Topology,
    /// Strategic merge patch: merge key of a `patchStrategy: merge` list; an empty key means a list of scalars.
    pub patch_merge_key: Option<String>,
    /// Strategic merge patch: `retainKeys` is among the strategies.
    pub retain_keys: bool,
    /// For `kubectl explain`.
    pub doc: String,
}

/// Type of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// Text.
    String,
    /// `true` or `false`.
    Bool,
    /// 32-bit signed integer.
    Int32,
    /// 64-bit signed integer.
    Int64,
    /// Floating point.
    Double,
    /// base64 text in JSON.
    Bytes,
    /// RFC 3339, whole seconds.
    Time,
    /// RFC 3339 with microseconds.
    MicroTime,
    /// Resource quantity: text, or a number in JSON.
    Quantity,
    /// A number or a text.
    IntOrString,
    /// Any JSON value (`FieldsV1`, `RawExtension`, JSON Schema properties).
    Any,
    /// Another message, by full name.
    Message(String),
    /// A list.
    List(Box<Type>),
    /// A map with text keys. In protobuf an entry is 1 key, 2 value; a value that is a list is itself a
    /// message with the repeated field 1.
    Map(Box<Type>),
}

/// Server-side apply's list and map types (`x-kubernetes-list-type`, `x-kubernetes-map-type`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Topology {
    /// The default: granular for structs and maps, atomic for lists.
    #[default]
    Default,
    /// Replaced as a whole.
    Atomic,
    /// A set of scalars.
    Set,
    /// A list keyed by these fields.
    ListMap(Vec<String>),
}
