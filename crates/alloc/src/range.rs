//! The usable addresses of a Service CIDR, and its bands.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use portway_base::IpFamily;

use crate::Bands;

/// A CIDR that addresses can be allocated from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressRange(IpNet);

/// A CIDR no address can be allocated from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// Bits behind the prefix are set.
    #[error("{0} has host bits set; the network is {1}")]
    HostBits(IpNet, IpNet),
    /// An IPv6 prefix shorter than 64 bits.
    #[error("{0}: an IPv6 range must not be wider than /64")]
    TooWide(IpNet),
}

impl AddressRange {
    /// Checks a CIDR.
    pub fn new(cidr: IpNet) -> Result<Self, RangeError> {
        if cidr != cidr.trunc() {
            return Err(RangeError::HostBits(cidr, cidr.trunc()));
        }
        if matches!(cidr, IpNet::V6(_)) && cidr.prefix_len() < 64 {
            return Err(RangeError::TooWide(cidr));
        }
        Ok(Self(cidr))
    }

    /// The CIDR.
    pub fn cidr(self) -> IpNet {
        self.0
    }

    /// Its family.
    pub fn family(self) -> IpFamily {
        IpFamily::of(self.0.network())
    }

    /// How many addresses can be allocated: all but the network address and the IPv4 broadcast address.
    pub fn size(self) -> u64 {
        let bands = self.bands();
        (bands.end - bands.low) as u64
    }

    /// The lowest allocatable address: the one that the Service `default/kubernetes` gets.
    pub fn first(self) -> Option<IpAddr> {
        (self.size() > 0).then(|| address(self.family(), self.bands().low))
    }

    /// Whether the address can be allocated from this range.
    pub fn contains(self, at: IpAddr) -> bool {
        let bands = self.bands();
        IpFamily::of(at) == self.family() && (bands.low..bands.end).contains(&number(at))
    }

    /// The allocatable addresses as numbers. The all-ones IPv6 address is never one, so that there is
    /// always a number behind the end.
    pub(crate) fn bands(self) -> Bands {
        let all = 1u128 << (u32::from(self.0.max_prefix_len()) - u32::from(self.0.prefix_len()));
        let network = number(self.0.network());
        let not_usable = if self.family() == IpFamily::V4 { 2 } else { 1 };
        let size = all.saturating_sub(not_usable);
        let offset = if all <= 16 { 0 } else { (all / 16).clamp(16, 256) };
        let low = network.saturating_add(1);
        Bands { low, end: low.saturating_add(size), offset }
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

pub(crate) fn number(at: IpAddr) -> u128 {
    match at {
        IpAddr::V4(at) => u128::from(at.to_bits()),
        IpAddr::V6(at) => at.to_bits(),
    }
}

/// The inverse of [`number`], for numbers of that family.
pub(crate) fn address(family: IpFamily, number: u128) -> IpAddr {
    match family {
        IpFamily::V4 => Ipv4Addr::from_bits(number as u32).into(),
        IpFamily::V6 => Ipv6Addr::from_bits(number).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_are_upstreams() {
        let check = |cidr: &str, size: u64, offset, dynamic: Option<(&str, &str)>| {
            let range = AddressRange::new(cidr.parse().unwrap()).unwrap();
            let bands = range.bands();
            assert_eq!((range.size(), bands.offset), (size, offset), "{cidr}");
            let text = |n| address(range.family(), n).to_string();
            let ends = (text(bands.low + bands.offset), text(bands.end - 1));
            assert_eq!(dynamic.map(|(a, b)| (a.to_owned(), b.to_owned())), dynamic.map(|_| ends), "{cidr}");
        };
        check("10.96.0.0/28", 14, 0, Some(("10.96.0.1", "10.96.0.14")));
        check("10.96.0.0/27", 30, 16, Some(("10.96.0.17", "10.96.0.30")));
        check("10.96.0.0/24", 254, 16, Some(("10.96.0.17", "10.96.0.254")));
        check("10.96.0.0/23", 510, 32, Some(("10.96.0.33", "10.96.1.254")));
        check("10.96.0.0/20", 4094, 256, Some(("10.96.1.1", "10.96.15.254")));
        check("10.96.0.0/16", 65534, 256, Some(("10.96.1.1", "10.96.255.254")));
        check("10.0.0.0/8", (1 << 24) - 2, 256, Some(("10.0.1.1", "10.255.255.254")));
        check("0.0.0.0/0", (1 << 32) - 2, 256, Some(("0.0.1.1", "255.255.255.254")));
        check("fd00::/120", 255, 16, Some(("fd00::11", "fd00::ff")));
        check("fd00::/112", 65535, 256, Some(("fd00::101", "fd00::ffff")));
        check("fd00::/64", u64::MAX, 256, Some(("fd00::101", "fd00::ffff:ffff:ffff:ffff")));
        check("ffff:ffff:ffff:ffff::/64", u64::MAX - 1, 256, None);
        check("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128", 0, 0, None);
        check("10.96.0.0/30", 2, 0, Some(("10.96.0.1", "10.96.0.2")));
        check("10.96.0.0/31", 0, 0, None);
        check("10.96.0.0/32", 0, 0, None);
        check("fd00::/127", 1, 0, Some(("fd00::1", "fd00::1")));
        check("fd00::/128", 0, 0, None);
        check("255.255.255.255/32", 0, 0, None);
    }

    #[test]
    fn bad_ranges_are_refused() {
        let check = |cidr: &str, expect: &str| {
            assert_eq!(AddressRange::new(cidr.parse().unwrap()).unwrap_err().to_string(), expect);
        };
        check("10.96.0.1/16", "10.96.0.1/16 has host bits set; the network is 10.96.0.0/16");
        check("fd00::/63", "fd00::/63: an IPv6 range must not be wider than /64");
    }
}
