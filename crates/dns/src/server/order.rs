//! The order of records in an answer: aliases first, addresses shuffled.

use crate::wire::{Record, Rtype};

/// Puts CNAMEs first, then everything but addresses and MX, then addresses in random order, then MX in random order.
pub(super) fn shuffle(records: &mut [Record]) {
    if records.len() < 2 {
        return;
    }
    let rank = |record: &Record| match record.rtype() {
        Rtype::CNAME => 0,
        Rtype::A | Rtype::AAAA => 2,
        Rtype::MX => 3,
        _ => 1,
    };
    if !records.is_sorted_by_key(rank) {
        records.sort_by_key(rank);
    }
    for shuffled in [2, 3] {
        let from = records.partition_point(|record| rank(record) < shuffled);
        let to = records.partition_point(|record| rank(record) <= shuffled);
        fastrand::shuffle(&mut records[from..to]);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::wire::{Name, Rdata};
    use std::collections::BTreeMap;

    #[test]
    fn every_address_comes_first_about_as_often() {
        let owner: Name = "a.b".parse().unwrap();
        let address = |last: u8| Record::new(owner.clone(), 5, Rdata::A([10, 0, 0, last].into()));
        let mut firsts = BTreeMap::new();
        for _ in 0..4000 {
            let mut records: Vec<_> = (0..4).map(address).collect();
            records.push(Record::new(owner.clone(), 5, Rdata::Cname(owner.clone())));
            shuffle(&mut records);
            assert_eq!(records[0].rtype(), Rtype::CNAME);
            *firsts.entry(records[1].to_string()).or_insert(0) += 1;
        }
        assert_eq!(firsts.len(), 4);
        // Five standard deviations of a fair draw.
        assert!(firsts.values().all(|&n| (863..1137).contains(&n)), "{firsts:?}");
    }
}
