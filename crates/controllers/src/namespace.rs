//! Namespaces on their way out: first their Pods go, then everything else, then they themselves.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use portway_api::types::core::Namespace;
use portway_api::types::meta::Condition;
use portway_api::types::pod::Pod;
use portway_api::{Object, ObjectMeta};
use portway_base::ObjectKey;
use portway_client::{Action, Gvr, Write};
use serde_json::json;

use crate::controller::{Controller, Dirty};
use crate::plan::{Guard, Plan};
use crate::snapshot::{Changed, Snapshot};

const FINALIZER: &str = "kubernetes";
/// Between two looks at what remains.
const AGAIN: Duration = Duration::from_secs(1);

/// The controller.
#[derive(Debug, Default)]
pub struct Namespaces {
    /// Namespaced kinds besides those known by type.
    pub others: Vec<Gvr>,
}

impl Controller for Namespaces {
    fn name(&self) -> &'static str {
        "namespace-controller"
    }

    fn touched(&self, change: &Changed, snapshot: &Snapshot, dirty: &mut Dirty) {
        if let Changed::Namespace(c) = change {
            dirty.now(c.key.clone());
            return;
        }
        let namespace = &change.key().namespace;
        if change.metas().1.is_some() || namespace.is_empty() {
            return;
        }
        let key = ObjectKey::cluster(namespace);
        let dying = snapshot.namespaces.get(&key).is_some_and(|n| n.metadata.deletion_timestamp.is_some());
        // The last Pod, and the last object of all, open the way for the next step.
        let last_pod =
            matches!(change, Changed::Pod(_)) && snapshot.pods.in_namespace(namespace).next().is_none();
        if dying && (last_pod || snapshot.metas_in(namespace).is_empty()) {
            dirty.now(key);
        }
    }

    fn reconcile(&mut self, snapshot: &Snapshot, key: &ObjectKey, now: Timestamp) -> Plan {
        let Some(namespace) = snapshot.namespaces.get(key) else { return Plan::nothing() };
        let waits_for_us = namespace.spec.finalizers.iter().any(|f| f == FINALIZER);
        if namespace.metadata.deletion_timestamp.is_none() || !waits_for_us {
            return Plan::nothing();
        }
        let contents = snapshot.metas_in(&key.name);
        let mut plan = Plan::nothing();
        plan.writes.extend(status(namespace, &contents, now));
        if contents.is_empty() {
            self.finish(namespace, &mut plan);
            return plan;
        }
        let pods = Gvr::of::<Pod>();
        let pods_first = contents.iter().any(|(resource, _)| *resource == pods);
        let mut todo: Vec<&Gvr> = contents
            .iter()
            .filter(|(resource, meta)| {
                meta.deletion_timestamp.is_none() && (!pods_first || *resource == pods)
            })
            .map(|(resource, _)| resource)
            .collect();
        todo.dedup();
        plan.writes.extend(todo.into_iter().map(|resource| delete_all(resource.clone(), &key.name)));
        plan.look_again(AGAIN);
        plan
    }
}

impl Namespaces {
    /// Nothing is left as far as the caches tell; the server has the last word on that.
    fn finish(&self, namespace: &Namespace, plan: &mut Plan) {
        let name = &namespace.metadata.name;
        let all = Snapshot::typed_namespaced().into_iter().chain(self.others.iter().cloned());
        plan.guards = all.map(|resource| Guard::Empty { resource, namespace: name.clone() }).collect();
        plan.writes.push(delete_all(Gvr::new("", "v1", "events"), name));
        let mut done = namespace.clone();
        done.metadata.resource_version.clear();
        done.spec.finalizers.retain(|f| f != FINALIZER);
        plan.writes.push(Write::replace(&done).on("finalize"));
    }
}

fn delete_all(resource: Gvr, namespace: &str) -> Write {
    let action = Action::DeleteCollection { labels: String::new(), propagation: None };
    Write::new(resource, ObjectKey::new(namespace, ""), action)
}

/// Phase and conditions, if they are not so yet.
fn status(namespace: &Namespace, contents: &[(Gvr, &ObjectMeta)], now: Timestamp) -> Option<Write> {
    let mut remaining: BTreeMap<String, usize> = BTreeMap::new();
    let mut finalizers: BTreeMap<&str, usize> = BTreeMap::new();
    for (resource, meta) in contents {
        *remaining.entry(resource.to_string()).or_default() += 1;
        for finalizer in &meta.finalizers {
            *finalizers.entry(finalizer).or_default() += 1;
        }
    }
    let list = |counts: Vec<String>| counts.join(", ");
    let resources = list(remaining.iter().map(|(r, n)| format!("{r} has {n} resource instances")).collect());
    let waiting = list(finalizers.iter().map(|(f, n)| format!("{f} in {n} resource instances")).collect());
    let rows = [
        (
            "NamespaceDeletionDiscoveryFailure",
            false,
            "ResourcesDiscovered",
            "All resources successfully discovered".into(),
        ),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            false,
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed".into(),
        ),
        (
            "NamespaceDeletionContentFailure",
            false,
            "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization".into(),
        ),
        if remaining.is_empty() {
            ("NamespaceContentRemaining", false, "ContentRemoved", "All content successfully removed".into())
        } else {
            (
                "NamespaceContentRemaining",
                true,
                "SomeResourcesRemain",
                format!("Some resources are remaining: {resources}"),
            )
        },
        if finalizers.is_empty() {
            (
                "NamespaceFinalizersRemaining",
                false,
                "ContentHasNoFinalizers",
                "All content-preserving finalizers finished".into(),
            )
        } else {
            (
                "NamespaceFinalizersRemaining",
                true,
                "SomeFinalizersRemain",
                format!("Some content in the namespace has finalizers remaining: {waiting}"),
            )
        },
    ];
    let old = &namespace.status.conditions;
    let condition = |(kind, holds, reason, message): (&str, bool, &str, String)| {
        let status = if holds { "True" } else { "False" };
        let before = old.iter().find(|c| c.kind == kind);
        let since = before.filter(|c| c.status == status).and_then(|c| c.last_transition_time.clone());
        Condition {
            kind: kind.to_owned(),
            status: status.to_owned(),
            last_transition_time: Some(since.unwrap_or_else(|| format!("{now:.0}"))),
            reason: reason.to_owned(),
            message,
            ..Condition::default()
        }
    };
    let conditions: Vec<Condition> = rows.into_iter().map(condition).collect();
    if namespace.status.phase == "Terminating" && *old == conditions {
        return None;
    }
    let patch = json!({"metadata": {"uid": namespace.metadata.uid},
        "status": {"phase": "Terminating", "conditions": conditions}});
    Some(Write::of::<Namespace>(namespace.key(), Action::MergePatch(patch)).on("status"))
}
