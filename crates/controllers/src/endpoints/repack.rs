//! The canonical form of Endpoints subsets: each port once, ports with the same addresses together, all in order.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::str::FromStr;

use portway_api::types::core::{EndpointAddress, EndpointPort, EndpointSubset};

use crate::selection::protocol;

/// Numeric order for addresses that are addresses; then the UID of the target.
type AddressId = (Option<IpAddr>, String, String);
type PortId = (String, String, i32, Option<String>);

fn address_id(address: &EndpointAddress) -> AddressId {
    let uid = address.target_ref.as_ref().map(|t| t.uid.clone()).unwrap_or_default();
    (IpAddr::from_str(&address.ip).ok(), address.ip.clone(), uid)
}

fn port_id(port: &EndpointPort) -> PortId {
    (port.name.clone(), protocol(&port.protocol).to_owned(), port.port, port.app_protocol.clone())
}

/// Equal sets of (address, port, readiness) have equal results. An address that is both ready and not ready for a
/// port counts as not ready.
pub fn repack(subsets: Vec<EndpointSubset>) -> Vec<EndpointSubset> {
    // `None` stands for "no ports".
    let mut by_port: BTreeMap<Option<PortId>, BTreeMap<AddressId, bool>> = BTreeMap::new();
    let mut known: BTreeMap<AddressId, EndpointAddress> = BTreeMap::new();
    for subset in subsets {
        let ports: Vec<Option<PortId>> = if subset.ports.is_empty() {
            vec![None]
        } else {
            subset.ports.iter().map(|port| Some(port_id(port))).collect()
        };
        let ready = subset.addresses.into_iter().map(|a| (a, true));
        for (address, ready) in ready.chain(subset.not_ready_addresses.into_iter().map(|a| (a, false))) {
            let id = address_id(&address);
            for port in &ports {
                let state = by_port.entry(port.clone()).or_default().entry(id.clone()).or_insert(ready);
                *state &= ready;
            }
            known.entry(id).or_insert(address);
        }
    }
    let mut by_addresses: BTreeMap<Vec<(AddressId, bool)>, Vec<Option<PortId>>> = BTreeMap::new();
    for (port, addresses) in by_port {
        by_addresses.entry(addresses.into_iter().collect()).or_default().push(port);
    }
    by_addresses.into_iter().flat_map(|(addresses, ports)| subset(&addresses, ports, &known)).collect()
}

fn subset(
    addresses: &[(AddressId, bool)],
    ports: Vec<Option<PortId>>,
    known: &BTreeMap<AddressId, EndpointAddress>,
) -> Vec<EndpointSubset> {
    let of = |wanted: bool| -> Vec<EndpointAddress> {
        addresses
            .iter()
            .filter(|(_, ready)| *ready == wanted)
            .filter_map(|(id, _)| known.get(id).cloned())
            .collect()
    };
    let subset = |ports: Vec<EndpointPort>| EndpointSubset {
        addresses: of(true),
        not_ready_addresses: of(false),
        ports,
    };
    // "No ports" does not mix with ports.
    let portless = ports.contains(&None).then(|| subset(Vec::new()));
    let port = |(name, protocol, number, app_protocol): PortId| EndpointPort {
        name,
        port: number,
        protocol,
        app_protocol,
    };
    let ported: Vec<EndpointPort> = ports.into_iter().flatten().map(port).collect();
    let ported = (!ported.is_empty()).then(|| subset(ported));
    portless.into_iter().chain(ported).collect()
}
