//! Garbage collection: objects whose owners are gone go too; deletions in the foreground and by orphaning.
//!
//! Keys are UIDs, since names of different kinds may be equal.

use std::collections::BTreeMap;

use jiff::Timestamp;
use portway_api::ObjectMeta;
use portway_api::types::meta::OwnerReference;
use portway_base::ObjectKey;
use portway_client::{Action, Gvr, Preconditions, Propagation, Write};
use serde_json::json;

use crate::controller::{Controller, Dirty};
use crate::plan::{Guard, Plan};
use crate::snapshot::{Changed, ObjectRef, Snapshot};

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

/// A kind as owner references name it.
#[derive(Clone, Debug)]
pub struct KindRow {
    /// Where its objects are.
    pub resource: Gvr,
    /// Lives in namespaces.
    pub namespaced: bool,
}

/// The controller.
#[derive(Debug, Default)]
pub struct Garbage {
    /// By group and kind: a reference may name another version than the one watched.
    kinds: BTreeMap<(String, String), KindRow>,
}

enum Owner {
    /// It is there.
    Solid,
    /// It is there, and waits for its dependents to go.
    Waiting,
    /// It seems not to be there.
    Dangling(Guard),
}

impl Garbage {
    /// Knows the typed kinds, and these.
    pub fn new(others: impl IntoIterator<Item = (Gvr, String, bool)>) -> Self {
        let typed = Snapshot::typed_kinds()
            .into_iter()
            .map(|(_, kind, resource, ns)| (resource, kind.to_owned(), ns));
        let row = |(resource, kind, namespaced): (Gvr, String, bool)| {
            ((resource.group.to_string(), kind), KindRow { resource, namespaced })
        };
        Self { kinds: typed.chain(others).map(row).collect() }
    }

    fn owner(&self, snapshot: &Snapshot, namespace: &str, reference: &OwnerReference) -> Owner {
        let group = reference.api_version.split_once('/').map_or("", |(group, _)| group);
        let Some(row) = self.kinds.get(&(group.to_owned(), reference.kind.clone())) else {
            // A kind nobody knows cannot be looked up; better to keep too much.
            return Owner::Solid;
        };
        if row.namespaced && namespace.is_empty() {
            return Owner::Solid;
        }
        let key = ObjectKey::new(if row.namespaced { namespace } else { "" }, &reference.name);
        let found = snapshot.meta(&row.resource, &key).filter(|meta| meta.uid == reference.uid);
        match found {
            Some(meta) if is_deleting_with(meta, FOREGROUND) => Owner::Waiting,
            Some(_) => Owner::Solid,
            None => Owner::Dangling(Guard::Absent {
                resource: row.resource.clone(),
                key,
                uid: reference.uid.clone(),
            }),
        }
    }

    /// What the owners of a living object mean for it.
    fn owned(&self, snapshot: &Snapshot, object: &ObjectRef, meta: &ObjectMeta) -> Plan {
        let (mut solid, mut waiting) = (Vec::new(), false);
        let mut guards = Vec::new();
        for reference in &meta.owner_references {
            match self.owner(snapshot, &object.key.namespace, reference) {
                Owner::Solid => solid.push(reference),
                Owner::Waiting => waiting = true,
                Owner::Dangling(guard) => guards.push(guard),
            }
        }
        let preconditions = Preconditions {
            uid: Some(meta.uid.clone()),
            resource_version: Some(meta.resource_version.clone()),
        };
        let action = if !solid.is_empty() {
            if solid.len() == meta.owner_references.len() {
                return Plan::nothing();
            }
            Action::MergePatch(json!({"metadata": {"uid": meta.uid, "resourceVersion": meta.resource_version,
                "ownerReferences": solid}}))
        } else {
            let has = |finalizer: &str| meta.finalizers.iter().any(|f| f == finalizer);
            let propagation = if waiting && snapshot.dependents(&meta.uid).next().is_some() || has(FOREGROUND)
            {
                Propagation::Foreground
            } else if has(ORPHAN) {
                Propagation::Orphan
            } else {
                Propagation::Background
            };
            Action::Delete { preconditions, grace: None, propagation: Some(propagation) }
        };
        let write = Write::new(object.resource.clone(), object.key.clone(), action);
        Plan { guards, writes: vec![write], ..Plan::default() }
    }
}

