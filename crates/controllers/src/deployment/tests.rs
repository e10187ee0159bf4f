//! Rollouts from one template to the next, on a pretended cluster.

use portway_api::types::discovery::EndpointSlice;
use portway_client::{Action, Gvr, Propagation};
use serde_json::{Value, json};

use super::*;
use crate::testing::workloads::{cluster, deployment, finish, get, patch, run_pods, sets};
use crate::testing::{Cluster, node, service};

fn started(replicas: i32) -> Cluster {
    let mut cluster = cluster();
    cluster.world.create(node("n1", "a")).unwrap();
    cluster.world.create(node("n2", "b")).unwrap();
    cluster.world.create(service("web", json!({"app": "web"}))).unwrap();
    cluster.world.create(deployment("web", replicas, "one")).unwrap();
    finish(&mut cluster);
    cluster
}

fn image(image: &str) -> Value {
    json!({"spec": {"template": {"spec": {"containers": [{"name": "c", "image": image}]}}}})
}

fn condition(object: &Value, kind: &str) -> String {
    let all = object["status"]["conditions"].as_array().unwrap();
    let found = all.iter().find(|c| c["type"] == kind).unwrap();
    format!("{} {}", found["status"].as_str().unwrap(), found["reason"].as_str().unwrap())
}

fn endpoints(cluster: &Cluster) -> usize {
    let resource = Gvr::of::<EndpointSlice>();
    let all =
        cluster.world.all(&resource).flat_map(|s| s["endpoints"].as_array().cloned().unwrap_or_default());
    all.filter(|e| e["conditions"]["ready"] == true).count()
}

