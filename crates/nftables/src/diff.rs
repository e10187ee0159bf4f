//! From one image to another.
//!
//! Operations come in an order in which every prefix is safe: what others refer to comes before them and
//! goes after them, endpoints come before the fronts that need them, hooks come last.

use std::collections::BTreeSet;
use std::sync::Arc;

use portway_base::IpFamily;

use crate::{Base, Chain, Entry, Image, Key, Rule, Set, SetSpec, Table};

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Creates the table; fine if it exists.
    AddTable,
    /// Deletes the table with all that is in it.
    DeleteTable,
    /// Creates a set or map.
    AddSet {
        /// Name.
        name: String,
        /// Type.
        spec: SetSpec,
    },
    /// Deletes a set or map.
    DeleteSet {
        /// Name.
        name: String,
    },
    /// Creates a chain.
    AddChain {
        /// Name.
        name: String,
        /// Where packets enter it.
        base: Option<Base>,
    },
    /// Deletes the rules of a chain.
    FlushChain {
        /// Name.
        name: String,
    },
    /// Deletes a chain.
    DeleteChain {
        /// Name.
        name: String,
    },
    /// Appends a rule.
    AddRule {
        /// The chain.
        chain: String,
        /// The rule.
        rule: Rule,
    },
    /// Adds elements.
    AddElements {
        /// The set or map.
        set: String,
        /// Its type.
        spec: Arc<SetSpec>,
        /// The elements.
        elements: Vec<(Key, Entry)>,
    },
    /// Deletes elements.
    DeleteElements {
        /// The set or map.
        set: String,
        /// Its type.
        spec: Arc<SetSpec>,
        /// Their keys.
        elements: Vec<Key>,
    },
}

/// Changes in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patch {
    /// Each with the family of its table.
    pub ops: Vec<(IpFamily, Op)>,
}

impl Patch {
    /// Nothing to do.
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    /// Elements and other objects that change.
    pub fn len(&self) -> usize {
        let size = |op: &Op| match op {
            Op::AddElements { elements, .. } => elements.len(),
            Op::DeleteElements { elements, .. } => elements.len(),
            _ => 1,
        };
        self.ops.iter().map(|(_, op)| size(op)).sum()
    }
}

/// The changes that lead from `have` to `want`.
pub fn diff(have: &Image, want: &Image) -> Patch {
    let mut patch = Patch::default();
    for family in IpFamily::ALL {
        let mut ops = Vec::new();
        match (have.table(family), want.table(family)) {
            (None, None) => {}
            (Some(_), None) => ops.push(Op::DeleteTable),
            (None, Some(want)) => {
                ops.push(Op::AddTable);
                table(&Table::default(), want, &mut ops);
            }
            (Some(have), Some(want)) => table(have, want, &mut ops),
        }
        patch.ops.extend(ops.into_iter().map(|op| (family, op)));
    }
    patch
}

fn table(have: &Table, want: &Table, ops: &mut Vec<Op>) {
    // A set of another type cannot be changed, only replaced, and nothing may refer to it meanwhile. That is
    // a table of another version: start over.
    if have.sets.iter().any(|(name, set)| want.sets.get(name).is_some_and(|w| w.spec != set.spec)) {
        ops.extend([Op::DeleteTable, Op::AddTable]);
        return table(&Table::default(), want, ops);
    }
    for (name, set) in want.sets.iter().filter(|(name, _)| !have.sets.contains_key(*name)) {
        ops.push(Op::AddSet { name: name.clone(), spec: set.spec.clone() });
    }
    chains(have, want, ops);
    let empty = |spec: &SetSpec| Set { spec: spec.clone(), elements: Default::default() };
    // Maps that lead to other maps come later in this order.
    let mut names: Vec<&String> = want.sets.keys().collect();
    names.sort_by_key(|name| stage(name));
    for name in names {
        let Some(wanted) = want.sets.get(name) else { continue };
        let had = have.sets.get(name).cloned().unwrap_or_else(|| empty(&wanted.spec));
        changed_elements(name, &had, wanted, ops);
    }
    hooks(have, want, ops);
    let mut names: Vec<&String> = have.sets.keys().collect();
    names.sort_by_key(|name| std::cmp::Reverse(stage(name)));
    for name in names {
        let Some(had) = have.sets.get(name) else { continue };
        match want.sets.get(name) {
            Some(wanted) if wanted.spec.interval => {}
            Some(wanted) => gone_elements(name, had, wanted, ops),
            None => {
                let all = empty(&had.spec);
                gone_elements(name, had, &all, ops);
            }
        }
    }
    for (name, chain) in have.chains.iter().filter(|(name, _)| !want.chains.contains_key(*name)) {
        if !chain.rules.is_empty() {
            ops.push(Op::FlushChain { name: name.clone() });
        }
    }
    for name in have.chains.keys().filter(|name| !want.chains.contains_key(*name)) {
        ops.push(Op::DeleteChain { name: name.clone() });
    }
    for name in have.sets.keys().filter(|name| !want.sets.contains_key(*name)) {
        ops.push(Op::DeleteSet { name: name.clone() });
    }
}

