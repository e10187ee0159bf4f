//! Which endpoints may answer: readiness, the terminating fallback, topology hints.

use portway_intent::{Address, Endpoint};

use crate::NodeFacts;
use crate::endpoints::{Endpoints, State};

/// Which lists a Service port needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Uses {
    pub cluster: bool,
    pub local: bool,
}

/// Who may answer, by policy.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Selection<A> {
    pub cluster: Vec<Endpoint<A>>,
    pub local: Vec<Endpoint<A>>,
    /// Somebody, somewhere, could answer.
    pub any: bool,
}

pub(crate) fn select<A: Address>(endpoints: &Endpoints<A>, uses: Uses, facts: &NodeFacts) -> Selection<A> {
    let pick = |wanted: &dyn Fn(&State) -> bool| -> Vec<Endpoint<A>> {
        endpoints.iter().filter(|(_, state)| wanted(state)).map(|(endpoint, _)| *endpoint).collect()
    };
    let or = |first: Vec<Endpoint<A>>, second: &dyn Fn(&State) -> bool| {
        if first.is_empty() { pick(second) } else { first }
    };
    let topology = Topology::of(endpoints, facts);
    let cluster = match uses.cluster {
        true => or(pick(&|s| s.ready && topology.admits(s, facts)), &State::is_last_resort),
        false => Vec::new(),
    };
    let local = match uses.local {
        true => or(pick(&|s| s.local && s.ready), &|s| s.local && s.is_last_resort()),
        false => Vec::new(),
    };
    let any =
        !cluster.is_empty() || (uses.local && endpoints.values().any(|s| s.ready || s.is_last_resort()));
    Selection { cluster, local, any }
}

/// How hints restrict the ready endpoints on this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Topology {
    All,
    Zone,
    Node,
}

impl Topology {
    fn of<A>(endpoints: &Endpoints<A>, facts: &NodeFacts) -> Self {
        let ready = || endpoints.values().filter(|state| state.ready);
        let usable = |hinted: fn(&State) -> bool, mode: Self| {
            ready().all(hinted) && ready().any(|state| mode.admits(state, facts))
        };
        if usable(|state| !state.nodes.is_empty(), Self::Node) {
            Self::Node
        } else if usable(|state| !state.zones.is_empty(), Self::Zone) {
            Self::Zone
        } else {
            Self::All
        }
    }

    fn admits(self, state: &State, facts: &NodeFacts) -> bool {
        match self {
            Self::All => true,
            Self::Zone => facts.zone.as_ref().is_some_and(|zone| state.zones.contains(zone)),
            Self::Node => state.nodes.contains(&facts.name),
        }
    }
}
