//! EndpointSlices from Services with a selector and the Pods they select.

mod build;
mod hints;
mod place;
#[cfg(test)]
mod tests;
mod write;
mod zones;

use std::time::Duration;

use jiff::Timestamp;
use portway_api::Object;
use portway_api::types::discovery::{EndpointSlice, LABEL_MANAGED_BY, LABEL_SERVICE_NAME};
use portway_api::types::service::Service;
use portway_base::ObjectKey;

pub use build::{PortSet, pod_reference};
pub use place::MAX_ENDPOINTS;
pub use write::{delete as delete_slice, generate_name};

use crate::controller::{Controller, Dirty};
use crate::plan::{Note, Plan};
use crate::selection::{families, has_selector, touch_services};
use crate::snapshot::{Changed, Snapshot};
use crate::trigger::Triggers;

/// Value of the managed-by label on the slices of this controller.
pub const MANAGED_BY: &str = "endpointslice-controller.k8s.io";

/// Foreign edits are undone after this, so that two controllers that disagree do not spin.
const FOREIGN_EDIT: Duration = Duration::from_secs(1);

/// The controller.
#[derive(Debug)]
pub struct EndpointSlices {
    max: usize,
    triggers: Triggers,
    hints: hints::Memory,
}

impl EndpointSlices {
    /// With at most `max` endpoints a slice.
    pub fn new(max: usize) -> Self {
        Self { max: max.clamp(1, 1000), triggers: Triggers::default(), hints: hints::Memory::default() }
    }
}

impl Controller for EndpointSlices {
    fn name(&self) -> &'static str {
        "endpointslice-controller"
    }

    fn touched(&self, change: &Changed, snapshot: &Snapshot, dirty: &mut Dirty) {
        match change {
            Changed::Service(c) => dirty.now(c.key.clone()),
            Changed::Pod(c) => touch_services(c, snapshot, dirty),
            Changed::Slice(c) => touch_slice(c.before.as_deref(), c.now.as_deref(), dirty),
            Changed::Node(c) => {
                // Pods may be seen before the Node they are on; their endpoints wait for it.
                if c.before.is_none() {
                    for pod in snapshot.pods_on(&c.key.name) {
                        for service in
                            snapshot.services_selecting(&pod.metadata.namespace, &pod.metadata.labels)
                        {
                            dirty.now(service.key());
                        }
                    }
                }
                for key in self.hints.overloaded(snapshot, c) {
                    dirty.now(key);
                }
            }
            _ => {}
        }
    }

    fn reconcile(&mut self, snapshot: &Snapshot, key: &ObjectKey, _now: Timestamp) -> Plan {
        let Some(service) = snapshot.services.get(key) else {
            self.triggers.forget(key);
            self.hints.forget(key);
            return Plan::nothing();
        };
        if service.spec.kind == "ExternalName" || !has_selector(service) {
            return Plan::nothing();
        }
        let selector = service.spec.selector.clone().unwrap_or_default();
        let pods = snapshot.pods_with(&key.namespace, &selector);
        let trigger = self.triggers.sync(key, service, &pods);
        let managed: Vec<&EndpointSlice> =
            snapshot.slices_of(key).map(AsRef::as_ref).filter(|s| is_ours(s)).collect();

        let mut plan = Plan::nothing();
        let mut homeless = Vec::new();
        let mut changes = write::Changes::default();
        let wanted = families(service);
        let labels = build::labels(service);
        for family in &wanted {
            let groups = build::groups(service, &pods, *family, snapshot, &mut homeless);
            let existing =
                managed.iter().filter(|s| s.address_type == family.as_str() && write::is_owned(s, service));
            let existing: Vec<&EndpointSlice> = existing.copied().collect();
            let mut placed = place::place(&existing, groups, &labels, self.max);
            let notes = hints::assign(&mut self.hints, snapshot, service, *family, &mut placed);
            plan.notes.extend(notes);
            changes.add(service, *family, &labels, trigger.as_deref(), placed);
        }
        let stray = |s: &&&EndpointSlice| {
            !write::is_owned(s, service) || !wanted.iter().any(|f| f.as_str() == s.address_type)
        };
        changes.delete(managed.iter().filter(stray).copied());
        plan.writes = changes.into_writes(service);
        if !homeless.is_empty() {
            plan.notes.push(homeless_note(service, &homeless));
        }
        plan
    }
}

fn touch_slice(before: Option<&EndpointSlice>, now: Option<&EndpointSlice>, dirty: &mut Dirty) {
    let ours = |slice: Option<&EndpointSlice>| slice.filter(|s| is_ours(s)).and_then(service_of);
    let (old, new) = (ours(before), ours(now));
    if old != new || before.map(|s| s.metadata.generation) != now.map(|s| s.metadata.generation) {
        let gone = now.is_none();
        for key in [old, new].into_iter().flatten() {
            if gone {
                dirty.now(key);
            } else {
                dirty.later(key, FOREIGN_EDIT);
            }
        }
    }
}

fn is_ours(slice: &EndpointSlice) -> bool {
    slice.metadata.deletion_timestamp.is_none()
        && slice.metadata.labels.get(LABEL_MANAGED_BY).is_some_and(|by| by == MANAGED_BY)
}

fn service_of(slice: &EndpointSlice) -> Option<ObjectKey> {
    let name = slice.metadata.labels.get(LABEL_SERVICE_NAME)?;
    Some(ObjectKey::new(&slice.metadata.namespace, name))
}

fn homeless_note(service: &Service, pods: &[String]) -> Note {
    Note {
        api_version: "v1".to_owned(),
        kind: "Service",
        key: service.key(),
        uid: service.metadata.uid.clone(),
        warning: true,
        reason: "FailedToUpdateEndpointSlices",
        message: format!(
            "Error updating Endpoint Slices for Service {}: Pods are on Nodes that do not exist: {}",
            service.key(),
            pods.join(", ")
        ),
    }
}
