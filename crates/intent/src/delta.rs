//! What changed between two intents, so that a backend need not look at what did not.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use portway_base::ObjectKey;

use crate::{Address, FamilyIntent, Front, Intent, Pool, PoolId, Rule};

/// What changed between two intents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delta {
    /// IPv4.
    pub v4: FamilyDelta<Ipv4Addr>,
    /// IPv6.
    pub v6: FamilyDelta<Ipv6Addr>,
}

/// A value before and after; both `None` never occurs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change<T> {
    /// Before.
    pub old: Option<T>,
    /// After.
    pub new: Option<T>,
}

/// What changed in one family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FamilyDelta<A: Address> {
    /// Fronts whose rule changed, and fronts that use a changed pool.
    pub fronts: BTreeMap<Front<A>, Change<Rule<A>>>,
    /// Changed pools.
    pub pools: BTreeMap<PoolId, Change<Pool<A>>>,
    /// Changed owners of Service addresses.
    pub cluster_ips: BTreeMap<A, Change<ObjectKey>>,
    /// Endpoint addresses of this node that came (true) or went (false).
    pub hairpin: BTreeMap<A, bool>,
    /// Something that concerns all fronts changed (ranges, node addresses, locality, marks).
    pub settings: bool,
}

impl<A: Address> Default for FamilyDelta<A> {
    fn default() -> Self {
        Self {
            fronts: BTreeMap::new(),
            pools: BTreeMap::new(),
            cluster_ips: BTreeMap::new(),
            hairpin: BTreeMap::new(),
            settings: false,
        }
    }
}

impl Delta {
    /// Compares two intents in full.
    pub fn between(old: &Intent, new: &Intent) -> Self {
        Self { v4: FamilyDelta::between(&old.v4, &new.v4), v6: FamilyDelta::between(&old.v6, &new.v6) }
    }

    /// Nothing changed.
    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }
}

impl<A: Address> FamilyDelta<A> {
    /// Compares two intents in full.
    pub fn between(old: &FamilyIntent<A>, new: &FamilyIntent<A>) -> Self {
        let pools = changes(&old.pools, &new.pools);
        let mut fronts = changes(&old.fronts, &new.fronts);
        for (front, rule) in &new.fronts {
            if rule.pools().any(|pool| pools.contains_key(pool)) {
                fronts
                    .entry(*front)
                    .or_insert_with(|| Change { old: Some(rule.clone()), new: Some(rule.clone()) });
            }
        }
        Self {
            fronts,
            pools,
            cluster_ips: changes(&old.cluster_ips, &new.cluster_ips),
            hairpin: old
                .hairpin
                .symmetric_difference(&new.hairpin)
                .map(|address| (*address, new.hairpin.contains(address)))
                .collect(),
            settings: old.service_cidrs != new.service_cidrs
                || old.locality != new.locality
                || old.node_addresses != new.node_addresses
                || old.masquerade != new.masquerade,
        }
    }

    /// Nothing changed.
    pub fn is_empty(&self) -> bool {
        self.fronts.is_empty()
            && self.pools.is_empty()
            && self.cluster_ips.is_empty()
            && self.hairpin.is_empty()
            && !self.settings
    }
}

fn changes<K: Ord + Clone, V: PartialEq + Clone>(
    old: &BTreeMap<K, V>,
    new: &BTreeMap<K, V>,
) -> BTreeMap<K, Change<V>> {
    let gone = old.iter().filter(|(key, _)| !new.contains_key(key));
    let gone = gone.map(|(key, value)| (key.clone(), Change { old: Some(value.clone()), new: None }));
    let kept = new.iter().filter(|(key, value)| old.get(key) != Some(value));
    let kept = kept
        .map(|(key, value)| (key.clone(), Change { old: old.get(key).cloned(), new: Some(value.clone()) }));
    gone.chain(kept).collect()
}