#[test]
fn a_deployment_becomes_pods_and_endpoints() {
    let mut cluster = started(3);
    assert_eq!(sets(&cluster), [("1".into(), 3, 3)]);
    assert_eq!(endpoints(&cluster), 3);
    let object = get(&cluster, "web");
    assert_eq!(object["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "1");
    let status = &object["status"];
    let counts =
        ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas"].map(|f| status[f].clone());
    assert_eq!(counts, [3, 3, 3, 3].map(Value::from));
    assert_eq!(status["observedGeneration"], object["metadata"]["generation"]);
    assert_eq!(condition(&object, "Available"), "True MinimumReplicasAvailable");
    assert_eq!(condition(&object, "Progressing"), "True NewReplicaSetAvailable");
    let writes = cluster.world.writes;
    finish(&mut cluster);
    assert_eq!(cluster.world.writes, writes, "at rest nothing is written");
    // Spread: no node has all of them.
    let resource = Gvr::of::<Pod>();
    let on_first = cluster.world.all(&resource).filter(|p| p["spec"]["nodeName"] == "n1").count();
    assert!((1..=2).contains(&on_first));
}

#[test]
fn scaling_changes_the_number_and_nothing_else() {
    let mut cluster = started(2);
    for wanted in [5, 1, 0, 4] {
        patch(&mut cluster, "web", json!({"spec": {"replicas": wanted}}));
        finish(&mut cluster);
        assert_eq!(sets(&cluster), [("1".into(), wanted, wanted)]);
        assert_eq!(endpoints(&cluster), usize::try_from(wanted).unwrap());
    }
}

#[test]
fn a_rolling_update_stays_within_its_limits() {
    let mut cluster = started(4);
    patch(
        &mut cluster,
        "web",
        json!({"spec": {"strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}}}}),
    );
    finish(&mut cluster);
    patch(&mut cluster, "web", image("two"));
    for _ in 0..200 {
        cluster.settle();
        let total: i64 = sets(&cluster).iter().map(|s| s.1).sum();
        assert!(total <= 5, "too many: {:?}", sets(&cluster));
        assert!(endpoints(&cluster) >= 3, "too few: {:?}", sets(&cluster));
        // One Pod at a time, so that every state in between is seen.
        if !run_pods(&mut cluster, 1) {
            break;
        }
    }
    assert_eq!(sets(&cluster), [("1".into(), 0, 0), ("2".into(), 4, 4)]);
    assert_eq!(condition(&get(&cluster, "web"), "Progressing"), "True NewReplicaSetAvailable");
}

#[test]
fn going_back_takes_the_old_replica_set_under_a_new_number() {
    let mut cluster = started(2);
    patch(&mut cluster, "web", image("two"));
    finish(&mut cluster);
    patch(&mut cluster, "web", image("one"));
    finish(&mut cluster);
    assert_eq!(sets(&cluster), [("2".into(), 0, 0), ("3".into(), 2, 2)]);
    assert_eq!(get(&cluster, "web")["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "3");
}

#[test]
fn history_is_limited() {
    let mut cluster = started(1);
    patch(&mut cluster, "web", json!({"spec": {"revisionHistoryLimit": 2}}));
    for n in 0..5 {
        patch(&mut cluster, "web", image(&format!("v{n}")));
        finish(&mut cluster);
    }
    assert_eq!(sets(&cluster).into_iter().map(|s| s.0).collect::<Vec<_>>(), ["4", "5", "6"]);
}

#[test]
fn recreate_has_no_pods_of_two_templates() {
    let mut cluster = started(3);
    patch(&mut cluster, "web", json!({"spec": {"strategy": {"type": "Recreate", "rollingUpdate": null}}}));
    finish(&mut cluster);
    patch(&mut cluster, "web", image("two"));
    for _ in 0..100 {
        cluster.settle();
        let resource = Gvr::of::<Pod>();
        let mut images: Vec<Value> =
            cluster.world.all(&resource).map(|p| p["spec"]["containers"][0]["image"].clone()).collect();
        images.dedup();
        assert!(images.len() <= 1, "{images:?}");
        if !run_pods(&mut cluster, 1) {
            break;
        }
    }
    assert_eq!(sets(&cluster), [("1".into(), 0, 0), ("2".into(), 3, 3)]);
}

#[test]
fn a_paused_deployment_scales_but_does_not_roll() {
    let mut cluster = started(2);
    patch(&mut cluster, "web", json!({"spec": {"paused": true}}));
    patch(&mut cluster, "web", image("two"));
    patch(&mut cluster, "web", json!({"spec": {"replicas": 3}}));
    finish(&mut cluster);
    assert_eq!(sets(&cluster), [("1".into(), 3, 3)]);
    assert_eq!(condition(&get(&cluster, "web"), "Progressing"), "Unknown DeploymentPaused");
    patch(&mut cluster, "web", json!({"spec": {"paused": false}}));
    finish(&mut cluster);
    assert_eq!(sets(&cluster), [("1".into(), 0, 0), ("2".into(), 3, 3)]);
}

#[test]
fn a_deployment_that_is_deleted_takes_its_pods_along_unless_orphaned() {
    let check = |propagation: Option<Propagation>, left: usize| {
        let mut cluster = started(2);
        let key = ObjectKey::new("ns", "web");
        cluster.world.delete(&Gvr::of::<Deployment>(), &key, None, propagation).unwrap();
        finish(&mut cluster);
        assert!(cluster.world.get(&Gvr::of::<Deployment>(), &key).is_none(), "{propagation:?}");
        assert_eq!(cluster.world.all(&Gvr::of::<ReplicaSet>()).count(), left.min(1), "{propagation:?}");
        assert_eq!(cluster.world.all(&Gvr::of::<Pod>()).count(), left, "{propagation:?}");
    };
    check(None, 0);
    check(Some(Propagation::Foreground), 0);
    check(Some(Propagation::Orphan), 2);
}

#[test]
fn a_pod_that_is_lost_is_replaced() {
    let mut cluster = started(2);
    let resource = Gvr::of::<Pod>();
    let name = cluster.world.all(&resource).next().unwrap()["metadata"]["name"].as_str().unwrap().to_owned();
    cluster.world.remove(&resource, &ObjectKey::new("ns", name));
    finish(&mut cluster);
    assert_eq!((sets(&cluster), endpoints(&cluster)), (vec![("1".into(), 2, 2)], 2));
    // A Pod that no longer matches is let go and replaced.
    let name = cluster.world.all(&resource).next().unwrap()["metadata"]["name"].as_str().unwrap().to_owned();
    let patch = Action::MergePatch(json!({"metadata": {"labels": {"app": "other"}}}));
    cluster.world.write(&Write::of::<Pod>(ObjectKey::new("ns", &name), patch)).unwrap();
    finish(&mut cluster);
    assert_eq!(cluster.world.all(&resource).count(), 3);
    let released = cluster.world.get(&resource, &ObjectKey::new("ns", &name)).unwrap();
    assert!(released["metadata"]["ownerReferences"].as_array().is_none_or(Vec::is_empty));
}
