//! Hints: for whose use an endpoint is meant. Either simply its own zone or node (`spec.trafficDistribution`), or shares
//! of all endpoints in proportion to the zones' CPUs (`service.kubernetes.io/topology-mode: Auto`).

use std::collections::BTreeMap;

use portway_api::Object;
use portway_api::types::discovery::{Endpoint, EndpointHints, Hint};
use portway_api::types::node::Node;
use portway_api::types::service::Service;
use portway_base::{IpFamily, ObjectKey};
use portway_client::Change;

use super::place::{Placed, Target};
use super::zones::{self, Zones};
use crate::plan::Note;
use crate::snapshot::Snapshot;

const ANNOTATIONS: [&str; 2] =
    ["service.kubernetes.io/topology-hints", "service.kubernetes.io/topology-mode"];

/// Which Services have proportional hints at present, with how many endpoints for each zone.
#[derive(Debug, Default)]
pub struct Memory {
    active: BTreeMap<(ObjectKey, IpFamily), BTreeMap<String, usize>>,
}

impl Memory {
    /// The Service is gone.
    pub fn forget(&mut self, service: &ObjectKey) {
        self.active.retain(|(key, _), _| key != service);
    }
}

enum Mode {
    Off,
    OwnZone,
    OwnNode,
    Auto,
}

fn mode(service: &Service) -> Mode {
    let annotation = ANNOTATIONS.iter().find_map(|name| service.metadata.annotations.get(*name));
    if annotation.is_some_and(|value| matches!(value.as_str(), "Auto" | "auto")) {
        return Mode::Auto;
    }
    match service.spec.traffic_distribution.as_deref() {
        Some("PreferClose" | "PreferSameZone") => Mode::OwnZone,
        Some("PreferSameNode") => Mode::OwnNode,
        _ => Mode::Off,
    }
}

/// Sets the hints of the slices of one family; slices whose hints change become changed.
pub fn assign(
    memory: &mut Memory,
    snapshot: &Snapshot,
    service: &Service,
    family: IpFamily,
    placed: &mut Placed,
) -> Option<Note> {
    for target in placed.slices.iter_mut().filter(|t| t.changed) {
        target.endpoints.iter_mut().for_each(|e| e.hints = None);
    }
    let id = (service.key(), family);
    let mode = mode(service);
    if let Mode::Auto = mode {
        return match zones::ratios(snapshot).and_then(|ratios| proportional(&ratios, &mut placed.slices)) {
            Ok(counts) => {
                let first = memory.active.insert(id, counts).is_none();
                first.then(|| note(service, family, None))
            }
            Err(why) => {
                placed.slices.iter_mut().for_each(clear);
                memory.active.remove(&id);
                Some(note(service, family, Some(&why)))
            }
        };
    }
    let was_auto = memory.active.remove(&id).is_some();
    for target in &mut placed.slices {
        match mode {
            Mode::OwnZone => close(target, false),
            Mode::OwnNode => close(target, true),
            Mode::Off | Mode::Auto => clear(target),
        }
    }
    was_auto.then(|| note(service, family, Some("the Service does not ask for them any more")))
}

impl Memory {
    /// The Services some zone of which has too few endpoints, now that a Node changed.
    pub fn overloaded(&self, snapshot: &Snapshot, change: &Change<Node>) -> Vec<ObjectKey> {
        if self.active.is_empty() || change.before.as_deref().map(facts) == change.now.as_deref().map(facts) {
            return Vec::new();
        }
        let zones = zones::ratios(snapshot).unwrap_or_default();
        let short = self.active.iter().filter(|(_, counts)| zones::is_overloaded(&zones, counts));
        short.map(|((service, _), _)| service.clone()).collect()
    }
}

fn facts(node: &Node) -> (bool, Option<&String>) {
    (zones::is_ready(node), node.metadata.labels.get(zones::LABEL_ZONE))
}

fn clear(target: &mut Target) {
    for endpoint in &mut target.endpoints {
        target.changed |= endpoint.hints.take().is_some();
    }
}

