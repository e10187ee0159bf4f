//! The endpoints of a Service port: all its slices merged.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use portway_api::types::discovery::{Endpoint as ApiEndpoint, EndpointSlice};
use portway_base::{ObjectKey, Protocol};
use portway_intent::{Address, Endpoint};

use crate::{Diagnostic, NodeFacts, Reason, parse};

/// State of one endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    pub ready: bool,
    pub serving: bool,
    pub terminating: bool,
    pub local: bool,
    /// Zones and nodes it is meant for.
    pub zones: BTreeSet<String>,
    pub nodes: BTreeSet<String>,
}

/// Endpoints of one Service port, in order.
pub(crate) type Endpoints<A> = BTreeMap<Endpoint<A>, State>;

/// Endpoints of a Service in one family, by the name and protocol of the Service port.
pub(crate) type ByPort<A> = BTreeMap<(String, Protocol), Endpoints<A>>;

/// Merges the slices of this family.
pub(crate) fn merge<'s, A: Address>(
    slices: impl Iterator<Item = &'s Arc<EndpointSlice>>,
    key: &ObjectKey,
    facts: &NodeFacts,
    diagnostics: &mut BTreeSet<Diagnostic>,
) -> ByPort<A> {
    let mut ports = ByPort::new();
    for slice in slices.filter(|slice| slice.address_type == A::FAMILY.as_str()) {
        let mut ignored = |reason| {
            diagnostics.insert(Diagnostic { object: key.clone(), reason });
        };
        let endpoints: Vec<(A, State)> = slice
            .endpoints
            .iter()
            .filter_map(|endpoint| {
                let text = endpoint.addresses.first()?;
                match parse::ip(text) {
                    Some(ip) => Some((A::from_ip(ip)?, State::read(endpoint, facts))),
                    None => {
                        ignored(Reason::BadAddress { field: "endpoints.addresses", value: text.clone() });
                        None
                    }
                }
            })
            .collect();
        for port in &slice.ports {
            let protocol = port.protocol.as_deref().unwrap_or("TCP");
            let (Some(name), Some(number), Ok(protocol)) =
                (&port.name, port.port.and_then(parse::port), protocol.parse::<Protocol>())
            else {
                continue;
            };
            let merged: &mut Endpoints<A> = ports.entry((name.clone(), protocol)).or_default();
            for (address, state) in &endpoints {
                let endpoint = Endpoint { address: *address, port: number };
                let known = merged.get(&endpoint);
                // During a move between slices an endpoint stands in two: the one that stays wins.
                if known.is_none_or(|known| known.terminating && !state.terminating) {
                    merged.insert(endpoint, state.clone());
                }
            }
        }
    }
    ports
}

impl State {
    fn read(endpoint: &ApiEndpoint, facts: &NodeFacts) -> Self {
        let conditions = &endpoint.conditions;
        let names = |hints: &[portway_api::types::discovery::Hint]| {
            hints.iter().map(|hint| hint.name.clone()).collect()
        };
        let hints = endpoint.hints.as_ref();
        Self {
            ready: conditions.ready != Some(false),
            serving: conditions.serving != Some(false),
            terminating: conditions.terminating == Some(true),
            local: endpoint.node_name.as_ref().is_some_and(|name| *name == facts.name),
            zones: hints.map(|hints| names(&hints.for_zones)).unwrap_or_default(),
            nodes: hints.map(|hints| names(&hints.for_nodes)).unwrap_or_default(),
        }
    }

    /// Used when no ready endpoint is left.
    pub(crate) fn is_last_resort(&self) -> bool {
        !self.ready && self.serving && self.terminating
    }
}
