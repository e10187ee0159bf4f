//! The fields of a Service that a proxy uses, read and checked, for one family.

use std::collections::BTreeSet;

use portway_api::types::service::{Service, ServicePort};
use portway_base::{ObjectKey, Protocol, ServicePortId};
use portway_intent::{Address, Cidr};

use crate::{Diagnostic, NodeFacts, Reason, Settings, parse};

/// Label that hands a Service over to another proxy.
const LABEL_PROXY_NAME: &str = "service.kubernetes.io/service-proxy-name";
/// Seconds of ClientIP affinity when the object does not say.
const DEFAULT_AFFINITY: u32 = 10_800;

/// A Service as one family sees it.
#[derive(Debug)]
pub(crate) struct ServiceView<A: Address> {
    pub cluster_ip: A,
    pub external_ips: BTreeSet<A>,
    pub load_balancer: BTreeSet<A>,
    pub allow_from: Option<BTreeSet<Cidr<A>>>,
    pub internal_local: bool,
    pub external_local: bool,
    pub affinity: Option<u32>,
    pub health_port: Option<u16>,
    pub ports: Vec<PortView>,
}

/// One port of a Service.
#[derive(Debug)]
pub(crate) struct PortView {
    pub id: ServicePortId,
    pub port: u16,
    pub node_port: Option<u16>,
}

impl<A: Address> ServiceView<A> {
    /// Reads the Service; `None` if this family has nothing to do for it.
    pub(crate) fn read(
        service: &Service,
        key: &ObjectKey,
        settings: &Settings,
        facts: &NodeFacts,
        diagnostics: &mut BTreeSet<Diagnostic>,
    ) -> Option<Self> {
        let spec = &service.spec;
        let handed_over = service.metadata.labels.contains_key(LABEL_PROXY_NAME);
        if handed_over || spec.kind == "ExternalName" || matches!(spec.cluster_ip.as_str(), "" | "None") {
            return None;
        }
        let mut ignored = |reason| {
            diagnostics.insert(Diagnostic { object: key.clone(), reason });
        };
        let cluster_ip = cluster_ip(service, &mut ignored)?;
        let mut addresses = |field, texts: &mut dyn Iterator<Item = &str>| -> BTreeSet<A> {
            texts
                .filter_map(|text| match parse::ip(text) {
                    Some(ip) => A::from_ip(ip),
                    None => {
                        ignored(Reason::BadAddress { field, value: text.to_owned() });
                        None
                    }
                })
                .collect()
        };
        let externals = spec.external_ips.iter().filter(|_| settings.external_ips).map(String::as_str);
        let external_ips = addresses("spec.externalIPs", &mut { externals });
        let ingress = &service.status.load_balancer.ingress;
        let vips = ingress.iter().filter(|entry| {
            !entry.ip.is_empty() && entry.ip_mode.as_deref().is_none_or(|mode| mode == "VIP")
        });
        let load_balancer =
            addresses("status.loadBalancer.ingress", &mut vips.map(|entry| entry.ip.as_str()));
        let allow_from = allow_from(service, facts, &load_balancer, &mut ignored);
        let local = |policy: &str| policy == "Local";
        let may_be_local = match spec.kind.as_str() {
            "NodePort" | "LoadBalancer" => true,
            _ => !spec.external_ips.is_empty(),
        };
        let external_local = may_be_local && local(&spec.external_traffic_policy);
        let health_port = (spec.kind == "LoadBalancer" && external_local)
            .then(|| parse::port(spec.health_check_node_port))
            .flatten();
        let affinity = (spec.session_affinity == "ClientIP").then(|| {
            let config = spec.session_affinity_config.as_ref().and_then(|c| c.client_ip.as_ref());
            let seconds = config.and_then(|c| c.timeout_seconds).and_then(|s| u32::try_from(s).ok());
            seconds.filter(|s| *s > 0).unwrap_or(DEFAULT_AFFINITY)
        });
        let ports = spec.ports.iter().filter_map(|port| PortView::read(port, key, &mut ignored)).collect();
        Some(Self {
            cluster_ip,
            external_ips,
            load_balancer,
            allow_from,
            internal_local: spec.internal_traffic_policy.as_deref().is_some_and(local),
            external_local,
            affinity,
            health_port,
            ports,
        })
    }
}

impl PortView {
    fn read(port: &ServicePort, key: &ObjectKey, ignored: &mut dyn FnMut(Reason)) -> Option<Self> {
        let Some(number) = parse::port(port.port) else {
            ignored(Reason::BadPort { field: "spec.ports.port", value: port.port });
            return None;
        };
        let protocol = match port.protocol.as_str() {
            "" => Protocol::Tcp,
            name => match name.parse() {
                Ok(protocol) => protocol,
                Err(_) => {
                    ignored(Reason::BadProtocol(name.to_owned()));
                    return None;
                }
            },
        };
        let id = ServicePortId { service: key.clone(), port: port.name.clone(), protocol };
        Some(Self { id, port: number, node_port: parse::port(port.node_port) })
    }
}

/// `clusterIPs[i]` pairs with `ipFamilies[i]`; without families the single address speaks for itself.
fn cluster_ip<A: Address>(service: &Service, ignored: &mut dyn FnMut(Reason)) -> Option<A> {
    let spec = &service.spec;
    let index = spec.ip_families.iter().position(|family| family == A::FAMILY.as_str());
    let text = match index {
        Some(index) if !spec.cluster_ips.is_empty() => spec.cluster_ips.get(index)?,
        _ if spec.ip_families.is_empty() || index.is_some() => &spec.cluster_ip,
        _ => return None,
    };
    match parse::ip(text) {
        Some(ip) => A::from_ip(ip),
        None => {
            ignored(Reason::BadAddress { field: "spec.clusterIP", value: text.clone() });
            None
        }
    }
}

/// Who may use the load balancer's addresses; `None` is everyone.
fn allow_from<A: Address>(
    service: &Service,
    facts: &NodeFacts,
    vips: &BTreeSet<A>,
    ignored: &mut dyn FnMut(Reason),
) -> Option<BTreeSet<Cidr<A>>> {
    let mut ranges = Vec::new();
    for text in &service.spec.load_balancer_source_ranges {
        match parse::cidr(text) {
            None => {
                ignored(Reason::BadAddress { field: "spec.loadBalancerSourceRanges", value: text.clone() })
            }
            Some(net) if net.prefix_len() == 0 => return None,
            Some(net) => ranges.extend(parse::net::<A>(net)),
        }
    }
    if ranges.is_empty() {
        return None;
    }
    // A process of the node may get the address it connects to as its source.
    let own = facts.addresses.iter().find_map(|ip| A::from_ip(*ip));
    if own.is_some_and(|own| ranges.iter().any(|range| range.contains(own))) {
        ranges.extend(vips.iter().map(|vip| Cidr::host(*vip)));
    }
    Some(parse::disjoint(ranges.into_iter()))
}
