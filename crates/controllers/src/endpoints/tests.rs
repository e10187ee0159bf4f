//! The canonical form, and the limit.

use portway_api::types::core::{EndpointAddress, EndpointPort, EndpointSubset};
use proptest::prelude::*;

use super::capacity::{CAPACITY, truncate};
use super::repack;

fn subset(ready: &[u16], not_ready: &[u16], ports: &[i32]) -> EndpointSubset {
    let address =
        |n: &u16| EndpointAddress { ip: format!("10.0.{}.{}", n / 250, n % 250), ..Default::default() };
    let port = |n: &i32| EndpointPort { port: *n, protocol: "TCP".into(), ..Default::default() };
    EndpointSubset {
        addresses: ready.iter().map(address).collect(),
        not_ready_addresses: not_ready.iter().map(address).collect(),
        ports: ports.iter().map(port).collect(),
    }
}

#[test]
fn subsets_with_the_same_addresses_become_one() {
    let check = |given: Vec<EndpointSubset>, expect: Vec<EndpointSubset>| assert_eq!(repack(given), expect);
    check(vec![], vec![]);
    check(vec![subset(&[1], &[], &[80]), subset(&[1], &[], &[81])], vec![subset(&[1], &[], &[80, 81])]);
    check(vec![subset(&[2], &[], &[80]), subset(&[1], &[], &[80])], vec![subset(&[1, 2], &[], &[80])]);
    // Not ready wins.
    check(vec![subset(&[1], &[], &[80]), subset(&[], &[1], &[80])], vec![subset(&[], &[1], &[80])]);
    // Different addresses for different ports stay apart, and so do subsets without ports.
    let apart = vec![subset(&[1], &[], &[80]), subset(&[1, 2], &[], &[81])];
    check(apart.clone(), apart);
    check(vec![subset(&[1], &[], &[]), subset(&[2], &[], &[])], vec![subset(&[1, 2], &[], &[])]);
}

#[test]
fn ready_addresses_have_the_first_call_on_the_room() {
    let range = |r: std::ops::Range<u16>| r.collect::<Vec<_>>();
    let check = |mut given: Vec<EndpointSubset>, truncated: bool, expect: &[(usize, usize)]| {
        assert_eq!(truncate(&mut given), truncated);
        let sizes: Vec<_> = given.iter().map(|s| (s.addresses.len(), s.not_ready_addresses.len())).collect();
        assert_eq!(sizes, expect);
    };
    check(vec![subset(&range(0..600), &range(600..1000), &[80])], false, &[(600, 400)]);
    check(vec![subset(&range(0..600), &range(600..1200), &[80])], true, &[(600, 400)]);
    check(vec![subset(&range(0..1200), &range(1200..1300), &[80])], true, &[(1000, 0)]);
    let two = vec![subset(&range(0..900), &[], &[80]), subset(&range(900..1200), &[], &[81])];
    check(two, true, &[(750, 0), (250, 0)]);
}

proptest! {
    /// The form is canonical (order and grouping of the input do not matter) and says the same as the input.
    #[test]
    fn repacking_is_canonical(
        parts in prop::collection::vec((prop::collection::vec(0u16..6, 0..4), prop::collection::vec(0u16..6, 0..3), prop::collection::vec(1i32..4, 0..3)), 0..6),
    ) {
        let subsets: Vec<_> = parts.iter().map(|(r, n, p)| subset(r, n, p)).collect();
        let once = repack(subsets.clone());
        prop_assert_eq!(&repack(once.clone()), &once);
        let reversed: Vec<_> = subsets.into_iter().rev().collect();
        prop_assert_eq!(&repack(reversed), &once);
        let mut seen = std::collections::BTreeSet::new();
        for subset in &once {
            for address in subset.addresses.iter().chain(&subset.not_ready_addresses) {
                for port in &subset.ports {
                    prop_assert!(seen.insert((address.ip.clone(), port.port)), "twice: {:?}", address);
                }
            }
        }
    }

    /// Never more than the limit, whatever the mixture.
    #[test]
    fn the_limit_holds(parts in prop::collection::vec((0u16..900, 0u16..900), 0..5)) {
        let range = |n: u16| (0..n).collect::<Vec<_>>();
        let mut subsets: Vec<_> = parts.iter().map(|(r, n)| subset(&range(*r), &range(*n), &[80])).collect();
        truncate(&mut subsets);
        let left: usize = subsets.iter().map(|s| s.addresses.len() + s.not_ready_addresses.len()).sum();
        let all: usize = parts.iter().map(|(r, n)| usize::from(*r) + usize::from(*n)).sum();
        prop_assert_eq!(left, all.min(CAPACITY));
    }
}
