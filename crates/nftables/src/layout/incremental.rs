//! What a change of the intent changes in the kernel, without looking at the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use portway_base::IpFamily;
use portway_intent::{Address, Delta, FamilyDelta, FamilyIntent};

use super::elements::Elements;
use super::{Class, chains, specs};
use crate::diff::{push_elements, stage};
use crate::{Entry, Image, Key, Op, Patch, SetSpec};

/// Which classes the kernel has chains for.
///
/// Chains stay when their last front leaves: a packet may be on its way there, and the class will often be
/// wanted again. A full [`diff`](crate::diff) removes them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Classes {
    v4: BTreeSet<[u32; 2]>,
    v6: BTreeSet<[u32; 2]>,
}

impl Classes {
    /// The classes of an image.
    pub fn of(image: &Image) -> Self {
        let of = |family| {
            let maps = [super::CLASSES, super::INNER_CLASSES];
            let sets = image.table(family).map(|table| maps.map(|map| table.sets.get(map)));
            let keys = sets.into_iter().flatten().flatten().flat_map(|set| set.elements.keys());
            keys.filter_map(|key| code(&key.start)).collect()
        };
        Self { v4: of(IpFamily::V4), v6: of(IpFamily::V6) }
    }

    /// The classes after a patch.
    pub fn follow(&mut self, patch: &Patch) {
        for (family, op) in &patch.ops {
            let known = match family {
                IpFamily::V4 => &mut self.v4,
                IpFamily::V6 => &mut self.v6,
            };
            let is_classes = |set: &str| set == super::CLASSES || set == super::INNER_CLASSES;
            match op {
                Op::DeleteTable => known.clear(),
                Op::AddElements { set, elements, .. } if is_classes(set) => {
                    known.extend(elements.iter().filter_map(|(key, _)| code(&key.start)));
                }
                Op::DeleteElements { set, elements, .. } if is_classes(set) => {
                    elements.iter().filter_map(|key| code(&key.start)).for_each(|code| {
                        known.remove(&code);
                    });
                }
                _ => {}
            }
        }
    }
}

fn code(key: &[u8]) -> Option<[u32; 2]> {
    let (first, second) = key.split_at_checked(4)?;
    Some([u32::from_ne_bytes(first.try_into().ok()?), u32::from_ne_bytes(second.try_into().ok()?)])
}

/// The changes that follow the intent from before `delta` to `now`; `None` if that takes a full
/// [`diff`](crate::diff).
pub fn patch(
    delta: &Delta,
    now: (&FamilyIntent<Ipv4Addr>, &FamilyIntent<Ipv6Addr>),
    classes: &Classes,
) -> Option<Patch> {
    if delta.v4.settings || delta.v6.settings {
        return None;
    }
    let mut patch = Patch::default();
    let v4 = family(&delta.v4, now.0, &classes.v4);
    patch.ops.extend(v4.into_iter().map(|op| (IpFamily::V4, op)));
    let v6 = family(&delta.v6, now.1, &classes.v6);
    patch.ops.extend(v6.into_iter().map(|op| (IpFamily::V6, op)));
    Some(patch)
}

fn family<A: Address>(
    delta: &FamilyDelta<A>,
    now: &FamilyIntent<A>,
    classes: &BTreeSet<[u32; 2]>,
) -> Vec<Op> {
    let (mut old, mut new) = (Elements::default(), Elements::default());
    for (id, change) in &delta.pools {
        change.old.iter().for_each(|pool| old.pool(id, pool));
        change.new.iter().for_each(|pool| new.pool(id, pool));
    }
    for (front, change) in &delta.fronts {
        if let Some(rule) = &change.old {
            old.front(front, rule, |id| match delta.pools.get(id) {
                Some(change) => change.old.as_ref(),
                None => now.pools.get(id),
            });
        }
        if let Some(rule) = &change.new {
            new.front(front, rule, |id| now.pools.get(id));
        }
    }
    for (address, change) in &delta.cluster_ips {
        change.old.iter().for_each(|owner| old.cluster_ip(*address, owner));
        change.new.iter().for_each(|owner| new.cluster_ip(*address, owner));
    }
    for (address, came) in &delta.hairpin {
        if *came { &mut new } else { &mut old }.hairpin(*address);
    }

    let mut ops = Vec::new();
    let fresh: Vec<Class> = std::mem::take(&mut new.classes)
        .into_iter()
        .filter(|class| !classes.contains(&class.code()))
        .collect();
    for class in &fresh {
        new.class(class);
        if let Some(name) = class.chain() {
            ops.push(Op::AddChain { name: name.clone(), base: None });
            let rules = chains::class(now, class).rules.into_iter();
            ops.extend(rules.map(|rule| Op::AddRule { chain: name.clone(), rule }));
        }
    }
    elements(&old, new, &specs::<A>(), &mut ops);
    ops
}

/// Keys that go, and elements that come.
type Changed = (Vec<Key>, Vec<(Key, Entry)>);

/// Removes, adds and replaces elements, set by set in the order of [`stage`].
fn elements(old: &Elements, new: Elements, specs: &BTreeMap<&'static str, SetSpec>, ops: &mut Vec<Op>) {
    let mut sets: BTreeMap<(u8, &'static str), Changed> = BTreeMap::new();
    for (at @ (set, key), entry) in &old.entries {
        if new.entries.get(at) != Some(entry) {
            sets.entry((stage(set), set)).or_default().0.push(key.clone());
        }
    }
    for (at, entry) in new.entries {
        if old.entries.get(&at) != Some(&entry) {
            sets.entry((stage(at.0), at.0)).or_default().1.push((at.1, entry));
        }
    }
    for ((_, set), (gone, come)) in sets {
        if let Some(spec) = specs.get(set) {
            push_elements(set, &Arc::new(spec.clone()), gone, come, ops);
        }
    }
}
