//! Everything wrong with the spec of a Service, in the order users see it.

use serde_json::Value;

use super::families::{self, FAMILIES, IPS, POLICY};
use super::{
    is_external_name, is_externally_accessible, is_headless, is_load_balancer, needs_health_check, ports,
};
use crate::field::FieldError;
use crate::kinds::value::Read;
use crate::kinds::{format, ip, meta};

const MODE: &str = "service.kubernetes.io/topology-mode";
pub(super) const HINTS: &str = "service.kubernetes.io/topology-aware-hints";
const RANGES_ANNOTATION: &str = "service.beta.kubernetes.io/load-balancer-source-ranges";
const ONLY_LOAD_BALANCER: &str = "may only be used when `type` is 'LoadBalancer'";

/// The rules of `spec`, and of annotations that belong to it. `old` is the Service before an update: texts it
/// already had are held to less.
pub(super) fn spec(service: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let kind = service.text("spec.type");
    let service_ports = service.list("spec.ports");
    if let (Some(mode), Some(hints)) = (service.annotation(MODE), service.annotation(HINTS))
        && mode != hints
    {
        let detail = format!("must match annotations[{HINTS}] when both are specified");
        errors.push(FieldError::invalid(format!("metadata.annotations[{MODE}]"), mode, detail));
    }
    if service_ports.is_empty() && !is_headless(service) && !is_external_name(service) {
        errors.push(FieldError::required("spec.ports", ""));
    }
    if is_headless(service) && ["LoadBalancer", "NodePort"].contains(&kind) {
        let detail = format!("may not be set to 'None' for {kind} services");
        errors.push(FieldError::invalid(format!("{IPS}[0]"), "None", detail));
    }
    if is_external_name(service) {
        errors.extend(external_name(service));
    }
    errors.extend(ports::each(service_ports));
    errors.extend(meta::labels("spec.selector", &service.pairs("spec.selector")));
    errors.extend(affinity(service));
    errors.extend(families::check(service, old));
    errors.extend(external_ips(service, old));
    errors.extend(one_of(service, "spec.type", &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"]));
    if kind == "ClusterIP" {
        errors.extend(ports::node_ports_of_cluster_ip(service_ports));
    }
    errors.extend(ports::duplicates(service_ports));
    errors.extend(source_ranges(service, old));
    if service.has("spec.allocateLoadBalancerNodePorts") && !is_load_balancer(service) {
        errors.push(FieldError::forbidden("spec.allocateLoadBalancerNodePorts", ONLY_LOAD_BALANCER));
    }
    errors.extend(load_balancer_class(service));
    errors.extend(policies(service));
    errors
}

/// A required text out of a fixed set.
fn one_of(service: &Value, path: &str, choices: &[&str]) -> Option<FieldError> {
    match service.text(path) {
        "" => Some(FieldError::required(path, "")),
        known if choices.contains(&known) => None,
        other => Some(FieldError::not_supported(path, other, choices)),
    }
}

fn external_name(service: &Value) -> Vec<FieldError> {
    const DETAIL: &str = "may not be set for ExternalName services";
    let mut errors = Vec::new();
    for path in [IPS, FAMILIES] {
        if !service.list(path).is_empty() {
            errors.push(FieldError::forbidden(path, DETAIL));
        }
    }
    if service.has(POLICY) {
        errors.push(FieldError::forbidden(POLICY, DETAIL));
    }
    let name = service.text("spec.externalName");
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.is_empty() {
        errors.push(FieldError::required("spec.externalName", ""));
    } else {
        errors.extend(FieldError::each_invalid("spec.externalName", name, format::dns1123_subdomain(name)));
    }
    errors
}

fn affinity(service: &Value) -> Vec<FieldError> {
    const PATH: &str = "spec.sessionAffinityConfig";
    const MAX_SECONDS: i64 = 86_400;
    let mut errors: Vec<FieldError> =
        one_of(service, "spec.sessionAffinity", &["ClientIP", "None"]).into_iter().collect();
    let config = service.at(PATH);
    match service.text("spec.sessionAffinity") {
        "ClientIP" => {
            let detail = "when session affinity type is ClientIP";
            let timeout =
                service.at("spec.sessionAffinityConfig.clientIP.timeoutSeconds").and_then(Value::as_i64);
            match (config, service.at("spec.sessionAffinityConfig.clientIP"), timeout) {
                (None, ..) => errors.push(FieldError::required(PATH, detail)),
                (_, None, _) => errors.push(FieldError::required(format!("{PATH}.clientIP"), detail)),
                (.., None) => {
                    errors.push(FieldError::required(format!("{PATH}.clientIP.timeoutSeconds"), detail))
                }
                (.., Some(seconds)) if !(1..=MAX_SECONDS).contains(&seconds) => {
                    let detail = format!("must be greater than 0 and less than {MAX_SECONDS}");
                    errors.push(FieldError::invalid(
                        format!("{PATH}.clientIP.timeoutSeconds"),
                        seconds,
                        detail,
                    ));
                }
                _ => {}
            }
        }
        "None" if config.is_some() => {
            errors.push(FieldError::forbidden(PATH, "must not be set when session affinity is None"));
        }
        _ => {}
    }
    errors
}

fn external_ips(service: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let existing = old.map(|old| old.texts("spec.externalIPs")).unwrap_or_default();
    let mut errors = Vec::new();
    for (index, address) in service.texts("spec.externalIPs").into_iter().enumerate() {
        let path = format!("spec.externalIPs[{index}]");
        let wrong = ip::validate_legacy(&path, address, &existing);
        errors.extend(if wrong.is_empty() { ip::validate_endpoint(&path, address) } else { wrong });
    }
    errors
}

fn source_ranges(service: &Value, old: Option<&Value>) -> Vec<FieldError> {
    // The capital letter is what clients see upstream.
    const PATH: &str = "spec.LoadBalancerSourceRanges";
    let mut errors = Vec::new();
    let ranges = service.texts("spec.loadBalancerSourceRanges");
    if !ranges.is_empty() {
        if !is_load_balancer(service) {
            errors.push(FieldError::forbidden(PATH, ONLY_LOAD_BALANCER));
        }
        let existing = old.map(|old| old.texts("spec.loadBalancerSourceRanges")).unwrap_or_default();
        for (index, range) in ranges.iter().enumerate() {
            errors.extend(ip::validate_legacy_cidr(&format!("{PATH}[{index}]"), range.trim(), &existing));
        }
        return errors;
    }
    let Some(text) = service.annotation(RANGES_ANNOTATION) else { return errors };
    let path = format!("metadata.annotations[{RANGES_ANNOTATION}]");
    if !is_load_balancer(service) {
        errors.push(FieldError::forbidden(&*path, ONLY_LOAD_BALANCER));
    }
    let unchanged = old.and_then(|old| old.annotation(RANGES_ANNOTATION)) == Some(text);
    if !unchanged && !text.trim().is_empty() {
        for range in text.split(',') {
            errors.extend(ip::validate_legacy_cidr(&path, range.trim(), &[]));
        }
    }
    errors
}

fn load_balancer_class(service: &Value) -> Vec<FieldError> {
    const PATH: &str = "spec.loadBalancerClass";
    let Some(class) = service.at(PATH).and_then(Value::as_str) else { return Vec::new() };
    if !is_load_balancer(service) {
        return vec![FieldError::forbidden(PATH, ONLY_LOAD_BALANCER)];
    }
    FieldError::each_invalid(PATH, class, format::qualified_name(class))
}

fn policies(service: &Value) -> Vec<FieldError> {
    const EXTERNAL: &str = "spec.externalTrafficPolicy";
    const HEALTH: &str = "spec.healthCheckNodePort";
    const POLICIES: &[&str] = &["Cluster", "Local"];
    let mut errors = Vec::new();
    if is_externally_accessible(service) {
        errors.extend(one_of(service, EXTERNAL, POLICIES));
    } else if !service.text(EXTERNAL).is_empty() {
        let detail = "may only be set for externally-accessible services";
        errors.push(FieldError::invalid(EXTERNAL, service.text(EXTERNAL), detail));
    }
    match (needs_health_check(service), service.int(HEALTH)) {
        (true, 0) => errors.push(FieldError::required(HEALTH, "")),
        (true, port) => errors.extend(FieldError::each_invalid(HEALTH, port, format::port_number(port))),
        (false, 0) => {}
        (false, port) => {
            let detail =
                "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
            errors.push(FieldError::invalid(HEALTH, port, detail));
        }
    }
    for (path, choices) in [
        ("spec.internalTrafficPolicy", POLICIES),
        ("spec.trafficDistribution", &["PreferClose", "PreferSameNode", "PreferSameZone"]),
    ] {
        if service.has(path) && !choices.contains(&service.text(path)) {
            errors.push(FieldError::not_supported(path, service.text(path), choices));
        }
    }
    errors
}
