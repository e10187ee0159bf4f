//! What the slices of a Service should hold: Pods turned into endpoints, grouped by the ports they offer.

use std::collections::BTreeMap;
use std::sync::Arc;

use portway_api::types::discovery::{
    Endpoint, EndpointConditions, EndpointPort, LABEL_MANAGED_BY, LABEL_SERVICE_NAME,
};
use portway_api::types::meta::ObjectReference;
use portway_api::types::pod::Pod;
use portway_api::types::service::Service;
use portway_base::{IpFamily, ObjectKey};

use super::MANAGED_BY;
use super::zones::LABEL_ZONE;
use crate::selection::{
    LABEL_HEADLESS, addresses, hostname, is_headless, is_terminal, protocol, target_port,
};
use crate::snapshot::Snapshot;

/// Ports as a set: order does not count.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PortSet(Vec<(String, String, i32, Option<String>)>);

impl PortSet {
    /// The set of a slice's ports.
    pub fn of(ports: &[EndpointPort]) -> Self {
        let part = |p: &EndpointPort| {
            (
                p.name.clone().unwrap_or_default(),
                protocol(p.protocol.as_deref().unwrap_or_default()).to_owned(),
                p.port.unwrap_or_default(),
                p.app_protocol.clone(),
            )
        };
        let mut set: Vec<_> = ports.iter().map(part).collect();
        set.sort();
        Self(set)
    }

    /// The ports as a slice has them.
    pub fn ports(&self) -> Vec<EndpointPort> {
        let port =
            |(name, protocol, number, app_protocol): &(String, String, i32, Option<String>)| EndpointPort {
                name: Some(name.clone()),
                protocol: Some(protocol.clone()),
                port: Some(*number),
                app_protocol: app_protocol.clone(),
            };
        self.0.iter().map(port).collect()
    }
}

/// The endpoints a Service should have in one family, by port set. Pods on Nodes that do not exist (yet) are left
/// out and named in `homeless`.
pub fn groups(
    service: &Service,
    pods: &[&Arc<Pod>],
    family: IpFamily,
    snapshot: &Snapshot,
    homeless: &mut Vec<String>,
) -> BTreeMap<PortSet, Vec<Endpoint>> {
    let mut groups: BTreeMap<PortSet, Vec<Endpoint>> = BTreeMap::new();
    for pod in pods {
        let addresses = addresses(pod, family);
        if is_terminal(pod) || addresses.is_empty() {
            continue;
        }
        let node = snapshot.nodes.get(&ObjectKey::cluster(&pod.spec.node_name));
        if node.is_none() && !service.spec.publish_not_ready_addresses {
            if !homeless.contains(&pod.metadata.name) {
                homeless.push(pod.metadata.name.clone());
            }
            continue;
        }
        let zone = node.and_then(|n| n.metadata.labels.get(LABEL_ZONE)).filter(|z| !z.is_empty()).cloned();
        groups.entry(ports(service, pod)).or_default().push(endpoint(service, pod, addresses, zone));
    }
    groups
}

fn ports(service: &Service, pod: &Pod) -> PortSet {
    let resolved = service.spec.ports.iter().filter_map(|port| {
        Some(EndpointPort {
            name: Some(port.name.clone()),
            protocol: Some(protocol(&port.protocol).to_owned()),
            port: Some(target_port(pod, port)?),
            app_protocol: port.app_protocol.clone(),
        })
    });
    PortSet::of(&resolved.collect::<Vec<_>>())
}

fn endpoint(service: &Service, pod: &Pod, addresses: Vec<String>, zone: Option<String>) -> Endpoint {
    let serving = pod.is_ready();
    let terminating = pod.metadata.deletion_timestamp.is_some();
    let ready = service.spec.publish_not_ready_addresses || (serving && !terminating);
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Endpoint {
        addresses,
        conditions: EndpointConditions {
            ready: Some(ready),
            serving: Some(serving),
            terminating: Some(terminating),
        },
        hostname: hostname(pod, service),
        target_ref: Some(pod_reference(pod)),
        node_name: some(&pod.spec.node_name),
        zone,
        hints: None,
    }
}

/// The `targetRef` of an endpoint.
pub fn pod_reference(pod: &Pod) -> ObjectReference {
    ObjectReference {
        kind: "Pod".to_owned(),
        namespace: pod.metadata.namespace.clone(),
        name: pod.metadata.name.clone(),
        uid: pod.metadata.uid.clone(),
        ..ObjectReference::default()
    }
}

/// The labels of a Service's slices.
pub fn labels(service: &Service) -> BTreeMap<String, String> {
    let reserved = [LABEL_SERVICE_NAME, LABEL_MANAGED_BY, LABEL_HEADLESS];
    let own = service.metadata.labels.iter().filter(|(key, _)| !reserved.contains(&key.as_str()));
    let mut labels: BTreeMap<String, String> = own.map(|(k, v)| (k.clone(), v.clone())).collect();
    labels.insert(LABEL_SERVICE_NAME.to_owned(), service.metadata.name.clone());
    labels.insert(LABEL_MANAGED_BY.to_owned(), MANAGED_BY.to_owned());
    if is_headless(service) {
        labels.insert(LABEL_HEADLESS.to_owned(), String::new());
    }
    labels
}
