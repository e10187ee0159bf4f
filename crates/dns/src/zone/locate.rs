//! What a name stands for: the schema of cluster names, read from the right.

use std::net::IpAddr;

use super::config::{PodMode, Site};
use super::label::{dashed, undashed};
use super::reverse::address_of;
use super::slot::{Front, PortQuery, Slot};
use super::{SlotKey, Zone};
use crate::wire::{Folded, Name};

/// What a name within a zone stands for.
pub(super) enum Found<'z, 'q> {
    /// Nothing.
    Missing,
    /// The zone itself.
    Apex,
    /// A name that only leads to others.
    Branch,
    /// `dns-version`.
    Version,
    /// `ns.dns`.
    NameServer,
    /// A Service with addresses of its own or of its endpoints.
    Service(&'z SlotKey, &'z Slot),
    /// A port of such a Service.
    Port(&'z SlotKey, &'z Slot, PortQuery<'q>),
    /// Endpoints of a Service that share a name.
    Host(&'z SlotKey, &'z Slot, &'q [u8], Option<IpAddr>),
    /// An ExternalName Service.
    Alias(&'z Name),
    /// A Pod.
    Pod(IpAddr),
    /// A reverse name that has data.
    Reverse(IpAddr),
}

impl Zone {
    /// The configured zone that holds a name, and how many labels the name has above it. The longest wins; for
    /// `parent` (type DS) the zone above is preferred.
    pub(super) fn site_of(&self, name: &Folded, parent: bool) -> Option<(&Site, usize)> {
        let within = || self.sites.iter().filter_map(|site| Some((site, name.labels_above(&site.folded)?)));
        let nearest = |sites: &mut dyn Iterator<Item = (_, usize)>| sites.min_by_key(|&(_, above)| above);
        let above_cut = if parent { nearest(&mut within().filter(|&(_, above)| above > 0)) } else { None };
        above_cut.or_else(|| nearest(&mut within()))
    }

    /// What a name with `above` labels in front of a zone stands for.
    pub(super) fn locate<'q>(&self, site: &Site, name: &'q Folded, above: usize) -> Found<'_, 'q> {
        // Labels counted from the zone outwards.
        let label = |index: usize| name.label(above - 1 - index);
        match above {
            0 => return Found::Apex,
            2 if label(0) == b"dns" && label(1) == b"ns" => return Found::NameServer,
            _ if site.reverse => {
                let address = address_of(name).filter(|&address| !self.names_of(address).is_empty());
                return address.map_or(Found::Missing, Found::Reverse);
            }
            _ => {}
        }
        match (label(0), above) {
            (b"dns-version", 1) => Found::Version,
            (b"svc" | b"pod", 1) => Found::Branch,
            (b"svc", _) => self.locate_service(name, above),
            (b"pod", 2 | 3) => self.locate_pod(name, above),
            _ => Found::Missing,
        }
    }

    fn locate_service<'q>(&self, name: &'q Folded, above: usize) -> Found<'_, 'q> {
        if !self.namespaces.contains(name.label(above - 2)) {
            return Found::Missing;
        }
        if above == 2 {
            return Found::Branch;
        }
        let Some((key, slot)) = self.slots.get_key_value(name.span(above - 3, above - 1)) else {
            return Found::Missing;
        };
        let Some(front) = &slot.front else { return Found::Missing };
        let found = match above {
            3 => Found::Service(key, slot),
            4 => Found::Host(key, slot, name.label(0), undashed(name.label(0))),
            5 => Found::Port(key, slot, PortQuery::new(name.label(0), name.label(1))),
            _ => return Found::Missing,
        };
        let endpoints = || slot.endpoints().filter(|_| !self.config.no_endpoints);
        let exists = match (front, &found) {
            (Front::Nothing, _) => false,
            (Front::Alias(target), Found::Service(..)) => return Found::Alias(target),
            (Front::Alias(_), _) => false,
            (Front::Cluster { .. }, _) if self.config.ignore_empty && !slot.has_endpoints() => false,
            (_, Found::Host(_, _, label, spelled)) => endpoints().any(|(_, e)| e.is_named(label, *spelled)),
            (Front::Cluster { ports, .. }, Found::Port(_, _, port)) => ports.iter().any(|p| port.matches(p)),
            (Front::Cluster { .. }, _) => true,
            (Front::Headless, Found::Port(_, _, port)) => {
                endpoints().any(|(slice, _)| slice.ports.iter().any(|p| port.matches(p)))
            }
            (Front::Headless, _) => endpoints().next().is_some(),
        };
        if exists { found } else { Found::Missing }
    }

    fn locate_pod<'q>(&self, name: &'q Folded, above: usize) -> Found<'_, 'q> {
        let namespace = name.label(above - 2);
        if self.config.pods == PodMode::Disabled || !self.namespaces.contains(namespace) {
            return Found::Missing;
        }
        if above == 2 {
            return Found::Branch;
        }
        let label = name.label(0);
        let known = |address: &IpAddr| match self.config.pods {
            PodMode::Verified => *dashed(*address) == *label && self.pods.contains(namespace, *address),
            PodMode::Insecure | PodMode::Disabled => true,
        };
        undashed(label).filter(known).map_or(Found::Missing, Found::Pod)
    }
}
