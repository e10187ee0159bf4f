//! Validation of `spec.ports`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::field::FieldError;
use crate::kinds::endpoints::{app_protocol, protocol};
use crate::kinds::format;
use crate::kinds::value::Read;

const PATH: &str = "spec.ports";

/// Each port by itself.
pub(super) fn each(ports: &[Value]) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut names = BTreeSet::new();
    for (index, port) in ports.iter().enumerate() {
        let path = format!("{PATH}[{index}]");
        let (at, name) = (format!("{path}.name"), port.text("name"));
        if !name.is_empty() {
            errors.extend(FieldError::each_invalid(&at, name, format::dns1123_label(name)));
            if !names.insert(name) {
                errors.push(FieldError::duplicate(at, name));
            }
        } else if ports.len() > 1 {
            errors.push(FieldError::required(at, ""));
        }
        let number = port.int("port");
        errors.extend(FieldError::each_invalid(&format!("{path}.port"), number, format::port_number(number)));
        errors.extend(protocol(&path, port));
        errors.extend(port_or_name(&format!("{path}.targetPort"), port.at("targetPort")));
        errors.extend(app_protocol(&path, port));
    }
    errors
}

/// A port number, or the name of a port.
pub(in crate::kinds) fn port_or_name(path: &str, port: Option<&Value>) -> Vec<FieldError> {
    match port {
        Some(Value::String(name)) => FieldError::each_invalid(path, name.as_str(), format::port_name(name)),
        other => {
            let number = other.and_then(Value::as_i64).unwrap_or_default();
            FieldError::each_invalid(path, number, format::port_number(number))
        }
    }
}

/// Node ports on a type that has none.
pub(super) fn node_ports_of_cluster_ip(ports: &[Value]) -> Vec<FieldError> {
    let with = ports.iter().enumerate().filter(|(_, port)| port.int("nodePort") != 0);
    with.map(|(index, _)| {
        FieldError::forbidden(
            format!("{PATH}[{index}].nodePort"),
            "may not be used when `type` is 'ClusterIP'",
        )
    })
    .collect()
}

/// The same node port, or the same port, twice for one protocol.
pub(super) fn duplicates(ports: &[Value]) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut seen = BTreeSet::new();
    for (index, port) in ports.iter().enumerate() {
        let number = port.int("nodePort");
        if number != 0 && !seen.insert((port.text("protocol"), number)) {
            errors.push(FieldError::duplicate(format!("{PATH}[{index}].nodePort"), number));
        }
    }
    seen.clear();
    for (index, port) in ports.iter().enumerate() {
        let (protocol, number) = (port.text("protocol"), port.int("port"));
        if !seen.insert((protocol, number)) {
            let key = json!({"port": number, "protocol": protocol, "targetPort": 0});
            errors.push(FieldError::duplicate(format!("{PATH}[{index}]"), key));
        }
    }
    errors
}
