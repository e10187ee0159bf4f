//! EndpointSlice.

use serde_json::Value;

use super::column::{Column, first_few};
use super::endpoints::{app_protocol, protocol};
use super::meta::{self, NameFormat};
use super::value::{Edit, Read};
use super::{Kind, Strategy, format, ip};
use crate::field::FieldError;

pub(super) const KIND: Kind = Kind {
    group: "discovery.k8s.io",
    columns: &[
        Column::NAME,
        Column::text("AddressType", "IPv4, IPv6 or FQDN.", |object, _| object.text("addressType").into()),
        Column::text("Ports", "Ports of every endpoint.", |object, _| {
            let ports: Vec<String> = object.list("ports").iter().map(port_cell).collect();
            or_unset(&ports).into()
        }),
        Column::text("Endpoints", "Addresses.", |object, _| {
            let addresses = object.list("endpoints").iter().flat_map(|endpoint| endpoint.texts("addresses"));
            or_unset(&addresses.map(str::to_owned).collect::<Vec<_>>()).into()
        }),
        Column::AGE,
    ],
    strategy: &EndpointSlice,
    ..Kind::core("EndpointSlice", "endpointslices", "endpointslice", "io.k8s.api.discovery.v1.EndpointSlice")
};

fn port_cell(port: &Value) -> String {
    match port.at("port").and_then(Value::as_i64) {
        Some(number) => number.to_string(),
        None if port.text("name").is_empty() => "*".to_owned(),
        None => port.text("name").to_owned(),
    }
}

fn or_unset(items: &[String]) -> String {
    if items.is_empty() { "<unset>".to_owned() } else { first_few(items, 3) }
}

struct EndpointSlice;

impl Strategy for EndpointSlice {
    fn default(&self, object: &mut Value) {
        for port in object.list_mut("ports") {
            if !port.has("name") {
                port.set("name", "");
            }
            port.fill("protocol", "TCP");
        }
    }

    fn prepare_create(&self, object: &mut Value) {
        drop_topology(object);
        meta::count_generation(object, None, true);
    }

    fn prepare_update(&self, new: &mut Value, old: &Value) {
        if new.at("endpoints") != old.at("endpoints") {
            drop_topology(new);
        }
        let same = ["addressType", "endpoints", "ports", "metadata.labels"]
            .iter()
            .all(|at| new.at(at) == old.at(at));
        meta::count_generation(new, Some(old), !same);
    }

