//! ClusterIPs.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use portway_base::IpFamily::{V4, V6};
use proptest::prelude::*;

use crate::{AddressAllocator, AddressError, AddressRange, Finding};

fn range(cidr: &str) -> AddressRange {
    AddressRange::new(cidr.parse().unwrap()).unwrap()
}

fn pool(cidrs: &[&str]) -> AddressAllocator<u32> {
    AddressAllocator::new(cidrs.iter().map(|cidr| range(cidr)))
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn errors_have_upstreams_words() {
    let mut pool = pool(&["10.96.0.0/24"]);
    let mut check = |at: &str, expect: Result<(), &str>| {
        assert_eq!(
            pool.allocate(ip(at), 1).map_err(|e| e.to_string()),
            expect.map_err(str::to_owned),
            "{at}"
        );
    };
    let outside = Err("the provided network does not match the current range");
    check("10.96.0.10", Ok(()));
    check("10.96.0.10", Err("provided IP is already allocated"));
    check("10.96.0.0", outside);
    check("10.96.0.255", outside);
    check("10.96.1.1", outside);
    check("fd00::1", outside);
    check("10.96.0.254", Ok(()));
    assert_eq!(pool.allocate_next(V6, 0, 1), Err(AddressError::Full));
    assert_eq!(AddressError::Full.to_string(), "range is full");
}

#[test]
fn a_full_range_is_exhausted_exactly_dynamic_band_first() {
    for (cidr, family, size, offset) in [
        ("10.96.0.0/28", V4, 14, 0),
        ("10.96.0.0/27", V4, 30, 16),
        ("10.96.0.0/22", V4, 1022, 64),
        ("fd00::/120", V6, 255, 16),
    ] {
        let mut pool = pool(&[cidr]);
        let first = u128::from_be_bytes(match ip(&cidr[..cidr.len() - 3].replace('/', "")) {
            IpAddr::V4(at) => at.to_ipv6_mapped().octets(),
            IpAddr::V6(at) => at.octets(),
        }) + 1;
        let place = |at: IpAddr| match at {
            IpAddr::V4(at) => u128::from_be_bytes(at.to_ipv6_mapped().octets()) - first,
            IpAddr::V6(at) => u128::from_be_bytes(at.octets()) - first,
        };
        let mut got = BTreeSet::new();
        for i in 0..size {
            let at = pool.allocate_next(family, i * 7919, 0).unwrap();
            assert!(got.insert(at), "{at} twice");
            assert_eq!(place(at) < u128::from(offset), i >= size - offset, "{cidr}: {at} as number {i}");
        }
        assert_eq!(pool.allocate_next(family, 5, 0), Err(AddressError::Full));
        assert_eq!(pool.used(range(cidr)), size);
        let back = *got.iter().nth(3).unwrap();
        assert_eq!(pool.release(back), Some(0));
        assert_eq!(pool.allocate_next(family, 99, 1), Ok(back));
        assert_eq!(pool.owner(back), Some(&1));
    }
}

#[test]
fn ranges_follow_each_other_and_may_overlap() {
    let mut pool = pool(&["10.96.0.0/29", "10.96.0.0/28", "10.97.0.0/30"]);
    let got: BTreeSet<_> = std::iter::from_fn(|| pool.allocate_next(V4, 0, 0).ok()).collect();
    assert_eq!(got.len(), 16);
    assert!(got.contains(&ip("10.96.0.7")) && got.contains(&ip("10.97.0.2")));
    // Without its range an address stays held, and a new one can be added.
    pool.set_ranges([range("10.97.0.0/30"), range("10.98.0.0/30")]);
    assert_eq!(pool.allocate(ip("10.96.0.7"), 1), Err(AddressError::OutOfRange));
    assert_eq!(pool.allocate_next(V4, 0, 1), Ok(ip("10.98.0.1")));
    pool.set_ranges([range("10.96.0.0/28")]);
    assert_eq!(pool.allocate(ip("10.96.0.7"), 1), Err(AddressError::Taken));
    assert_eq!(pool.placeholder(V4), Ok(ip("10.96.0.0")));
    assert_eq!(pool.placeholder(V6), Err(AddressError::Full));
}

#[test]
fn rebuilding_tells_what_is_wrong() {
    let held = [("10.96.0.1", 1), ("10.96.0.1", 2), ("10.96.0.1", 1), ("192.0.2.1", 3), ("192.0.2.1", 4)];
    let held = held.map(|(at, owner)| (ip(at), owner));
    let (pool, findings) = AddressAllocator::rebuild([range("10.96.0.0/24")], held);
    assert_eq!(
        findings,
        [
            Finding::Duplicate { at: ip("10.96.0.1"), owner: 2, holder: 1 },
            Finding::OutOfRange { at: ip("192.0.2.1"), owner: 3 },
            Finding::Duplicate { at: ip("192.0.2.1"), owner: 4, holder: 3 },
        ]
    );
    assert_eq!(pool.iter().collect::<Vec<_>>(), [(ip("10.96.0.1"), &1), (ip("192.0.2.1"), &3)]);
}

#[test]
fn huge_ranges_cost_nothing() {
    for (cidr, family) in [("10.0.0.0/8", V4), ("10.96.0.0/12", V4), ("fd00::/64", V6), ("fd00::/108", V6)] {
        let mut pool = pool(&[cidr]);
        let mut random = 1u64;
        for i in 0..20_000 {
            random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            pool.allocate_next(family, random, i).unwrap();
        }
        // The worst start: all in one run.
        for i in 0..20_000 {
            pool.allocate_next(family, 7, i).unwrap();
        }
        assert_eq!(pool.used(range(cidr)), 40_000);
    }
}

#[test]
fn the_ends_of_the_number_space_work() {
    let mut pool = pool(&["255.255.255.0/24", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff0/124"]);
    for (family, size) in [(V4, 254), (V6, 14)] {
        for i in 0..size {
            pool.allocate_next(family, u64::MAX - i, 0).unwrap();
        }
        assert_eq!(pool.allocate_next(family, u64::MAX, 0), Err(AddressError::Full));
    }
    let last = ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
    assert_eq!(pool.record(last, 1), Some(Finding::OutOfRange { at: last, owner: 1 }));
    assert_eq!(pool.allocate_next(V6, u64::MAX, 0), Err(AddressError::Full));
    assert_eq!(pool.release(last), Some(1));
}

#[derive(Clone, Debug)]
enum Step {
    Next(bool, u64),
    Certain(IpAddr),
    Record(IpAddr),
    Release(IpAddr),
    Ranges(Vec<usize>),
}

fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        (0u8..40).prop_map(|host| IpAddr::from([10, 96, 0, host])),
        (0u16..40).prop_map(|host| IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, host])),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (any::<bool>(), any::<u64>()).prop_map(|(v4, random)| Step::Next(v4, random)),
        2 => address().prop_map(Step::Certain),
        1 => address().prop_map(Step::Record),
        2 => address().prop_map(Step::Release),
        1 => proptest::sample::subsequence(vec![0, 1, 2, 3, 4], 0..5).prop_shuffle().prop_map(Step::Ranges),
    ]
}