impl Controller for Garbage {
    fn name(&self) -> &'static str {
        "garbage-collector"
    }

    fn touched(&self, change: &Changed, snapshot: &Snapshot, dirty: &mut Dirty) {
        if matches!(change, Changed::RootCa(_)) {
            return;
        }
        let (before, now) = change.metas();
        let facts = |meta: &ObjectMeta| {
            (
                meta.uid.clone(),
                meta.owner_references.clone(),
                meta.finalizers.clone(),
                meta.deletion_timestamp.clone(),
            )
        };
        if before.map(facts) == now.map(facts) {
            return;
        }
        if let Some(meta) = now
            && (!meta.owner_references.is_empty() || meta.deletion_timestamp.is_some())
        {
            dirty.now(key(&meta.uid));
        }
        // The dependents learn of their owner's fate, and a waiting owner of theirs.
        let old_uid = before.filter(|b| now.is_none_or(|n| n.uid != b.uid)).map(|b| &b.uid);
        let dying = now.filter(|n| n.deletion_timestamp.is_some()).map(|n| &n.uid);
        for uid in old_uid.into_iter().chain(dying) {
            for dependent in snapshot.dependents(uid) {
                if let Some(meta) = snapshot.meta(&dependent.resource, &dependent.key) {
                    dirty.now(key(&meta.uid));
                }
            }
        }
        for owner in before.into_iter().flat_map(|b| &b.owner_references) {
            dirty.now(key(&owner.uid));
        }
    }

    fn reconcile(&mut self, snapshot: &Snapshot, key: &ObjectKey, _now: Timestamp) -> Plan {
        let Some(object) = snapshot.with_uid(&key.name) else { return Plan::nothing() };
        let Some(meta) = snapshot.meta(&object.resource, &object.key) else { return Plan::nothing() };
        if meta.deletion_timestamp.is_none() {
            return if meta.owner_references.is_empty() {
                Plan::nothing()
            } else {
                self.owned(snapshot, object, meta)
            };
        }
        if is_deleting_with(meta, ORPHAN) {
            return orphan(snapshot, object, meta);
        }
        if is_deleting_with(meta, FOREGROUND) {
            let blocks = |dependent: &&ObjectRef| {
                let references =
                    snapshot.meta(&dependent.resource, &dependent.key).map(|m| &m.owner_references);
                references.into_iter().flatten().any(|r| r.uid == meta.uid && r.block_owner_deletion)
            };
            if snapshot.dependents(&meta.uid).find(blocks).is_none() {
                return Plan::writes(vec![without_finalizer(object, meta, FOREGROUND)]);
            }
        }
        Plan::nothing()
    }
}

/// Takes the references to a dying owner from its dependents; when there are none left, the owner may go.
fn orphan(snapshot: &Snapshot, object: &ObjectRef, meta: &ObjectMeta) -> Plan {
    let mut writes = Vec::new();
    for dependent in snapshot.dependents(&meta.uid) {
        let Some(theirs) = snapshot.meta(&dependent.resource, &dependent.key) else { continue };
        let left: Vec<_> = theirs.owner_references.iter().filter(|r| r.uid != meta.uid).collect();
        let patch = json!({"metadata": {"uid": theirs.uid, "resourceVersion": theirs.resource_version,
            "ownerReferences": left}});
        writes.push(Write::new(dependent.resource.clone(), dependent.key.clone(), Action::MergePatch(patch)));
    }
    if writes.is_empty() {
        writes.push(without_finalizer(object, meta, ORPHAN));
    }
    Plan::writes(writes)
}

fn without_finalizer(object: &ObjectRef, meta: &ObjectMeta, finalizer: &str) -> Write {
    let left: Vec<_> = meta.finalizers.iter().filter(|f| *f != finalizer).collect();
    let patch =
        json!({"metadata": {"uid": meta.uid, "resourceVersion": meta.resource_version, "finalizers": left}});
    Write::new(object.resource.clone(), object.key.clone(), Action::MergePatch(patch))
}

fn is_deleting_with(meta: &ObjectMeta, finalizer: &str) -> bool {
    meta.deletion_timestamp.is_some() && meta.finalizers.iter().any(|f| f == finalizer)
}

fn key(uid: &str) -> ObjectKey {
    ObjectKey::cluster(uid)
}
