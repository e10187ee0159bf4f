//! The controllers on the real API server, in one process: from a Deployment to endpoints and back to nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, missing_docs)]

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use portway_api::Object;
use portway_api::types::apps::{Deployment, ReplicaSet};
use portway_api::types::core::{ConfigMap, Endpoints, Namespace, ServiceAccount};
use portway_api::types::discovery::EndpointSlice;
use portway_api::types::node::Node;
use portway_api::types::pod::Pod;
use portway_api::types::service::Service;
use portway_apiserver::{ApiServer, Config, Identity};
use portway_base::ObjectKey;
use portway_client::{Action, Client, Event, Gvr, ListOptions, Preconditions, Propagation, Write};
use portway_controllers::{ControllerConfig, Controllers};
use portway_store::memory::MemoryStore;
use serde_json::{Value, json};

/// Server, controllers, and a stand-in for the node agents.
async fn cluster() -> Client {
    let server = ApiServer::open(Config::default(), Arc::new(MemoryStore::new())).await.unwrap();
    let client = Client::in_process(server.service(Identity::admin()));
    let config = ControllerConfig { root_ca: Some("PEM".into()), ..ControllerConfig::default() };
    tokio::spawn(Controllers::new(client.clone(), config).run(std::future::pending()));
    tokio::spawn(run_pods(client.clone()));
    for name in ["n1", "n2"] {
        create(&client, json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})).await;
        let status = json!({"status": {"allocatable": {"cpu": "4", "pods": "110"},
            "conditions": [{"type": "Ready", "status": "True"}]}});
        let write = Write::of::<Node>(ObjectKey::cluster(name), Action::MergePatch(status)).on("status");
        client.write(&write).await.unwrap();
    }
    client
}

/// Placed Pods become ready; those that are to end are gone at once.
async fn run_pods(client: Client) {
    let mut events = client.watch::<Pod>(ListOptions::default());
    let mut next = 1;
    while let Some(event) = events.next().await {
        let (Event::Apply(pod) | Event::InitApply(pod)) = event else { continue };
        if pod.spec.node_name.is_empty() {
            continue;
        }
        if pod.metadata.deletion_timestamp.is_some() {
            let preconditions = Preconditions::uid(&pod.metadata.uid);
            let action = Action::Delete { preconditions, grace: Some(0), propagation: None };
            let _ = client.write(&Write::of::<Pod>(pod.key(), action)).await;
        } else if pod.status.phase != "Running" {
            let ip = format!("10.244.0.{next}");
            next += 1;
            let status = json!({"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}],
                "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2024-01-01T00:00:00Z"}]});
            let write =
                Write::of::<Pod>(pod.key(), Action::MergePatch(json!({"status": status}))).on("status");
            let _ = client.write(&write).await;
        }
    }
}

async fn create(client: &Client, object: Value) -> Value {
    let kind = object["kind"].as_str().unwrap();
    let resource = match kind {
        "Node" => Gvr::of::<Node>(),
        "Namespace" => Gvr::of::<Namespace>(),
        "Deployment" => Gvr::of::<Deployment>(),
        "Service" => Gvr::of::<Service>(),
        "Pod" => Gvr::of::<Pod>(),
        other => panic!("{other}"),
    };
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default().to_owned();
    client.write(&Write::new(resource, ObjectKey::new(namespace, ""), Action::Create(object))).await.unwrap()
}