proptest! {
    #[test]
    fn agrees_with_a_map(steps in proptest::collection::vec(step(), 0..300)) {
        let known = ["10.96.0.0/28", "10.96.0.0/27", "10.96.0.16/29", "fd00::/124", "fd00::/123"].map(range);
        let mut pool = AddressAllocator::new([]);
        let (mut model, mut ranges) = (BTreeMap::new(), Vec::new());
        for (owner, step) in steps.into_iter().enumerate() {
            let usable = |ranges: &Vec<AddressRange>, at| ranges.iter().any(|range| range.contains(at));
            match step {
                Step::Next(v4, random) => {
                    let family = if v4 { V4 } else { V6 };
                    match pool.allocate_next(family, random, owner) {
                        Ok(at) => {
                            prop_assert!(usable(&ranges, at));
                            prop_assert_eq!(model.insert(at, owner), None);
                        }
                        Err(error) => {
                            prop_assert_eq!(error, AddressError::Full);
                            let hosts = (0..64u8).map(|host| match family {
                                V4 => IpAddr::from([10, 96, 0, host]),
                                V6 => IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, host.into()]),
                            });
                            for at in hosts.filter(|at| usable(&ranges, *at)) {
                                prop_assert!(model.contains_key(&at), "{} is free", at);
                            }
                        }
                    }
                }
                Step::Certain(at) => {
                    let expect = if !usable(&ranges, at) {
                        Err(AddressError::OutOfRange)
                    } else if let Entry::Vacant(free) = model.entry(at) {
                        free.insert(owner);
                        Ok(())
                    } else {
                        Err(AddressError::Taken)
                    };
                    prop_assert_eq!(pool.allocate(at, owner), expect);
                }
                Step::Record(at) => {
                    let finding = pool.record(at, owner);
                    let duplicate = matches!(finding, Some(Finding::Duplicate { .. }));
                    prop_assert_eq!(duplicate, model.contains_key(&at));
                    model.entry(at).or_insert(owner);
                }
                Step::Release(at) => prop_assert_eq!(pool.release(at), model.remove(&at)),
                Step::Ranges(which) => {
                    ranges = which.into_iter().map(|i| known[i]).collect();
                    pool.set_ranges(ranges.clone());
                }
            }
            let held: Vec<_> = pool.iter().map(|(at, owner)| (at, *owner)).collect();
            prop_assert_eq!(held, model.iter().map(|(at, owner)| (*at, *owner)).collect::<Vec<_>>());
        }
        // The same holders make the same allocator.
        let (again, _) = AddressAllocator::rebuild(ranges, model);
        prop_assert_eq!(again, pool);
    }
}