/// Order in which sets are filled: a name that others lead to has a lower number.
pub(crate) fn stage(set: &str) -> u8 {
    match set {
        "fronts" | "node-ports" => 3,
        "inner-fronts" | "inner-node-ports" => 2,
        "cluster-ips" => 4,
        _ => 1,
    }
}

/// A base chain with another hook must go before it can come again.
fn rehooked(have: &Table, name: &str, chain: &Chain) -> bool {
    have.chains.get(name).is_some_and(|had| had.base != chain.base)
}

fn chains(have: &Table, want: &Table, ops: &mut Vec<Op>) {
    let regular = || want.chains.iter().filter(|(_, chain)| chain.base.is_none());
    for (name, _) in regular().filter(|(name, _)| !have.chains.contains_key(*name)) {
        ops.push(Op::AddChain { name: name.clone(), base: None });
    }
    for (name, chain) in regular() {
        rules(have, name, chain, ops);
    }
}

fn hooks(have: &Table, want: &Table, ops: &mut Vec<Op>) {
    for (name, chain) in want.chains.iter().filter(|(_, chain)| chain.base.is_some()) {
        if rehooked(have, name, chain) {
            ops.push(Op::FlushChain { name: name.clone() });
            ops.push(Op::DeleteChain { name: name.clone() });
        }
        if rehooked(have, name, chain) || !have.chains.contains_key(name) {
            ops.push(Op::AddChain { name: name.clone(), base: chain.base });
            let add = |rule: &Rule| Op::AddRule { chain: name.clone(), rule: rule.clone() };
            ops.extend(chain.rules.iter().map(add));
        } else {
            rules(have, name, chain, ops);
        }
    }
}

fn rules(have: &Table, name: &str, chain: &Chain, ops: &mut Vec<Op>) {
    let had = have.chains.get(name).map(|chain| chain.rules.as_slice()).unwrap_or_default();
    if had == chain.rules {
        return;
    }
    if !had.is_empty() {
        ops.push(Op::FlushChain { name: name.to_owned() });
    }
    ops.extend(chain.rules.iter().map(|rule| Op::AddRule { chain: name.to_owned(), rule: rule.clone() }));
}

/// New elements, and those with another value, which have to go first. Ranges must not overlap what is still
/// there, so all superfluous ones go first too.
fn changed_elements(name: &str, have: &Set, want: &Set, ops: &mut Vec<Op>) {
    let mut gone = Vec::new();
    let mut new = Vec::new();
    if want.spec.interval {
        gone.extend(have.elements.keys().filter(|key| !want.elements.contains_key(*key)).cloned());
    }
    for (key, entry) in &want.elements {
        match have.elements.get(key) {
            Some(had) if had == entry => continue,
            Some(_) => gone.push(key.clone()),
            None => {}
        }
        new.push((key.clone(), entry.clone()));
    }
    push_elements(name, &Arc::new(want.spec.clone()), gone, new, ops);
}

fn gone_elements(name: &str, have: &Set, want: &Set, ops: &mut Vec<Op>) {
    let gone = have.elements.keys().filter(|key| !want.elements.contains_key(*key)).cloned().collect();
    push_elements(name, &Arc::new(have.spec.clone()), gone, Vec::new(), ops);
}

/// Elements in one operation: small enough that a socket with little room can take it.
const CHUNK: usize = 512;

/// Removes and adds elements. An element that changes goes and comes in neighbouring operations, so that it is
/// not missed for long where one transaction cannot take all.
pub(crate) fn push_elements(
    set: &str,
    spec: &Arc<SetSpec>,
    gone: Vec<Key>,
    new: Vec<(Key, Entry)>,
    ops: &mut Vec<Op>,
) {
    let delete =
        |elements: Vec<Key>| Op::DeleteElements { set: set.to_owned(), spec: spec.clone(), elements };
    let add = |elements: &[(Key, Entry)]| Op::AddElements {
        set: set.to_owned(),
        spec: spec.clone(),
        elements: elements.to_vec(),
    };
    let comes: BTreeSet<&Key> = new.iter().map(|(key, _)| key).collect();
    // Ranges that go may overlap any that come.
    let (again, leaving): (BTreeSet<Key>, Vec<Key>) = match spec.interval {
        true => (BTreeSet::new(), gone),
        false => {
            let (again, leaving): (Vec<Key>, Vec<Key>) =
                gone.into_iter().partition(|key| comes.contains(key));
            (again.into_iter().collect(), leaving)
        }
    };
    ops.extend(leaving.chunks(CHUNK).map(|keys| delete(keys.to_vec())));
    for elements in new.chunks(CHUNK) {
        let changing: Vec<Key> =
            elements.iter().map(|(key, _)| key).filter(|key| again.contains(*key)).cloned().collect();
        if !changing.is_empty() {
            ops.push(delete(changing));
        }
        ops.push(add(elements));
    }
}
