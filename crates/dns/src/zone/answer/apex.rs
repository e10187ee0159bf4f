//! SOA and NS of a zone, and who its name servers are.

use std::net::IpAddr;

use super::super::locate::Found;
use super::super::slot::Front;
use super::{Ask, Sections};
use crate::wire::{Name, Rdata, Record};

pub(super) fn soa(ask: &Ask<'_>, found: &Found<'_, '_>, sections: &mut Sections) {
    if let Found::Apex = found {
        sections.answers.push(ask.site.soa(ask.ttl(), ask.zone.serial));
    }
}

pub(super) fn ns(ask: &Ask<'_>, found: &Found<'_, '_>, sections: &mut Sections) {
    if let Found::Apex = found {
        for (server, addresses) in servers(ask) {
            sections.answers.push(ask.own(Rdata::Ns(server.clone())));
            let glue = addresses.into_iter().map(|address| Record::new(server.clone(), ask.ttl(), address));
            sections.additional.extend(glue);
        }
    }
}

/// The names and addresses of the zone's servers: the Services with this server among their endpoints, or else
/// `ns.dns` with this server's own addresses.
pub(super) fn servers(ask: &Ask<'_>) -> Vec<(Name, Vec<IpAddr>)> {
    let zone = ask.zone;
    let mut servers: Vec<(Name, Vec<IpAddr>)> = Vec::new();
    let apex = zone.sites.iter().find(|site| !site.reverse).map_or(ask.suffix, |site| site.apex.as_wire());
    let suffix = if ask.site.reverse { apex } else { ask.suffix };
    for &address in zone.config.addresses.iter().filter(|address| !address.is_loopback()) {
        for (key, _) in zone.slots_with(address) {
            let Some(slot) = zone.slots.get(key) else { continue };
            let mut add = |host: Option<&[u8]>, addresses: Vec<IpAddr>| {
                let Some(name) = zone.service_name(host, key, suffix) else { return };
                match servers.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, have)) => have
                        .extend(addresses.iter().filter(|a| !have.contains(a)).copied().collect::<Vec<_>>()),
                    None => servers.push((name, addresses)),
                }
            };
            match &slot.front {
                Some(Front::Cluster { addresses, .. }) => add(None, addresses.to_vec()),
                Some(Front::Headless) => {
                    let own = slot.endpoints().find(|(_, endpoint)| endpoint.address == address);
                    if let Some((_, endpoint)) = own {
                        add(Some(&endpoint.label()), vec![address]);
                    }
                }
                Some(Front::Alias(_) | Front::Nothing) | None => {}
            }
        }
    }
    if servers.is_empty() {
        let mut own = zone.config.addresses.clone();
        if own.is_empty() {
            own.extend(ask.from.local);
        }
        servers.push((ask.site.primary().clone(), own));
    }
    servers
}
