//! Allocation of ClusterIPs and node ports, as pure values.
//!
//! An allocator is rebuilt from the objects that hold addresses or ports, then asked. It draws no random
//! numbers (the caller passes them), reads no clock, and knows no API object: an owner is any value.
//! Every operation is O(log n) in the number of held addresses, whatever the size of the ranges.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod addresses;
mod assign;
mod ports;
mod range;
mod runs;
#[cfg(test)]
mod tests;

pub use addresses::{AddressAllocator, AddressError};
pub use assign::{
    AddressRefused, AssignedPorts, PortRefused, PortRequest, PortRules, assign_addresses, assign_ports,
    reassign_ports,
};
pub use ports::{PortAllocator, PortError, PortRange, PortRangeError};
pub use range::{AddressRange, RangeError};

/// What is wrong with the recorded holders, for a repair loop to tell about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding<T, O> {
    /// Held, but in no range. An address is recorded all the same; a port is not.
    OutOfRange {
        /// The address or port.
        at: T,
        /// Who holds it.
        owner: O,
    },
    /// Held by two; the first one keeps it.
    Duplicate {
        /// The address or port.
        at: T,
        /// Who came second.
        owner: O,
        /// Who keeps it.
        holder: O,
    },
}

/// The two parts of a range: `low..low+offset` is kept free for those who ask for a certain value as long as
/// the rest has room; the others get one from `low+offset..end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bands {
    pub low: u128,
    pub end: u128,
    pub offset: u128,
}

impl Bands {
    /// Finds a free value: from a random start in the upper band upwards and around, then the same below.
    pub fn pick(self, held: &runs::Runs, random: u64) -> Option<u128> {
        let split = self.low + self.offset;
        let around = |low: u128, end: u128| {
            let start = low + u128::from(random) % end.checked_sub(low).filter(|size| *size > 0)?;
            let up = Some(held.first_gap(start)).filter(|free| *free < end);
            up.or_else(|| Some(held.first_gap(low)).filter(|free| *free < start))
        };
        around(split, self.end).or_else(|| around(self.low, split))
    }
}
