//! Node ports.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use crate::{Finding, PortAllocator, PortError, PortRange};

#[test]
fn ranges_are_read() {
    let check = |text: &str, expect: Result<&str, &str>| {
        let got = text.parse::<PortRange>();
        let got = got.map(|range| range.to_string()).map_err(|error| error.to_string());
        assert_eq!(got, expect.map(str::to_owned).map_err(str::to_owned));
    };
    check("30000-32767", Ok("30000-32767"));
    check("1-65535", Ok("1-65535"));
    check("80-80", Ok("80-80"));
    let bad = |text: &str| {
        let words = "give two ports of 1-65535, lower first, as in 30000-32767";
        check(text, Err(&format!("invalid port range {text:?}: {words}")));
    };
    for text in ["", "30000", "32767-30000", "0-10", "1-65536", "-1-5", "a-b", "1-2-3"] {
        bad(text);
    }
}

#[test]
fn errors_have_upstreams_words() {
    let mut pool = PortAllocator::new(PortRange::DEFAULT);
    let mut check = |port: i64, expect: Result<u16, &str>| {
        assert_eq!(
            pool.allocate(port, 1).map_err(|e| e.to_string()),
            expect.map_err(str::to_owned),
            "{port}"
        );
    };
    let outside = "provided port is not in the valid range. The range of valid ports is 30000-32767";
    check(30080, Ok(30080));
    check(30080, Err("provided port is already allocated"));
    for port in [29999, 32768, 0, -1, 80, 95616, i64::MIN, i64::MAX] {
        check(port, Err(outside));
    }
    check(32767, Ok(32767));
}

#[test]
fn a_full_range_is_exhausted_exactly_dynamic_band_first() {
    for (low, size, offset) in [
        (30000, 16, 0),
        (30000, 17, 16),
        (1, 543, 16),
        (30000, 1024, 32),
        (30000, 2768, 86),
        (60000, 5536, 128),
    ] {
        let mut pool = PortAllocator::new(PortRange::new(low..=low + (size - 1)).unwrap());
        let mut got = BTreeSet::new();
        for i in 0..size {
            let port = pool.allocate_next(u64::from(i) * 7919, 0).unwrap();
            assert!(got.insert(port));
            assert_eq!(port < low + offset, i >= size - offset, "{size}: {port} as number {i}");
        }
        assert_eq!((pool.allocate_next(3, 0), pool.free()), (Err(PortError::Full), 0));
        assert_eq!(pool.release(low), Some(0));
        assert_eq!(pool.release(low), None);
        assert_eq!(pool.allocate_next(3, 0), Ok(low));
    }
}

#[test]
fn rebuilding_tells_what_is_wrong() {
    let held = [(30001, "a"), (30001, "a"), (30001, "b"), (80, "c"), (30002, "b")];
    let (pool, findings) = PortAllocator::rebuild(PortRange::DEFAULT, held);
    assert_eq!(
        findings,
        [
            Finding::Duplicate { at: 30001, owner: "b", holder: "a" },
            Finding::OutOfRange { at: 80, owner: "c" }
        ]
    );
    assert_eq!(pool.iter().collect::<Vec<_>>(), [(30001, &"a"), (30002, &"b")]);
}

proptest! {
    #[test]
    fn agrees_with_a_map(
        size in 1u16..40,
        steps in proptest::collection::vec((0..3u8, any::<u64>(), 90i64..150), 0..200),
    ) {
        let mut pool = PortAllocator::new(PortRange::new(100..=99 + size).unwrap());
        let mut model = BTreeMap::new();
        for (owner, (what, random, port)) in steps.into_iter().enumerate() {
            let inside = (100..100 + i64::from(size)).contains(&port);
            match what {
                0 => match pool.allocate_next(random, owner) {
                    Ok(port) => prop_assert_eq!(model.insert(port, owner), None),
                    Err(_) => prop_assert_eq!(model.len(), usize::from(size)),
                },
                1 => match pool.allocate(port, owner) {
                    Ok(port) => prop_assert_eq!(model.insert(port, owner), None),
                    Err(PortError::Taken) => prop_assert!(model.contains_key(&(port as u16))),
                    Err(error) => prop_assert!(!inside, "{}", error),
                },
                _ => prop_assert_eq!(pool.release(port as u16), model.remove(&(port as u16))),
            }
            prop_assert_eq!(pool.free(), u32::from(size) - model.len() as u32);
        }
        prop_assert_eq!(pool.iter().map(|(p, o)| (p, *o)).collect::<BTreeMap<_, _>>(), model);
    }
}
