//! Deletion in its forms: finalizers, grace, preconditions, namespaces; subresources.

use serde_json::{Value, json};

use super::lab::{Lab, config_map};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const PODS: &str = "/api/v1/namespaces/default/pods";

fn pod(name: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {"containers": [{"name": "main", "image": "none"}]}})
}

#[tokio::test]
async fn finalizers_hold_an_object() {
    let lab = Lab::new().await;
    let mut object = config_map("a", json!({}));
    object["metadata"]["finalizers"] = json!(["example.com/hold"]);
    lab.send(&format!("POST {MAPS}"), &object).await;
    let path = format!("{MAPS}/a");
    let (code, going) = lab.send(&format!("DELETE {path}"), &json!({})).await;
    assert_eq!((code, &going["metadata"]["deletionGracePeriodSeconds"]), (200, &json!(0)), "{going}");
    let (_, again) = lab.send(&format!("DELETE {path}"), &json!({})).await;
    assert_eq!(again, going, "a second delete changes nothing");
    let more = json!({"metadata": {"finalizers": ["example.com/hold", "example.com/more"]}});
    assert_eq!(lab.patch("merge-patch", &path, &more).await.0, 422);
    let (code, _) = lab.patch("merge-patch", &path, &json!({"metadata": {"finalizers": null}})).await;
    assert_eq!(code, 200);
    assert_eq!(lab.raw(&format!("GET {path}"), &[], "").await.code, 404);
}

#[tokio::test]
async fn propagation_policies_become_finalizers() {
    let lab = Lab::new().await;
    for (policy, finalizer) in [("Foreground", "foregroundDeletion"), ("Orphan", "orphan")] {
        let name = policy.to_lowercase();
        lab.send(&format!("POST {MAPS}"), &config_map(&name, json!({}))).await;
        let options = json!({"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": policy});
        let (code, going) = lab.send(&format!("DELETE {MAPS}/{name}"), &options).await;
        assert_eq!((code, &going["metadata"]["finalizers"]), (200, &json!([finalizer])));
    }
    let (code, _) = lab.send(&format!("DELETE {MAPS}/orphan"), &json!({"propagationPolicy": "Never"})).await;
    assert_eq!(code, 422);
}

#[tokio::test]
async fn preconditions_and_dry_runs() {
    let lab = Lab::new().await;
    let (_, made) = lab.send(&format!("POST {MAPS}"), &config_map("a", json!({}))).await;
    let path = format!("{MAPS}/a");
    let (code, _) = lab.send(&format!("DELETE {path}"), &json!({"preconditions": {"uid": "x"}})).await;
    assert_eq!(code, 409);
    let (code, _) = lab.send(&format!("DELETE {path}"), &json!({"dryRun": ["All"]})).await;
    assert_eq!(code, 200);
    assert_eq!(lab.get(&path).await, made);
    let uid = made["metadata"]["uid"].clone();
    let (code, _) = lab.send(&format!("DELETE {path}"), &json!({"preconditions": {"uid": uid}})).await;
    assert_eq!(code, 200);
    let before = lab.server.revision();
    let (code, shown) = lab.send(&format!("POST {MAPS}?dryRun=All"), &config_map("b", json!({}))).await;
    assert_eq!((code, shown["metadata"]["uid"].as_str().map(str::len)), (201, Some(36)));
    assert_eq!(lab.server.revision(), before);
}

#[tokio::test]
async fn pods_go_gracefully() {
    let lab = Lab::new().await;
    lab.send(&format!("POST {PODS}"), &pod("free")).await;
    assert_eq!(lab.send(&format!("DELETE {PODS}/free"), &json!({})).await.0, 200);
    assert_eq!(lab.raw(&format!("GET {PODS}/free"), &[], "").await.code, 404, "not scheduled: gone at once");

    lab.send(&format!("POST {PODS}"), &pod("bound")).await;
    let binding = json!({"kind": "Binding", "apiVersion": "v1", "metadata": {"name": "bound"},
        "target": {"kind": "Node", "name": "n1"}});
    let (code, done) = lab.send(&format!("POST {PODS}/bound/binding"), &binding).await;
    assert_eq!((code, &done["status"]), (201, &json!("Success")), "{done}");
    assert_eq!(lab.send(&format!("POST {PODS}/bound/binding"), &binding).await.0, 409);
    let bound = lab.get(&format!("{PODS}/bound")).await;
    assert_eq!(bound["spec"]["nodeName"], "n1");
    assert_eq!(bound["status"]["conditions"][0]["type"], "PodScheduled");

    let (_, going) = lab.send(&format!("DELETE {PODS}/bound"), &json!({})).await;
    assert_eq!(going["metadata"]["deletionGracePeriodSeconds"], 30);
    let (_, later) = lab.send(&format!("DELETE {PODS}/bound"), &json!({"gracePeriodSeconds": 60})).await;
    assert_eq!(later, going, "the time only gets shorter");
    let (_, sooner) = lab.send(&format!("DELETE {PODS}/bound"), &json!({"gracePeriodSeconds": 5})).await;
    assert_eq!(sooner["metadata"]["deletionGracePeriodSeconds"], 5);
    lab.send(&format!("DELETE {PODS}/bound"), &json!({"gracePeriodSeconds": 0})).await;
    assert_eq!(lab.raw(&format!("GET {PODS}/bound"), &[], "").await.code, 404);
}

