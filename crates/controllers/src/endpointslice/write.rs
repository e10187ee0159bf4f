//! Placed slices as writes: creates, then updates, then deletes.

use std::collections::BTreeMap;

use portway_api::Object;
use portway_api::types::discovery::EndpointSlice;
use portway_api::types::meta::{ObjectMeta, OwnerReference};
use portway_api::types::service::Service;
use portway_base::IpFamily;
use portway_client::{Action, Preconditions, Write};

use super::place::{Placed, Target};
use crate::trigger;

/// The writes of all families, sorted by what they do.
#[derive(Debug, Default)]
pub struct Changes {
    creates: Vec<EndpointSlice>,
    updates: Vec<EndpointSlice>,
    deletes: Vec<EndpointSlice>,
}

impl Changes {
    /// Adds what one family needs.
    pub fn add(
        &mut self,
        service: &Service,
        family: IpFamily,
        labels: &BTreeMap<String, String>,
        trigger: Option<&str>,
        placed: Placed,
    ) {
        for target in placed.slices.into_iter().filter(|t| t.changed) {
            let is_new = target.of.is_none();
            let slice = slice(service, family, labels, trigger, target);
            if is_new {
                self.creates.push(slice);
            } else {
                self.updates.push(slice);
            }
        }
        self.deletes.extend(placed.surplus);
    }

    /// Adds slices to delete.
    pub fn delete<'a>(&mut self, slices: impl Iterator<Item = &'a EndpointSlice>) {
        self.deletes.extend(slices.cloned());
    }

    /// All of it, in order.
    pub fn into_writes(self, service: &Service) -> Vec<Write> {
        let mut writes = Vec::new();
        // What is created for a Service that goes away would have to be collected again at once.
        if service.metadata.deletion_timestamp.is_none() {
            writes.extend(self.creates.iter().map(Write::create));
        }
        writes.extend(self.updates.iter().map(Write::replace));
        writes.extend(self.deletes.iter().map(delete));
        writes
    }
}

fn slice(
    service: &Service,
    family: IpFamily,
    labels: &BTreeMap<String, String>,
    trigger: Option<&str>,
    target: Target,
) -> EndpointSlice {
    let mut metadata = match target.of {
        Some(old) => old.metadata,
        None => ObjectMeta {
            generate_name: generate_name(&service.metadata.name),
            namespace: service.metadata.namespace.clone(),
            ..ObjectMeta::default()
        },
    };
    metadata.labels = labels.clone();
    metadata.owner_references = vec![owner(service)];
    match trigger {
        Some(time) => metadata.annotations.insert(trigger::ANNOTATION.to_owned(), time.to_owned()),
        None => metadata.annotations.remove(trigger::ANNOTATION),
    };
    EndpointSlice {
        metadata,
        address_type: family.as_str().to_owned(),
        endpoints: target.endpoints,
        ports: target.ports.ports(),
    }
}

/// The server adds five characters to a generated name; names are limited to 253.
pub fn generate_name(owner: &str) -> String {
    if owner.len() < 253 { format!("{owner}-") } else { owner.to_owned() }
}

fn owner(service: &Service) -> OwnerReference {
    OwnerReference {
        api_version: "v1".to_owned(),
        kind: "Service".to_owned(),
        name: service.metadata.name.clone(),
        uid: service.metadata.uid.clone(),
        controller: true,
        block_owner_deletion: true,
    }
}

/// The slice was made for this Service, not for an earlier one of the same name.
pub fn is_owned(slice: &EndpointSlice, service: &Service) -> bool {
    let controller = slice.metadata.owner_references.iter().find(|o| o.controller);
    controller.is_none_or(|o| o.uid == service.metadata.uid)
}

/// Deletes exactly this slice.
pub fn delete(slice: &EndpointSlice) -> Write {
    let action = Action::Delete {
        preconditions: Preconditions::uid(&slice.metadata.uid),
        grace: None,
        propagation: None,
    };
    Write::of::<EndpointSlice>(slice.key(), action)
}
