//! ConfigMap.

use serde_json::Value;

use super::column::Column;
use super::format;
use super::meta::{self, NameFormat};
use super::value::Read;
use super::{Kind, Strategy};
use crate::field::FieldError;

pub(super) const KIND: Kind = Kind {
    short_names: &["cm"],
    columns: &[
        Column::NAME,
        Column::text("Data", "How many entries it has.", |object, _| {
            (entries(object, "data") + entries(object, "binaryData")).into()
        }),
        Column::AGE,
    ],
    strategy: &ConfigMap,
    ..Kind::core("ConfigMap", "configmaps", "configmap", "io.k8s.api.core.v1.ConfigMap")
};

/// Most bytes a ConfigMap or Secret may hold.
pub(super) const MAX_SIZE: usize = 1024 * 1024;

pub(super) fn entries(object: &Value, path: &str) -> usize {
    object.at(path).and_then(Value::as_object).map_or(0, serde_json::Map::len)
}

struct ConfigMap;

impl Strategy for ConfigMap {
    fn validate(&self, object: &Value) -> Vec<FieldError> {
        let mut errors = meta::validate(object, true, NameFormat::Subdomain);
        errors.extend(content(object));
        errors
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<FieldError> {
        let mut errors = meta::validate_update(new, old);
        errors.extend(frozen(new, old, &["data", "binaryData"]));
        errors.extend(content(new));
        errors
    }
}

/// What an object marked `immutable` may not change: the mark and these fields.
pub(super) fn frozen(new: &Value, old: &Value, fields: &[&str]) -> Vec<FieldError> {
    const DETAIL: &str = "field is immutable when `immutable` is set";
    let mut errors = Vec::new();
    if old.flag("immutable") {
        if !new.flag("immutable") {
            errors.push(FieldError::forbidden("immutable", DETAIL));
        }
        for field in fields {
            if new.at(field) != old.at(field) {
                errors.push(FieldError::forbidden(*field, DETAIL));
            }
        }
    }
    errors
}

fn content(object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut size = 0;
    for (bag, other) in [("data", "binaryData"), ("binaryData", "data")] {
        for (key, value) in object.pairs(bag) {
            let path = format!("{bag}[{key}]");
            errors.extend(FieldError::each_invalid(&path, key, format::config_key(key)));
            if object.entry(other, key).is_some() {
                errors.push(FieldError::invalid(path, key, format!("duplicate of key present in {other}")));
            }
            size += if bag == "data" { value.len() } else { value.len() / 4 * 3 };
        }
    }
    if size > MAX_SIZE {
        errors.push(FieldError::too_long("", MAX_SIZE));
    }
    errors
}
