//! What the three endpoint controllers share: which Pod changes matter to which Services, which ports a Pod offers.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::str::FromStr;

use portway_api::Object;
use portway_api::types::meta::IntOrString;
use portway_api::types::pod::{Container, Pod};
use portway_api::types::service::{Service, ServicePort};
use portway_base::{IpFamily, ObjectKey};
use portway_client::Change;

use crate::controller::Dirty;
use crate::snapshot::Snapshot;

/// Label that says a Service is headless, for consumers that see only its endpoints.
pub const LABEL_HEADLESS: &str = "service.kubernetes.io/headless";

/// A Service whose endpoints are made from its selector.
pub fn has_selector(service: &Service) -> bool {
    service.spec.selector.as_ref().is_some_and(|s| !s.is_empty())
}

/// It has no virtual address.
pub fn is_headless(service: &Service) -> bool {
    matches!(service.spec.cluster_ip.as_str(), "" | "None")
}

/// The families the Service is published in.
pub fn families(service: &Service) -> Vec<IpFamily> {
    let named =
        service.spec.ip_families.iter().filter_map(|f| IpFamily::ALL.into_iter().find(|a| a.as_str() == f));
    let named: Vec<IpFamily> = named.collect();
    if !named.is_empty() {
        return named;
    }
    match IpAddr::from_str(&service.spec.cluster_ip) {
        Ok(address) => vec![IpFamily::of(address)],
        Err(_) if is_headless(service) => IpFamily::ALL.to_vec(),
        Err(_) => vec![IpFamily::V4],
    }
}

/// The Pod's addresses of a family, in canonical text.
pub fn addresses(pod: &Pod, family: IpFamily) -> Vec<String> {
    let parsed = pod.status.pod_ips.iter().filter_map(|ip| IpAddr::from_str(&ip.ip).ok());
    parsed.filter(|ip| IpFamily::of(*ip) == family).map(|ip| ip.to_string()).collect()
}

/// The Pod has ended for good.
pub fn is_terminal(pod: &Pod) -> bool {
    matches!(pod.status.phase.as_str(), "Succeeded" | "Failed")
}

/// The name the Pod gets under the Service, if it asked for one.
pub fn hostname(pod: &Pod, service: &Service) -> Option<String> {
    let asked = !pod.spec.hostname.is_empty() && pod.spec.subdomain == service.metadata.name;
    asked.then(|| pod.spec.hostname.clone())
}

/// The number a Service port has on a Pod; `None` if the Pod does not offer it.
pub fn target_port(pod: &Pod, port: &ServicePort) -> Option<i32> {
    let name = match &port.target_port {
        IntOrString::Int(0) => return Some(port.port),
        IntOrString::Int(number) => return Some(*number),
        IntOrString::String(name) => name,
    };
    let sidecar = |c: &&Container| c.restart_policy.as_deref() == Some("Always");
    let containers = pod.spec.containers.iter().chain(pod.spec.init_containers.iter().filter(sidecar));
    let mut ports = containers.flat_map(|c| &c.ports);
    let wanted = protocol(&port.protocol);
    ports.find(|p| p.name == *name && protocol(&p.protocol) == wanted).map(|p| p.container_port)
}

/// Absent means TCP.
pub fn protocol(text: &str) -> &str {
    if text.is_empty() { "TCP" } else { text }
}

/// Marks the Services whose endpoints a Pod change may alter.
pub fn touch_services(change: &Change<Pod>, snapshot: &Snapshot, dirty: &mut Dirty) {
    let (before, now) = (change.before.as_deref(), change.now.as_deref());
    let namespace = &change.key.namespace;
    let matched = |pod: Option<&Pod>| -> BTreeSet<ObjectKey> {
        let Some(pod) = pod else { return BTreeSet::new() };
        snapshot.services_selecting(namespace, &pod.metadata.labels).map(|s| s.key()).collect()
    };
    let keys: BTreeSet<ObjectKey> = match (before, now) {
        (Some(old), Some(new)) => {
            let moved = old.metadata.labels != new.metadata.labels
                || (&old.spec.hostname, &old.spec.subdomain) != (&new.spec.hostname, &new.spec.subdomain);
            match (matters(old, new), moved) {
                (false, false) => return,
                (true, false) => matched(now),
                (true, true) => &matched(before) | &matched(now),
                // Those that select both states see no difference, but for the host name.
                (false, true) if old.metadata.labels == new.metadata.labels => matched(now),
                (false, true) => &matched(before) ^ &matched(now),
            }
        }
        _ => &matched(before) | &matched(now),
    };
    keys.into_iter().for_each(|key| dirty.now(key));
}

/// The change shows in an endpoint.
fn matters(old: &Pod, new: &Pod) -> bool {
    old.metadata.deletion_timestamp != new.metadata.deletion_timestamp
        || old.is_ready() != new.is_ready()
        || old.status.pod_ips != new.status.pod_ips
        // Beyond what upstream looks at; without these an endpoint would stay until something else happens.
        || is_terminal(old) != is_terminal(new)
        || old.spec.node_name != new.spec.node_name
        || old.metadata.uid != new.metadata.uid
}
