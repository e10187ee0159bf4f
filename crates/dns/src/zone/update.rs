//! Changes of objects, taken into the zone one at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use portway_api::types::core::Namespace;
use portway_api::types::discovery::{EndpointSlice, LABEL_SERVICE_NAME};
use portway_api::types::pod::Pod;
use portway_api::types::service::Service;
use portway_base::ObjectKey;

use super::label::label;
use super::slot::{Front, Slice};
use super::{SlotKey, Zone};

/// The new state of one object; `None` means it is gone.
#[derive(Clone, Copy, Debug)]
pub enum Change<'c> {
    /// A Service.
    Service(Option<&'c Service>),
    /// An EndpointSlice.
    Slice(Option<&'c EndpointSlice>),
    /// A Namespace.
    Namespace(Option<&'c Namespace>),
    /// A Pod; only worth feeding if the zone verifies Pods.
    Pod(Option<&'c Pod>),
}

impl Zone {
    /// Takes in a change of the object called `key`, at `now` (seconds since the epoch). Objects whose names
    /// cannot be labels are ignored. Tells whether any record changed.
    pub fn apply(&mut self, key: &ObjectKey, change: Change<'_>, now: u32) -> bool {
        let changed = match change {
            Change::Service(service) => self.set_service(key, service),
            Change::Slice(slice) => self.set_slice(key, slice),
            Change::Namespace(namespace) => self.set_namespace(key, namespace.is_some()),
            Change::Pod(pod) => self.pods.set(&key.namespace, &key.name, pod),
        };
        if changed {
            self.serial = now;
        }
        changed
    }

    fn set_namespace(&mut self, key: &ObjectKey, exists: bool) -> bool {
        let exposed = self.config.namespaces.as_ref().is_none_or(|only| only.contains(&key.name));
        let Some(label) = label(&key.name) else { return false };
        if exists && exposed { self.namespaces.insert(label) } else { self.namespaces.remove(&label) }
    }

    fn set_service(&mut self, key: &ObjectKey, service: Option<&Service>) -> bool {
        let Some(at) = slot_key(&key.namespace, &key.name) else { return false };
        let front = service.map(Front::of);
        let at = match self.slots.get_key_value(&at) {
            Some((_, slot)) if slot.front == front => return false,
            Some((at, _)) => at.clone(),
            None if front.is_none() => return false,
            None => at,
        };
        let slot = self.slots.entry(at.clone()).or_default();
        let old = std::mem::replace(&mut slot.front, front);
        let addresses = slot.front.as_ref().map_or(&[][..], Front::addresses);
        for address in old.as_ref().map_or(&[][..], Front::addresses) {
            // The address may belong to another Service by now.
            if !addresses.contains(address) && self.vips.get(address) == Some(&at) {
                self.vips.remove(address);
            }
        }
        for &address in addresses {
            self.vips.insert(address, at.clone());
        }
        self.vacate(&at);
        true
    }

    fn set_slice(&mut self, key: &ObjectKey, slice: Option<&EndpointSlice>) -> bool {
        let owner = slice
            .and_then(|slice| slice.metadata.labels.get(LABEL_SERVICE_NAME))
            .and_then(|service| slot_key(&key.namespace, service));
        let mut changed = false;
        // A slice can be relabelled: first it leaves where it was.
        if let Some(was) = self.slices.get(key).filter(|&was| Some(was) != owner.as_ref()).cloned() {
            changed |= self.place_slice(&was, &key.name, None);
            self.slices.remove(key);
        }
        if let (Some(at), Some(slice)) = (owner, slice) {
            let at = match self.slots.get_key_value(&at) {
                Some((shared, _)) => shared.clone(),
                None => at,
            };
            self.slices.insert(key.clone(), at.clone());
            changed |= self.place_slice(&at, &key.name, Some(Slice::of(slice, &self.config)));
        }
        changed
    }

    /// Replaces one slice of a slot and keeps the reverse index in step.
    fn place_slice(&mut self, at: &SlotKey, name: &str, slice: Option<Slice>) -> bool {
        let slot = self.slots.entry(at.clone()).or_default();
        let new = addresses(slice.as_ref());
        let (old, same) = match slice {
            Some(slice) => {
                let old = slot.slices.get(name).cloned();
                let same = old.as_ref() == Some(&slice);
                slot.slices.insert(name.into(), slice);
                (old, same)
            }
            None => (slot.slices.remove(name), false),
        };
        if !same {
            for (address, count) in addresses(old.as_ref()) {
                self.count_back(address, at, -count);
            }
            for (address, count) in new {
                self.count_back(address, at, count);
            }
        }
        self.vacate(at);
        !same
    }

    /// Notes that endpoints of a slot gained or lost an address.
    fn count_back(&mut self, address: IpAddr, at: &SlotKey, by: i64) {
        let slots = self.backs.entry(address).or_default();
        match slots.iter_mut().find(|(key, _)| key == at) {
            Some((_, count)) => *count = u32::try_from(i64::from(*count) + by).unwrap_or(0),
            None => slots.push((at.clone(), u32::try_from(by).unwrap_or(0))),
        }
        slots.retain(|(_, count)| *count > 0);
        if slots.is_empty() {
            self.backs.remove(&address);
        }
    }

    /// Forgets a slot nothing is known of.
    fn vacate(&mut self, at: &SlotKey) {
        if self.slots.get(at).is_some_and(super::Slot::is_vacant) {
            self.slots.remove(at);
        }
    }

    /// Removes every Service but these, after a fresh list. Costs a walk over all.
    pub fn retain_services(&mut self, keep: &BTreeSet<ObjectKey>, now: u32) {
        let keep: BTreeSet<_> = keep.iter().filter_map(|key| slot_key(&key.namespace, &key.name)).collect();
        let gone: Vec<_> = self
            .slots
            .iter()
            .filter(|(at, slot)| slot.front.is_some() && !keep.contains(*at))
            .filter_map(|(at, _)| object_key(at))
            .collect();
        for key in gone {
            self.apply(&key, Change::Service(None), now);
        }
    }

    /// Removes every slice but these, after a fresh list.
    pub fn retain_slices(&mut self, keep: &BTreeSet<ObjectKey>, now: u32) {
        let gone: Vec<_> = self.slices.keys().filter(|key| !keep.contains(*key)).cloned().collect();
        for key in gone {
            self.apply(&key, Change::Slice(None), now);
        }
    }

    /// Removes every Namespace but these, after a fresh list.
    pub fn retain_namespaces(&mut self, keep: &BTreeSet<ObjectKey>, now: u32) {
        let keep: BTreeSet<_> = keep.iter().filter_map(|key| label(&key.name)).collect();
        let before = self.namespaces.len();
        self.namespaces.retain(|namespace| keep.contains(namespace));
        if self.namespaces.len() != before {
            self.serial = now;
        }
    }

    /// Removes every Pod but these, after a fresh list.
    pub fn retain_pods(&mut self, keep: &BTreeSet<ObjectKey>, now: u32) {
        let text = |label: &[u8]| String::from_utf8_lossy(label).into_owned();
        let known = self.pods.names().map(|(namespace, name)| ObjectKey::new(text(namespace), name));
        let gone: Vec<_> = known.filter(|key| !keep.contains(key)).collect();
        for key in gone {
            self.apply(&key, Change::Pod(None), now);
        }
    }
}

/// How many endpoints of a slice have each address.
fn addresses(slice: Option<&Slice>) -> BTreeMap<IpAddr, i64> {
    let mut counts = BTreeMap::new();
    for endpoint in slice.iter().flat_map(|slice| &slice.endpoints) {
        *counts.entry(endpoint.address).or_default() += 1;
    }
    counts
}

/// The two labels of a Service; `None` if its names cannot be labels.
fn slot_key(namespace: &str, name: &str) -> Option<SlotKey> {
    let mut wire = Vec::with_capacity(namespace.len() + name.len() + 2);
    for part in [name, namespace] {
        let label = label(part)?;
        wire.push(label.len() as u8);
        wire.extend_from_slice(&label);
    }
    Some(wire.into())
}

/// The object behind a slot.
fn object_key(at: &[u8]) -> Option<ObjectKey> {
    let (&len, rest) = at.split_first()?;
    let (name, rest) = rest.split_at_checked(len.into())?;
    let (_, namespace) = rest.split_first()?;
    let text = |label: &[u8]| String::from_utf8_lossy(label).into_owned();
    Some(ObjectKey::new(text(namespace), text(name)))
}
