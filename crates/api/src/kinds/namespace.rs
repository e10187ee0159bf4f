//! Namespace.

use serde_json::{Value, json};

use super::column::Column;
use super::format;
use super::meta::{self, NameFormat};
use super::value::{Edit, Read};
use super::{FieldSelector, Kind, Strategy, select};
use crate::field::FieldError;

pub(super) const KIND: Kind = Kind {
    short_names: &["ns"],
    namespaced: false,
    verbs: &["create", "delete", "get", "list", "patch", "update", "watch"],
    subresources: &["finalize", "status"],
    delete_returns_object: true,
    field_selectors: &[
        select!("status.phase"),
        FieldSelector { path: "name", value: |object| object.text("metadata.name").to_owned() },
    ],
    columns: &[
        Column::NAME,
        Column::text("Status", "Active, or Terminating while its content is removed.", |object, _| {
            object.text("status.phase").into()
        }),
        Column::AGE,
    ],
    strategy: &Namespace,
    ..Kind::core("Namespace", "namespaces", "namespace", "io.k8s.api.core.v1.Namespace")
};

struct Namespace;

/// Every namespace carries its own name as a label, whatever a client sent.
fn label(object: &mut Value) {
    let name = object.text("metadata.name").to_owned();
    let labels = object.slot("metadata.labels");
    if !labels.is_object() {
        *labels = json!({});
    }
    if !name.is_empty() {
        labels["kubernetes.io/metadata.name"] = name.into();
    }
}

impl Strategy for Namespace {
    fn default(&self, object: &mut Value) {
        label(object);
        object.fill("status.phase", "Active");
    }

    fn prepare_create(&self, object: &mut Value) {
        object.set("status", json!({"phase": "Active"}));
        let mut finalizers = object.list("spec.finalizers").to_vec();
        if !finalizers.iter().any(|f| f == "kubernetes") {
            finalizers.push("kubernetes".into());
        }
        object.set("spec.finalizers", finalizers);
    }

    fn named(&self, object: &mut Value) {
        label(object);
    }

    fn validate(&self, object: &Value) -> Vec<FieldError> {
        let mut errors = meta::validate(object, false, NameFormat::Label);
        errors.extend(finalizers(object));
        errors
    }

    fn prepare_update(&self, new: &mut Value, old: &Value) {
        new.copy("spec.finalizers", old);
        new.copy("status", old);
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<FieldError> {
        meta::validate_update(new, old)
    }

    fn validate_status_update(&self, new: &Value, old: &Value) -> Vec<FieldError> {
        let mut errors = meta::validate_update(new, old);
        let phase = new.text("status.phase");
        let (expected, detail) = if new.has("metadata.deletionTimestamp") {
            ("Terminating", "may only be 'Terminating' if `deletionTimestamp` is not empty")
        } else {
            ("Active", "may only be 'Active' if `deletionTimestamp` is empty")
        };
        if phase != expected {
            errors.push(FieldError::invalid("status.phase", phase, detail));
        }
        errors
    }
}

/// `PUT /finalize`: only the finalizers of the spec may change.
pub fn prepare_finalize(new: &mut Value, old: &Value) {
    let finalizers = new.at("spec.finalizers").cloned();
    let version = new.at("metadata.resourceVersion").cloned();
    *new = old.clone();
    match finalizers {
        Some(list) => new.set("spec.finalizers", list),
        None => new.unset("spec.finalizers"),
    }
    if let Some(version) = version {
        new.set("metadata.resourceVersion", version);
    }
    KIND.normalize(new);
}

/// Everything wrong with a `/finalize` request.
pub fn validate_finalize(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = meta::validate_update(new, old);
    errors.extend(finalizers(new));
    errors
}

fn finalizers(object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (index, name) in object.texts("spec.finalizers").into_iter().enumerate() {
        let path = format!("spec.finalizers[{index}]");
        errors.extend(FieldError::each_invalid(&path, name, format::qualified_name(name)));
        if !name.contains('/') && name != "kubernetes" {
            let detail = "name is neither a standard finalizer name nor is it fully qualified";
            errors.push(FieldError::invalid(path, name, detail));
        }
    }
    errors
}
