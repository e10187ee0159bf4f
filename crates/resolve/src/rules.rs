//! One Service, resolved: its fronts, its pools, and what follows from them.

use std::collections::{BTreeMap, BTreeSet};

use portway_base::Protocol;
use portway_intent::{
    Action, Address, At, Cidr, Endpoint, Front, FrontKind, HealthCheck, Locality, Pool, PoolId, Rule, Scope,
    Sources,
};

use crate::endpoints::{ByPort, Endpoints};
use crate::select::{Selection, Uses, select};
use crate::service::{PortView, ServiceView};
use crate::{NodeFacts, Settings};

/// What one Service contributes to one family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resolved<A: Address> {
    pub cluster_ip: A,
    pub fronts: BTreeMap<Front<A>, Rule<A>>,
    pub pools: BTreeMap<PoolId, Pool<A>>,
    pub hairpin: BTreeSet<A>,
    pub health: Option<(u16, HealthCheck)>,
    pub udp: Vec<UdpFlows<A>>,
}

/// Where UDP flows of a Service port may go; a flow to one of the fronts that is answered by anybody else is
/// stale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UdpFlows<A> {
    /// Destinations.
    pub fronts: Vec<Front<A>>,
    /// Everyone who serves; never empty.
    pub serving: BTreeSet<Endpoint<A>>,
}

pub(crate) fn resolve<A: Address>(
    service: &ServiceView<A>,
    endpoints: &ByPort<A>,
    settings: &Settings,
    facts: &NodeFacts,
) -> Resolved<A> {
    let mut resolved = Resolved {
        cluster_ip: service.cluster_ip,
        fronts: BTreeMap::new(),
        pools: BTreeMap::new(),
        hairpin: BTreeSet::new(),
        health: health(service, endpoints),
        udp: Vec::new(),
    };
    let none = Endpoints::new();
    for port in &service.ports {
        let endpoints = endpoints.get(&(port.id.port.clone(), port.id.protocol)).unwrap_or(&none);
        let build = Build { service, port, settings, locality: settings.locality(facts) };
        build.port(endpoints, facts, &mut resolved);
    }
    resolved
}

/// One Service port in the making.
struct Build<'a, A: Address> {
    service: &'a ServiceView<A>,
    port: &'a PortView,
    settings: &'a Settings,
    locality: Locality<A>,
}

impl<A: Address> Build<'_, A> {
    fn port(&self, endpoints: &Endpoints<A>, facts: &NodeFacts, out: &mut Resolved<A>) {
        let service = self.service;
        let reachable = self.port.node_port.is_some()
            || !service.external_ips.is_empty()
            || !service.load_balancer.is_empty();
        let uses = Uses {
            cluster: !service.internal_local || reachable,
            local: service.internal_local || (service.external_local && reachable),
        };
        let selection = select(endpoints, uses, facts);

        let before = out.fronts.len();
        let mut front =
            |at, port, kind, allow_from: &Option<BTreeSet<Cidr<A>>>, sources: &Sources<Action>| {
                let rule = Rule {
                    owner: self.port.id.clone(),
                    kind,
                    allow_from: allow_from.clone(),
                    sources: sources.clone(),
                };
                // Of two ports of one Service with the same number and protocol the first wins, as the API would
                // have refused the second; an address listed twice keeps its more specific kind.
                let key = Front { at, protocol: self.port.id.protocol, port };
                out.fronts.entry(key).or_insert(rule);
                key
            };
        let internal = self.internal(&selection);
        let external = self.external(&selection);
        let mut keys =
            vec![front(At::Vip(service.cluster_ip), self.port.port, FrontKind::ClusterIp, &None, &internal)];
        for vip in &service.load_balancer {
            let kind = FrontKind::LoadBalancer;
            keys.push(front(At::Vip(*vip), self.port.port, kind, &service.allow_from, &external));
        }
        for vip in &service.external_ips {
            keys.push(front(At::Vip(*vip), self.port.port, FrontKind::ExternalIp, &None, &external));
        }
        if let Some(node_port) = self.port.node_port {
            keys.push(front(At::NodePort, node_port, FrontKind::NodePort, &None, &external));
        }
        if out.fronts.len() == before {
            return;
        }

        for (scope, list) in [(Scope::Cluster, &selection.cluster), (Scope::Local, &selection.local)] {
            if !list.is_empty() {
                let pool = Pool { endpoints: list.clone(), affinity: service.affinity };
                out.pools.insert(self.pool(scope), pool);
            }
        }
        let reachable = selection.cluster.iter().chain(&selection.local);
        let local = reachable.filter(|endpoint| endpoints.get(endpoint).is_some_and(|state| state.local));
        out.hairpin.extend(local.map(|endpoint| endpoint.address));
        let serving: BTreeSet<Endpoint<A>> =
            endpoints.iter().filter(|(_, state)| state.serving).map(|(endpoint, _)| *endpoint).collect();
        if self.port.id.protocol == Protocol::Udp && !serving.is_empty() {
            out.udp.push(UdpFlows { fronts: keys, serving });
        }
    }

    /// Traffic to the Service's own address.
    fn internal(&self, selection: &Selection<A>) -> Sources<Action> {
        let (scope, list) = match self.service.internal_local {
            true => (Scope::Local, &selection.local),
            false => (Scope::Cluster, &selection.cluster),
        };
        if list.is_empty() {
            return Sources::all(refusal(selection));
        }
        let balance = |snat| Action::Balance { pool: self.pool(scope), snat };
        let all = self.settings.masquerade_all;
        // Without a way to recognise Pods nobody is masqueraded, rather than everybody.
        let strangers = balance(all || self.locality != Locality::Off);
        Sources { pod: balance(all), node: strangers.clone(), outside: strangers }
    }

    /// Traffic to node ports, load-balancer addresses and external IPs.
    fn external(&self, selection: &Selection<A>) -> Sources<Action> {
        if selection.cluster.is_empty() {
            return Sources::all(refusal(selection));
        }
        let cluster = |snat| Action::Balance { pool: self.pool(Scope::Cluster), snat };
        if !self.service.external_local {
            return Sources::all(cluster(true));
        }
        let outside = match selection.local.is_empty() {
            true => Action::Drop,
            false => Action::Balance { pool: self.pool(Scope::Local), snat: false },
        };
        // Clients inside the cluster are served as if their packets had gone out and come back in.
        Sources { pod: cluster(false), node: cluster(true), outside }
    }

    fn pool(&self, scope: Scope) -> PoolId {
        PoolId { port: self.port.id.clone(), scope }
    }
}

/// Nobody at all: the client shall know at once. Only nobody here: silence, others may still answer.
fn refusal<A>(selection: &Selection<A>) -> Action {
    if selection.any { Action::Drop } else { Action::Reject }
}

fn health<A: Address>(service: &ServiceView<A>, endpoints: &ByPort<A>) -> Option<(u16, HealthCheck)> {
    let port = service.health_port?;
    let key = service.ports.first()?.id.service.clone();
    let wanted = |name: &str, protocol| {
        service.ports.iter().any(|port| port.id.port == name && port.id.protocol == protocol)
    };
    let ready =
        endpoints.iter().filter(|((name, protocol), _)| wanted(name, *protocol)).flat_map(|(_, all)| {
            all.iter().filter(|(_, state)| state.local && state.ready).map(|(endpoint, _)| endpoint.address)
        });
    let addresses: BTreeSet<A> = ready.collect();
    Some((port, HealthCheck { service: key, local_endpoints: addresses.len() }))
}
