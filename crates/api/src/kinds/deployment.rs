//! Deployment.

use serde_json::Value;

use super::column::Column;
use super::value::{Edit, Read};
use super::workload::{self, container_cells, selector_cell};
use super::{Kind, Strategy, format, meta};
use crate::field::FieldError;

pub(super) const KIND: Kind = Kind {
    group: "apps",
    short_names: &["deploy"],
    categories: &["all"],
    subresources: &["scale", "status"],
    columns: &[
        Column::NAME,
        Column::text("Ready", "How many Pods are ready, of how many wanted.", |object, _| {
            format!("{}/{}", object.int("status.readyReplicas"), object.int("spec.replicas")).into()
        }),
        Column::text("Up-to-date", "How many Pods have the newest template.", |object, _| {
            object.int("status.updatedReplicas").into()
        }),
        Column::text("Available", "How many Pods have been ready for long enough.", |object, _| {
            object.int("status.availableReplicas").into()
        }),
        Column::AGE,
        Column::wide("Containers", "Names of its containers.", |object, _| container_cells(object, "name")),
        Column::wide("Images", "Images of its containers.", |object, _| container_cells(object, "image")),
        Column::wide("Selector", "Labels of its Pods.", |object, _| selector_cell(object)),
    ],
    strategy: &Deployment,
    ..Kind::core("Deployment", "deployments", "deployment", "io.k8s.api.apps.v1.Deployment")
};

struct Deployment;

impl Strategy for Deployment {
    fn default(&self, object: &mut Value) {
        workload::default_template(object);
        for (path, value) in
            [("spec.replicas", 1), ("spec.revisionHistoryLimit", 10), ("spec.progressDeadlineSeconds", 600)]
        {
            object.fill(path, value);
        }
        object.fill("spec.strategy.type", "RollingUpdate");
        if object.text("spec.strategy.type") == "RollingUpdate" {
            object.fill("spec.strategy.rollingUpdate.maxUnavailable", "25%");
            object.fill("spec.strategy.rollingUpdate.maxSurge", "25%");
        }
    }

    fn prepare_create(&self, object: &mut Value) {
        object.unset("status");
        meta::count_generation(object, None, true);
    }

    fn prepare_update(&self, new: &mut Value, old: &Value) {
        new.copy("status", old);
        let annotations = "metadata.annotations";
        let changed = new.at("spec") != old.at("spec") || new.at(annotations) != old.at(annotations);
        meta::count_generation(new, Some(old), changed);
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
        let fields =
            ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas"];
        errors.extend(workload::replica_counts(
            new,
            &fields,
            &["updatedReplicas", "readyReplicas", "availableReplicas"],
        ));
        errors
    }
}

fn spec(object: &Value) -> Vec<FieldError> {
    let mut errors = workload::not_negative(object, "spec.replicas");
    errors.extend(workload::selector_and_template(object, "deployment"));
    errors.extend(strategy(object));
    errors.extend(workload::not_negative(object, "spec.minReadySeconds"));
    errors.extend(workload::not_negative(object, "spec.revisionHistoryLimit"));
    if let Some(deadline) = object.at("spec.progressDeadlineSeconds").and_then(Value::as_i64) {
        const PATH: &str = "spec.progressDeadlineSeconds";
        errors.extend(workload::not_negative(object, PATH));
        if deadline <= object.int("spec.minReadySeconds") {
            errors.push(FieldError::invalid(PATH, deadline, "must be greater than minReadySeconds"));
        }
    }
    errors
}

fn strategy(object: &Value) -> Vec<FieldError> {
    const PATH: &str = "spec.strategy";
    let rolling = object.at("spec.strategy.rollingUpdate");
    match object.text("spec.strategy.type") {
        "Recreate" => match rolling {
            Some(_) => {
                let detail = "may not be specified when strategy `type` is 'Recreate'";
                vec![FieldError::forbidden(format!("{PATH}.rollingUpdate"), detail)]
            }
            None => Vec::new(),
        },
        "RollingUpdate" => match rolling {
            None => {
                let detail = "this should be defaulted and never be nil";
                vec![FieldError::required(format!("{PATH}.rollingUpdate"), detail)]
            }
            Some(rolling) => rolling_update(&format!("{PATH}.rollingUpdate"), rolling),
        },
        other => vec![FieldError::not_supported(PATH, other, &["Recreate", "RollingUpdate"])],
    }
}

fn rolling_update(path: &str, rolling: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for field in ["maxUnavailable", "maxSurge"] {
        let at = format!("{path}.{field}");
        match rolling.at(field) {
            Some(Value::String(text)) => {
                errors.extend(FieldError::each_invalid(&at, text.as_str(), format::percent(text)))
            }
            Some(number) if number.as_i64().is_some_and(|n| n < 0) => {
                let detail = "must be greater than or equal to 0";
                errors.push(FieldError::invalid(at, number.clone(), detail));
            }
            _ => {}
        }
    }
    let amount = |field: &str| match rolling.at(field) {
        Some(Value::String(text)) => text.trim_end_matches('%').parse().unwrap_or(0),
        other => other.and_then(Value::as_i64).unwrap_or(0),
    };
    if amount("maxUnavailable") == 0 && amount("maxSurge") == 0 {
        let value = rolling.at("maxUnavailable").cloned().unwrap_or(Value::Null);
        let detail = "may not be 0 when `maxSurge` is 0";
        errors.push(FieldError::invalid(format!("{path}.maxUnavailable"), value, detail));
    }
    if let Some(Value::String(text)) = rolling.at("maxUnavailable")
        && text.strip_suffix('%').and_then(|n| n.parse::<i64>().ok()).is_some_and(|n| n > 100)
    {
        let detail = "must not be greater than 100%";
        errors.push(FieldError::invalid(format!("{path}.maxUnavailable"), text.as_str(), detail));
    }
    errors
}