/// Asks again until it is so; fails after a long while with what is.
async fn eventually<T, F>(what: &str, mut ask: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<T, String>>,
{
    let start = Instant::now();
    loop {
        match ask().await {
            Ok(value) => return value,
            Err(why) if start.elapsed() > Duration::from_secs(30) => panic!("{what}: {why}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

async fn list<T: Object>(client: &Client, namespace: &str) -> Vec<T> {
    client.list(&ListOptions::namespace(namespace)).await.unwrap().items
}

fn same<T: PartialEq + std::fmt::Debug>(got: T, want: T) -> Result<(), String> {
    if got == want { Ok(()) } else { Err(format!("{got:?} is not {want:?}")) }
}

/// Ready endpoints in the slices of `web`, and addresses in its Endpoints.
async fn published(client: &Client, namespace: &str) -> (usize, usize) {
    let slices = list::<EndpointSlice>(client, namespace).await;
    let ready = slices.iter().flat_map(|s| &s.endpoints).filter(|e| e.conditions.ready == Some(true)).count();
    let endpoints = client.get::<Endpoints>(&ObjectKey::new(namespace, "web")).await;
    let addresses = endpoints.map(|e| e.subsets.iter().map(|s| s.addresses.len()).sum()).unwrap_or_default();
    (ready, addresses)
}

/// Replicas of the ReplicaSets, by revision.
async fn sizes(client: &Client, namespace: &str) -> Vec<(String, i32)> {
    let sets = list::<ReplicaSet>(client, namespace).await;
    let revision = |s: &ReplicaSet| s.metadata.annotations["deployment.kubernetes.io/revision"].clone();
    let mut sizes: Vec<_> = sets.iter().map(|s| (revision(s), s.status.replicas)).collect();
    sizes.sort();
    sizes
}

async fn patch(client: &Client, namespace: &str, body: Value) {
    let key = ObjectKey::new(namespace, "web");
    client.write(&Write::of::<Deployment>(key, Action::MergePatch(body))).await.unwrap();
}

async fn start_web(client: &Client, namespace: &str) {
    create(client, json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})).await;
    create(
        client,
        json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"namespace": namespace, "name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]}}),
    )
    .await;
    create(
        client,
        json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"namespace": namespace, "name": "web"},
        "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "c", "image": "one"}]}}}}),
    )
    .await;
    eventually("published", || async { same(published(client, namespace).await, (3, 3)) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_a_deployment_to_endpoints_and_back() {
    let client = cluster().await;
    start_web(&client, "shop").await;

    let key = ObjectKey::new("shop", "default");
    eventually("service account", || async {
        client.get::<ServiceAccount>(&key).await.map_err(|e| e.to_string())
    })
    .await;
    let key = ObjectKey::new("shop", "kube-root-ca.crt");
    eventually("root CA", || async { client.get::<ConfigMap>(&key).await.map_err(|e| e.to_string()) }).await;

    patch(&client, "shop", json!({"spec": {"replicas": 5}})).await;
    eventually("scaled", || async { same(published(&client, "shop").await, (5, 5)) }).await;

    let image = json!({"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "two"}]}}}});
    patch(&client, "shop", image).await;
    let want = vec![("1".to_owned(), 0), ("2".to_owned(), 5)];
    eventually("rolled", || async { same(sizes(&client, "shop").await, want.clone()) }).await;
    eventually("complete", || async {
        let status = client.get::<Deployment>(&ObjectKey::new("shop", "web")).await.unwrap().status;
        let reason = status.conditions.iter().find(|c| c.kind == "Progressing").map(|c| c.reason.clone());
        same((status.available_replicas, reason.as_deref()), (5, Some("NewReplicaSetAvailable")))
    })
    .await;

    for (propagation, name) in [(None, "background"), (Some(Propagation::Foreground), "foreground")] {
        if name == "foreground" {
            start_web(&client, name).await;
        }
        let namespace = if name == "foreground" { name } else { "shop" };
        let action = Action::Delete { preconditions: Preconditions::default(), grace: None, propagation };
        client.write(&Write::of::<Deployment>(ObjectKey::new(namespace, "web"), action)).await.unwrap();
        eventually(name, || async {
            let sets = list::<ReplicaSet>(&client, namespace).await.len();
            let pods = list::<Pod>(&client, namespace).await.len();
            same((sets, pods, published(&client, namespace).await), (0, 0, (0, 0)))
        })
        .await;
    }

    client.write(&Write::delete::<Service>(ObjectKey::new("shop", "web"))).await.unwrap();
    eventually("slices of a Service that is gone", || async {
        let slices = list::<EndpointSlice>(&client, "shop").await.len();
        same((slices, list::<Endpoints>(&client, "shop").await.len()), (0, 0))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_goes_with_all_that_is_in_it() {
    let client = cluster().await;
    start_web(&client, "gone").await;
    client.write(&Write::delete::<Namespace>(ObjectKey::cluster("gone"))).await.unwrap();
    eventually("namespace", || async {
        match client.get::<Namespace>(&ObjectKey::cluster("gone")).await {
            Err(portway_client::Error::NotFound(_)) => Ok(()),
            Err(error) => Err(error.to_string()),
            Ok(namespace) => Err(format!("{:?}", namespace.status)),
        }
    })
    .await;
    assert!(list::<Pod>(&client, "gone").await.is_empty());
    assert!(list::<EndpointSlice>(&client, "gone").await.is_empty());
    assert!(list::<ConfigMap>(&client, "gone").await.is_empty());
}

/// The time from a Pod's status to the slice, as a client sees it. Printed, not judged: machines differ.
#[tokio::test(flavor = "multi_thread")]
async fn a_ready_pod_is_published_at_once() {
    let client = cluster().await;
    start_web(&client, "fast").await;
    let pod = list::<Pod>(&client, "fast").await[0].key();
    let mut slices = client.watch::<EndpointSlice>(ListOptions::namespace("fast"));
    while !matches!(slices.next().await.unwrap(), Event::InitDone) {}
    let (mut latencies, mut writes) = (Vec::new(), Vec::new());
    for i in 0..200 {
        let status = if i % 2 == 0 { "False" } else { "True" };
        let want = if i % 2 == 0 { 2 } else { 3 };
        let body = json!({"status": {"conditions": [{"type": "Ready", "status": status}]}});
        let write = Write::of::<Pod>(pod.clone(), Action::StrategicPatch(body)).on("status");
        let start = Instant::now();
        client.write(&write).await.unwrap();
        writes.push(start.elapsed());
        loop {
            if let Event::Apply(slice) = slices.next().await.unwrap()
                && slice.endpoints.iter().filter(|e| e.conditions.ready == Some(true)).count() == want
            {
                break;
            }
        }
        latencies.push(start.elapsed());
    }
    latencies.sort();
    writes.sort();
    println!("Pod status write: p50 {:?}, p99 {:?}", writes[100], writes[198]);
    println!("Pod status to EndpointSlice: p50 {:?}, p99 {:?}", latencies[100], latencies[198]);
}
