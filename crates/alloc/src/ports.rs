//! Who holds which node port.
//!
//! One pool for all protocols and for health check ports, as upstream: a number belongs to one Service.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::runs::Runs;
use crate::{Bands, Finding};

/// Why a node port cannot be had. The text is what API users know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    /// Somebody holds it.
    #[error("provided port is already allocated")]
    Taken,
    /// Not in the range.
    #[error("provided port is not in the valid range. The range of valid ports is {0}")]
    OutOfRange(PortRange),
    /// No free port is left.
    #[error("range is full")]
    Full,
}

/// A range of ports, written `30000-32767`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    low: u16,
    high: u16,
}

/// A text that is not a port range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid port range {0:?}: give two ports of 1-65535, lower first, as in 30000-32767")]
pub struct PortRangeError(pub String);

impl PortRange {
    /// Upstream's default, 30000-32767.
    pub const DEFAULT: Self = Self { low: 30000, high: 32767 };

    /// The ports from `low` to `high`, both included. Port 0 and empty ranges are refused.
    pub fn new(range: RangeInclusive<u16>) -> Result<Self, PortRangeError> {
        let (low, high) = range.into_inner();
        if low == 0 || low > high {
            return Err(PortRangeError(format!("{low}-{high}")));
        }
        Ok(Self { low, high })
    }

    /// Whether a port is in the range.
    pub fn contains(self, port: i64) -> bool {
        (i64::from(self.low)..=i64::from(self.high)).contains(&port)
    }

    /// How many ports it has.
    pub fn size(self) -> u32 {
        u32::from(self.high - self.low) + 1
    }

    fn bands(self) -> Bands {
        let size = u128::from(self.size());
        let offset = if size <= 16 { 0 } else { (size / 32).clamp(16, 128) };
        Bands { low: self.low.into(), end: u128::from(self.high) + 1, offset }
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.low, self.high)
    }
}

impl FromStr for PortRange {
    type Err = PortRangeError;

    fn from_str(text: &str) -> Result<Self, PortRangeError> {
        let bad = || PortRangeError(text.to_owned());
        let (low, high) = text.split_once('-').ok_or_else(bad)?;
        let port = |text: &str| text.trim().parse().map_err(|_| bad());
        Self::new(port(low)?..=port(high)?).map_err(|_| bad())
    }
}

/// The held ports, and the range to allocate from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortAllocator<O> {
    range: PortRange,
    owners: BTreeMap<u16, O>,
    held: Runs,
}

impl<O> PortAllocator<O> {
    /// Nothing held.
    pub fn new(range: PortRange) -> Self {
        Self { range, owners: BTreeMap::new(), held: Runs::default() }
    }

    /// The range.
    pub fn range(&self) -> PortRange {
        self.range
    }

    /// Whether the port, as the API has it, is in the range.
    pub fn check_range(&self, port: i64) -> Result<u16, PortError> {
        let port = u16::try_from(port).ok().filter(|port| self.range.contains((*port).into()));
        port.ok_or(PortError::OutOfRange(self.range))
    }

    /// Takes a certain port.
    pub fn allocate(&mut self, port: i64, owner: O) -> Result<u16, PortError> {
        let port = self.check_range(port)?;
        if !self.held.insert(port.into()) {
            return Err(PortError::Taken);
        }
        self.owners.insert(port, owner);
        Ok(port)
    }

    /// Takes a free port. `random` is any number; equally distributed ones spread the ports.
    pub fn allocate_next(&mut self, random: u64, owner: O) -> Result<u16, PortError> {
        let free = self.range.bands().pick(&self.held, random).ok_or(PortError::Full)?;
        let free = free as u16;
        self.held.insert(free.into());
        self.owners.insert(free, owner);
        Ok(free)
    }

    /// Gives a port back; answers who held it.
    pub fn release(&mut self, port: u16) -> Option<O> {
        self.held.remove(port.into());
        self.owners.remove(&port)
    }

    /// Who holds a port.
    pub fn owner(&self, port: u16) -> Option<&O> {
        self.owners.get(&port)
    }

    /// All held ports in order.
    pub fn iter(&self) -> impl Iterator<Item = (u16, &O)> {
        self.owners.iter().map(|(port, owner)| (*port, owner))
    }

    /// How many ports are free.
    pub fn free(&self) -> u32 {
        self.range.size() - self.owners.len() as u32
    }
}

impl<O: Clone + PartialEq> PortAllocator<O> {
    /// Records that a port is held. Recording the same owner again is fine: a Service may use one number
    /// for two protocols. A port out of the range is told about, not recorded.
    pub fn record(&mut self, port: u16, owner: O) -> Option<Finding<u16, O>> {
        match self.allocate(port.into(), owner.clone()) {
            Ok(_) => None,
            Err(PortError::OutOfRange(_)) => Some(Finding::OutOfRange { at: port, owner }),
            Err(_) => {
                let holder = self.owner(port).filter(|holder| **holder != owner)?.clone();
                Some(Finding::Duplicate { at: port, holder, owner })
            }
        }
    }

    /// Rebuilds the allocator from who holds what, earlier holders first.
    pub fn rebuild(
        range: PortRange,
        held: impl IntoIterator<Item = (u16, O)>,
    ) -> (Self, Vec<Finding<u16, O>>) {
        let mut new = Self::new(range);
        let findings = held.into_iter().filter_map(|(port, owner)| new.record(port, owner)).collect();
        (new, findings)
    }
}
