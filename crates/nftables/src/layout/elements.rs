//! The elements that a part of the intent needs.

use std::collections::{BTreeMap, BTreeSet};

use portway_base::ObjectKey;
use portway_intent::{Action, Address, At, FamilyIntent, Front, NodeAddresses, Pool, PoolId, Rule, Sources};
use sha2::{Digest, Sha256};

use super::{
    ALLOWED, CLASSES, CLUSTER_IPS, Class, ENDPOINTS, GUARDED, HAIRPIN, INNER_CLASSES, MEMBERS, Marks,
    NODE_ADDRESSES, Outside, REFUSALS, STICKY, Via,
};
use crate::{Entry, Key, Value, Verdict};

/// Elements by set and key, and the classes they name.
#[derive(Debug, Default)]
pub(crate) struct Elements {
    pub entries: BTreeMap<(&'static str, Key), Entry>,
    pub classes: BTreeSet<Class>,
}

impl Elements {
    pub(crate) fn all<A: Address>(&mut self, intent: &FamilyIntent<A>) {
        for (id, pool) in &intent.pools {
            self.pool(id, pool);
        }
        for (front, rule) in &intent.fronts {
            self.front(front, rule, |id| intent.pools.get(id));
        }
        for (address, owner) in &intent.cluster_ips {
            self.cluster_ip(*address, owner);
        }
        intent.hairpin.iter().for_each(|address| self.hairpin(*address));
        if let NodeAddresses::Only(addresses) = &intent.node_addresses {
            for address in addresses {
                self.plain(NODE_ADDRESSES, bytes(*address), "");
            }
        }
    }

    pub(crate) fn pool<A: Address>(&mut self, id: &PoolId, pool: &Pool<A>) {
        let name = pool_name(id);
        let comment = id.to_string();
        for (index, endpoint) in (0u32..).zip(capped(pool)) {
            let mut target = bytes(endpoint.address);
            target.extend(port_bytes(endpoint.port));
            let key = [&name[..], &index.to_ne_bytes()].concat();
            if pool.affinity.is_some() {
                let member = [&name[..], &target].concat();
                self.data(STICKY, key.clone(), [&[0; 4], &member[..]].concat(), &comment);
                self.plain(MEMBERS, member, &comment);
            }
            self.data(ENDPOINTS, key, target, &comment);
        }
    }

    pub(crate) fn front<'p, A: Address>(
        &mut self,
        front: &Front<A>,
        rule: &Rule<A>,
        pool: impl Fn(&PoolId) -> Option<&'p Pool<A>>,
    ) {
        let via = match front.at {
            At::Vip(_) => Via::Front,
            At::NodePort => Via::NodePort,
        };
        let (key, comment) = (front_key(front), rule.owner.to_string());
        let size = |action: &Action| match action.pool().and_then(|id| Some((id, pool(id)?))) {
            Some((id, pool)) => (capped(pool).len() as u16, pool.affinity.unwrap_or(0), pool_name(id)),
            None => (0, 0, [0; 8]),
        };
        let Sources { pod, outside, .. } = &rule.sources;
        let marks = marks(rule);
        let (endpoints, affinity, outer_pool) = size(outside);
        let class = match (pod.pool(), outside) {
            (None, Action::Reject) => Class::Reject,
            (None, _) => Class::Drop,
            (Some(inside), Action::Balance { pool, .. }) if inside == pool => {
                Class::Balance { via, endpoints, affinity, marks }
            }
            (Some(_), outside) => {
                let outside = match outside {
                    Action::Reject => Outside::Reject,
                    Action::Drop => Outside::Drop,
                    Action::Balance { .. } => Outside::Balance { endpoints, affinity },
                };
                let (endpoints, affinity, pool) = size(pod);
                let none = Sources::all(false);
                let inner = Class::Balance { via: via.inner(), endpoints, affinity, marks: none };
                self.classified(via.inner(), key.clone(), inner, pool, &comment);
                Class::Split { via, marks, outside }
            }
        };
        self.classified(via, key.clone(), class, outer_pool, &comment);
        for range in rule.allow_from.iter().flatten() {
            self.plain(GUARDED, key.clone(), &comment);
            let end = |address: A| [&key[..], &bytes(address)].concat().into_boxed_slice();
            let ranges = Key { start: end(range.first()), end: Some(end(range.last())) };
            self.entries.insert((ALLOWED, ranges), Entry { value: None, comment: comment.clone() });
        }
    }

