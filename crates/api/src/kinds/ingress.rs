//! Ingress.

use std::collections::BTreeSet;

use serde_json::Value;

use super::column::Column;
use super::ingressclass::object_reference;
use super::meta::{self, NameFormat};
use super::value::{Edit, Read};
use super::{Kind, Strategy, format, ip};
use crate::field::FieldError;

pub(super) const KIND: Kind = Kind {
    group: "networking.k8s.io",
    short_names: &["ing"],
    storage_prefix: "ingress",
    subresources: &["status"],
    columns: &[
        Column::NAME,
        Column::text("Class", "Which class of controllers serves it.", |object, _| {
            object.at("spec.ingressClassName").and_then(Value::as_str).unwrap_or("<none>").into()
        }),
        Column::text("Hosts", "Host names it answers for.", |object, _| hosts(object).into()),
        Column::text("Address", "Where it is reachable.", |object, _| address(object).into()),
        Column::text("Ports", "80, and 443 with TLS.", |object, _| {
            if object.list("spec.tls").is_empty() { "80".into() } else { "80, 443".into() }
        }),
        Column::AGE,
    ],
    strategy: &Ingress,
    ..Kind::core("Ingress", "ingresses", "ingress", "io.k8s.api.networking.v1.Ingress")
};

fn hosts(object: &Value) -> String {
    let rules = object.list("spec.rules");
    let named: Vec<&str> =
        rules.iter().map(|rule| rule.text("host")).filter(|host| !host.is_empty()).collect();
    if named.is_empty() {
        return "*".to_owned();
    }
    let shown = named.iter().take(3).copied().collect::<Vec<_>>().join(",");
    if named.len() > 3 { format!("{shown} + {} more...", rules.len() - 3) } else { shown }
}

fn address(object: &Value) -> String {
    let ingress = object.list("status.loadBalancer.ingress").iter();
    let text = |point: &Value| {
        if point.text("ip").is_empty() { point.text("hostname") } else { point.text("ip") }.to_owned()
    };
    let set: BTreeSet<String> = ingress.map(text).filter(|t| !t.is_empty()).collect();
    set.into_iter().collect::<Vec<_>>().join(",")
}

/// The annotation that `spec.ingressClassName` took the place of.
const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";

/// The annotation on an IngressClass that makes it the one for Ingresses that name none.
pub const DEFAULT_CLASS_ANNOTATION: &str = "ingressclass.kubernetes.io/is-default-class";

/// Admission on create: fills in the default class, of all IngressClasses, if the Ingress names none. The
/// newest of several defaults wins, then the lowest name.
pub fn fill_default_class(ingress: &mut Value, classes: &[Value]) {
    if ingress.has("spec.ingressClassName") || ingress.annotation(CLASS_ANNOTATION).is_some() {
        return;
    }
    let defaults = classes.iter().filter(|class| class.annotation(DEFAULT_CLASS_ANNOTATION) == Some("true"));
    let rank = |class: &&Value| {
        let name = std::cmp::Reverse(class.text("metadata.name").to_owned());
        (class.text("metadata.creationTimestamp").to_owned(), name)
    };
    if let Some(class) = defaults.max_by_key(rank) {
        ingress.set("spec.ingressClassName", class.text("metadata.name"));
    }
}

struct Ingress;

impl Strategy for Ingress {
    fn prepare_create(&self, object: &mut Value) {
        object.unset("status");
        meta::count_generation(object, None, true);
    }

    fn prepare_update(&self, new: &mut Value, old: &Value) {
        new.copy("status", old);
        meta::count_generation(new, Some(old), new.at("spec") != old.at("spec"));
    }

    fn validate(&self, object: &Value) -> Vec<FieldError> {
        let mut errors = meta::validate(object, true, NameFormat::Subdomain);
        errors.extend(spec(object, false));
        let class = object.at("spec.ingressClassName").and_then(Value::as_str);
        if let (Some(annotation), Some(class)) = (object.annotation(CLASS_ANNOTATION), class)
            && annotation != class
        {
            let detail = "must match `ingressClassName` when both are specified";
            errors.push(FieldError::invalid(format!("annotations.{CLASS_ANNOTATION}"), annotation, detail));
        }
        errors
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<FieldError> {
        let mut errors = meta::validate_update(new, old);
        let lax = old.list("spec.tls").iter().any(|tls| !secret_problems(tls).is_empty());
        errors.extend(spec(new, lax));
        errors
    }

    fn validate_status_update(&self, new: &Value, old: &Value) -> Vec<FieldError> {
        let mut errors = meta::validate_update(new, old);
        errors.extend(super::service::load_balancer_ingress(new, old, false));
        errors
    }

    fn warnings(&self, new: &Value, old: Option<&Value>) -> Vec<String> {
        let mut warnings = Vec::new();
        if old.is_none() && new.annotation(CLASS_ANNOTATION).is_some() && !new.has("spec.ingressClassName") {
            warnings.push(format!(
                "annotation {CLASS_ANNOTATION:?} is deprecated, please use 'spec.ingressClassName' instead"
            ));
        }
        for (index, point) in new.list("status.loadBalancer.ingress").iter().enumerate() {
            if !point.text("ip").is_empty() {
                warnings.extend(ip::warn(&format!("status.loadBalancer.ingress[{index}]"), point.text("ip")));
            }
        }
        warnings
    }
}

fn secret_problems(tls: &Value) -> Vec<String> {
    match tls.text("secretName") {
        "" => Vec::new(),
        name => format::dns1123_subdomain(name),
    }
}

fn spec(object: &Value, lax_secrets: bool) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let rules = object.list("spec.rules");
    let default = object.at("spec.defaultBackend");
    if rules.is_empty() && default.is_none() {
        let detail = "either `defaultBackend` or `rules` must be specified";
        errors.push(FieldError::invalid(
            "spec",
            object.at("spec.rules").cloned().unwrap_or(Value::Null),
            detail,
        ));
    }
    if let Some(default) = default {
        errors.extend(backend("spec.defaultBackend", default));
    }
    for (index, rule) in rules.iter().enumerate() {
        let path = format!("spec.rules[{index}]");
        errors.extend(host(&format!("{path}.host"), rule.text("host")));
        if let Some(http) = rule.at("http") {
            errors.extend(paths(&format!("{path}.http.paths"), http.list("paths")));
        }
    }
    for (index, tls) in object.list("spec.tls").iter().enumerate() {
        let path = format!("spec.tls[{index}]");
        for (at, name) in tls.texts("hosts").into_iter().enumerate() {
            let problems = if name.contains('*') {
                format::wildcard_subdomain(name)
            } else {
                format::dns1123_subdomain(name)
            };
            errors.extend(FieldError::each_invalid(&format!("{path}.hosts[{at}]"), name, problems));
        }
        if !lax_secrets {
            let at = format!("{path}.secretName");
            errors.extend(FieldError::each_invalid(&at, tls.text("secretName"), secret_problems(tls)));
        }
    }
    if let Some(class) = object.at("spec.ingressClassName").and_then(Value::as_str) {
        let problems = format::dns1123_subdomain(class);
        errors.extend(FieldError::each_invalid("spec.ingressClassName", class, problems));
    }
    errors
}

