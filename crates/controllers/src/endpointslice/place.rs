//! Which endpoint goes into which slice: as few writes as possible, nothing moved without need.

use std::collections::{BTreeMap, VecDeque};

use portway_api::types::discovery::{Endpoint, EndpointSlice};

use super::build::PortSet;

/// Endpoints a slice takes unless configured otherwise.
pub const MAX_ENDPOINTS: usize = 100;

/// What an endpoint is, whatever its state.
type Identity = (Vec<String>, String, String, String);

fn identity(endpoint: &Endpoint) -> Identity {
    let mut addresses = endpoint.addresses.clone();
    addresses.sort();
    let target = endpoint.target_ref.clone().unwrap_or_default();
    (addresses, endpoint.hostname.clone().unwrap_or_default(), target.namespace, target.name)
}

/// A slice as it should be.
#[derive(Clone, Debug)]
pub struct Target {
    /// The slice it becomes of; `None` for a new one.
    pub of: Option<EndpointSlice>,
    /// Its ports.
    pub ports: PortSet,
    /// Its endpoints.
    pub endpoints: Vec<Endpoint>,
    /// It differs from what exists.
    pub changed: bool,
}

impl Target {
    fn new(ports: &PortSet) -> Self {
        Self { of: None, ports: ports.clone(), endpoints: Vec::new(), changed: true }
    }
}

/// All slices of one family.
#[derive(Debug, Default)]
pub struct Placed {
    /// The slices that shall be there, changed or not.
    pub slices: Vec<Target>,
    /// The slices that shall not.
    pub surplus: Vec<EndpointSlice>,
}

/// Spreads `groups` over the existing slices and, where those are full, new ones.
pub fn place(
    existing: &[&EndpointSlice],
    groups: BTreeMap<PortSet, Vec<Endpoint>>,
    labels: &BTreeMap<String, String>,
    max: usize,
) -> Placed {
    let mut by_ports: BTreeMap<PortSet, Vec<&EndpointSlice>> = BTreeMap::new();
    for slice in existing {
        by_ports.entry(PortSet::of(&slice.ports)).or_default().push(slice);
    }
    let mut placed = Placed::default();
    let mut unfilled = Vec::new();
    for (ports, desired) in groups {
        let old = by_ports.remove(&ports).unwrap_or_default();
        let (targets, rest) = keep(&old, &ports, desired, labels, &mut placed.surplus);
        unfilled.push((ports, targets, rest));
    }
    // Slices of port sets nobody offers any more.
    placed.surplus.extend(by_ports.into_values().flatten().cloned());
    for (ports, mut targets, rest) in unfilled {
        fill(&mut targets, &ports, rest, max, &mut placed.surplus);
        placed.slices.extend(targets);
    }
    if placed.slices.is_empty() {
        placed.slices.push(placeholder(labels, &mut placed.surplus));
    }
    recycle(&mut placed);
    placed
}

/// Keeps wanted endpoints where they are. Returns the slices kept and the endpoints that have no place yet.
fn keep(
    old: &[&EndpointSlice],
    ports: &PortSet,
    desired: Vec<Endpoint>,
    labels: &BTreeMap<String, String>,
    surplus: &mut Vec<EndpointSlice>,
) -> (Vec<Target>, BTreeMap<Identity, Endpoint>) {
    let mut rest: BTreeMap<Identity, Endpoint> = desired.into_iter().map(|e| (identity(&e), e)).collect();
    let mut targets = Vec::new();
    for slice in old {
        let mut kept = Vec::with_capacity(slice.endpoints.len());
        let mut changed = slice.metadata.labels != *labels;
        for endpoint in &slice.endpoints {
            match rest.remove(&identity(endpoint)) {
                Some(mut new) => {
                    // Hints are decided later, on what is there.
                    new.hints = endpoint.hints.clone();
                    changed |= new != *endpoint;
                    kept.push(new);
                }
                None => changed = true,
            }
        }
        if kept.is_empty() && !slice.endpoints.is_empty() {
            surplus.push((*slice).clone());
        } else {
            targets.push(Target {
                of: Some((*slice).clone()),
                ports: ports.clone(),
                endpoints: kept,
                changed,
            });
        }
    }
    (targets, rest)
}

