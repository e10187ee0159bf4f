//! Reading of addresses, as leniently as the API has been for years.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use portway_intent::{Address, Cidr};

/// An IP address; leading zeros in IPv4 are tolerated and mean nothing.
pub(crate) fn ip(text: &str) -> Option<IpAddr> {
    let strict: Option<IpAddr> = text.parse().ok();
    strict.or_else(|| {
        let mut octets = [0u8; 4];
        let mut parts = text.split('.');
        for octet in &mut octets {
            let part = parts.next().filter(|part| part.bytes().all(|b| b.is_ascii_digit()))?;
            let digits = part.trim_start_matches('0');
            *octet = match (part, digits) {
                ("", _) => return None,
                (_, "") => 0,
                (_, digits) => digits.parse().ok()?,
            };
        }
        parts.next().is_none().then(|| IpAddr::V4(Ipv4Addr::from(octets)))
    })
}

/// A range, if it is of this family.
pub(crate) fn net<A: Address>(net: IpNet) -> Option<Cidr<A>> {
    Cidr::new(A::from_ip(net.network())?, net.prefix_len())
}

/// A range as written, blanks around it removed.
pub(crate) fn cidr(text: &str) -> Option<IpNet> {
    let (address, prefix) = text.trim().split_once('/')?;
    IpNet::new(ip(address)?, prefix.parse().ok()?).ok()
}

/// The same addresses, without ranges that lie inside another.
pub(crate) fn disjoint<A: Address>(ranges: impl Iterator<Item = Cidr<A>>) -> BTreeSet<Cidr<A>> {
    let all: BTreeSet<Cidr<A>> = ranges.collect();
    all.iter().filter(|a| !all.iter().any(|b| a != &b && b.covers(**a))).copied().collect()
}

/// A port number.
pub(crate) fn port(number: i32) -> Option<u16> {
    u16::try_from(number).ok().filter(|port| *port != 0)
}
