//! EndpointSlices from the hand-made Endpoints of Services without a selector.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::str::FromStr;

use jiff::Timestamp;
use portway_api::Object;
use portway_api::types::core::{EndpointAddress, EndpointSubset, Endpoints};
use portway_api::types::discovery::{
    Endpoint, EndpointConditions, EndpointPort, EndpointSlice, LABEL_MANAGED_BY, LABEL_SERVICE_NAME,
};
use portway_api::types::meta::{ObjectMeta, OwnerReference};
use portway_base::{IpFamily, ObjectKey};
use portway_client::Write;

use crate::controller::{Controller, Dirty};
use crate::endpoints::repack;
use crate::endpointslice::{PortSet, delete_slice, generate_name};
use crate::plan::{Note, Plan};
use crate::selection::{has_selector, protocol};
use crate::snapshot::{Changed, Snapshot};
use crate::trigger;

/// Value of the managed-by label on the slices of this controller.
pub const MANAGED_BY: &str = "endpointslicemirroring-controller.k8s.io";
const SKIP: &str = "endpointslice.kubernetes.io/skip-mirror";
const LEADER: &str = "control-plane.alpha.kubernetes.io/leader";
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// Addresses mirrored of one subset.
const MAX_ADDRESSES: usize = 1000;

/// The controller.
#[derive(Debug, Default)]
pub struct Mirror;

impl Controller for Mirror {
    fn name(&self) -> &'static str {
        "endpointslicemirroring-controller"
    }

    fn touched(&self, change: &Changed, _snapshot: &Snapshot, dirty: &mut Dirty) {
        match change {
            Changed::Endpoints(c) => dirty.now(c.key.clone()),
            Changed::Service(c) => dirty.now(c.key.clone()),
            Changed::Slice(c) => {
                for slice in c.before.iter().chain(&c.now).filter(|s| is_ours(s)) {
                    if let Some(name) = slice.metadata.labels.get(LABEL_SERVICE_NAME) {
                        dirty.now(ObjectKey::new(&c.key.namespace, name));
                    }
                }
            }
            _ => {}
        }
    }

    fn reconcile(&mut self, snapshot: &Snapshot, key: &ObjectKey, _now: Timestamp) -> Plan {
        let mut existing: Vec<&EndpointSlice> =
            snapshot.slices_of(key).map(AsRef::as_ref).filter(|s| is_ours(s)).collect();
        let mirrored = snapshot.endpoints.get(key).filter(|e| wants_mirror(e));
        let selectorless = snapshot.services.get(key).is_some_and(|s| !has_selector(s));
        let (Some(endpoints), true) = (mirrored, selectorless) else {
            return Plan::writes(existing.into_iter().map(delete_slice).collect());
        };
        let mut plan = Plan::nothing();
        let (mut creates, mut updates) = (Vec::new(), Vec::new());
        for wanted in slices(endpoints, &mut plan.notes) {
            let ports = PortSet::of(&wanted.ports);
            let same =
                |s: &&EndpointSlice| s.address_type == wanted.address_type && PortSet::of(&s.ports) == ports;
            match existing.iter().position(same) {
                Some(i) => updates.extend(update(existing.remove(i), wanted).map(|mut slice| {
                    // Upstream forgets on an update in place how the name came about.
                    slice.metadata.generate_name.clear();
                    slice
                })),
                None => creates.push(wanted),
            }
        }
        for wanted in creates {
            match existing.iter().position(|s| s.address_type == wanted.address_type) {
                Some(i) => updates.extend(update(existing.remove(i), wanted)),
                None => plan.writes.push(Write::create(&wanted)),
            }
        }
        plan.writes.extend(updates.iter().map(Write::replace));
        plan.writes.extend(existing.into_iter().map(delete_slice));
        plan
    }
}

fn is_ours(slice: &EndpointSlice) -> bool {
    slice.metadata.deletion_timestamp.is_none()
        && slice.metadata.labels.get(LABEL_MANAGED_BY).is_some_and(|by| by == MANAGED_BY)
}

fn wants_mirror(endpoints: &Endpoints) -> bool {
    let meta = &endpoints.metadata;
    meta.labels.get(SKIP).is_none_or(|v| v != "true")
        && !meta.annotations.contains_key(LEADER)
        && meta.deletion_timestamp.is_none()
}