/// Finds a place for each of `rest`.
fn fill(
    targets: &mut Vec<Target>,
    ports: &PortSet,
    rest: BTreeMap<Identity, Endpoint>,
    max: usize,
    surplus: &mut Vec<EndpointSlice>,
) {
    let mut rest: VecDeque<Endpoint> = rest.into_values().collect();
    let mut open: Vec<usize> = (0..targets.len()).filter(|i| targets[*i].changed).collect();
    open.sort_by_key(|i| std::cmp::Reverse(targets[*i].endpoints.len()));
    for i in open {
        pour(&mut rest, &mut targets[i], max);
    }
    while !rest.is_empty() {
        if let Some(i) = best_unchanged(targets, rest.len(), max) {
            targets[i].changed = true;
            pour(&mut rest, &mut targets[i], max);
            continue;
        }
        let mut target = Target::new(ports);
        // A slice that is to go gets a new content instead, and endpoints it had stay in it: they are never in none.
        if let Some(i) = most_shared(surplus, &rest) {
            let old = surplus.remove(i);
            let (stay, others): (VecDeque<_>, VecDeque<_>) = rest.drain(..).partition(|e| holds(&old, e));
            rest = stay;
            rest.extend(others);
            target.of = Some(old);
        }
        pour(&mut rest, &mut target, max);
        targets.push(target);
    }
}

fn pour(rest: &mut VecDeque<Endpoint>, target: &mut Target, max: usize) {
    let room = max.saturating_sub(target.endpoints.len()).min(rest.len());
    target.endpoints.extend(rest.drain(..room));
}

/// The unchanged slice that all of the rest fits in with the least room left over.
fn best_unchanged(targets: &[Target], rest: usize, max: usize) -> Option<usize> {
    if rest >= max {
        return None;
    }
    let room = |t: &Target| max.checked_sub(t.endpoints.len() + rest);
    let fitting = targets.iter().enumerate().filter(|(_, t)| !t.changed);
    fitting.filter_map(|(i, t)| Some((room(t)?, i))).min().map(|(_, i)| i)
}

/// The surplus slice that holds the most of the rest; none if none holds any.
fn most_shared(surplus: &[EndpointSlice], rest: &VecDeque<Endpoint>) -> Option<usize> {
    let shared = |slice: &EndpointSlice| rest.iter().filter(|e| holds(slice, e)).count();
    let counted = surplus.iter().enumerate().map(|(i, s)| (shared(s), i)).filter(|(n, _)| *n > 0);
    counted.max_by_key(|(n, i)| (*n, std::cmp::Reverse(*i))).map(|(_, i)| i)
}

/// The slice has an endpoint of the same Pod or address.
fn holds(slice: &EndpointSlice, endpoint: &Endpoint) -> bool {
    slice.endpoints.iter().any(|e| e.addresses == endpoint.addresses)
}

/// A slice that says: this Service has no endpoints. Takes one that is just that, if there is.
fn placeholder(labels: &BTreeMap<String, String>, surplus: &mut Vec<EndpointSlice>) -> Target {
    let ports = PortSet::default();
    let is_one = |s: &EndpointSlice| s.endpoints.is_empty() && s.ports.is_empty();
    match surplus.iter().position(is_one) {
        Some(i) => {
            let slice = surplus.remove(i);
            let changed = slice.metadata.labels != *labels;
            Target { of: Some(slice), ports, endpoints: Vec::new(), changed }
        }
        None => Target::new(&ports),
    }
}

/// New slices take the names of those that are to go.
fn recycle(placed: &mut Placed) {
    for target in placed.slices.iter_mut().filter(|t| t.of.is_none()) {
        target.of = placed.surplus.pop();
    }
}
