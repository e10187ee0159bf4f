//! A and AAAA: cluster IPs, endpoint addresses, Pod addresses, the name server's.

use std::collections::BTreeSet;
use std::net::IpAddr;

use portway_base::IpFamily;

use super::super::locate::Found;
use super::super::slot::{Front, Slot};
use super::{Ask, Sections, apex};

pub(super) fn v4(ask: &Ask<'_>, found: &Found<'_, '_>, sections: &mut Sections) {
    records(ask, found, IpFamily::V4, sections);
}

pub(super) fn v6(ask: &Ask<'_>, found: &Found<'_, '_>, sections: &mut Sections) {
    records(ask, found, IpFamily::V6, sections);
}

fn records(ask: &Ask<'_>, found: &Found<'_, '_>, family: IpFamily, sections: &mut Sections) {
    each(ask, found, family, |address| sections.answers.push(ask.own(address)));
}

/// Calls `take` for each address of one family that a name has, each address once.
pub(super) fn each(ask: &Ask<'_>, found: &Found<'_, '_>, family: IpFamily, mut take: impl FnMut(IpAddr)) {
    let mut pick = |address: IpAddr| {
        if IpFamily::of(address) == family {
            take(address);
        }
    };
    match found {
        Found::Service(_, slot) | Found::Port(_, slot, _)
            if matches!(slot.front, Some(Front::Cluster { .. })) =>
        {
            slot.front.iter().flat_map(Front::addresses).copied().for_each(pick);
        }
        Found::Service(_, slot) => distinct(slot, |_, _| true, pick),
        Found::Port(_, slot, port) => {
            distinct(slot, |slice, _| slice.ports.iter().any(|p| port.matches(p)), pick);
        }
        Found::Host(_, slot, label, spelled) => distinct(slot, |_, e| e.is_named(label, *spelled), pick),
        Found::Pod(address) => pick(*address),
        Found::NameServer => {
            let all: BTreeSet<_> =
                apex::servers(ask).into_iter().flat_map(|(_, addresses)| addresses).collect();
            all.into_iter().for_each(pick);
        }
        Found::Missing
        | Found::Apex
        | Found::Branch
        | Found::Version
        | Found::Alias(_)
        | Found::Reverse(_) => {}
    }
}

use super::super::slot::{Endpoint, Slice};

/// Addresses of the endpoints that `want` holds for, each once, in data order.
fn distinct(slot: &Slot, want: impl Fn(&Slice, &Endpoint) -> bool, mut take: impl FnMut(IpAddr)) {
    // One slice of a few endpoints is the common case and needs no set.
    const FEW: usize = 16;
    let mut few: Vec<IpAddr> = Vec::new();
    let mut many = BTreeSet::new();
    for (_, endpoint) in slot.endpoints().filter(|(slice, endpoint)| want(slice, endpoint)) {
        let address = endpoint.address;
        let new = if few.len() < FEW {
            !few.contains(&address)
        } else {
            many.insert(address) && !few.contains(&address)
        };
        if new {
            if few.len() < FEW {
                few.push(address);
            }
            take(address);
        }
    }
}
