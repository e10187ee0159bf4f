//! The intent of one family in the making, and who claims what in it.
//!
//! Several Services may claim one destination; the first in name order has it, however they came.

use std::collections::{BTreeMap, BTreeSet};

use portway_base::ObjectKey;
use portway_intent::{Address, Change, FamilyDelta, FamilyIntent, Front};

use crate::rules::{Resolved, UdpFlows};
use crate::{Diagnostic, NodeFacts, Reason, Settings};

#[derive(Debug)]
pub(crate) struct Ledger<A: Address> {
    pub intent: FamilyIntent<A>,
    services: BTreeMap<ObjectKey, Resolved<A>>,
    front_claims: Claims<Front<A>>,
    ip_claims: Claims<A>,
    hairpin_claims: Claims<A>,
    health_claims: Claims<u16>,
}

type Claims<K> = BTreeMap<K, BTreeSet<ObjectKey>>;

impl<A: Address> Ledger<A> {
    pub(crate) fn new() -> Self {
        Self {
            intent: FamilyIntent::default(),
            services: BTreeMap::new(),
            front_claims: Claims::new(),
            ip_claims: Claims::new(),
            hairpin_claims: Claims::new(),
            health_claims: Claims::new(),
        }
    }

    pub(crate) fn configure(&mut self, settings: &Settings, facts: &NodeFacts, delta: &mut FamilyDelta<A>) {
        let intent = &mut self.intent;
        let before = (
            intent.locality.clone(),
            intent.node_addresses.clone(),
            intent.service_cidrs.clone(),
            intent.masquerade,
        );
        intent.locality = settings.locality(facts);
        intent.node_addresses = settings.node_addresses(facts);
        intent.service_cidrs = settings.service_cidrs();
        intent.masquerade.bit = settings.masquerade_bit;
        delta.settings |= before.0 != intent.locality
            || before.1 != intent.node_addresses
            || before.2 != intent.service_cidrs
            || before.3 != intent.masquerade;
    }

    pub(crate) fn services(&self) -> impl Iterator<Item = &Resolved<A>> {
        self.services.values()
    }

    /// Puts `new` in the place of what the Service contributed so far; returns the UDP flows of which some may
    /// have become stale by that.
    pub(crate) fn replace(
        &mut self,
        key: &ObjectKey,
        new: Option<Resolved<A>>,
        delta: &mut FamilyDelta<A>,
    ) -> Vec<UdpFlows<A>> {
        let old = match &new {
            Some(new) => self.services.insert(key.clone(), new.clone()),
            None => self.services.remove(key),
        };
        if old == new {
            return Vec::new();
        }
        let both = || old.iter().chain(&new);
        let now = new.as_ref();

        for id in both().flat_map(|r| r.pools.keys()) {
            let value = now.and_then(|r| r.pools.get(id)).cloned();
            set(&mut self.intent.pools, &mut delta.pools, id, value);
        }
        let ip = both().map(|r| r.cluster_ip).collect::<BTreeSet<_>>();
        for ip in ip {
            claim(&mut self.ip_claims, &ip, key, now.is_some_and(|r| r.cluster_ip == ip));
            let owner = winner(&self.ip_claims, &ip).cloned();
            set(&mut self.intent.cluster_ips, &mut delta.cluster_ips, &ip, owner);
        }
        for ip in both().flat_map(|r| &r.hairpin).collect::<BTreeSet<_>>() {
            claim(&mut self.hairpin_claims, ip, key, now.is_some_and(|r| r.hairpin.contains(ip)));
            let wanted = self.hairpin_claims.contains_key(ip);
            let changed = match wanted {
                true => self.intent.hairpin.insert(*ip),
                false => self.intent.hairpin.remove(ip),
            };
            if changed && delta.hairpin.insert(*ip, wanted) == Some(!wanted) {
                delta.hairpin.remove(ip);
            }
        }
        for port in both().filter_map(|r| r.health.as_ref()).map(|(port, _)| *port).collect::<BTreeSet<_>>() {
            let wants = |r: &Resolved<A>| r.health.as_ref().is_some_and(|(p, _)| *p == port);
            claim(&mut self.health_claims, &port, key, now.is_some_and(wants));
            let owner = winner(&self.health_claims, &port).and_then(|owner| self.services.get(owner));
            match owner.and_then(|r| r.health.clone()) {
                Some((port, check)) => self.intent.health_ports.insert(port, check),
                None => self.intent.health_ports.remove(&port),
            };
        }
        // Also those whose rule is the same: their pool may not be.
        for front in both().flat_map(|r| r.fronts.keys()).collect::<BTreeSet<_>>() {
            claim(&mut self.front_claims, front, key, now.is_some_and(|r| r.fronts.contains_key(front)));
            let owner = winner(&self.front_claims, front).and_then(|owner| self.services.get(owner));
            let rule = owner.and_then(|r| r.fronts.get(front)).cloned();
            set(&mut self.intent.fronts, &mut delta.fronts, front, rule);
        }

        // Where endpoints only joined, every flow is still answered by one that serves.
        let before: &[UdpFlows<A>] = old.as_ref().map(|r| r.udp.as_slice()).unwrap_or_default();
        let only_joined = |flows: &UdpFlows<A>| {
            before.iter().any(|b| b.fronts == flows.fronts && b.serving.is_subset(&flows.serving))
        };
        new.into_iter().flat_map(|r| r.udp).filter(|flows| !only_joined(flows)).collect()
    }

    /// Fronts of a Service that another Service has.
    pub(crate) fn lost(&self, key: &ObjectKey, diagnostics: &mut BTreeSet<Diagnostic>) {
        let Some(resolved) = self.services.get(key) else { return };
        for front in resolved.fronts.keys() {
            if let Some(by) = winner(&self.front_claims, front).filter(|by| *by != key) {
                let reason = Reason::Taken { front: front.to_string(), by: by.to_string() };
                diagnostics.insert(Diagnostic { object: key.clone(), reason });
            }
        }
    }

    /// Leaves in the delta what differs after all.
    pub(crate) fn finish(&self, mut delta: FamilyDelta<A>) -> FamilyDelta<A> {
        delta.pools.retain(|_, change| change.old != change.new);
        delta.cluster_ips.retain(|_, change| change.old != change.new);
        let pools = &delta.pools;
        delta.fronts.retain(|_, change| {
            let mut used = change.new.iter().flat_map(|rule| rule.pools());
            change.old != change.new || used.any(|pool| pools.contains_key(pool))
        });
        delta
    }
}

/// Sets or removes a value and notes what was there before the first change.
fn set<K: Ord + Clone, V: Clone>(
    map: &mut BTreeMap<K, V>,
    changes: &mut BTreeMap<K, Change<V>>,
    key: &K,
    value: Option<V>,
) {
    let old = match value.clone() {
        Some(value) => map.insert(key.clone(), value),
        None => map.remove(key),
    };
    changes.entry(key.clone()).or_insert(Change { old, new: None }).new = value;
}

fn claim<K: Ord + Clone>(claims: &mut Claims<K>, key: &K, service: &ObjectKey, wanted: bool) {
    if wanted {
        claims.entry(key.clone()).or_default().insert(service.clone());
    } else if let Some(holders) = claims.get_mut(key) {
        holders.remove(service);
        if holders.is_empty() {
            claims.remove(key);
        }
    }
}

fn winner<'c, K: Ord>(claims: &'c Claims<K>, key: &K) -> Option<&'c ObjectKey> {
    claims.get(key).and_then(BTreeSet::first)
}
