//! Endpoints.

use serde_json::Value;

use super::column::{Column, first_few};
use super::meta::{self, NameFormat};
use super::value::{Edit, Read};
use super::{Kind, Strategy, format, ip};
use crate::field::FieldError;

pub(super) const KIND: Kind = Kind {
    short_names: &["ep"],
    storage_prefix: "services/endpoints",
    create_on_update: true,
    deprecation: Some("v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"),
    columns: &[
        Column::NAME,
        Column::text("Endpoints", "Ready addresses with their ports.", |object, _| listing(object).into()),
        Column::AGE,
    ],
    strategy: &Endpoints,
    ..Kind::core("Endpoints", "endpoints", "endpoints", "io.k8s.api.core.v1.Endpoints")
};

/// Transport protocols a port may have, sorted.
pub(super) const PROTOCOLS: &[&str] = &["SCTP", "TCP", "UDP"];

fn listing(object: &Value) -> String {
    let subsets = object.list("subsets");
    if subsets.is_empty() {
        return "<none>".to_owned();
    }
    let mut items = Vec::new();
    for subset in subsets {
        let ports = subset.list("ports");
        let addresses = subset.list("addresses").iter().map(|address| address.text("ip"));
        if ports.is_empty() {
            items.extend(addresses.clone().map(str::to_owned));
        }
        for port in ports {
            items.extend(addresses.clone().map(|address| host_port(address, port.int("port"))));
        }
    }
    first_few(&items, 3)
}

/// `10.0.0.1:80`, `[fd00::1]:80`.
fn host_port(host: &str, port: i64) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

struct Endpoints;

impl Strategy for Endpoints {
    fn default(&self, object: &mut Value) {
        for subset in object.list_mut("subsets") {
            for port in subset.list_mut("ports") {
                port.fill("protocol", "TCP");
            }
        }
    }

    fn validate(&self, object: &Value) -> Vec<FieldError> {
        let mut errors = meta::validate(object, true, NameFormat::Subdomain);
        errors.extend(subsets(object));
        errors
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<FieldError> {
        let mut errors = meta::validate_update(new, old);
        if new.at("subsets") != old.at("subsets") {
            errors.extend(subsets(new));
        }
        errors
    }

    fn warnings(&self, new: &Value, _old: Option<&Value>) -> Vec<String> {
        if new
            .entry("metadata.labels", "endpoints.kubernetes.io/managed-by")
            .is_some_and(|by| by == "endpoint-controller")
        {
            return Vec::new();
        }
        let mut warnings = Vec::new();
        for (i, subset) in new.list("subsets").iter().enumerate() {
            for list in ["addresses", "notReadyAddresses"] {
                for (j, address) in subset.list(list).iter().enumerate() {
                    warnings.extend(ip::warn(&format!("subsets[{i}].{list}[{j}].ip"), address.text("ip")));
                }
            }
        }
        warnings
    }
}

fn subsets(object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (index, subset) in object.list("subsets").iter().enumerate() {
        let path = format!("subsets[{index}]");
        if subset.list("addresses").is_empty() && subset.list("notReadyAddresses").is_empty() {
            errors.push(FieldError::required(&*path, "must specify `addresses` or `notReadyAddresses`"));
        }
        for list in ["addresses", "notReadyAddresses"] {
            for (at, address) in subset.list(list).iter().enumerate() {
                errors.extend(validate_address(&format!("{path}.{list}[{at}]"), address));
            }
        }
        let ports = subset.list("ports");
        for (at, port) in ports.iter().enumerate() {
            errors.extend(validate_port(&format!("{path}.ports[{at}]"), port, ports.len() > 1));
        }
    }
    errors
}

fn validate_address(path: &str, address: &Value) -> Vec<FieldError> {
    let at = format!("{path}.ip");
    let mut errors = ip::validate_legacy(&at, address.text("ip"), &[]);
    let hostname = address.text("hostname");
    if !hostname.is_empty() {
        let problems = format::dns1123_label(hostname);
        errors.extend(FieldError::each_invalid(&format!("{path}.hostname"), hostname, problems));
    }
    if let Some(node) = address.at("nodeName").and_then(Value::as_str) {
        let problems = format::dns1123_subdomain(node);
        errors.extend(FieldError::each_invalid(&format!("{path}.nodeName"), node, problems));
    }
    errors.extend(ip::validate_endpoint(&at, address.text("ip")));
    errors
}

fn validate_port(path: &str, port: &Value, named: bool) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let name = port.text("name");
    if !name.is_empty() {
        errors.extend(FieldError::each_invalid(&format!("{path}.name"), name, format::dns1123_label(name)));
    } else if named {
        errors.push(FieldError::required(format!("{path}.name"), ""));
    }
    let number = port.int("port");
    errors.extend(FieldError::each_invalid(&format!("{path}.port"), number, format::port_number(number)));
    errors.extend(protocol(path, port));
    errors.extend(app_protocol(path, port));
    errors
}

/// The `protocol` of a port of any kind.
pub(super) fn protocol(path: &str, port: &Value) -> Option<FieldError> {
    let protocol = port.text("protocol");
    if protocol.is_empty() {
        Some(FieldError::required(format!("{path}.protocol"), ""))
    } else if !PROTOCOLS.contains(&protocol) {
        Some(FieldError::not_supported(format!("{path}.protocol"), protocol, PROTOCOLS))
    } else {
        None
    }
}

/// The `appProtocol` of a port of any kind; an empty text is a wrong one.
pub(super) fn app_protocol(path: &str, port: &Value) -> Vec<FieldError> {
    let Some(name) = port.at("appProtocol").and_then(Value::as_str) else { return Vec::new() };
    FieldError::each_invalid(&format!("{path}.appProtocol"), name, format::qualified_name(name))
}
