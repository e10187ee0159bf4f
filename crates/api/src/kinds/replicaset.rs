//! ReplicaSet.

use serde_json::Value;

use super::column::Column;
use super::value::{Edit, Read};
use super::workload::{self, container_cells, selector_cell};
use super::{Kind, Strategy, meta};
use crate::field::FieldError;

pub(super) const KIND: Kind = Kind {
    group: "apps",
    short_names: &["rs"],
    categories: &["all"],
    subresources: &["scale", "status"],
    columns: &[
        Column::NAME,
        Column {
            ty: "integer",
            ..Column::text("Desired", "How many Pods are wanted.", |object, _| {
                object.int("spec.replicas").into()
            })
        },
        Column {
            ty: "integer",
            ..Column::text("Current", "How many Pods there are.", |object, _| {
                object.int("status.replicas").into()
            })
        },
        Column {
            ty: "integer",
            ..Column::text("Ready", "How many Pods are ready.", |object, _| {
                object.int("status.readyReplicas").into()
            })
        },
        Column::AGE,
        Column::wide("Containers", "Names of its containers.", |object, _| container_cells(object, "name")),
        Column::wide("Images", "Images of its containers.", |object, _| container_cells(object, "image")),
        Column::wide("Selector", "Labels of its Pods.", |object, _| selector_cell(object)),
    ],
    strategy: &ReplicaSet,
    ..Kind::core("ReplicaSet", "replicasets", "replicaset", "io.k8s.api.apps.v1.ReplicaSet")
};

struct ReplicaSet;

impl Strategy for ReplicaSet {
    fn default(&self, object: &mut Value) {
        workload::default_template(object);
        object.fill("spec.replicas", 1);
    }

    fn prepare_create(&self, object: &mut Value) {
        object.unset("status");
        meta::count_generation(object, None, true);
    }

    fn prepare_update(&self, new: &mut Value, old: &Value) {
        new.copy("status", old);
        meta::count_generation(new, Some(old), new.at("spec") != old.at("spec"));
    }

    fn validate(&self, object: &Value) -> Vec<FieldError> {
        let mut errors = meta::validate(object, true, meta::NameFormat::Subdomain);
        errors.extend(spec(object));
        errors
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<FieldError> {
        let mut errors = meta::validate_update(new, old);
        errors.extend(spec(new));
        errors.extend(meta::immutable(new, old, "spec.selector"));
        errors
    }

    fn validate_status_update(&self, new: &Value, old: &Value) -> Vec<FieldError> {
        let mut errors = meta::validate_update(new, old);
        let fields = ["replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas"];
        errors.extend(workload::replica_counts(new, &fields, &fields[1..]));
        errors
    }
}

fn spec(object: &Value) -> Vec<FieldError> {
    let mut errors = workload::not_negative(object, "spec.replicas");
    errors.extend(workload::not_negative(object, "spec.minReadySeconds"));
    errors.extend(workload::selector_and_template(object, "replicaset"));
    errors
}
