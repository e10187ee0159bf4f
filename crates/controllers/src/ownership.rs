//! Which objects belong to an owner with a selector: its own, those to adopt, those to let go.

use std::collections::BTreeMap;

use portway_api::types::meta::OwnerReference;
use portway_api::{Object, ObjectMeta};
use portway_client::{Action, Write};
use portway_machinery::selector::Selector;
use serde_json::{Value, json};

/// The owner that manages an object.
pub fn controller_of(meta: &ObjectMeta) -> Option<&OwnerReference> {
    meta.owner_references.iter().find(|owner| owner.controller)
}

/// What an object is to an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Its own.
    Owned,
    /// Its own by reference, but no longer selected.
    Released,
    /// Selected, and nobody's.
    Adopted,
    /// None of its business.
    Foreign,
}

/// What the object with `meta` is to the owner.
pub fn claim(owner: &ObjectMeta, selector: &Selector, meta: &ObjectMeta) -> Claim {
    let selected = !selector.is_everything() && selector.matches(&meta.labels);
    match controller_of(meta) {
        Some(reference) if reference.uid != owner.uid => Claim::Foreign,
        Some(_) if selected => Claim::Owned,
        Some(_) => Claim::Released,
        // Neither side of an adoption may be on its way out.
        None if selected && meta.deletion_timestamp.is_none() && owner.deletion_timestamp.is_none() => {
            Claim::Adopted
        }
        None => Claim::Foreign,
    }
}

/// The reference that makes `owner` the controller of an object.
pub fn reference<T: Object>(owner: &T) -> OwnerReference {
    OwnerReference {
        api_version: T::api_version(),
        kind: T::KIND.to_owned(),
        name: owner.metadata().name.clone(),
        uid: owner.metadata().uid.clone(),
        controller: true,
        block_owner_deletion: true,
    }
}

/// Makes `owner` the controller of `object`.
pub fn adopt<O: Object, T: Object>(owner: &O, object: &T) -> Write {
    let mut references = object.metadata().owner_references.clone();
    references.push(reference(owner));
    set_references(object, &references)
}

/// Takes the reference to the owner with this UID from `object`.
pub fn release<T: Object>(owner_uid: &str, object: &T) -> Write {
    let mut references = object.metadata().owner_references.clone();
    references.retain(|r| r.uid != owner_uid);
    set_references(object, &references)
}

fn set_references<T: Object>(object: &T, references: &[OwnerReference]) -> Write {
    let patch = json!({"metadata": {"uid": object.metadata().uid, "resourceVersion": object.metadata().resource_version,
        "ownerReferences": references}});
    Write::of::<T>(object.key(), Action::MergePatch(patch))
}

/// The labels of a Pod template.
pub fn template_labels(template: &Value) -> BTreeMap<String, String> {
    let labels = template["metadata"]["labels"].as_object().into_iter().flatten();
    labels.filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned()))).collect()
}
