//! Addresses for Pods, from the node's ranges. Pure: what is in use is told, nothing is remembered elsewhere.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// Every address of a range is in use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no free address in range {0}")]
pub struct Exhausted(pub IpNet);

/// Which addresses of the node's ranges are in use.
#[derive(Clone, Debug)]
pub struct Ipam {
    ranges: Vec<Range>,
    used: BTreeSet<IpAddr>,
}

#[derive(Clone, Debug)]
struct Range {
    net: IpNet,
    /// Number of the address to try first: the one after the last given out. A freed address rests as long as
    /// others are free, so that what others remember of it does not reach its next owner.
    next: u128,
}

impl Range {
    /// Numbers given out: all but the network's own, the gateway's and, for IPv4, the broadcast address.
    fn size(&self) -> u128 {
        let bits = u32::from(self.net.max_prefix_len() - self.net.prefix_len());
        let all = 1u128.checked_shl(bits).unwrap_or(u128::MAX);
        all.saturating_sub(if self.net.addr().is_ipv4() { 3 } else { 2 })
    }
}

impl Ipam {
    /// Ranges, IPv4 first where both are there; nothing in use.
    pub fn new(ranges: &[IpNet]) -> Self {
        let mut ranges: Vec<_> = ranges.iter().map(|net| Range { net: net.trunc(), next: 2 }).collect();
        ranges.sort_by_key(|range| range.net.addr().is_ipv6());
        Self { ranges, used: BTreeSet::new() }
    }

    /// The address of the node in a range: its first.
    pub fn gateway(net: IpNet) -> IpAddr {
        nth(net.trunc(), 1)
    }

    /// Notes that an address is in use; later ones come after it.
    pub fn reserve(&mut self, address: IpAddr) {
        self.used.insert(address);
        for range in &mut self.ranges {
            if range.net.contains(&address) {
                range.next = range.next.max(number(range.net, address) + 1);
            }
        }
    }

    /// Gives an address back.
    pub fn release(&mut self, address: IpAddr) {
        self.used.remove(&address);
    }

    /// Takes an address from each range.
    ///
    /// # Errors
    /// [`Exhausted`] names the full range; nothing is taken then.
    pub fn take(&mut self) -> Result<Vec<IpAddr>, Exhausted> {
        let mut taken = Vec::with_capacity(self.ranges.len());
        for range in &mut self.ranges {
            let size = range.size();
            // More tries than addresses in use cannot all fail, unless the range is full.
            let tries = size.min(self.used.len() as u128 + 1);
            let free = (0..tries)
                .map(|i| nth(range.net, 2 + (range.next.saturating_sub(2) + i) % size.max(1)))
                .find(|address| !self.used.contains(address));
            let Some(address) = free else { return Err(Exhausted(range.net)) };
            taken.push(address);
        }
        for (address, range) in taken.iter().zip(&mut self.ranges) {
            range.next = number(range.net, *address) + 1;
        }
        self.used.extend(&taken);
        Ok(taken)
    }
}

fn nth(net: IpNet, number: u128) -> IpAddr {
    match net {
        IpNet::V4(net) => Ipv4Addr::from(u32::from(net.network()).saturating_add(number as u32)).into(),
        IpNet::V6(net) => Ipv6Addr::from(u128::from(net.network()).saturating_add(number)).into(),
    }
}

fn number(net: IpNet, address: IpAddr) -> u128 {
    match (net.network(), address) {
        (IpAddr::V4(first), IpAddr::V4(address)) => {
            u128::from(u32::from(address).saturating_sub(u32::from(first)))
        }
        (IpAddr::V6(first), IpAddr::V6(address)) => u128::from(address).saturating_sub(u128::from(first)),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn ipam(ranges: &[&str]) -> Ipam {
        Ipam::new(&ranges.iter().map(|r| r.parse().unwrap()).collect::<Vec<_>>())
    }

    fn take(ipam: &mut Ipam) -> String {
        ipam.take().map_or_else(|e| e.to_string(), |all| format!("{all:?}"))
    }

    #[test]
    fn addresses_rest_before_they_are_used_again() {
        let mut ipam = ipam(&["fd00:10:244:1::/64", "10.244.1.0/29"]);
        assert_eq!(take(&mut ipam), "[10.244.1.2, fd00:10:244:1::2]");
        ipam.reserve("10.244.1.4".parse().unwrap());
        ipam.release("10.244.1.2".parse().unwrap());
        assert_eq!(take(&mut ipam), "[10.244.1.5, fd00:10:244:1::3]");
        assert_eq!(take(&mut ipam), "[10.244.1.6, fd00:10:244:1::4]");
        assert_eq!(take(&mut ipam), "[10.244.1.2, fd00:10:244:1::5]");
        assert_eq!(take(&mut ipam), "[10.244.1.3, fd00:10:244:1::6]");
        assert_eq!(take(&mut ipam), "no free address in range 10.244.1.0/29");
        ipam.release("10.244.1.4".parse().unwrap());
        assert_eq!(take(&mut ipam), "[10.244.1.4, fd00:10:244:1::7]", "a failed try takes nothing");
    }

    #[test]
    fn odd_ranges() {
        for (range, expect) in [
            ("10.0.0.0/32", "no free address in range 10.0.0.0/32"),
            ("10.0.0.0/31", "no free address in range 10.0.0.0/31"),
            ("10.0.0.0/30", "[10.0.0.2]"),
            ("fd00::/127", "no free address in range fd00::/127"),
            ("::/0", "[::2]"),
            ("0.0.0.0/0", "[0.0.0.2]"),
        ] {
            assert_eq!(take(&mut ipam(&[range])), expect, "{range}");
        }
        assert_eq!(take(&mut ipam(&[])), "[]");
    }
}
