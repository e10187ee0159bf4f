//! One definition (v2) or component schema (v3): a message with its fields.

use std::collections::BTreeMap;

use portway_api::kinds::Kind;
use portway_api::schema::{Field, Message, Schema, Topology, Type};
use serde_json::{Map, Value, json};

use super::Dialect;

const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1";
pub(super) const TIME: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Time";
pub(super) const MICRO_TIME: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime";
pub(super) const PATCH: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch";
pub(super) const STATUS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Status";
pub(super) const DELETE_OPTIONS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions";
pub(super) const QUANTITY: &str = "io.k8s.apimachinery.pkg.api.resource.Quantity";
pub(super) const INT_OR_STRING: &str = "io.k8s.apimachinery.pkg.util.intstr.IntOrString";

/// Types that are no messages in the schema but have a definition.
pub(super) fn well_known(name: &str) -> bool {
    matches!(name, TIME | MICRO_TIME | PATCH | QUANTITY | INT_OR_STRING)
}

/// `...ServiceList` of `...Service`, if the schema has it.
pub(super) fn list_message(schema: &Schema, kind: &Kind) -> Option<String> {
    let name = format!("{}List", kind.schema);
    schema.message(&name).map(|_| name)
}

/// Describes messages.
pub(super) struct Definitions<'a> {
    schema: &'a Schema,
    /// Group and version of each package of the schema.
    packages: BTreeMap<&'static str, (&'static str, &'static str)>,
}

impl<'a> Definitions<'a> {
    pub fn new(schema: &'a Schema, kinds: &[&'static Kind]) -> Self {
        let package =
            |kind: &&'static Kind| Some((kind.schema.rsplit_once('.')?.0, (kind.group, kind.version)));
        let mut packages: BTreeMap<_, _> = kinds.iter().filter_map(package).collect();
        packages.insert(META, ("", "v1"));
        Self { schema, packages }
    }

    pub fn definition(&self, name: &str, dialect: Dialect) -> Value {
        match self.schema.message(name) {
            Some(message) => self.message(message, dialect),
            None => known(name, dialect),
        }
    }

    fn message(&self, message: &Message, dialect: Dialect) -> Value {
        let mut body = Map::new();
        if !message.doc.is_empty() {
            body.insert("description".to_owned(), json!(message.doc));
        }
        body.insert("type".to_owned(), json!("object"));
        let properties: Map<String, Value> =
            message.fields.iter().map(|f| (f.name.clone(), property(f, dialect))).collect();
        if !properties.is_empty() {
            body.insert("properties".to_owned(), Value::Object(properties));
        }
        let required: Vec<&str> =
            message.fields.iter().filter(|f| f.required).map(|f| f.name.as_str()).collect();
        if !required.is_empty() {
            body.insert("required".to_owned(), json!(required));
        }
        if message.atomic {
            body.insert("x-kubernetes-map-type".to_owned(), json!("atomic"));
        }
        if let Some(kind) = self.group_version_kind(message) {
            body.insert("x-kubernetes-group-version-kind".to_owned(), json!([kind]));
        }
        Value::Object(body)
    }

    /// Messages that can stand alone carry their own `kind`.
    fn group_version_kind(&self, message: &Message) -> Option<Value> {
        message.field("kind").filter(|_| message.field("apiVersion").is_some())?;
        let (package, kind) = message.name.rsplit_once('.')?;
        let first = message.fields.first().is_some_and(|f| f.name == "apiVersion");
        let (group, version) = self.packages.get(package).filter(|_| first)?;
        Some(json!({ "group": group, "version": version, "kind": kind }))
    }
}

fn known(name: &str, dialect: Dialect) -> Value {
    match (name, dialect) {
        (TIME, _) => json!({ "type": "string", "format": "date-time", "description": "A time, RFC 3339." }),
        (MICRO_TIME, _) => {
            json!({ "type": "string", "format": "date-time", "description": "A time with microseconds, RFC 3339." })
        }
        (QUANTITY, Dialect::V2) => json!({ "type": "string", "description": QUANTITY_DOC }),
        (QUANTITY, Dialect::V3) => {
            json!({ "oneOf": [{ "type": "string" }, { "type": "number" }], "description": QUANTITY_DOC })
        }
        (INT_OR_STRING, Dialect::V2) => {
            json!({ "type": "string", "format": "int-or-string", "description": "A number or a text." })
        }
        (INT_OR_STRING, Dialect::V3) => json!({
            "oneOf": [{ "type": "integer" }, { "type": "string" }],
            "format": "int-or-string",
            "description": "A number or a text.",
        }),
        _ => json!({ "type": "object", "description": "A patch, in the format the content type names." }),
    }
}

const QUANTITY_DOC: &str =
    "An amount: a number with an optional suffix, decimal (m, k, M, G, ...) or binary (Ki, Mi, Gi, ...).";

fn property(field: &Field, dialect: Dialect) -> Value {
    let mut body = match type_schema(&field.ty, dialect) {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    if dialect == Dialect::V3
        && let Some(reference) = body.remove("$ref")
    {
        // Beside a reference nothing else may stand in version 3.
        body.insert("allOf".to_owned(), json!([{ "$ref": reference }]));
    }
    if !field.doc.is_empty() {
        body.insert("description".to_owned(), json!(field.doc));
    }
    let list = matches!(field.ty, Type::List(_));
    let (name, kind) = match &field.topology {
        Topology::Default => ("", ""),
        Topology::Atomic if list => ("x-kubernetes-list-type", "atomic"),
        Topology::Atomic => ("x-kubernetes-map-type", "atomic"),
        Topology::Set => ("x-kubernetes-list-type", "set"),
        Topology::ListMap(keys) => {
            body.insert("x-kubernetes-list-map-keys".to_owned(), json!(keys));
            ("x-kubernetes-list-type", "map")
        }
    };
    if !name.is_empty() {
        body.insert(name.to_owned(), json!(kind));
    }
    let strategy = match (&field.patch_merge_key, field.retain_keys) {
        (None, false) => None,
        (None, true) => Some("retainKeys"),
        (Some(_), false) => Some("merge"),
        (Some(_), true) => Some("merge,retainKeys"),
    };
    if let Some(strategy) = strategy {
        body.insert("x-kubernetes-patch-strategy".to_owned(), json!(strategy));
    }
    if let Some(key) = field.patch_merge_key.as_ref().filter(|key| !key.is_empty()) {
        body.insert("x-kubernetes-patch-merge-key".to_owned(), json!(key));
    }
    Value::Object(body)
}

fn type_schema(ty: &Type, dialect: Dialect) -> Value {
    match ty {
        Type::String => json!({ "type": "string" }),
        Type::Bool => json!({ "type": "boolean" }),
        Type::Int32 => json!({ "type": "integer", "format": "int32" }),
        Type::Int64 => json!({ "type": "integer", "format": "int64" }),
        Type::Double => json!({ "type": "number", "format": "double" }),
        Type::Bytes => json!({ "type": "string", "format": "byte" }),
        Type::Time => dialect.reference(TIME),
        Type::MicroTime => dialect.reference(MICRO_TIME),
        Type::Quantity => dialect.reference(QUANTITY),
        Type::IntOrString => dialect.reference(INT_OR_STRING),
        Type::Any => json!({ "type": "object" }),
        Type::Message(name) => dialect.reference(name),
        Type::List(element) => json!({ "type": "array", "items": type_schema(element, dialect) }),
        Type::Map(element) => {
            json!({ "type": "object", "additionalProperties": type_schema(element, dialect) })
        }
    }
}
