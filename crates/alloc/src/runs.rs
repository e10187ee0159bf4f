//! A set of numbers as maximal runs: the first gap behind any number is one map lookup away.

use std::collections::BTreeMap;

/// Numbers, as start → end (inclusive) of each run. Runs never touch each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Runs(BTreeMap<u128, u128>);

impl Runs {
    /// The run that contains a number.
    fn run(&self, number: u128) -> Option<(u128, u128)> {
        let (start, end) = self.0.range(..=number).next_back()?;
        (*end >= number).then_some((*start, *end))
    }

    /// The first number at or behind this one that is not in the set; the last number there is if there is
    /// none.
    pub fn first_gap(&self, from: u128) -> u128 {
        self.run(from).map_or(from, |(_, end)| end.saturating_add(1))
    }

    /// Adds a number; false if it was there.
    pub fn insert(&mut self, number: u128) -> bool {
        if self.run(number).is_some() {
            return false;
        }
        let start = match number.checked_sub(1).and_then(|left| self.run(left)) {
            Some((start, _)) => start,
            None => number,
        };
        let end = number.checked_add(1).and_then(|right| self.0.remove(&right)).unwrap_or(number);
        self.0.insert(start, end);
        true
    }

    /// Takes a number out; false if it was not there.
    pub fn remove(&mut self, number: u128) -> bool {
        let Some((start, end)) = self.run(number) else { return false };
        if start == number {
            self.0.remove(&start);
        } else {
            self.0.insert(start, number - 1);
        }
        if number < end {
            self.0.insert(number + 1, end);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::Runs;

    proptest! {
        #[test]
        fn is_a_set_with_gaps(steps in proptest::collection::vec((any::<bool>(), 0u128..40), 0..200)) {
            let (mut runs, mut oracle) = (Runs::default(), BTreeSet::new());
            for (add, number) in steps {
                if add {
                    prop_assert_eq!(runs.insert(number), oracle.insert(number));
                } else {
                    prop_assert_eq!(runs.remove(number), oracle.remove(&number));
                }
                for from in 0..41 {
                    let gap = (from..).find(|n| !oracle.contains(n)).unwrap();
                    prop_assert_eq!(runs.first_gap(from), gap);
                }
                // Maximal: as many runs as there are numbers without a left neighbour.
                let starts = oracle.iter().filter(|n| **n == 0 || !oracle.contains(&(**n - 1))).count();
                prop_assert_eq!(runs.0.len(), starts);
            }
        }
    }
}