#[tokio::test]
async fn status_has_a_path_of_its_own() {
    let lab = Lab::new().await;
    lab.send(&format!("POST {PODS}"), &pod("p")).await;
    let path = format!("{PODS}/p");
    let change = json!({"status": {"phase": "Running"}, "spec": {"nodeName": "elsewhere"}});
    let (code, changed) = lab.patch("merge-patch", &format!("{path}/status"), &change).await;
    assert_eq!((code, &changed["status"]["phase"]), (200, &json!("Running")), "{changed}");
    assert_eq!(changed["spec"]["nodeName"], Value::Null);
    let change = json!({"status": {"phase": "Failed"}, "metadata": {"labels": {"a": "b"}}});
    let (code, changed) = lab.patch("merge-patch", &path, &change).await;
    assert_eq!((code, &changed["status"]["phase"]), (200, &json!("Running")));
    assert_eq!(changed["metadata"]["labels"]["a"], "b");
}

#[tokio::test]
async fn namespaces_wait_to_be_finalized() {
    let lab = Lab::new().await;
    let (_, made) = lab.send("POST /api/v1/namespaces", &json!({"metadata": {"name": "shop"}})).await;
    assert_eq!(made["spec"]["finalizers"], json!(["kubernetes"]), "{made}");
    let (code, going) = lab.send("DELETE /api/v1/namespaces/shop", &json!({})).await;
    assert_eq!((code, &going["status"]["phase"]), (200, &json!("Terminating")));
    let (code, refused) =
        lab.send("POST /api/v1/namespaces/shop/configmaps", &config_map("a", json!({}))).await;
    assert_eq!((code, &refused["details"]["causes"][0]["reason"]), (403, &json!("NamespaceTerminating")));
    let mut last = going.clone();
    last["spec"] = json!({});
    let (code, _) = lab.send("PUT /api/v1/namespaces/shop/finalize", &last).await;
    assert_eq!(code, 200);
    assert_eq!(lab.raw("GET /api/v1/namespaces/shop", &[], "").await.code, 404);
}

#[tokio::test]
async fn scale() {
    let lab = Lab::new().await;
    let deployments = "/apis/apps/v1/namespaces/default/deployments";
    let object = json!({"metadata": {"name": "web"}, "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
    }});
    let (code, made) = lab.send(&format!("POST {deployments}"), &object).await;
    assert_eq!(code, 201, "{made}");
    let path = format!("{deployments}/web/scale");
    let mut scale = lab.get(&path).await;
    assert_eq!(
        (&scale["spec"]["replicas"], &scale["status"]["selector"]),
        (&json!(2), &json!("app=web")),
        "{scale}"
    );
    scale["spec"]["replicas"] = 5.into();
    assert_eq!(lab.send(&format!("PUT {path}"), &scale).await.1["spec"]["replicas"], 5);
    assert_eq!(lab.send(&format!("PUT {path}"), &scale).await.0, 409, "an old resourceVersion");
    assert_eq!(lab.patch("merge-patch", &path, &json!({"spec": {"replicas": 1}})).await.0, 200);
    assert_eq!(lab.patch("merge-patch", &path, &json!({"spec": {"replicas": -1}})).await.0, 422);
    assert_eq!(lab.get(&format!("{deployments}/web")).await["spec"]["replicas"], 1);
}

#[tokio::test]
async fn whole_collections_go() {
    let lab = Lab::new().await;
    for name in ["a", "b", "c"] {
        let mut object = config_map(name, json!({}));
        object["metadata"]["labels"] = json!({"keep": if name == "b" { "yes" } else { "no" }});
        lab.send(&format!("POST {MAPS}"), &object).await;
    }
    let (code, gone) = lab.send(&format!("DELETE {MAPS}?labelSelector=keep%3Dno"), &json!({})).await;
    assert_eq!((code, &gone["kind"]), (200, &json!("ConfigMapList")));
    assert_eq!(gone["items"].as_array().unwrap().len(), 2);
    assert_eq!(lab.get(MAPS).await["items"].as_array().unwrap().len(), 1);
    assert_eq!(lab.send("DELETE /api/v1/configmaps", &json!({})).await.0, 405);
}

#[tokio::test]
async fn names_are_made_up_on_demand() {
    let lab = Lab::new().await;
    let object = json!({"metadata": {"generateName": "job-"}});
    let (code, made) = lab.send(&format!("POST {MAPS}"), &object).await;
    let name = made["metadata"]["name"].as_str().unwrap();
    assert_eq!((code, name.len(), name.starts_with("job-")), (201, 9, true), "{made}");
}

#[tokio::test]
async fn logs_need_a_way_to_the_node() {
    let lab = Lab::new().await;
    lab.send(&format!("POST {PODS}"), &pod("p")).await;
    let reply = lab.raw(&format!("GET {PODS}/p/log"), &[], "").await;
    assert_eq!(reply.code, 400, "not scheduled: {}", reply.text());
    let reply = lab.raw(&format!("GET {PODS}/p/log?container=none"), &[], "").await;
    assert!(reply.text().contains("container none is not valid for pod p"), "{}", reply.text());
}
