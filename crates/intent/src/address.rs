//! Addresses and ranges, generic over the IP family.

use std::fmt;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use portway_base::IpFamily;

/// An address of one IP family.
pub trait Address:
    Copy + Ord + Hash + fmt::Debug + fmt::Display + Into<IpAddr> + Send + Sync + 'static
{
    /// The family.
    const FAMILY: IpFamily;
    /// Bits in an address.
    const BITS: u8;

    /// The address as a number, in the low [`Self::BITS`] bits.
    fn bits(self) -> u128;

    /// The address with this number; bits above [`Self::BITS`] are dropped.
    fn from_bits(bits: u128) -> Self;

    /// `ip` if it is of this family.
    fn from_ip(ip: IpAddr) -> Option<Self>;

    /// Inside 127.0.0.0/8, or ::1.
    fn is_loopback(self) -> bool {
        let ip: IpAddr = self.into();
        ip.is_loopback()
    }

    /// Appends the address in network byte order.
    fn put(self, out: &mut Vec<u8>) {
        let all = self.bits().to_be_bytes();
        out.extend_from_slice(&all[16 - usize::from(Self::BITS) / 8..]);
    }
}

impl Address for Ipv4Addr {
    const FAMILY: IpFamily = IpFamily::V4;
    const BITS: u8 = 32;

    fn bits(self) -> u128 {
        u128::from(self.to_bits())
    }

    fn from_bits(bits: u128) -> Self {
        Self::from_bits(bits as u32)
    }

    fn from_ip(ip: IpAddr) -> Option<Self> {
        match ip {
            IpAddr::V4(ip) => Some(ip),
            IpAddr::V6(_) => None,
        }
    }
}

impl Address for Ipv6Addr {
    const FAMILY: IpFamily = IpFamily::V6;
    const BITS: u8 = 128;

    fn bits(self) -> u128 {
        self.to_bits()
    }

    fn from_bits(bits: u128) -> Self {
        Self::from_bits(bits)
    }

    fn from_ip(ip: IpAddr) -> Option<Self> {
        match ip {
            IpAddr::V4(_) => None,
            IpAddr::V6(ip) => Some(ip),
        }
    }
}

/// A range of addresses that share a prefix; the bits after the prefix are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr<A> {
    address: A,
    prefix: u8,
}

impl<A: Address> Cidr<A> {
    /// The range of `prefix` bits around `address`; `None` if the prefix is longer than an address.
    pub fn new(address: A, prefix: u8) -> Option<Self> {
        if prefix > A::BITS {
            return None;
        }
        Some(Self { address: A::from_bits(address.bits() & Self::mask_bits(prefix)), prefix })
    }

    /// The range of one address.
    pub fn host(address: A) -> Self {
        Self { address, prefix: A::BITS }
    }

    /// First address.
    pub fn first(self) -> A {
        self.address
    }

    /// Last address.
    pub fn last(self) -> A {
        A::from_bits(self.address.bits() | !Self::mask_bits(self.prefix))
    }

    /// Prefix length in bits.
    pub fn prefix(self) -> u8 {
        self.prefix
    }

    /// The netmask as an address.
    pub fn mask(self) -> A {
        A::from_bits(Self::mask_bits(self.prefix))
    }

    /// `address` is inside.
    pub fn contains(self, address: A) -> bool {
        address.bits() & Self::mask_bits(self.prefix) == self.address.bits()
    }

    /// All of `other` is inside.
    pub fn covers(self, other: Self) -> bool {
        self.prefix <= other.prefix && self.contains(other.address)
    }

    fn mask_bits(prefix: u8) -> u128 {
        // Ones in the top `prefix` of the low BITS bits.
        let host = u32::from(A::BITS - prefix);
        let all = if A::BITS == 128 { u128::MAX } else { (1 << A::BITS) - 1 };
        if host == 128 { 0 } else { all >> host << host }
    }
}

impl<A: Address> fmt::Display for Cidr<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}