    pub(crate) fn cluster_ip<A: Address>(&mut self, address: A, owner: &ObjectKey) {
        self.plain(CLUSTER_IPS, bytes(address), &owner.to_string());
    }

    pub(crate) fn hairpin<A: Address>(&mut self, address: A) {
        self.plain(HAIRPIN, [bytes(address), bytes(address)].concat(), "");
    }

    /// The elements that lead to a class.
    pub(crate) fn class(&mut self, class: &Class) {
        let key: Vec<u8> = class.code().iter().flat_map(|word| word.to_ne_bytes()).collect();
        let mut lead = |map, verdict| {
            let entry = Entry { value: Some(Value::Verdict(verdict)), comment: String::new() };
            self.entries.insert((map, Key::exact(key.clone())), entry);
        };
        let map = if class.is_inner() { INNER_CLASSES } else { CLASSES };
        lead(map, class.chain().map_or(Verdict::Accept, Verdict::Goto));
        match class.outside() {
            Outside::Reject => lead(REFUSALS, Verdict::Goto(super::chains::REJECT.into())),
            Outside::Drop => lead(REFUSALS, Verdict::Drop),
            Outside::Balance { .. } => {}
        }
    }

    fn classified(&mut self, via: Via, key: Vec<u8>, class: Class, pool: [u8; 8], comment: &str) {
        let mut data = vec![0; 4];
        data.extend(class.code().iter().flat_map(|word| word.to_ne_bytes()));
        data.extend(pool);
        self.data(via.map(), key, data, comment);
        self.classes.insert(class);
    }

    fn plain(&mut self, set: &'static str, key: Vec<u8>, comment: &str) {
        self.entries.insert((set, Key::exact(key)), Entry { value: None, comment: comment.to_owned() });
    }

    fn data(&mut self, map: &'static str, key: Vec<u8>, data: Vec<u8>, comment: &str) {
        let entry = Entry { value: Some(Value::Data(data)), comment: comment.to_owned() };
        self.entries.insert((map, Key::exact(key)), entry);
    }
}

fn marks<A>(rule: &Rule<A>) -> Marks {
    let snat = |action: &Action| matches!(action, Action::Balance { snat: true, .. });
    Marks {
        pod: snat(&rule.sources.pod),
        node: snat(&rule.sources.node),
        outside: snat(&rule.sources.outside),
    }
}

/// The endpoints a class can count.
fn capped<A>(pool: &Pool<A>) -> &[portway_intent::Endpoint<A>] {
    &pool.endpoints[..pool.endpoints.len().min(usize::from(u16::MAX))]
}

/// The name of a pool in keys: 64 bits of a cryptographic hash, so that nobody can choose the name of a
/// Service to meet another's.
pub(crate) fn pool_name(id: &PoolId) -> [u8; 8] {
    let hash = Sha256::digest(id.to_string());
    let mut name = [0; 8];
    name.copy_from_slice(&hash[..8]);
    name
}

/// The key of a front in its map.
pub(crate) fn front_key<A: Address>(front: &Front<A>) -> Vec<u8> {
    let mut key = Vec::with_capacity(24);
    if let At::Vip(address) = front.at {
        address.put(&mut key);
    }
    key.extend([front.protocol.number(), 0, 0, 0]);
    key.extend(port_bytes(front.port));
    key
}

/// An address as it stands in registers.
pub(crate) fn bytes<A: Address>(address: A) -> Vec<u8> {
    let mut out = Vec::with_capacity(16);
    address.put(&mut out);
    out
}

/// A port as it stands in registers.
pub(crate) fn port_bytes(port: u16) -> [u8; 4] {
    let [a, b] = port.to_be_bytes();
    [a, b, 0, 0]
}
