//! Walks a Service and asks, one call for each, for the addresses and numbers it needs. Whoever allocates is
//! the caller's closure; on an error the walk stops and the caller releases what it gave.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use portway_base::IpFamily;
use serde_json::Value;

use super::families::{FAMILIES, IPS, parse, stays_prefer_dual};
use super::{is_external_name, is_headless, needs_health_check, wants_node_ports};
use crate::kinds::ip;
use crate::kinds::value::{Edit, Read};

const HEALTH: &str = "spec.healthCheckNodePort";

/// The addresses a Service holds.
pub fn cluster_ips(service: &Value) -> Vec<IpAddr> {
    if is_external_name(service) {
        return Vec::new();
    }
    service.texts(IPS).into_iter().filter_map(ip::sloppy).collect()
}

/// Gives the Service the addresses it still needs: `assign(family, Some(wanted))` reserves, `assign(family,
/// None)` allocates. On a create `old` is `None`. Errors belong to `spec.clusterIPs`.
pub fn assign_cluster_ips<E>(
    new: &mut Value,
    old: Option<&Value>,
    mut assign: impl FnMut(IpFamily, Option<IpAddr>) -> Result<IpAddr, E>,
) -> Result<(), E> {
    if is_external_name(new) || is_headless(new) {
        return Ok(());
    }
    let keep = match old {
        Some(old) if is_external_name(old) => 0,
        Some(old) if is_headless(old) || stays_prefer_dual(new, old) => return Ok(()),
        Some(old) => old.list(FAMILIES).len(),
        None => 0,
    };
    let families: Vec<IpFamily> = new.texts(FAMILIES).into_iter().filter_map(parse).collect();
    let mut addresses: Vec<Value> = new.list(IPS).to_vec();
    for (index, family) in families.iter().enumerate().skip(keep) {
        let wanted = addresses.get(index).and_then(Value::as_str).filter(|text| !text.is_empty());
        match wanted {
            Some(text) => {
                // The text stays as it was sent, canonical or not.
                if let Some(address) = ip::sloppy(text) {
                    assign(*family, Some(address))?;
                }
            }
            None => {
                let address = assign(*family, None)?;
                addresses.truncate(index);
                addresses.push(address.to_string().into());
            }
        }
    }
    if let Some(first) = addresses.first().cloned() {
        new.set("spec.clusterIP", first);
        new.set(IPS, addresses);
    }
    Ok(())
}

/// Addresses of `old` that `new` no longer holds.
pub fn released_cluster_ips(new: &Value, old: &Value) -> Vec<IpAddr> {
    let kept = cluster_ips(new);
    cluster_ips(old).into_iter().filter(|address| !kept.contains(address)).collect()
}

/// The node ports a Service holds, the health check's included.
pub fn node_ports(service: &Value) -> BTreeSet<u16> {
    let mut ports = BTreeSet::new();
    if !["NodePort", "LoadBalancer"].contains(&service.text("spec.type")) {
        return ports;
    }
    ports.extend(service.list("spec.ports").iter().filter_map(|port| number(port.int("nodePort"))));
    if needs_health_check(service) {
        ports.extend(number(service.int(HEALTH)));
    }
    ports
}

fn number(port: i64) -> Option<u16> {
    u16::try_from(port).ok().filter(|port| *port != 0)
}

/// Node ports of `old` that `new` no longer holds.
pub fn released_node_ports(new: &Value, old: &Value) -> Vec<u16> {
    node_ports(old).difference(&node_ports(new)).copied().collect()
}

/// Gives the ports the node ports they still need: `assign(index, wanted)` reserves the number wanted (which
/// may be out of any range), or with 0 allocates one; `index` is the port's place in `spec.ports`. Errors
/// belong to `spec.ports[index].nodePort`.
pub fn assign_node_ports<E>(
    new: &mut Value,
    old: Option<&Value>,
    mut assign: impl FnMut(usize, i64) -> Result<i64, E>,
) -> Result<(), E> {
    if !["NodePort", "LoadBalancer"].contains(&new.text("spec.type")) {
        return Ok(());
    }
    let wanted = wants_node_ports(new);
    let held: BTreeSet<i64> = old.map(node_ports).unwrap_or_default().into_iter().map(i64::from).collect();
    // Ports of one number share a node port, so that DNS has one for TCP and UDP.
    let asked: Vec<(i64, i64)> =
        new.list("spec.ports").iter().map(|port| (port.int("port"), port.int("nodePort"))).collect();
    let mut by_port: BTreeMap<i64, i64> = BTreeMap::new();
    let mut given: BTreeSet<i64> = BTreeSet::new();
    for (index, (port, explicit)) in asked.iter().copied().enumerate() {
        if explicit == 0 && !wanted {
            continue;
        }
        let remembered = by_port.get(&port).copied();
        let node_port = match (remembered, explicit) {
            (Some(number), 0) if old.is_none() => number,
            (Some(number), explicit) if number == explicit => number,
            (None, 0) => {
                let elsewhere = asked.iter().find(|(p, n)| *p == port && *n != 0).map_or(0, |(_, n)| *n);
                if elsewhere != 0 && old.is_none() { assign(index, elsewhere)? } else { assign(index, 0)? }
            }
            (_, 0) => assign(index, 0)?,
            (_, explicit) if held.contains(&explicit) || (old.is_some() && given.contains(&explicit)) => {
                explicit
            }
            (_, explicit) => assign(index, explicit)?,
        };
        by_port.entry(port).or_insert(node_port);
        given.insert(node_port);
        if explicit == 0
            && let Some(port) = new.list_mut("spec.ports").get_mut(index)
        {
            port.set("nodePort", node_port);
        }
    }
    Ok(())
}

/// Gives a Service that needs one its health check node port: `assign(wanted)` reserves, or with 0 allocates.
pub fn assign_health_check_port<E>(
    new: &mut Value,
    old: Option<&Value>,
    assign: impl FnOnce(i64) -> Result<i64, E>,
) -> Result<(), E> {
    if needs_health_check(new) && !old.is_some_and(needs_health_check) {
        let port = assign(new.int(HEALTH))?;
        new.set(HEALTH, port);
    }
    Ok(())
}
