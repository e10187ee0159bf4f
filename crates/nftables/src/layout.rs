//! From intent to nf_tables objects: named maps only, no rule or chain for any one Service.
//!
//! - `fronts` (address, protocol, port) and `node-ports` (protocol, port) hold plain data: a class and a pool.
//! - `classes` leads from a class to the one chain that all fronts of the class share, such as "one of 3
//!   endpoints, masqueraded unless from a Pod".
//! - `endpoints` (pool, index) holds address and port. Pools are named by a hash, so that a restarted
//!   process finds what it would write itself.
//! - `inner-*` are the same for clients inside the cluster where the Local policy treats them differently.
//! - `affinity` remembers clients; `sticky-endpoints` and `members` are `endpoints` in the form that takes,
//!   for pools with affinity.

mod chains;
mod class;
mod elements;
mod incremental;
mod program;

use std::collections::BTreeMap;

use portway_intent::{Address, FamilyIntent, Intent};

pub(crate) use class::{Class, Marks, Outside, Via};
pub use incremental::{Classes, patch};

use crate::{Data, Field, Image, Set, SetSpec, Table};

/// What the kernel shall hold.
pub fn render(intent: &Intent) -> Image {
    Image { v4: Some(render_family(&intent.v4)), v6: Some(render_family(&intent.v6)) }
}

/// What one of our tables shall hold.
pub fn render_family<A: Address>(intent: &FamilyIntent<A>) -> Table {
    let mut table = Table { chains: chains::base(intent), sets: sets::<A>() };
    let mut elements = elements::Elements::default();
    elements.all(intent);
    for class in std::mem::take(&mut elements.classes) {
        elements.class(&class);
        if let Some(name) = class.chain() {
            table.chains.insert(name, chains::class(intent, &class));
        }
    }
    for ((set, key), entry) in elements.entries {
        if let Some(set) = table.sets.get_mut(set) {
            set.elements.insert(key, entry);
        }
    }
    table
}

pub(crate) const FRONTS: &str = "fronts";
pub(crate) const NODE_PORTS: &str = "node-ports";
pub(crate) const INNER_FRONTS: &str = "inner-fronts";
pub(crate) const INNER_NODE_PORTS: &str = "inner-node-ports";
pub(crate) const CLASSES: &str = "classes";
pub(crate) const INNER_CLASSES: &str = "inner-classes";
pub(crate) const REFUSALS: &str = "refusals";
pub(crate) const ENDPOINTS: &str = "endpoints";
pub(crate) const STICKY: &str = "sticky-endpoints";
pub(crate) const MEMBERS: &str = "members";
pub(crate) const AFFINITY: &str = "affinity";
pub(crate) const HAIRPIN: &str = "hairpin";
pub(crate) const CLUSTER_IPS: &str = "cluster-ips";
pub(crate) const NODE_ADDRESSES: &str = "node-addresses";
pub(crate) const GUARDED: &str = "guarded";
pub(crate) const ALLOWED: &str = "allowed";

/// Clients remembered at most; when it is full, new ones are balanced without memory.
const AFFINITY_SIZE: u32 = 1 << 20;

/// All sets and maps, by name.
pub(crate) fn specs<A: Address>() -> BTreeMap<&'static str, SetSpec> {
    use Field::{Ipv4, Ipv6, Number, Port, Protocol};
    let ip = if A::BITS == 32 { Ipv4 } else { Ipv6 };
    let plain = |key: &[Field]| SetSpec { key: key.to_vec(), data: None, interval: false, dynamic: None };
    let map =
        |key: &[Field], data: &[Field]| SetSpec { data: Some(Data::Fields(data.to_vec())), ..plain(key) };
    let verdicts = |key: &[Field]| SetSpec { data: Some(Data::Verdict), ..plain(key) };
    let destination = [ip, Protocol, Port];
    let class_and_pool = [Number; 5];
    let member = [Number, Number, Number, ip, Port];
    let class = [Number; 2];
    BTreeMap::from([
        (FRONTS, map(&destination, &class_and_pool)),
        (INNER_FRONTS, map(&destination, &class_and_pool)),
        (NODE_PORTS, map(&destination[1..], &class_and_pool)),
        (INNER_NODE_PORTS, map(&destination[1..], &class_and_pool)),
        (CLASSES, verdicts(&class)),
        (INNER_CLASSES, verdicts(&class)),
        (REFUSALS, verdicts(&class)),
        (ENDPOINTS, map(&[Number, Number, Number], &[ip, Port])),
        (STICKY, map(&[Number, Number, Number], &member)),
        (MEMBERS, plain(&member[1..])),
        (AFFINITY, SetSpec { dynamic: Some(AFFINITY_SIZE), ..map(&[Number, Number, ip], &member) }),
        (HAIRPIN, plain(&[ip, ip])),
        (CLUSTER_IPS, plain(&[ip])),
        (NODE_ADDRESSES, plain(&[ip])),
        (GUARDED, plain(&destination)),
        (ALLOWED, SetSpec { interval: true, ..plain(&[ip, Protocol, Port, ip]) }),
    ])
}

fn sets<A: Address>() -> BTreeMap<String, Set> {
    let set = |(name, spec): (&str, SetSpec)| (name.to_owned(), Set { spec, elements: BTreeMap::new() });
    specs::<A>().into_iter().map(set).collect()
}
