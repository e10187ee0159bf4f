//! Validation of containers.

use std::collections::BTreeSet;

use serde_json::Value;

use super::probe;
use crate::field::{ErrorKind, FieldError};
use crate::kinds::endpoints::protocol;
use crate::kinds::format;
use crate::kinds::value::Read;
use crate::quantity::Quantity;

/// Every container of a Pod spec at `path`; `volumes` are the names of its volumes.
pub(super) fn all(path: &str, spec: &Value, volumes: &BTreeSet<&str>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let containers = spec.list("containers");
    if containers.is_empty() {
        errors.push(FieldError::required(format!("{path}.containers"), ""));
    }
    let mut names = BTreeSet::new();
    for (index, container) in containers.iter().enumerate() {
        let at = format!("{path}.containers[{index}]");
        errors.extend(one(&at, container, volumes, &mut names));
        errors.extend(probe::all(&at, container));
        if !["", "Always", "Never", "OnFailure"].contains(&container.text("restartPolicy")) {
            let value = container.text("restartPolicy");
            errors.push(FieldError::not_supported(
                format!("{at}.restartPolicy"),
                value,
                &["Always", "Never", "OnFailure"],
            ));
        }
    }
    for (index, container) in spec.list("initContainers").iter().enumerate() {
        let at = format!("{path}.initContainers[{index}]");
        errors.extend(one(&at, container, volumes, &mut names));
        if container.text("restartPolicy") == "Always" {
            errors.extend(probe::all(&at, container));
            continue;
        }
        for field in ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] {
            if container.has(field) {
                let detail = "may not be set for init containers without restartPolicy=Always";
                errors.push(FieldError::forbidden(format!("{at}.{field}"), detail));
            }
        }
    }
    errors.extend(host_ports(path, spec));
    errors
}

fn one<'c>(
    path: &str,
    container: &'c Value,
    volumes: &BTreeSet<&str>,
    names: &mut BTreeSet<&'c str>,
) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let (at, name) = (format!("{path}.name"), container.text("name"));
    if name.is_empty() {
        errors.push(FieldError::required(at, ""));
    } else {
        errors.extend(FieldError::each_invalid(&at, name, format::dns1123_label(name)));
        if !names.insert(name) {
            errors.push(FieldError::duplicate(at, name));
        }
    }
    let (at, image) = (format!("{path}.image"), container.text("image"));
    if image.is_empty() {
        errors.push(FieldError::required(at, ""));
    } else if image.trim() != image {
        errors.push(FieldError::invalid(at, image, "must not have leading or trailing whitespace"));
    }
    for (field, choices) in [
        ("terminationMessagePolicy", ["FallbackToLogsOnError", "File"].as_slice()),
        ("imagePullPolicy", &["Always", "IfNotPresent", "Never"]),
    ] {
        let (at, value) = (format!("{path}.{field}"), container.text(field));
        if value.is_empty() {
            errors.push(FieldError::required(at, ""));
        } else if !choices.contains(&value) {
            errors.push(FieldError::not_supported(at, value, choices));
        }
    }
    errors.extend(mounts(path, container, volumes));
    errors.extend(ports(path, container));
    errors.extend(environment(path, container));
    errors.extend(resources(&format!("{path}.resources"), container.at("resources").unwrap_or(&Value::Null)));
    errors
}

fn mounts(path: &str, container: &Value, volumes: &BTreeSet<&str>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut places = BTreeSet::new();
    for (index, mount) in container.list("volumeMounts").iter().enumerate() {
        let path = format!("{path}.volumeMounts[{index}]");
        let (at, name) = (format!("{path}.name"), mount.text("name"));
        if name.is_empty() {
            errors.push(FieldError::required(at, ""));
        } else if !volumes.contains(name) {
            errors.push(FieldError::new(ErrorKind::NotFound(name.into()), at, ""));
        }
        let (at, place) = (format!("{path}.mountPath"), mount.text("mountPath"));
        if place.is_empty() {
            errors.push(FieldError::required(&*at, ""));
        }
        if !places.insert(place) {
            errors.push(FieldError::invalid(at, place, "must be unique"));
        }
        for field in ["subPath", "subPathExpr"] {
            let (at, sub) = (format!("{path}.{field}"), mount.text(field));
            if sub.starts_with('/') {
                errors.push(FieldError::invalid(&*at, sub, "must be a relative path"));
            }
            if sub.split('/').any(|part| part == "..") {
                errors.push(FieldError::invalid(at, sub, "must not contain '..'"));
            }
        }
    }
    errors
}

