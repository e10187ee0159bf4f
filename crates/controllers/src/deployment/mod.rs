//! Deployments: a ReplicaSet for each version of the template, and the way from one to the next.

mod revision;
mod rolling;
mod scale;
mod status;
mod template;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use portway_api::Object;
use portway_api::types::apps::{Deployment, ReplicaSet};
use portway_api::types::pod::Pod;
use portway_base::ObjectKey;
use portway_client::{Action, Write};
use portway_machinery::selector::Selector;
use serde_json::json;

use crate::controller::{Controller, Dirty};
use crate::ownership::{Claim, adopt, claim, controller_of, release};
use crate::plan::{Note, Plan};
use crate::selection::is_terminal;
use crate::snapshot::{Changed, Snapshot};

/// The controller.
#[derive(Debug, Default)]
pub struct Deployments;

/// A Deployment with its ReplicaSets, sorted out.
struct Rollout<'a> {
    deployment: &'a Deployment,
    /// The ReplicaSet of the current template.
    new: Option<&'a ReplicaSet>,
    /// All others, oldest first.
    old: Vec<&'a ReplicaSet>,
}

impl Rollout<'_> {
    fn wanted(&self) -> i32 {
        self.deployment.spec.replicas.unwrap_or(1)
    }

    fn all(&self) -> impl Iterator<Item = &ReplicaSet> {
        self.old.iter().copied().chain(self.new)
    }

    fn is_recreate(&self) -> bool {
        self.deployment.spec.strategy.kind == "Recreate"
    }
}

impl Controller for Deployments {
    fn name(&self) -> &'static str {
        "deployment-controller"
    }

    fn touched(&self, change: &Changed, snapshot: &Snapshot, dirty: &mut Dirty) {
        match change {
            Changed::Deployment(c) => dirty.now(c.key.clone()),
            Changed::ReplicaSet(c) => {
                for set in c.before.iter().chain(&c.now) {
                    touch_owners(set, snapshot, dirty);
                }
            }
            // A rollout by `Recreate` waits for the old Pods to be gone.
            Changed::Pod(c) => {
                let gone = c.now.as_ref().is_none_or(|pod| is_terminal(pod));
                let owner = c.before.iter().filter_map(|pod| controller_of(&pod.metadata)).find(|_| gone);
                let set =
                    owner.and_then(|o| snapshot.replica_sets.get(&ObjectKey::new(&c.key.namespace, &o.name)));
                if let Some(set) = set {
                    touch_owners(set, snapshot, dirty);
                }
            }
            _ => {}
        }
    }

    fn reconcile(&mut self, snapshot: &Snapshot, key: &ObjectKey, now: Timestamp) -> Plan {
        let Some(deployment) = snapshot.deployments.get(key) else { return Plan::nothing() };
        let Ok(selector) = Selector::from_typed(&deployment.spec.selector) else { return Plan::nothing() };
        let mut plan = Plan::nothing();
        let mut sets: Vec<&ReplicaSet> = Vec::new();
        for set in snapshot.replica_sets.in_namespace(&key.namespace) {
            match claim(&deployment.metadata, &selector, &set.metadata) {
                Claim::Owned => sets.push(set),
                Claim::Adopted => plan.writes.push(adopt(&**deployment, &**set)),
                Claim::Released => plan.writes.push(release(&deployment.metadata.uid, &**set)),
                Claim::Foreign => {}
            }
        }
        if !plan.writes.is_empty() {
            // What belongs to it must be settled before anything is counted.
            return plan;
        }
        sets.sort_by(|a, b| age(a).cmp(&age(b)));
        let new = sets.iter().copied().find(|s| template::same(&s.spec.template, &deployment.spec.template));
        let old = sets.into_iter().filter(|s| new.is_none_or(|n| n.metadata.uid != s.metadata.uid)).collect();
        let rollout = Rollout { deployment, new, old };
        if deployment.metadata.deletion_timestamp.is_none() {
            progress(&rollout, snapshot, &mut plan);
        }
        status::update(&rollout, now, &mut plan);
        plan
    }
}