fn host(path: &str, host: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if host.is_empty() {
        return errors;
    }
    if ip::sloppy(host).is_some() {
        errors.push(FieldError::invalid(path, host, "must be a DNS name, not an IP address"));
    }
    let problems =
        if host.contains('*') { format::wildcard_subdomain(host) } else { format::dns1123_subdomain(host) };
    errors.extend(FieldError::each_invalid(path, host, problems));
    errors
}

fn paths(path: &str, paths: &[Value]) -> Vec<FieldError> {
    if paths.is_empty() {
        return vec![FieldError::required(path, "")];
    }
    let mut errors = Vec::new();
    for (index, item) in paths.iter().enumerate() {
        let at = format!("{path}[{index}]");
        errors.extend(http_path(&at, item));
        if item.has("pathType") {
            errors.extend(backend(&format!("{at}.backend"), item.at("backend").unwrap_or(&Value::Null)));
        }
    }
    errors
}

fn http_path(at: &str, item: &Value) -> Vec<FieldError> {
    const TYPES: &[&str] = &["Exact", "ImplementationSpecific", "Prefix"];
    let Some(kind) = item.at("pathType").and_then(Value::as_str) else {
        return vec![FieldError::required(format!("{at}.pathType"), "pathType must be specified")];
    };
    let (path_at, path) = (format!("{at}.path"), item.text("path"));
    let invalid = |detail: String| FieldError::invalid(&*path_at, path, detail);
    let mut errors = Vec::new();
    match kind {
        "Exact" | "Prefix" => {
            if !path.starts_with('/') {
                errors.push(invalid("must be an absolute path".to_owned()));
            }
            if path.is_empty() {
                return errors;
            }
            for bad in ["//", "/./", "/../", "%2f", "%2F"] {
                if path.contains(bad) {
                    errors.push(invalid(format!("must not contain '{bad}'")));
                }
            }
            for bad in ["/..", "/."] {
                if path.ends_with(bad) {
                    errors.push(invalid(format!("cannot end with '{bad}'")));
                }
            }
        }
        "ImplementationSpecific" => {
            if !path.is_empty() && !path.starts_with('/') {
                errors.push(invalid("must be an absolute path".to_owned()));
            }
        }
        other => errors.push(FieldError::not_supported(format!("{at}.pathType"), other, TYPES)),
    }
    errors
}

fn backend(path: &str, backend: &Value) -> Vec<FieldError> {
    let invalid = |detail: &str| vec![FieldError::invalid(path, "", detail)];
    match (backend.at("service"), backend.at("resource")) {
        (Some(_), Some(_)) => invalid("cannot set both resource and service backends"),
        (None, None) => invalid("resource or service backend is required"),
        (None, Some(resource)) => object_reference(&format!("{path}.resource"), resource),
        (Some(service), None) => service_backend(path, service),
    }
}

fn service_backend(path: &str, service: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let (at, name) = (format!("{path}.service.name"), service.text("name"));
    if name.is_empty() {
        errors.push(FieldError::required(at, ""));
    } else {
        errors.extend(FieldError::each_invalid(&at, name, format::dns1123_label(name)));
    }
    let (name, number) = (service.text("port.name"), service.int("port.number"));
    match (name.is_empty(), number == 0) {
        (false, false) => {
            errors.push(FieldError::invalid(path, "", "cannot set both port name & port number"))
        }
        (false, true) => {
            let at = format!("{path}.service.port.name");
            errors.extend(FieldError::each_invalid(&at, name, format::port_name(name)));
        }
        (true, false) => {
            let at = format!("{path}.service.port.number");
            errors.extend(FieldError::each_invalid(&at, number, format::port_number(number)));
        }
        (true, true) => errors.push(FieldError::required(path, "port name or number is required")),
    }
    errors
}
