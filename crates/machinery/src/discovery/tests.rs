//! Discovery documents of a few kinds.

use super::*;
use crate::fixture;

const ALL: [&str; 8] = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
const PROXY: [&str; 5] = ["create", "delete", "get", "patch", "update"];
const CHANGE: [&str; 3] = ["get", "patch", "update"];

fn discovery() -> Discovery {
    Discovery::new(fixture::kinds())
}

#[test]
fn classic() {
    let found = discovery();
    assert_eq!(
        found.core("10.0.0.1:6443"),
        json!({"kind": "APIVersions", "versions": ["v1"],
            "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": "10.0.0.1:6443"}]})
    );
    let version = json!({"groupVersion": "apps/v1", "version": "v1"});
    let apps = json!({"name": "apps", "versions": [version], "preferredVersion": version});
    assert_eq!(found.groups(), json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": [apps]}));
    let mut single = apps;
    single["kind"] = json!("APIGroup");
    single["apiVersion"] = json!("v1");
    assert_eq!(found.group("apps"), Some(single));
    assert_eq!((found.group(""), found.group("nope")), (None, None));
    assert_eq!(
        found.resources("", "v1"),
        Some(json!({"kind": "APIResourceList", "groupVersion": "v1", "resources": [
            {"name": "nodes", "singularName": "node", "namespaced": false, "kind": "Node", "verbs": ALL,
                "shortNames": ["no"]},
            {"name": "nodes/proxy", "singularName": "", "namespaced": false, "kind": "NodeProxyOptions", "verbs": PROXY},
            {"name": "nodes/status", "singularName": "", "namespaced": false, "kind": "Node", "verbs": CHANGE},
            {"name": "services", "singularName": "service", "namespaced": true, "kind": "Service", "verbs": ALL,
                "shortNames": ["svc"], "categories": ["all"]},
            {"name": "services/proxy", "singularName": "", "namespaced": true, "kind": "ServiceProxyOptions",
                "verbs": PROXY},
            {"name": "services/status", "singularName": "", "namespaced": true, "kind": "Service", "verbs": CHANGE},
        ]}))
    );
    let apps = found.resources("apps", "v1").unwrap();
    assert_eq!(apps["apiVersion"], "v1");
    assert_eq!(
        apps["resources"][1],
        json!({"name": "deployments/scale", "singularName": "", "namespaced": true, "group": "autoscaling",
            "version": "v1", "kind": "Scale", "verbs": CHANGE})
    );
    assert_eq!(found.resources("apps", "v2"), None);
    assert_eq!(found.group_versions().collect::<Vec<_>>(), [("", "v1"), ("apps", "v1")]);
}

#[test]
fn aggregated_documents() {
    let found = discovery();
    let core = found.aggregated_core("v2");
    assert_eq!(
        (&core["kind"], &core["apiVersion"]),
        (&json!("APIGroupDiscoveryList"), &json!("apidiscovery.k8s.io/v2"))
    );
    assert_eq!(core["items"][0]["metadata"], json!({}));
    assert_eq!(
        core["items"][0]["versions"][0]["resources"][0],
        json!({"resource": "nodes", "responseKind": {"group": "", "version": "", "kind": "Node"}, "scope": "Cluster",
        "singularResource": "node", "verbs": ALL, "shortNames": ["no"],
        "subresources": [
            {"subresource": "proxy", "verbs": PROXY,
                "responseKind": {"group": "", "version": "", "kind": "NodeProxyOptions"}},
            {"subresource": "status", "verbs": CHANGE,
                "responseKind": {"group": "", "version": "", "kind": "Node"}},
        ]})
    );
    let groups = found.aggregated_groups("v2beta1");
    assert_eq!(groups["apiVersion"], "apidiscovery.k8s.io/v2beta1");
    assert_eq!(groups["items"][0]["metadata"], json!({"name": "apps"}));
    assert_eq!(groups["items"][0]["versions"][0]["freshness"], "Current");
    assert_eq!(
        groups["items"][0]["versions"][0]["resources"][0]["subresources"][0],
        json!({"subresource": "scale", "verbs": CHANGE,
            "responseKind": {"group": "autoscaling", "version": "v1", "kind": "Scale"}})
    );
}

#[test]
fn fingerprints() {
    let print = fingerprint(b"abc");
    assert!(print.starts_with("DDAF35A193617ABACC417349AE204131"));
    assert_eq!(print.len(), 128);
}
