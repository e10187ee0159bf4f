//! Names of addresses: reading reverse names, and finding what an address is called.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{SlotKey, Zone};
use crate::wire::{Folded, Name};

/// The address a complete reverse name stands for.
pub(super) fn address_of(name: &Folded) -> Option<IpAddr> {
    if name.count() == 6 && name.labels_above(b"\x07in-addr\x04arpa\x00") == Some(4) {
        let mut octets = [0; 4];
        for (octet, index) in octets.iter_mut().zip((0..4).rev()) {
            *octet = decimal(name.label(index))?;
        }
        return Some(Ipv4Addr::from(octets).into());
    }
    if name.count() == 34 && name.labels_above(b"\x03ip6\x04arpa\x00") == Some(32) {
        let mut bits = 0u128;
        for index in (0..32).rev() {
            let &[digit] = name.label(index) else { return None };
            bits = bits << 4 | u128::from(char::from(digit).to_digit(16)?);
        }
        return Some(Ipv6Addr::from_bits(bits).into());
    }
    None
}

/// A decimal number without leading zeros or signs.
fn decimal(label: &[u8]) -> Option<u8> {
    let text = std::str::from_utf8(label).ok()?;
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text.len() == 1 || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

impl Zone {
    /// The names of an address: of the Service that owns it, or else of every ready endpoint that has it.
    pub(super) fn names_of(&self, address: IpAddr) -> BTreeSet<Name> {
        let Some(site) = self.sites.iter().find(|site| !site.reverse) else { return BTreeSet::new() };
        let apex = site.apex.as_wire();
        if let Some(key) = self.vips.get(&address).filter(|key| self.exposes(key)) {
            return self.service_name(None, key, apex).into_iter().collect();
        }
        let mut names = BTreeSet::new();
        for (key, _) in self.slots_with(address).filter(|(key, _)| self.exposes(key)) {
            let endpoints = self.slots.get(key).into_iter().flat_map(|slot| slot.endpoints());
            for (_, endpoint) in endpoints.filter(|(_, endpoint)| endpoint.address == address) {
                names.extend(self.service_name(Some(&endpoint.label()), key, apex));
            }
        }
        names
    }

    /// The slots that have an endpoint with this address.
    pub(super) fn slots_with(&self, address: IpAddr) -> impl Iterator<Item = &(SlotKey, u32)> {
        let listed = if self.config.no_endpoints { None } else { self.backs.get(&address) };
        listed.into_iter().flatten()
    }

    /// Whether the namespace of a slot exists and is exposed.
    fn exposes(&self, key: &[u8]) -> bool {
        // The second label is the namespace.
        let namespace = key.split_first().and_then(|(&len, rest)| rest.get(usize::from(len) + 1..));
        namespace.is_some_and(|namespace| self.namespaces.contains(namespace))
    }

    /// `[HOST.]SERVICE.NAMESPACE.svc.ZONE`, the zone given in wire form; `None` if that is too long.
    pub(super) fn service_name(&self, host: Option<&[u8]>, key: &[u8], zone: &[u8]) -> Option<Name> {
        const SVC: &[u8] = b"\x03svc";
        let tail = [key, SVC, zone].concat();
        Name::join(host, &tail).ok()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reverse_names() {
        let check = |name: &str, expect: Option<&str>| {
            let name: Name = name.parse().unwrap();
            assert_eq!(address_of(&name.fold()), expect.map(|a| a.parse().unwrap()), "{name}");
        };
        check("3.2.1.10.IN-addr.arpa", Some("10.1.2.3"));
        check("2.1.10.in-addr.arpa", None);
        check("4.3.2.1.10.in-addr.arpa", None);
        check("03.2.1.10.in-addr.arpa", None);
        check("+3.2.1.10.in-addr.arpa", None);
        check("300.2.1.10.in-addr.arpa", None);
        check("3.2.1.10.ip6.arpa", None);
        let nibbles = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.5.0.0.0.0.D.f";
        check(&format!("{nibbles}.ip6.arpa"), Some("fd00:50::1"));
        check(&format!("{}.ip6.arpa", nibbles.replace('5', "g")), None);
        check(&format!("{}.ip6.arpa", nibbles.replace('5', "55")), None);
        check(&nibbles[2..].replace("f", "f.ip6.arpa"), None);
    }
}
