//! SRV: ports of Services and of endpoints.

use std::collections::BTreeSet;

use super::super::locate::Found;
use super::super::slot::{Front, Port, Slot};
use super::{Ask, Sections};
use crate::wire::{Name, Record, Srv};

pub(super) fn records(ask: &Ask<'_>, found: &Found<'_, '_>, sections: &mut Sections) {
    match found {
        Found::Service(key, slot) => service(ask, key, slot, |_| true, sections),
        Found::Port(key, slot, port) => service(ask, key, slot, |p| port.matches(p), sections),
        Found::Host(key, slot, label, spelled) => {
            endpoints(ask, key, slot, |e| e.is_named(label, *spelled), |_| true, sections);
        }
        _ => {}
    }
}

fn service(ask: &Ask<'_>, key: &[u8], slot: &Slot, want: impl Fn(&Port) -> bool, sections: &mut Sections) {
    let Some(Front::Cluster { addresses, ports }) = &slot.front else {
        return endpoints(ask, key, slot, |_| true, want, sections);
    };
    let Some(target) = ask.service_name(None, key) else { return };
    let ports: Vec<u16> = ports.iter().filter(|port| want(port)).map(|port| port.number).collect();
    add(ask, ports.iter().map(|&port| (target.clone(), port)), ports.len(), sections);
    let glue = addresses.iter().map(|&address| Record::new(target.clone(), ask.ttl(), address));
    sections.additional.extend(glue);
}

/// One record for each name and port of the endpoints, and the addresses of those names.
fn endpoints(
    ask: &Ask<'_>,
    key: &[u8],
    slot: &Slot,
    named: impl Fn(&super::super::slot::Endpoint) -> bool,
    want: impl Fn(&Port) -> bool,
    sections: &mut Sections,
) {
    let mut targets = BTreeSet::new();
    let mut glue = BTreeSet::new();
    for (slice, endpoint) in slot.endpoints().filter(|(_, endpoint)| named(endpoint)) {
        let label = endpoint.label();
        for port in slice.ports.iter().filter(|port| want(port)) {
            targets.insert((label.clone(), port.number));
            glue.insert((label.clone(), endpoint.address));
        }
    }
    let name = |label: &[u8]| ask.service_name(Some(label), key);
    let count = targets.len();
    add(ask, targets.iter().filter_map(|(label, port)| Some((name(label)?, *port))), count, sections);
    let glue =
        glue.iter().filter_map(|(label, address)| Some(Record::new(name(label)?, ask.ttl(), *address)));
    sections.additional.extend(glue);
}

fn add(ask: &Ask<'_>, targets: impl Iterator<Item = (Name, u16)>, count: usize, sections: &mut Sections) {
    let weight = u16::try_from(100 / count.max(1)).unwrap_or(100).max(1);
    let record = |(target, port)| ask.own(Srv { priority: 0, weight, port, target });
    sections.answers.extend(targets.map(record));
}