/// Every ready endpoint for its own zone (and node).
fn close(target: &mut Target, node: bool) {
    for endpoint in target.endpoints.iter_mut().filter(|e| is_ready(e)) {
        let one = |name: &Option<String>| name.iter().map(|name| Hint { name: name.clone() }).collect();
        let hints = EndpointHints {
            for_zones: one(&endpoint.zone),
            for_nodes: if node { one(&endpoint.node_name) } else { Vec::new() },
        };
        let hints = (hints != EndpointHints::default()).then_some(hints);
        if endpoint.hints != hints {
            endpoint.hints = hints;
            target.changed = true;
        }
    }
}

/// Hints in proportion to the zones' shares; how many endpoints each zone got, or why it cannot be done.
fn proportional(ratios: &Zones, slices: &mut [Target]) -> Result<BTreeMap<String, usize>, String> {
    let ready = || slices.iter().flat_map(|t| &t.endpoints).filter(|e| is_ready(e));
    let shares = zones::shares(ratios, ready().count())?;
    if ready().any(|e| e.zone.is_none()) {
        return Err("an endpoint has no zone".to_owned());
    }
    let mut counts: BTreeMap<String, usize> = shares.keys().map(|z| (z.clone(), 0)).collect();
    // Hints that are good enough stay: a slice is written only if it must be.
    for target in slices.iter_mut().filter(|t| !t.changed) {
        let hinted = hinted(target);
        let known = hinted.keys().all(|zone| shares.contains_key(zone));
        let complete = target.endpoints.iter().filter(|e| is_ready(e)).all(|e| zone_hint(e).is_some());
        let fits = hinted.iter().all(|(z, n)| shares.get(z).is_some_and(|share| counts[z] + n <= share.max));
        if known && complete && fits {
            hinted.into_iter().for_each(|(zone, n)| *counts.entry(zone).or_default() += n);
        } else {
            target.changed = true;
        }
    }
    let mut moves: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for endpoint in slices.iter().filter(|t| t.changed).flat_map(|t| &t.endpoints).filter(|e| is_ready(e)) {
        *counts.entry(endpoint.zone.clone().unwrap_or_default()).or_default() += 1;
    }
    for (from, to) in zones::balance(&shares, &mut counts) {
        moves.entry(from).or_default().push(to);
    }
    for endpoint in slices.iter_mut().filter(|t| t.changed).flat_map(|t| &mut t.endpoints) {
        if is_ready(endpoint) {
            let own = endpoint.zone.clone().unwrap_or_default();
            let name = moves.get_mut(&own).and_then(Vec::pop).unwrap_or(own);
            endpoint.hints = Some(EndpointHints { for_zones: vec![Hint { name }], for_nodes: Vec::new() });
        } else {
            endpoint.hints = None;
        }
    }
    counts.retain(|_, n| *n > 0);
    if counts.is_empty() { Err("no hints could be given".to_owned()) } else { Ok(counts) }
}

fn hinted(target: &Target) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for zone in target.endpoints.iter().filter_map(zone_hint) {
        *counts.entry(zone.to_owned()).or_default() += 1;
    }
    counts
}

fn zone_hint(endpoint: &Endpoint) -> Option<&str> {
    Some(endpoint.hints.as_ref()?.for_zones.first()?.name.as_str())
}

fn is_ready(endpoint: &Endpoint) -> bool {
    endpoint.conditions.ready != Some(false)
}

fn note(service: &Service, family: IpFamily, why_not: Option<&str>) -> Note {
    let (reason, message) = match why_not {
        None => {
            ("TopologyAwareHintsEnabled", format!("Topology aware hints are in use, addressType: {family}"))
        }
        Some(why) => {
            ("TopologyAwareHintsDisabled", format!("No topology aware hints: {why}, addressType: {family}"))
        }
    };
    Note {
        api_version: "v1".to_owned(),
        kind: "Service",
        key: service.key(),
        uid: service.metadata.uid.clone(),
        warning: why_not.is_some(),
        reason,
        message,
    }
}
