//! Updates of a Service: what it keeps, what a change of type takes away, what may not change.

use std::collections::BTreeSet;

use portway_base::IpFamily;
use serde_json::{Value, json};

use super::families::{FAMILIES, IPS, POLICY, is_single_stack, settle, value};
use super::{
    is_external_name, is_externally_accessible, is_headless, is_load_balancer, needs_health_check,
    wants_node_ports,
};
use crate::field::FieldError;
use crate::kinds::value::{Edit, Read};

const IP: &str = "spec.clusterIP";
const HEALTH: &str = "spec.healthCheckNodePort";
const CLASS: &str = "spec.loadBalancerClass";

/// Start of an update: carries allocated values over, brings `clusterIP` and `clusterIPs` together, settles
/// families and policy. `families` are the cluster's, the default one first.
pub fn begin_update(new: &mut Value, old: &Value, families: &[IpFamily]) -> Result<(), Vec<FieldError>> {
    carry_over(new, old);
    reconcile(new, old);
    settle(new, Some(old), families)
}

/// A manifest applied again keeps the addresses and ports it was given.
fn carry_over(new: &mut Value, old: &Value) {
    if !is_external_name(new) && !is_external_name(old) {
        if new.text(IP).is_empty() {
            new.copy(IP, old);
        }
        if new.list(IPS).is_empty() && !old.list(IPS).is_empty() {
            new.copy(IPS, old);
        }
    }
    if wants_node_ports(new) && wants_node_ports(old) {
        // Numbers the request itself names. Several ports may take over one number, as TCP and UDP share it.
        let named: BTreeSet<i64> = new.list("spec.ports").iter().map(|port| port.int("nodePort")).collect();
        for port in new.list_mut("spec.ports") {
            if port.int("nodePort") != 0 {
                continue;
            }
            let before = old.list("spec.ports").iter().find(|old| old.text("name") == port.text("name"));
            let number = before.map_or(0, |before| before.int("nodePort"));
            if number != 0 && !named.contains(&number) {
                port.set("nodePort", number);
            }
        }
    }
    if needs_health_check(new) && needs_health_check(old) && new.int(HEALTH) == 0 {
        new.copy(HEALTH, old);
    }
}

/// Follows a client that changed only one of `clusterIP` and `clusterIPs`.
fn reconcile(new: &mut Value, old: &Value) {
    let (single, before) = (new.text(IP).to_owned(), old.text(IP).to_owned());
    let same_list = new.list(IPS) == old.list(IPS);
    if new.list(IPS).is_empty() && !old.list(IPS).is_empty() {
        if single == before {
            new.copy(IPS, old);
        }
    } else if same_list && single.is_empty() && !before.is_empty() {
        new.unset(IPS);
    } else if same_list && !single.is_empty() && single != before {
        new.set(IPS, json!([single]));
    }
}

/// Removes fields that the new type does not have, where the request left them as they were.
pub(super) fn drop_type_dependent(new: &mut Value, old: &Value) {
    if !is_external_name(old) && is_external_name(new) {
        if new.at(IP) == old.at(IP) && new.list(IPS) == old.list(IPS) {
            new.unset(IP);
            new.unset(IPS);
        }
        for path in [FAMILIES, POLICY] {
            if new.at(path) == old.at(path) {
                new.unset(path);
            }
        }
    }
    let node_ports = |service: &Value| ["NodePort", "LoadBalancer"].contains(&service.text("spec.type"));
    if node_ports(old) && !node_ports(new) {
        let numbers = |service: &Value| -> BTreeSet<i64> {
            let numbers = service.list("spec.ports").iter().map(|port| port.int("nodePort"));
            numbers.filter(|number| *number != 0).collect()
        };
        if numbers(new).is_subset(&numbers(old)) {
            for port in new.list_mut("spec.ports") {
                port.unset("nodePort");
            }
        }
    }
    if needs_health_check(old) && !needs_health_check(new) && new.int(HEALTH) == old.int(HEALTH) {
        new.unset(HEALTH);
    }
    if is_load_balancer(old) && !is_load_balancer(new) {
        for path in ["spec.allocateLoadBalancerNodePorts", CLASS] {
            if new.at(path) == old.at(path) {
                new.unset(path);
            }
        }
        new.set("status.loadBalancer", json!({}));
    }
    const TRAFFIC: &str = "spec.externalTrafficPolicy";
    if is_externally_accessible(old)
        && !is_externally_accessible(new)
        && new.text(TRAFFIC) == old.text(TRAFFIC)
    {
        new.unset(TRAFFIC);
    }
}

/// What may not change.
pub(super) fn validate(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if !is_external_name(new) && !is_external_name(old) {
        errors.extend(cluster_ips(new, old));
        errors.extend(ip_families(new, old));
    }
    if is_load_balancer(new) && is_load_balancer(old) && new.at(CLASS) != old.at(CLASS) {
        errors.push(FieldError::invalid(CLASS, value(new, CLASS), "may not change once set"));
    }
    if needs_health_check(new) && needs_health_check(old) && new.int(HEALTH) != old.int(HEALTH) {
        errors.push(FieldError::forbidden(HEALTH, "field is immutable"));
    }
    errors
}

fn cluster_ips(new: &Value, old: &Value) -> Vec<FieldError> {
    if is_headless(new) && is_headless(old) {
        return Vec::new();
    }
    let (now, before) = (new.texts(IPS), old.texts(IPS));
    let at =
        |index: usize, detail: &str| FieldError::invalid(format!("{IPS}[{index}]"), value(new, IPS), detail);
    if now.len() == before.len() {
        let differing = (0..now.len()).filter(|index| now[*index] != before[*index]);
        return differing.map(|index| at(index, "may not change once set")).collect();
    }
    shrunk_or_grown(new, (&now, &before), &at, ("primary clusterIP", "secondary clusterIP"))
}

fn ip_families(new: &Value, old: &Value) -> Vec<FieldError> {
    if is_headless(new) != is_headless(old) || is_headless(new) {
        return Vec::new();
    }
    let (now, before) = (new.texts(FAMILIES), old.texts(FAMILIES));
    // Upstream points at the first family whichever one differs.
    let at =
        |_: usize, detail: &str| FieldError::invalid(format!("{FAMILIES}[0]"), value(new, FAMILIES), detail);
    if now.len() == before.len() {
        let differing = (0..now.len()).filter(|index| now[*index] != before[*index]);
        return differing.map(|index| at(index, "may not change once set")).collect();
    }
    shrunk_or_grown(new, (&now, &before), &at, ("primary ipFamily", "secondary ipFamily"))
}

fn shrunk_or_grown(
    new: &Value,
    (now, before): (&[&str], &[&str]),
    at: &dyn Fn(usize, &str) -> FieldError,
    (primary, secondary): (&str, &str),
) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let shrinks = now.len() < before.len();
    if shrinks && (now.is_empty() || new.list(IPS).is_empty()) {
        errors.push(at(0, &format!("{primary} can not be unset")));
    }
    if let (Some(now), Some(before)) = (now.first(), before.first())
        && now != before
    {
        errors.push(at(0, "may not change once set"));
    }
    if shrinks && now.len() == 1 && !is_single_stack(new) {
        let detail = format!("must be set to 'SingleStack' when releasing the {secondary}");
        errors.push(FieldError::invalid(POLICY, value(new, POLICY), detail));
    }
    errors
}