fn age(set: &ReplicaSet) -> (Option<&String>, &String) {
    (set.metadata.creation_timestamp.as_ref(), &set.metadata.name)
}

fn touch_owners(set: &ReplicaSet, snapshot: &Snapshot, dirty: &mut Dirty) {
    match controller_of(&set.metadata) {
        Some(owner) if owner.kind == Deployment::KIND => {
            dirty.now(ObjectKey::new(&set.metadata.namespace, &owner.name));
        }
        Some(_) => {}
        None => {
            for deployment in snapshot.deployments.in_namespace(&set.metadata.namespace) {
                let selector = Selector::from_typed(&deployment.spec.selector);
                if selector.is_ok_and(|s| !s.is_everything() && s.matches(&set.metadata.labels)) {
                    dirty.now(deployment.key());
                }
            }
        }
    }
}

/// One step of the way to the current template and number.
fn progress(rollout: &Rollout<'_>, snapshot: &Snapshot, plan: &mut Plan) {
    if rollout.deployment.spec.paused || scale::is_due(rollout) {
        scale::all(rollout, plan);
        if rollout.deployment.spec.paused {
            revision::clean_up(rollout, plan);
        }
        return;
    }
    if rollout.is_recreate() {
        recreate(rollout, snapshot, plan);
    } else {
        rolling::step(rollout, plan);
    }
    if plan.writes.is_empty() && status::is_complete(rollout) {
        revision::clean_up(rollout, plan);
    }
}

/// First the old Pods go, then the new ones come.
fn recreate(rollout: &Rollout<'_>, snapshot: &Snapshot, plan: &mut Plan) {
    for set in rollout.old.iter().filter(|s| replicas(s) > 0) {
        scale::to(rollout, set, 0, plan);
    }
    if !plan.writes.is_empty() || rollout.old.iter().any(|set| has_pods(set, snapshot)) {
        return;
    }
    match rollout.new {
        None => create_new(rollout, rollout.wanted(), plan),
        Some(set) => {
            revision::adjust(rollout, set, plan);
            if plan.writes.is_empty() && replicas(set) != rollout.wanted() {
                scale::to(rollout, set, rollout.wanted(), plan);
            }
        }
    }
}

fn has_pods(set: &ReplicaSet, snapshot: &Snapshot) -> bool {
    let pods = snapshot.dependents(&set.metadata.uid).filter(|r| r.resource.resource == Pod::PLURAL);
    pods.filter_map(|r| snapshot.pods.get(&r.key)).any(|pod| !is_terminal(pod))
}

fn replicas(set: &ReplicaSet) -> i32 {
    set.spec.replicas.unwrap_or(1)
}

/// Creates the ReplicaSet of the current template. If its name is taken by another template, the collision is
/// counted instead, which leads to another name.
fn create_new(rollout: &Rollout<'_>, replicas: i32, plan: &mut Plan) {
    let deployment = rollout.deployment;
    let hash = template::hash(&deployment.spec.template, deployment.status.collision_count);
    let name = format!("{}-{hash}", deployment.metadata.name);
    if rollout.old.iter().any(|set| set.metadata.name == name) {
        let count = deployment.status.collision_count.unwrap_or_default() + 1;
        let patch = json!({"status": {"collisionCount": count}});
        plan.writes.push(Write::of::<Deployment>(deployment.key(), Action::MergePatch(patch)).on("status"));
        return;
    }
    let body =
        template::replica_set(deployment, &name, &hash, replicas, revision::annotations_for_new(rollout));
    let key = ObjectKey::new(&deployment.metadata.namespace, &name);
    plan.writes.push(Write::of::<ReplicaSet>(key, Action::Create(body)));
    plan.notes.push(note(deployment, format!("Scaled up replica set {name} from 0 to {replicas}")));
    revision::number(rollout, revision::next(rollout), plan);
}

fn note(deployment: &Deployment, message: String) -> Note {
    Note {
        api_version: Deployment::api_version(),
        kind: Deployment::KIND,
        key: deployment.key(),
        uid: deployment.metadata.uid.clone(),
        warning: false,
        reason: "ScalingReplicaSet",
        message,
    }
}
