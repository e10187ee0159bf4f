//! What Deployment and ReplicaSet share: a selector, a Pod template, a number of replicas.

use serde_json::Value;

use super::column::or_none;
use super::value::{Edit, Read};
use super::{meta, pod};
use crate::field::FieldError;

/// Defaults of `spec.template`.
pub(super) fn default_template(object: &mut Value) {
    pod::default_spec(object.slot("spec.template.spec"));
}

/// A field of every container of the template, joined by `,`.
pub(super) fn container_cells(object: &Value, field: &str) -> Value {
    let containers = object.list("spec.template.spec.containers").iter();
    containers.map(|container| container.text(field)).collect::<Vec<_>>().join(",").into()
}

/// `a=1,b in (2,3)`, or `<none>`.
pub(super) fn selector_cell(object: &Value) -> Value {
    let mut terms: Vec<String> = object
        .pairs("spec.selector.matchLabels")
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    for term in object.list("spec.selector.matchExpressions") {
        let key = term.text("key");
        let mut values = term.texts("values");
        values.sort_unstable();
        terms.push(match term.text("operator") {
            "Exists" => key.to_owned(),
            "DoesNotExist" => format!("!{key}"),
            operator => format!("{key} {} ({})", operator.to_lowercase(), values.join(",")),
        });
    }
    or_none(terms.join(","))
}

/// `must be greater than or equal to 0`.
pub(super) fn not_negative(object: &Value, path: &str) -> Vec<FieldError> {
    let value = object.int(path);
    if value >= 0 {
        return Vec::new();
    }
    vec![FieldError::invalid(path, value, "must be greater than or equal to 0")]
}

/// A selector that selects something, and the template it selects.
pub(super) fn selector_and_template(object: &Value, what: &str) -> Vec<FieldError> {
    const SELECTOR: &str = "spec.selector";
    const TEMPLATE: &str = "spec.template";
    let mut errors = Vec::new();
    let Some(selector) = object.at(SELECTOR) else {
        errors.push(FieldError::required(SELECTOR, ""));
        // Without a selector upstream has nothing to hold the labels against.
        let labels = object.at("spec.template.metadata.labels").cloned().unwrap_or(Value::Null);
        let detail = "`selector` does not match template `labels`";
        errors.push(FieldError::invalid(format!("{TEMPLATE}.metadata.labels"), labels, detail));
        return errors;
    };
    errors.extend(meta::label_selector(SELECTOR, selector));
    let empty = selector.pairs("matchLabels").is_empty() && selector.list("matchExpressions").is_empty();
    if empty {
        let detail = format!("empty selector is invalid for {what}");
        errors.push(FieldError::invalid(SELECTOR, selector.clone(), detail));
    }
    let labels = object.at("spec.template.metadata.labels").unwrap_or(&Value::Null);
    if !empty && !meta::selector_matches(selector, labels) {
        let detail = "`selector` does not match template `labels`";
        errors.push(FieldError::invalid(format!("{TEMPLATE}.metadata.labels"), labels.clone(), detail));
    }
    let template = object.at(TEMPLATE).unwrap_or(&Value::Null);
    errors.extend(meta::labels(&format!("{TEMPLATE}.labels"), &template.pairs("metadata.labels")));
    errors.extend(meta::annotations(
        &format!("{TEMPLATE}.annotations"),
        &template.pairs("metadata.annotations"),
    ));
    let spec = template.at("spec").unwrap_or(&Value::Null);
    errors.extend(pod::validate_spec(&format!("{TEMPLATE}.spec"), spec));
    if !spec.list("ephemeralContainers").is_empty() {
        let detail = "ephemeral containers not allowed in pod template";
        errors.push(FieldError::forbidden(format!("{TEMPLATE}.spec.ephemeralContainers"), detail));
    }
    let restart = spec.text("restartPolicy");
    if restart != "Always" {
        errors.push(FieldError::not_supported(
            format!("{TEMPLATE}.spec.restartPolicy"),
            restart,
            &["Always"],
        ));
    }
    if spec.has("activeDeadlineSeconds") {
        let detail = "activeDeadlineSeconds in ReplicaSet is not Supported";
        errors.push(FieldError::forbidden(format!("{TEMPLATE}.spec.activeDeadlineSeconds"), detail));
    }
    errors
}

/// Counts of a status: none negative, none of `within` above `replicas`.
pub(super) fn replica_counts(object: &Value, fields: &[&str], within: &[&str]) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for field in fields {
        errors.extend(not_negative(object, &format!("status.{field}")));
    }
    let total = object.int("status.replicas");
    for field in within {
        let path = format!("status.{field}");
        let count = object.int(&path);
        if count > total {
            errors.push(FieldError::invalid(path, count, "cannot be greater than status.replicas"));
        }
    }
    errors
}
