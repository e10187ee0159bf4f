//! Endpoints, the older form of a Service's endpoints: one object with all of them, one family.

mod capacity;
mod repack;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use portway_api::types::core::{EndpointAddress, EndpointPort, EndpointSubset, Endpoints};
use portway_api::types::pod::Pod;
use portway_api::types::service::Service;
use portway_base::{IpFamily, ObjectKey};
use portway_client::Write;

pub use repack::repack;

use crate::controller::{Controller, Dirty};
use crate::endpointslice::pod_reference;
use crate::plan::Plan;
use crate::selection::{
    LABEL_HEADLESS, addresses, families, has_selector, hostname, is_headless, is_terminal, protocol,
    target_port, touch_services,
};
use crate::snapshot::{Changed, Snapshot};
use crate::trigger::{self, Triggers};

const LABEL_MANAGED_BY: &str = "endpoints.kubernetes.io/managed-by";
const MANAGED_BY: &str = "endpoint-controller";
const OVER_CAPACITY: &str = "endpoints.kubernetes.io/over-capacity";

/// The controller.
#[derive(Debug, Default)]
pub struct EndpointsObjects {
    triggers: Triggers,
}

impl Controller for EndpointsObjects {
    fn name(&self) -> &'static str {
        MANAGED_BY
    }

    fn touched(&self, change: &Changed, snapshot: &Snapshot, dirty: &mut Dirty) {
        match change {
            Changed::Service(c) => dirty.now(c.key.clone()),
            Changed::Pod(c) => touch_services(c, snapshot, dirty),
            // Edits by others stand until the Service is looked at for another reason; objects that went, or that
            // were left over by an earlier run, do not.
            Changed::Endpoints(c) => match &c.now {
                None => {
                    if snapshot.services.get(&c.key).is_some() {
                        dirty.now(c.key.clone());
                    }
                }
                Some(now) if c.before.is_none() && is_ours(now) => dirty.now(c.key.clone()),
                Some(_) => {}
            },
            _ => {}
        }
    }

    fn reconcile(&mut self, snapshot: &Snapshot, key: &ObjectKey, _now: Timestamp) -> Plan {
        let current = snapshot.endpoints.get(key);
        let Some(service) = snapshot.services.get(key) else {
            self.triggers.forget(key);
            let delete = current.map(|_| Write::delete::<Endpoints>(key.clone()));
            return Plan::writes(delete.into_iter().collect());
        };
        if service.spec.kind == "ExternalName" || !has_selector(service) {
            return Plan::nothing();
        }
        let selector = service.spec.selector.clone().unwrap_or_default();
        let pods = snapshot.pods_with(&key.namespace, &selector);
        let trigger = self.triggers.sync(key, service, &pods);
        let mut subsets = repack(subsets(service, &pods));
        let truncated = capacity::truncate(&mut subsets);
        let labels = labels(service);
        match current {
            Some(old) if same(old, &subsets, &labels, truncated) => Plan::nothing(),
            Some(old) => {
                let mut new = Endpoints { subsets, ..(**old).clone() };
                new.metadata.labels = labels;
                annotate(&mut new, trigger, truncated);
                Plan::writes(vec![Write::replace(&new)])
            }
            None if service.metadata.deletion_timestamp.is_some() => Plan::nothing(),
            None => {
                let mut new = Endpoints { subsets, ..Endpoints::default() };
                new.metadata.namespace.clone_from(&key.namespace);
                new.metadata.name.clone_from(&key.name);
                new.metadata.labels = labels;
                annotate(&mut new, trigger, truncated);
                Plan::writes(vec![Write::create(&new)])
            }
        }
    }
}

fn is_ours(endpoints: &Endpoints) -> bool {
    endpoints.metadata.labels.get(LABEL_MANAGED_BY).is_some_and(|by| by == MANAGED_BY)
}

fn labels(service: &Service) -> BTreeMap<String, String> {
    let mut labels = service.metadata.labels.clone();
    labels.insert(LABEL_MANAGED_BY.to_owned(), MANAGED_BY.to_owned());
    if is_headless(service) {
        labels.insert(LABEL_HEADLESS.to_owned(), String::new());
    } else {
        labels.remove(LABEL_HEADLESS);
    }
    labels
}

fn annotate(endpoints: &mut Endpoints, trigger: Option<String>, truncated: bool) {
    let annotations = &mut endpoints.metadata.annotations;
    match trigger {
        Some(time) => annotations.insert(trigger::ANNOTATION.to_owned(), time),
        None => annotations.remove(trigger::ANNOTATION),
    };
    if truncated {
        annotations.insert(OVER_CAPACITY.to_owned(), "truncated".to_owned());
    } else {
        annotations.remove(OVER_CAPACITY);
    }
}

fn same(
    old: &Endpoints,
    subsets: &[EndpointSubset],
    labels: &BTreeMap<String, String>,
    truncated: bool,
) -> bool {
    let annotated = old.metadata.annotations.get(OVER_CAPACITY).map(String::as_str);
    let mut stored = old.subsets.clone();
    for address in stored.iter_mut().flat_map(|s| s.addresses.iter_mut().chain(&mut s.not_ready_addresses)) {
        if let Some(target) = &mut address.target_ref {
            target.resource_version.clear();
        }
    }
    old.metadata.labels == *labels
        && (annotated == Some("truncated")) == truncated
        && repack(stored) == *subsets
}

/// One subset a Pod and port, to be repacked.
fn subsets(service: &Service, pods: &[&Arc<Pod>]) -> Vec<EndpointSubset> {
    let family = families(service).first().copied().unwrap_or(IpFamily::V4);
    let publish = service.spec.publish_not_ready_addresses;
    let mut subsets = Vec::new();
    for pod in pods {
        let terminating = pod.metadata.deletion_timestamp.is_some();
        let Some(ip) = addresses(pod, family).into_iter().next() else { continue };
        if is_terminal(pod) || (terminating && !publish) {
            continue;
        }
        let address = EndpointAddress {
            ip,
            hostname: hostname(pod, service).unwrap_or_default(),
            node_name: (!pod.spec.node_name.is_empty()).then(|| pod.spec.node_name.clone()),
            target_ref: Some(pod_reference(pod)),
        };
        let ready = publish || pod.is_ready();
        let subset = |ports: Vec<EndpointPort>| {
            let (addresses, not_ready_addresses) =
                if ready { (vec![address.clone()], Vec::new()) } else { (Vec::new(), vec![address.clone()]) };
            EndpointSubset { addresses, not_ready_addresses, ports }
        };
        if service.spec.ports.is_empty() && is_headless(service) {
            subsets.push(subset(Vec::new()));
        }
        for port in &service.spec.ports {
            let Some(number) = target_port(pod, port) else { continue };
            subsets.push(subset(vec![EndpointPort {
                name: port.name.clone(),
                port: number,
                protocol: protocol(&port.protocol).to_owned(),
                app_protocol: port.app_protocol.clone(),
            }]));
        }
    }
    subsets
}