    fn validate(&self, object: &Value) -> Vec<FieldError> {
        let mut errors = meta::validate(object, true, NameFormat::Subdomain);
        errors.extend(address_type(object));
        errors.extend(endpoints(object));
        errors.extend(ports(object));
        errors
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<FieldError> {
        let mut errors = meta::validate_update(new, old);
        errors.extend(address_type(new));
        if new.at("endpoints") != old.at("endpoints") {
            errors.extend(endpoints(new));
        }
        errors.extend(ports(new));
        errors.extend(meta::immutable(new, old, "addressType"));
        errors
    }

    fn warnings(&self, new: &Value, old: Option<&Value>) -> Vec<String> {
        let mut warnings = Vec::new();
        if old.is_none() && new.text("addressType") == "FQDN" {
            warnings.push("spec.addressType: FQDN endpoints are deprecated".to_owned());
        }
        let by =
            new.entry("metadata.labels", "endpointslice.kubernetes.io/managed-by").and_then(Value::as_str);
        if by == Some("endpointslice-controller.k8s.io") || new.text("addressType") == "FQDN" {
            return warnings;
        }
        for (i, endpoint) in new.list("endpoints").iter().enumerate() {
            for (j, address) in endpoint.texts("addresses").into_iter().enumerate() {
                warnings.extend(ip::warn(&format!("endpoints[{i}].addresses[{j}]"), address));
            }
        }
        warnings
    }
}

/// A field of older versions, emptied on every write of the endpoints.
fn drop_topology(object: &mut Value) {
    for endpoint in object.list_mut("endpoints") {
        endpoint.unset("deprecatedTopology");
    }
}

fn address_type(object: &Value) -> Option<FieldError> {
    const TYPES: &[&str] = &["FQDN", "IPv4", "IPv6"];
    match object.text("addressType") {
        "" => Some(FieldError::required("addressType", "")),
        known if TYPES.contains(&known) => None,
        other => Some(FieldError::not_supported("addressType", other, TYPES)),
    }
}

fn endpoints(object: &Value) -> Vec<FieldError> {
    let endpoints = object.list("endpoints");
    if endpoints.len() > 1000 {
        return vec![FieldError::too_many("endpoints", endpoints.len(), 1000)];
    }
    let family = object.text("addressType");
    let mut errors = Vec::new();
    for (index, endpoint) in endpoints.iter().enumerate() {
        let path = format!("endpoints[{index}]");
        let addresses = endpoint.texts("addresses");
        let list = format!("{path}.addresses");
        match addresses.len() {
            0 => errors.push(FieldError::required(&*list, "must contain at least 1 address")),
            1..=100 => {}
            many => errors.push(FieldError::too_many(&*list, many, 100)),
        }
        for (at, text) in addresses.into_iter().enumerate() {
            errors.extend(address(&list, at, text, family));
        }
        if let Some(hostname) = endpoint.at("hostname").and_then(Value::as_str) {
            let problems = format::dns1123_label(hostname);
            errors.extend(FieldError::each_invalid(&format!("{path}.hostname"), hostname, problems));
        }
        if let Some(node) = endpoint.at("nodeName").and_then(Value::as_str) {
            let problems = format::dns1123_subdomain(node);
            errors.extend(FieldError::each_invalid(&format!("{path}.nodeName"), node, problems));
        }
        let topology = endpoint.pairs("deprecatedTopology");
        if topology.len() > 16 {
            errors.push(FieldError::too_many(format!("{path}.deprecatedTopology"), topology.len(), 16));
        }
        errors.extend(meta::labels(&format!("{path}.deprecatedTopology"), &topology));
        errors.extend(hints(&path, endpoint, "forZones", format::label_value));
        errors.extend(hints(&path, endpoint, "forNodes", format::dns1123_subdomain));
    }
    errors
}

fn address(list: &str, index: usize, text: &str, family: &str) -> Vec<FieldError> {
    let path = format!("{list}[{index}]");
    let of_family = |errors: Vec<FieldError>, v6: bool| {
        if !errors.is_empty() {
            return errors;
        }
        let mut errors = ip::validate_endpoint(&path, text);
        if ip::sloppy(text).is_some_and(|address| address.is_ipv6() != v6) {
            let detail = format!("must be an {family} address");
            errors.push(FieldError::invalid(list, text, detail));
        }
        errors
    };
    match family {
        "IPv4" => of_family(ip::validate_legacy(&path, text, &[]), false),
        "IPv6" => of_family(ip::validate_canonical(&path, text), true),
        "FQDN" if text.is_empty() => vec![FieldError::required(path, "")],
        "FQDN" => {
            let problems = format::fully_qualified_domain(text).into_iter();
            problems.map(|(part, problem)| FieldError::invalid(&*path, part, problem)).collect()
        }
        _ => Vec::new(),
    }
}

fn hints(path: &str, endpoint: &Value, list: &str, format: fn(&str) -> format::Problems) -> Vec<FieldError> {
    let path = format!("{path}.hints.{list}");
    let hints = endpoint.list(&format!("hints.{list}"));
    if hints.len() > 8 {
        return vec![FieldError::too_many(path, hints.len(), 8)];
    }
    let mut errors = Vec::new();
    for (index, hint) in hints.iter().enumerate() {
        let (at, name) = (format!("{path}[{index}].name"), hint.text("name"));
        if hints[..index].iter().any(|earlier| earlier.text("name") == name) {
            errors.push(FieldError::duplicate(&*at, name));
        }
        errors.extend(FieldError::each_invalid(&at, name, format(name)));
    }
    errors
}

fn ports(object: &Value) -> Vec<FieldError> {
    let ports = object.list("ports");
    if ports.len() > 20_000 {
        return vec![FieldError::too_many("ports", ports.len(), 20_000)];
    }
    let mut errors = Vec::new();
    let mut names = std::collections::BTreeSet::new();
    for (index, port) in ports.iter().enumerate() {
        let (path, name) = (format!("ports[{index}]"), port.text("name"));
        let at = format!("{path}.name");
        if !name.is_empty() {
            errors.extend(FieldError::each_invalid(&at, name, format::dns1123_label(name)));
        }
        if !names.insert(name) {
            errors.push(FieldError::duplicate(at, name));
        }
        errors.extend(protocol(&path, port));
        errors.extend(app_protocol(&path, port));
    }
    errors
}
