//! Create, read, update, patch, delete.

use serde_json::json;

use super::lab::{Lab, config_map, service};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const SERVICES: &str = "/api/v1/namespaces/default/services";

#[tokio::test]
async fn an_object_lives() {
    let lab = Lab::new().await;
    let (code, made) = lab.send(&format!("POST {MAPS}"), &config_map("a", json!({"k": "v"}))).await;
    assert_eq!(code, 201, "{made}");
    assert_eq!(made["metadata"]["namespace"], "default");
    assert!(made["metadata"]["uid"].as_str().unwrap().len() == 36);
    let path = format!("{MAPS}/a");
    assert_eq!(lab.get(&path).await, made);

    let (code, again) = lab.send(&format!("POST {MAPS}"), &config_map("a", json!({}))).await;
    assert_eq!((code, &again["reason"]), (409, &json!("AlreadyExists")));

    // The same again is no write.
    let (code, same) = lab.send(&format!("PUT {path}"), &made).await;
    assert_eq!((code, &same), (200, &made));

    let mut changed = made.clone();
    changed["data"] = json!({"k": "w"});
    let (code, put) = lab.send(&format!("PUT {path}"), &changed).await;
    assert_eq!((code, &put["data"]["k"]), (200, &json!("w")));
    let (code, stale) = lab.send(&format!("PUT {path}"), &made).await;
    assert_eq!((code, &stale["reason"]), (409, &json!("Conflict")), "{stale}");

    for (form, body, expect) in [
        ("merge-patch", json!({"data": {"m": "1"}}), json!({"k": "w", "m": "1"})),
        ("strategic-merge-patch", json!({"data": {"k": null}}), json!({"m": "1"})),
        ("json-patch", json!([{"op": "add", "path": "/data/j", "value": "2"}]), json!({"j": "2", "m": "1"})),
    ] {
        let (code, patched) = lab.patch(form, &path, &body).await;
        assert_eq!((code, &patched["data"]), (200, &expect), "{form}: {patched}");
    }

    let reply = lab.raw(&format!("DELETE {path}"), &[], "").await;
    assert_eq!((reply.code, &reply.json()["status"]), (200, &json!("Success")));
    let reply = lab.raw(&format!("GET {path}"), &[], "").await;
    assert_eq!((reply.code, &reply.json()["message"]), (404, &json!("configmaps \"a\" not found")));
}

#[tokio::test]
async fn the_default_objects_are_there() {
    let lab = Lab::new().await;
    let list = lab.get("/api/v1/namespaces").await;
    let names: Vec<&str> =
        list["items"].as_array().unwrap().iter().map(|n| n["metadata"]["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["default", "kube-node-lease", "kube-public", "kube-system"]);
    let service = lab.get(&format!("{SERVICES}/kubernetes")).await;
    assert_eq!(service["spec"]["clusterIP"], "10.96.0.1", "{service}");
    assert_eq!(service["spec"]["ports"][0]["targetPort"], 6443);
    let address = lab.get("/apis/networking.k8s.io/v1/ipaddresses/10.96.0.1").await;
    assert_eq!(address["spec"]["parentRef"]["name"], "kubernetes", "{address}");
    let cidr = lab.get("/apis/networking.k8s.io/v1/servicecidrs/kubernetes").await;
    assert_eq!(cidr["spec"]["cidrs"], json!(["10.96.0.0/16", "fd00:10:96::/112"]));
    assert_eq!(cidr["status"]["conditions"][0]["status"], "True", "{cidr}");
}

#[tokio::test]
async fn services_get_and_give_back_addresses_and_ports() {
    let lab = Lab::new().await;
    let mut body = service("web");
    body["spec"]["type"] = "NodePort".into();
    body["spec"]["ipFamilyPolicy"] = "RequireDualStack".into();
    let (code, made) = lab.send(&format!("POST {SERVICES}"), &body).await;
    assert_eq!(code, 201, "{made}");
    let spec = &made["spec"];
    assert_eq!(spec["ipFamilies"], json!(["IPv4", "IPv6"]));
    let ips: Vec<String> =
        spec["clusterIPs"].as_array().unwrap().iter().map(|v| v.as_str().unwrap().into()).collect();
    let node_port = spec["ports"][0]["nodePort"].as_i64().unwrap();
    assert!((30086..=32767).contains(&node_port));
    for ip in &ips {
        let address = lab.get(&format!("/apis/networking.k8s.io/v1/ipaddresses/{ip}")).await;
        assert_eq!(address["spec"]["parentRef"]["name"], "web", "{address}");
    }
    // Both are taken for others.
    let mut other = service("other");
    other["spec"]["type"] = "NodePort".into();
    other["spec"]["clusterIP"] = ips[0].as_str().into();
    let (code, refused) = lab.send(&format!("POST {SERVICES}"), &other).await;
    assert_eq!(
        (code, &refused["details"]["causes"][0]["field"]),
        (422, &json!("spec.clusterIPs")),
        "{refused}"
    );
    other["spec"].as_object_mut().unwrap().remove("clusterIP");
    other["spec"]["ports"][0]["nodePort"] = node_port.into();
    let (code, refused) = lab.send(&format!("POST {SERVICES}"), &other).await;
    assert_eq!((code, &refused["details"]["causes"][0]["field"]), (422, &json!("spec.ports[0].nodePort")));

    let (code, gone) = lab.send(&format!("DELETE {SERVICES}/web"), &json!({})).await;
    assert_eq!((code, &gone["kind"]), (200, &json!("Service")));
    let reply = lab.raw(&format!("GET /apis/networking.k8s.io/v1/ipaddresses/{}", ips[1]), &[], "").await;
    assert_eq!(reply.code, 404);
    other["spec"]["clusterIP"] = ips[0].as_str().into();
    let (code, made) = lab.send(&format!("POST {SERVICES}"), &other).await;
    assert_eq!(code, 201, "{made}");
    assert_eq!(
        (&made["spec"]["clusterIP"], &made["spec"]["ports"][0]["nodePort"]),
        (&json!(ips[0]), &json!(node_port))
    );
}
