//! Objects in other shapes: the Table that `kubectl get` prints, and metadata alone.
//!
//! Must not know which kinds have which columns: the registry says.

#[cfg(test)]
mod tests;

use portway_api::kinds::Column;
use serde_json::{Map, Value, json};

/// What a row carries besides its cells (query parameter `includeObject`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Include {
    /// `object` is null.
    None,
    /// `object` is a `PartialObjectMetadata`.
    #[default]
    Metadata,
    /// `object` is the object.
    Object,
}

impl Include {
    /// Reads the query parameter; the error is a 400.
    pub fn from_parameter(text: Option<&str>) -> Result<Self, String> {
        match text.unwrap_or("") {
            "" | "Metadata" => Ok(Self::Metadata),
            "None" => Ok(Self::None),
            "Object" => Ok(Self::Object),
            other => Err(format!(
                "includeObject: Invalid value: {other:?}: must be 'Metadata', 'Object', 'None', or empty"
            )),
        }
    }
}

/// How a Table is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Style<'a> {
    /// `meta.k8s.io/v1` or `meta.k8s.io/v1beta1`.
    pub api_version: &'a str,
    /// What rows carry.
    pub include: Include,
    /// Seconds since the epoch, for ages.
    pub now: i64,
    /// Whether to send column definitions: not in a watch after its first event.
    pub definitions: bool,
}

/// The columns of kinds that have none of their own: name and time of creation.
pub const PLAIN_COLUMNS: &[Column] = &[
    Column {
        name: "Name",
        ty: "string",
        format: "name",
        priority: 0,
        description: "Name must be unique within a namespace.",
        cell: |object, _| Value::from(crate::meta::name(object)),
    },
    Column {
        name: "Created At",
        ty: "date",
        format: "",
        priority: 0,
        description: "When the object was created.",
        cell: |object, _| Value::from(crate::meta::text(object, "creationTimestamp")),
    },
];

/// A Table with one row an object. `metadata` is the list's (`resourceVersion`, `continue`,
/// `remainingItemCount`), or see [`metadata_of`] for a single object.
pub fn table<'v>(
    columns: &[Column],
    objects: impl IntoIterator<Item = &'v Value>,
    metadata: Value,
    style: Style<'_>,
) -> Value {
    let columns = if columns.is_empty() { PLAIN_COLUMNS } else { columns };
    let definitions = if style.definitions { columns.iter().map(definition).collect() } else { Vec::new() };
    let rows: Vec<Value> = objects.into_iter().map(|object| row(columns, object, style)).collect();
    json!({
        "kind": "Table",
        "apiVersion": style.api_version,
        "metadata": metadata,
        "columnDefinitions": definitions,
        "rows": rows,
    })
}

/// The Table metadata for a single object.
pub fn metadata_of(object: &Value) -> Value {
    json!({ "resourceVersion": crate::meta::resource_version(object) })
}

fn definition(column: &Column) -> Value {
    json!({
        "name": column.name,
        "type": column.ty,
        "format": column.format,
        "description": column.description,
        "priority": column.priority,
    })
}

fn row(columns: &[Column], object: &Value, style: Style<'_>) -> Value {
    let cells: Vec<Value> = columns.iter().map(|column| (column.cell)(object, style.now)).collect();
    let object = match style.include {
        Include::None => Value::Null,
        Include::Metadata => partial(object, style.api_version),
        Include::Object => object.clone(),
    };
    json!({ "cells": cells, "object": object })
}

/// `PartialObjectMetadata`: metadata and nothing else.
pub fn partial(object: &Value, api_version: &str) -> Value {
    let metadata = object.get("metadata").cloned().unwrap_or_else(|| Value::Object(Map::new()));
    json!({ "kind": "PartialObjectMetadata", "apiVersion": api_version, "metadata": metadata })
}

/// `PartialObjectMetadataList`.
pub fn partial_list<'v>(
    objects: impl IntoIterator<Item = &'v Value>,
    metadata: Value,
    api_version: &str,
) -> Value {
    let items: Vec<Value> = objects.into_iter().map(|object| partial(object, api_version)).collect();
    json!({
        "kind": "PartialObjectMetadataList",
        "apiVersion": api_version,
        "metadata": metadata,
        "items": items,
    })
}
