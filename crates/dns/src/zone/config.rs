//! What a zone is called and how it answers.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::wire::{Name, NameError, Record, Soa};

/// Whether `a-b-c-d.NAMESPACE.pod.ZONE` exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PodMode {
    /// Never.
    #[default]
    Disabled,
    /// For every address, in namespaces that exist.
    Insecure,
    /// For the addresses of Pods of that namespace; needs the Pods.
    Verified,
}

/// Settings of a [`super::Zone`].
#[derive(Clone, Debug)]
pub struct ZoneConfig {
    /// Names it has authority over; those below `in-addr.arpa` and `ip6.arpa` hold PTR records, the first of
    /// the others is the one they point into.
    pub zones: Vec<Name>,
    /// Of all records, seconds.
    pub ttl: u32,
    /// Pod names.
    pub pods: PodMode,
    /// Endpoints without a hostname are named after their Pod instead of their address.
    pub endpoint_pod_names: bool,
    /// Only these namespaces exist.
    pub namespaces: Option<BTreeSet<String>>,
    /// A ClusterIP Service without ready endpoints does not exist.
    pub ignore_empty: bool,
    /// Endpoints are left out: no headless Services, no endpoint names.
    pub no_endpoints: bool,
    /// Missing names within these go on to the next source instead of being denied.
    pub fall_through: Vec<Name>,
    /// The server's own addresses, to find the Service that fronts it for NS records.
    pub addresses: Vec<IpAddr>,
}

impl ZoneConfig {
    /// Authority over these zones, everything else as CoreDNS has it without options.
    pub fn new(zones: Vec<Name>) -> Self {
        Self {
            zones,
            ttl: 5,
            pods: PodMode::Disabled,
            endpoint_pod_names: false,
            namespaces: None,
            ignore_empty: false,
            no_endpoints: false,
            fall_through: Vec::new(),
            addresses: Vec::new(),
        }
    }

    /// What clusters are set up with: `domain` and all reverse names, TTL 30, Pod names unchecked, unknown
    /// reverse names passed on.
    pub fn cluster(domain: &str) -> Result<Self, NameError> {
        let reverse: Vec<Name> = vec!["in-addr.arpa".parse()?, "ip6.arpa".parse()?];
        let zones = std::iter::once(domain.parse()?).chain(reverse.iter().cloned()).collect();
        Ok(Self { ttl: 30, pods: PodMode::Insecure, fall_through: reverse, ..Self::new(zones) })
    }

    pub(super) fn sites(&self) -> Vec<Site> {
        self.zones.iter().map(Site::new).collect()
    }
}

/// The reverse zones that cover a network: one, or one for each whole octet or nibble it spans.
pub fn reverse_zones(network: IpNet) -> Vec<Name> {
    let (step, tail) = match network {
        IpNet::V4(_) => (8, "in-addr.arpa"),
        IpNet::V6(_) => (4, "ip6.arpa"),
    };
    let bits = network.prefix_len().next_multiple_of(step);
    let labels = |address: IpAddr| -> Vec<String> {
        match address {
            IpAddr::V4(v4) => v4.octets().iter().map(u8::to_string).collect(),
            IpAddr::V6(v6) => format!("{:032x}", v6.to_bits()).chars().map(String::from).collect(),
        }
    };
    network
        .subnets(bits)
        .into_iter()
        .flatten()
        .filter_map(|subnet| {
            let mut name = labels(subnet.network());
            name.truncate(usize::from(bits / step));
            name.reverse();
            name.push(tail.to_owned());
            name.join(".").parse().ok()
        })
        .collect()
}

/// One configured zone, with the names its own records need.
pub(super) struct Site {
    /// As configured.
    pub apex: Name,
    /// The apex in lower case, wire form.
    pub folded: Box<[u8]>,
    /// Holds PTR records.
    pub reverse: bool,
    primary: Name,
    mailbox: Name,
}

impl Site {
    fn new(apex: &Name) -> Self {
        // A zone too long to put a label in front of serves itself as its own name server.
        let below = |labels: &[&[u8]]| {
            Name::join(labels.iter().copied(), apex.as_wire()).unwrap_or_else(|_| apex.clone())
        };
        let folded = apex.fold();
        let ends = |tail: &[u8]| folded.labels_above(tail).is_some();
        Self {
            apex: apex.clone(),
            folded: folded.as_wire().into(),
            reverse: ends(b"\x07in-addr\x04arpa\x00") || ends(b"\x03ip6\x04arpa\x00"),
            primary: below(&[b"ns", b"dns"]),
            mailbox: below(&[b"hostmaster"]),
        }
    }

    /// `ns.dns.ZONE`.
    pub fn primary(&self) -> &Name {
        &self.primary
    }

    /// The SOA record.
    pub fn soa(&self, ttl: u32, serial: u32) -> Record {
        let soa = Soa {
            primary: self.primary.clone(),
            mailbox: self.mailbox.clone(),
            serial,
            refresh: 7200,
            retry: 1800,
            expire: 86400,
            minimum: ttl,
        };
        Record::new(self.apex.clone(), ttl.min(300), soa)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn networks_as_zones() {
        let check = |network: &str, expect: &str| {
            let zones = reverse_zones(network.parse().unwrap());
            let text: Vec<_> = zones.iter().map(Name::to_string).collect();
            assert_eq!(text.join(" "), expect, "{network}");
        };
        check("10.96.0.0/16", "96.10.in-addr.arpa.");
        check("10.0.0.0/8", "10.in-addr.arpa.");
        check("10.96.0.0/15", "96.10.in-addr.arpa. 97.10.in-addr.arpa.");
        check("192.0.2.1/32", "1.2.0.192.in-addr.arpa.");
        check("0.0.0.0/0", "in-addr.arpa.");
        check("fd00::/8", "d.f.ip6.arpa.");
        check("fd00::/7", "c.f.ip6.arpa. d.f.ip6.arpa.");
    }
}
