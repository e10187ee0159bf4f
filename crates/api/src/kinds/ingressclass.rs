//! IngressClass.

use serde_json::Value;

use super::column::Column;
use super::meta::{self, NameFormat};
use super::value::{Edit, Read};
use super::{Kind, Strategy, format};
use crate::field::FieldError;

pub(super) const KIND: Kind = Kind {
    group: "networking.k8s.io",
    namespaced: false,
    columns: &[
        Column::NAME,
        Column::text("Controller", "Who serves it.", |object, _| object.text("spec.controller").into()),
        Column::text("Parameters", "Its settings, an object of another kind.", |object, _| {
            parameters(object).into()
        }),
        Column::AGE,
    ],
    strategy: &IngressClass,
    ..Kind::core("IngressClass", "ingressclasses", "ingressclass", "io.k8s.api.networking.v1.IngressClass")
};

fn parameters(object: &Value) -> String {
    let Some(parameters) = object.at("spec.parameters") else { return "<none>".to_owned() };
    let group =
        parameters.at("apiGroup").and_then(Value::as_str).map(|g| format!(".{g}")).unwrap_or_default();
    format!("{}{group}/{}", parameters.text("kind"), parameters.text("name"))
}

struct IngressClass;

impl Strategy for IngressClass {
    fn default(&self, object: &mut Value) {
        if object.has("spec.parameters") {
            object.fill("spec.parameters.scope", "Cluster");
        }
    }

    fn prepare_create(&self, object: &mut Value) {
        meta::count_generation(object, None, true);
    }

    fn prepare_update(&self, new: &mut Value, old: &Value) {
        meta::count_generation(new, Some(old), new.at("spec") != old.at("spec"));
    }

    fn validate(&self, object: &Value) -> Vec<FieldError> {
        let mut errors = meta::validate(object, false, NameFormat::Subdomain);
        errors.extend(spec(object));
        errors
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<FieldError> {
        let mut errors = meta::validate_update(new, old);
        errors.extend(meta::immutable(new, old, "spec.controller"));
        errors.extend(spec(new));
        errors
    }
}

fn spec(object: &Value) -> Vec<FieldError> {
    const CONTROLLER: &str = "spec.controller";
    let mut errors = Vec::new();
    let controller = object.text(CONTROLLER);
    if controller.len() > 250 {
        errors.push(FieldError::too_long(CONTROLLER, 250));
    }
    errors.extend(domain_prefixed_path(CONTROLLER, controller));
    if let Some(parameters) = object.at("spec.parameters") {
        errors.extend(validate_parameters("spec.parameters", parameters));
    }
    errors
}

fn domain_prefixed_path(path: &str, text: &str) -> Vec<FieldError> {
    if text.is_empty() {
        return vec![FieldError::required(path, "")];
    }
    let Some((host, rest)) = text.split_once('/').filter(|(host, rest)| !host.is_empty() && !rest.is_empty())
    else {
        let detail = "must be a domain-prefixed path (such as \"acme.io/foo\")";
        return vec![FieldError::invalid(path, text, detail)];
    };
    let mut errors = FieldError::each_invalid(path, host, format::dns1123_subdomain(host));
    if !rest.bytes().all(|b| b.is_ascii_alphanumeric() || br"/-._~%!$&'()*+,;=:".contains(&b)) {
        let detail = r"Invalid path (regex used for validation is '[A-Za-z0-9/\-._~%!$&'()*+,;=:]+')";
        errors.push(FieldError::invalid(path, rest, detail));
    }
    errors
}

fn validate_parameters(path: &str, parameters: &Value) -> Vec<FieldError> {
    const SCOPES: &[&str] = &["Cluster", "Namespace"];
    let mut errors = object_reference(path, parameters);
    let (scope_path, scope) = (format!("{path}.scope"), parameters.text("scope"));
    let namespace = parameters.at("namespace").and_then(Value::as_str);
    let at = format!("{path}.namespace");
    match scope {
        "" => errors.push(FieldError::required(scope_path, "")),
        "Namespace" => match namespace {
            None | Some("") => {
                let detail = "`parameters.scope` is set to 'Namespace'";
                errors.push(FieldError::required(at, detail));
            }
            Some(name) => errors.extend(FieldError::each_invalid(&at, name, format::dns1123_label(name))),
        },
        "Cluster" => {
            if namespace.is_some() {
                errors.push(FieldError::forbidden(at, "`parameters.scope` is set to 'Cluster'"));
            }
        }
        other => errors.push(FieldError::not_supported(scope_path, other, SCOPES)),
    }
    errors
}

/// `apiGroup`, `kind` and `name` of a reference to an object of any kind.
pub(super) fn object_reference(path: &str, reference: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if let Some(group) = reference.at("apiGroup").and_then(Value::as_str) {
        let problems = format::dns1123_subdomain(group);
        errors.extend(FieldError::each_invalid(&format!("{path}.apiGroup"), group, problems));
    }
    for (field, missing) in [("kind", "kind is required"), ("name", "name is required")] {
        let (at, text) = (format!("{path}.{field}"), reference.text(field));
        if text.is_empty() {
            errors.push(FieldError::required(at, missing));
        } else {
            errors.extend(FieldError::each_invalid(&at, text, format::path_segment(text)));
        }
    }
    errors
}
