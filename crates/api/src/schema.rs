//! The schema of every API type, as data.
//!
//! Read from the text tables under `schema/`, once, on first use. Everything that has to know the fields of
//! an object is driven by it: strict decoding, strategic merge patch, server-side apply, OpenAPI, protobuf.

use std::collections::BTreeMap;

/// All types, by full name (`io.k8s.api.core.v1.Service`).
#[derive(Debug, Default)]
pub struct Schema {
    /// The messages.
    pub messages: BTreeMap<String, Message>,
}

/// One object type.
#[derive(Debug, Default)]
pub struct Message {
    /// Full name (`io.k8s.api.core.v1.ServicePort`).
    pub name: String,
    /// One or more sentences for `kubectl explain`.
    pub doc: String,
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
    /// Its type.
    pub ty: Type,
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
    /// A map with text keys.
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