fn ports(path: &str, container: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut names = BTreeSet::new();
    for (index, port) in container.list("ports").iter().enumerate() {
        let path = format!("{path}.ports[{index}]");
        let (at, name) = (format!("{path}.name"), port.text("name"));
        if !name.is_empty() {
            let problems = format::port_name(name);
            if problems.is_empty() && !names.insert(name) {
                errors.push(FieldError::duplicate(&*at, name));
            }
            errors.extend(FieldError::each_invalid(&at, name, problems));
        }
        let (at, number) = (format!("{path}.containerPort"), port.int("containerPort"));
        if number == 0 {
            errors.push(FieldError::required(at, ""));
        } else {
            errors.extend(FieldError::each_invalid(&at, number, format::port_number(number)));
        }
        let number = port.int("hostPort");
        if number != 0 {
            errors.extend(FieldError::each_invalid(
                &format!("{path}.hostPort"),
                number,
                format::port_number(number),
            ));
        }
        errors.extend(protocol(&path, port));
    }
    errors
}

/// A port of the node can be had once, and with the node's network every port is one.
fn host_ports(path: &str, spec: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut taken = BTreeSet::new();
    for (index, container) in spec.list("containers").iter().enumerate() {
        for (at, port) in container.list("ports").iter().enumerate() {
            let path = format!("{path}.containers[{index}].ports[{at}]");
            let (inner, outer) = (port.int("containerPort"), port.int("hostPort"));
            if spec.flag("hostNetwork") && outer != inner {
                let detail = "must match `hostPort` when `hostNetwork` is true";
                errors.push(FieldError::invalid(format!("{path}.containerPort"), inner, detail));
            }
            let key = format!("{}/{}/{outer}", port.text("protocol"), port.text("hostIP"));
            if outer != 0 && !taken.insert(key.clone()) {
                errors.push(FieldError::duplicate(format!("{path}.hostPort"), key));
            }
        }
    }
    errors
}

fn environment(path: &str, container: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (index, variable) in container.list("env").iter().enumerate() {
        let path = format!("{path}.env[{index}]");
        let (at, name) = (format!("{path}.name"), variable.text("name"));
        if name.is_empty() {
            errors.push(FieldError::required(at, ""));
        } else {
            errors.extend(FieldError::each_invalid(&at, name, format::env_name(name)));
        }
        let Some(source) = variable.at("valueFrom").and_then(Value::as_object) else { continue };
        let path = format!("{path}.valueFrom");
        let count = source.values().filter(|value| !value.is_null()).count();
        let invalid = |detail: &str| FieldError::invalid(&*path, "", detail);
        if count == 0 {
            errors.push(invalid(
                "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`",
            ));
        } else if !variable.text("value").is_empty() {
            errors.push(invalid("may not be specified when `value` is not empty"));
        } else if count > 1 {
            errors.push(invalid("may not have more than one field specified at a time"));
        }
        if let Some(reference) = variable.at("valueFrom.fieldRef") {
            errors.extend(field_reference(&format!("{path}.fieldRef"), reference));
        }
        for kind in ["configMapKeyRef", "secretKeyRef"] {
            let Some(reference) = source.get(kind).filter(|value| !value.is_null()) else { continue };
            for field in ["name", "key"] {
                if reference.text(field).is_empty() {
                    errors.push(FieldError::required(format!("{path}.{kind}.{field}"), ""));
                }
            }
        }
    }
    errors
}

fn field_reference(path: &str, reference: &Value) -> Vec<FieldError> {
    const FIELDS: &[&str] = &[
        "metadata.name",
        "metadata.namespace",
        "metadata.uid",
        "spec.nodeName",
        "spec.serviceAccountName",
        "status.hostIP",
        "status.hostIPs",
        "status.podIP",
        "status.podIPs",
    ];
    let (at, field) = (format!("{path}.fieldPath"), reference.text("fieldPath"));
    if field.is_empty() {
        return vec![FieldError::required(at, "")];
    }
    let keyed = ["metadata.labels['", "metadata.annotations['"];
    if FIELDS.contains(&field)
        || (keyed.iter().any(|prefix| field.starts_with(prefix)) && field.ends_with("']"))
    {
        return Vec::new();
    }
    vec![FieldError::not_supported(at, field, FIELDS)]
}

fn resources(path: &str, resources: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for list in ["limits", "requests"] {
        for (name, text) in resources.pairs(list) {
            let at = format!("{path}.{list}[{name}]");
            let name_at = format!("{path}.{list}");
            errors.extend(FieldError::each_invalid(&name_at, name, format::qualified_name(name)));
            match text.parse::<Quantity>() {
                Err(error) => errors.push(FieldError::invalid(at, text, error.to_string())),
                Ok(amount) if amount.is_negative() => {
                    errors.push(FieldError::invalid(at, text, "must be greater than or equal to 0"));
                }
                Ok(_) => {}
            }
        }
    }
    for (name, text) in resources.pairs("requests") {
        let Some(limit) = resources.entry("limits", name).and_then(Value::as_str) else { continue };
        if let (Ok(asked), Ok(most)) = (text.parse::<Quantity>(), limit.parse::<Quantity>())
            && asked > most
        {
            let detail = format!("must be less than or equal to {name} limit of {limit}");
            errors.push(FieldError::invalid(format!("{path}.requests"), text, detail));
        }
    }
    errors
}