/// `old` with the content of `wanted`; `None` if that is what it has.
fn update(old: &EndpointSlice, wanted: EndpointSlice) -> Option<EndpointSlice> {
    let mut new = EndpointSlice { metadata: old.metadata.clone(), ..wanted };
    new.metadata.labels = wanted.metadata.labels;
    new.metadata.annotations = wanted.metadata.annotations;
    new.metadata.owner_references = wanted.metadata.owner_references;
    let order = |slice: &EndpointSlice| {
        let mut endpoints = slice.endpoints.clone();
        endpoints.sort_by(|a, b| a.addresses.cmp(&b.addresses));
        endpoints
    };
    let same = new.metadata == old.metadata
        && PortSet::of(&new.ports) == PortSet::of(&old.ports)
        && order(&new) == order(old);
    (!same).then_some(new)
}

/// The slices that mirror `endpoints`, one a port set and family.
fn slices(endpoints: &Endpoints, notes: &mut Vec<Note>) -> Vec<EndpointSlice> {
    let metadata = metadata(endpoints);
    let mut slices = Vec::new();
    for subset in repack(endpoints.subsets.clone()) {
        if subset.addresses.len() + subset.not_ready_addresses.len() > MAX_ADDRESSES {
            notes.push(note(
                endpoints,
                "TooManyAddressesToMirror",
                format!("A maximum of {MAX_ADDRESSES} addresses is mirrored of each subset"),
            ));
        }
        let mut by_family: BTreeMap<IpFamily, Vec<Endpoint>> = BTreeMap::new();
        let ready = subset.addresses.iter().map(|a| (a, true));
        let all = ready.chain(subset.not_ready_addresses.iter().map(|a| (a, false)));
        for (address, ready) in all.take(MAX_ADDRESSES) {
            match IpAddr::from_str(&address.ip) {
                Ok(ip) => by_family.entry(IpFamily::of(ip)).or_default().push(endpoint(address, ip, ready)),
                Err(_) => notes.push(note(
                    endpoints,
                    "InvalidIPAddress",
                    format!("{:?} is not an IP address and is not mirrored", address.ip),
                )),
            }
        }
        slices.extend(by_family.into_iter().map(|(family, endpoints)| EndpointSlice {
            metadata: metadata.clone(),
            address_type: family.as_str().to_owned(),
            endpoints,
            ports: ports(&subset),
        }));
    }
    slices
}

fn metadata(endpoints: &Endpoints) -> ObjectMeta {
    let meta = &endpoints.metadata;
    let mut labels = meta.labels.clone();
    labels.insert(LABEL_SERVICE_NAME.to_owned(), meta.name.clone());
    labels.insert(LABEL_MANAGED_BY.to_owned(), MANAGED_BY.to_owned());
    let mut annotations = meta.annotations.clone();
    annotations.remove(trigger::ANNOTATION);
    annotations.remove(LAST_APPLIED);
    ObjectMeta {
        generate_name: generate_name(&meta.name),
        namespace: meta.namespace.clone(),
        labels,
        annotations,
        owner_references: vec![OwnerReference {
            api_version: "v1".to_owned(),
            kind: "Endpoints".to_owned(),
            name: meta.name.clone(),
            uid: meta.uid.clone(),
            controller: true,
            block_owner_deletion: true,
        }],
        ..ObjectMeta::default()
    }
}

fn endpoint(address: &EndpointAddress, ip: IpAddr, ready: bool) -> Endpoint {
    Endpoint {
        addresses: vec![ip.to_string()],
        conditions: EndpointConditions { ready: Some(ready), serving: None, terminating: None },
        hostname: (!address.hostname.is_empty()).then(|| address.hostname.clone()),
        target_ref: address.target_ref.clone(),
        node_name: address.node_name.clone(),
        zone: None,
        hints: None,
    }
}

fn ports(subset: &EndpointSubset) -> Vec<EndpointPort> {
    let port = |p: &portway_api::types::core::EndpointPort| EndpointPort {
        name: Some(p.name.clone()),
        protocol: Some(protocol(&p.protocol).to_owned()),
        port: Some(p.port),
        app_protocol: p.app_protocol.clone(),
    };
    subset.ports.iter().map(port).collect()
}

fn note(endpoints: &Endpoints, reason: &'static str, message: String) -> Note {
    Note {
        api_version: "v1".to_owned(),
        kind: "Endpoints",
        key: endpoints.key(),
        uid: endpoints.metadata.uid.clone(),
        warning: true,
        reason,
        message,
    }
}
