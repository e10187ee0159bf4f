//! At most 1000 addresses stand in one Endpoints object; ready ones go first.

use portway_api::types::core::{EndpointAddress, EndpointSubset};

/// Addresses an Endpoints object holds.
pub const CAPACITY: usize = 1000;

/// Drops what is too much; tells whether anything was.
pub fn truncate(subsets: &mut Vec<EndpointSubset>) -> bool {
    let ready: usize = subsets.iter().map(|s| s.addresses.len()).sum();
    let not_ready: usize = subsets.iter().map(|s| s.not_ready_addresses.len()).sum();
    if ready + not_ready <= CAPACITY {
        return false;
    }
    if ready > CAPACITY {
        subsets.iter_mut().for_each(|s| s.not_ready_addresses.clear());
        share(subsets, ready, CAPACITY, |s| &mut s.addresses);
    } else {
        share(subsets, not_ready, CAPACITY - ready, |s| &mut s.not_ready_addresses);
    }
    subsets.retain(|s| !s.addresses.is_empty() || !s.not_ready_addresses.is_empty());
    true
}

/// Gives every subset its part of `room`, in proportion to what it has of `total`.
fn share(
    subsets: &mut [EndpointSubset],
    total: usize,
    room: usize,
    list: fn(&mut EndpointSubset) -> &mut Vec<EndpointAddress>,
) {
    let mut left = room;
    for subset in subsets {
        let addresses = list(subset);
        let part = (addresses.len() * room).div_ceil(total).min(left);
        addresses.truncate(part);
        left -= part;
    }
}
