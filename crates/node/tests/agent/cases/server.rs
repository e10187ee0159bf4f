//! The agent against the real API server, in process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use portway_api::types::coordination::Lease;
use portway_api::types::node::Node;
use portway_api::types::pod::Pod;
use portway_apiserver::{ApiServer, Config, Identity};
use portway_base::ObjectKey;
use portway_client::{Action, Client, Error, Gvr, ListOptions, Preconditions, Write};
use portway_netns::lab::Host;
use portway_node::{AgentConfig, NodeAgent};
use portway_store::memory::MemoryStore;
use serde_json::{Value, json};

use crate::world::{Outcome, SOON, condition, container, is_ready};

/// Reads an object until it holds what `holds` says.
async fn until(
    client: &Client,
    path: &str,
    what: &str,
    holds: impl Fn(&Value) -> bool,
) -> Result<Value, String> {
    let begun = Instant::now();
    loop {
        let now = client.request(http::Method::GET, path, &Value::Null).await;
        if let Ok(now) = now.as_ref().map_err(ToString::to_string)
            && holds(now)
        {
            return Ok(now.clone());
        }
        if begun.elapsed() > SOON {
            return Err(format!("{what} never came: {now:?}"));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub async fn against_the_real_server() -> Outcome {
    let server = ApiServer::open(Config::default(), Arc::new(MemoryStore::default())).await?;
    let client = Client::in_process(server.service(Identity::admin()));
    let host = Host::anonymous("node")?;
    let state = tempfile::tempdir()?;
    let agent = NodeAgent::new(AgentConfig {
        addresses: vec!["192.0.2.21".parse()?, "fd00:192:0:2::21".parse()?],
        pod_cidrs: vec!["10.244.77.0/24".parse()?, "fd00:10:244:77::/64".parse()?],
        cluster_dns: vec!["10.96.0.10".parse()?],
        ..AgentConfig::new("real", host.namespace().clone(), client.named("node"), state.path())
    });
    let running = agent.clone();
    let task = tokio::spawn(async move { running.run(std::future::pending()).await });

    until(&client, "/api/v1/nodes/real", "the Node", |n| condition(n, "Ready") == "True").await?;
    let node: Node = client.get(&ObjectKey::cluster("real")).await?;
    assert_eq!(node.spec.pod_cidrs, ["10.244.77.0/24", "fd00:10:244:77::/64"]);
    assert_eq!(node.metadata.labels.get("kubernetes.io/hostname").map(String::as_str), Some("real"));
    assert_eq!(node.status.addresses.len(), 3);
    until(&client, "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/real", "the Lease", |l| {
        l["spec"]["holderIdentity"] == "real"
    })
    .await?;
    client.get::<Lease>(&ObjectKey::new("kube-node-lease", "real")).await?;

    let key = ObjectKey::new("default", "web");
    let script = "echo $KUBERNETES_SERVICE_HOST; exec sleep 1000";
    let probe = json!({"exec": {"command": ["test", "-e", state.path().join("ready")]}, "periodSeconds": 1,
        "failureThreshold": 1});
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "default"},
        "spec": {"nodeName": "real", "terminationGracePeriodSeconds": 3,
            "containers": [{"name": "c", "image": "none", "command": ["/bin/sh", "-c", script], "readinessProbe": probe}]},
    });
    client.write(&Write::of::<Pod>(key.clone(), Action::Create(pod))).await?;
    let path = "/api/v1/namespaces/default/pods/web";
    let now = until(&client, path, "the run", |p| container(p, 0)["started"] == true).await?;
    assert_eq!((condition(&now, "Ready"), now["status"]["phase"].as_str()), ("False", Some("Running")));
    std::fs::write(state.path().join("ready"), "")?;
    let now = until(&client, path, "readiness", is_ready).await?;
    let ready = now["status"]["conditions"].as_array().into_iter().flatten().find(|c| c["type"] == "Ready");
    assert!(ready.is_some_and(|c| c["reason"].is_null() && c["message"].is_null()), "cleared: {ready:?}");
    assert_eq!(now["status"]["podIPs"].as_array().map(Vec::len), Some(2));
    assert_eq!(now["status"]["hostIPs"].as_array().map(Vec::len), Some(2));
    std::fs::remove_file(state.path().join("ready"))?;
    let now = until(&client, path, "unreadiness", |p| !is_ready(p)).await?;
    assert_eq!(now["status"]["conditions"].as_array().map(Vec::len), Some(5), "{now}");

    let delete = Action::Delete { preconditions: Preconditions::default(), grace: None, propagation: None };
    client.write(&Write::of::<Pod>(key.clone(), delete)).await?;
    let begun = Instant::now();
    while !matches!(client.get::<Pod>(&key).await, Err(Error::NotFound(_))) {
        assert!(begun.elapsed() < SOON, "the Pod goes");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let events: portway_client::List<Value> =
        client.list_of(&Gvr::new("", "v1", "events"), &ListOptions::namespace("default")).await?;
    let reasons: Vec<&str> = events.items.iter().filter_map(|e| e["reason"].as_str()).collect();
    for reason in ["Created", "Started", "Unhealthy", "Killing"] {
        assert!(reasons.contains(&reason), "{reason} in {reasons:?}");
    }
    task.abort();
    Ok(())
}
