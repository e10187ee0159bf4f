//! Who holds which ClusterIP.
//!
//! Holding is independent of ranges, as an IPAddress object is: ranges come and go and may overlap, and
//! only say what may be allocated now.

use std::collections::BTreeMap;
use std::net::IpAddr;

use portway_base::IpFamily;

use crate::range::{address, number};
use crate::runs::Runs;
use crate::{AddressRange, Finding};

/// Why an address cannot be had. The text is what API users know, behind
/// `failed to allocate IP ADDRESS: ` or `failed to allocate a serviceIP: `.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Somebody holds it.
    #[error("provided IP is already allocated")]
    Taken,
    /// No range has it as a usable address.
    #[error("the provided network does not match the current range")]
    OutOfRange,
    /// No range of the family has a free address, or there is no range.
    #[error("range is full")]
    Full,
}

/// The held addresses of both families, and the ranges to allocate from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressAllocator<O> {
    ranges: Vec<AddressRange>,
    owners: BTreeMap<IpAddr, O>,
    v4: Runs,
    v6: Runs,
}

impl<O> Default for AddressAllocator<O> {
    fn default() -> Self {
        Self::new([])
    }
}

impl<O> AddressAllocator<O> {
    /// Nothing held. Dynamic requests try the ranges in this order.
    pub fn new(ranges: impl IntoIterator<Item = AddressRange>) -> Self {
        let mut new =
            Self { ranges: Vec::new(), owners: BTreeMap::new(), v4: Runs::default(), v6: Runs::default() };
        new.set_ranges(ranges);
        new
    }

    /// Replaces the ranges; what is held stays held.
    pub fn set_ranges(&mut self, ranges: impl IntoIterator<Item = AddressRange>) {
        self.ranges.clear();
        for range in ranges {
            if !self.ranges.contains(&range) {
                self.ranges.push(range);
            }
        }
    }

    /// The ranges, in the order of search.
    pub fn ranges(&self) -> &[AddressRange] {
        &self.ranges
    }

    /// Whether any range could give this address, held or not.
    pub fn check_range(&self, at: IpAddr) -> Result<(), AddressError> {
        if self.ranges.iter().any(|range| range.contains(at)) {
            Ok(())
        } else {
            Err(AddressError::OutOfRange)
        }
    }

    /// Takes a certain address.
    pub fn allocate(&mut self, at: IpAddr, owner: O) -> Result<(), AddressError> {
        self.check_range(at)?;
        if self.hold(at, owner) { Ok(()) } else { Err(AddressError::Taken) }
    }

    /// Takes a free address of the family. `random` is any number; equally distributed ones spread the
    /// addresses.
    pub fn allocate_next(&mut self, family: IpFamily, random: u64, owner: O) -> Result<IpAddr, AddressError> {
        let mut ranges = self.ranges.iter().filter(|range| range.family() == family);
        let free = ranges.find_map(|range| range.bands().pick(self.held(family), random));
        let at = address(family, free.ok_or(AddressError::Full)?);
        self.hold(at, owner);
        Ok(at)
    }

    /// Gives an address back; answers who held it.
    pub fn release(&mut self, at: IpAddr) -> Option<O> {
        let owner = self.owners.remove(&at)?;
        self.held_mut(IpFamily::of(at)).remove(number(at));
        Some(owner)
    }

    /// Who holds an address.
    pub fn owner(&self, at: IpAddr) -> Option<&O> {
        self.owners.get(&at)
    }

    /// All held addresses, IPv4 first, in order.
    pub fn iter(&self) -> impl Iterator<Item = (IpAddr, &O)> {
        self.owners.iter().map(|(at, owner)| (*at, owner))
    }

    /// How many addresses of a range are held. Counts them.
    pub fn used(&self, range: AddressRange) -> u64 {
        let bands = range.bands();
        let at = |number| address(range.family(), number);
        self.owners.range(at(bands.low)..at(bands.end)).count() as u64
    }

    /// What a dry run shows for a dynamic request: the network address of the first range, never reserved.
    pub fn placeholder(&self, family: IpFamily) -> Result<IpAddr, AddressError> {
        let range = self.ranges.iter().find(|range| range.family() == family).ok_or(AddressError::Full)?;
        Ok(range.cidr().network())
    }

    fn hold(&mut self, at: IpAddr, owner: O) -> bool {
        let free = self.held_mut(IpFamily::of(at)).insert(number(at));
        if free {
            self.owners.insert(at, owner);
        }
        free
    }

    fn held(&self, family: IpFamily) -> &Runs {
        match family {
            IpFamily::V4 => &self.v4,
            IpFamily::V6 => &self.v6,
        }
    }

    fn held_mut(&mut self, family: IpFamily) -> &mut Runs {
        match family {
            IpFamily::V4 => &mut self.v4,
            IpFamily::V6 => &mut self.v6,
        }
    }
}

impl<O: Clone + PartialEq> AddressAllocator<O> {
    /// Records that an address is held, in a range or not. Recording the same owner again is fine.
    pub fn record(&mut self, at: IpAddr, owner: O) -> Option<Finding<IpAddr, O>> {
        match self.owners.get(&at) {
            Some(holder) if *holder == owner => None,
            Some(holder) => Some(Finding::Duplicate { at, holder: holder.clone(), owner }),
            None => {
                self.hold(at, owner.clone());
                self.check_range(at).err().map(|_| Finding::OutOfRange { at, owner })
            }
        }
    }

    /// Rebuilds the allocator from who holds what, earlier holders first.
    pub fn rebuild(
        ranges: impl IntoIterator<Item = AddressRange>,
        held: impl IntoIterator<Item = (IpAddr, O)>,
    ) -> (Self, Vec<Finding<IpAddr, O>>) {
        let mut new = Self::new(ranges);
        let findings = held.into_iter().filter_map(|(at, owner)| new.record(at, owner)).collect();
        (new, findings)
    }
}
