//! Tests of the semantics: objects in, canonical text of the intent out.
#![allow(clippy::unwrap_used)]

mod incremental;
mod policies;
mod selection;

use std::sync::Arc;

use portway_api::types::discovery::EndpointSlice;
use portway_api::types::service::Service;
use serde_json::{Value, json};

use crate::*;

/// Node n1 of zone a; Pods 10.244.0.0/16.
fn facts() -> NodeFacts {
    NodeFacts {
        name: "n1".into(),
        zone: Some("a".into()),
        addresses: vec!["10.88.0.11".parse().unwrap(), "fd88::11".parse().unwrap()],
        interface_addresses: ["10.88.0.11", "10.89.0.11", "127.0.0.1", "fd88::11"]
            .map(|a| a.parse().unwrap())
            .to_vec(),
        pod_cidrs: vec!["10.244.1.0/24".parse().unwrap()],
    }
}

fn settings() -> Settings {
    let ranges = ["10.244.0.0/16", "fd00:10:244::/48"].map(|r| r.parse().unwrap()).to_vec();
    Settings { detect: Detect::Ranges(ranges), ..Settings::default() }
}

/// Service default/web with `spec` laid over a plain ClusterIP one.
fn service(spec: Value) -> Input {
    named("web", spec, json!({}))
}

fn named(name: &str, spec: Value, status: Value) -> Input {
    let mut object = json!({
        "metadata": {"namespace": "default", "name": name},
        "spec": {
            "type": "ClusterIP", "clusterIP": "10.96.0.1", "clusterIPs": ["10.96.0.1"], "ipFamilies": ["IPv4"],
            "ports": [{"name": "http", "port": 80, "protocol": "TCP"}],
        },
        "status": status,
    });
    for (key, value) in spec.as_object().unwrap() {
        object["spec"][key] = value.clone();
    }
    Input::Service(Arc::new(serde_json::from_value::<Service>(object).unwrap()))
}

/// Slice of default/web; `endpoints` as `address@node state...`.
fn slice(name: &str, endpoints: &[&str]) -> Input {
    slice_of("web", name, "IPv4", endpoints)
}

fn slice_of(service: &str, name: &str, family: &str, endpoints: &[&str]) -> Input {
    let endpoints: Vec<Value> = endpoints.iter().map(|text| endpoint(text)).collect();
    Input::Slice(Arc::new(
        serde_json::from_value::<EndpointSlice>(json!({
            "metadata": {"namespace": "default", "name": name, "labels": {"kubernetes.io/service-name": service}},
            "addressType": family,
            "endpoints": endpoints,
            "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}, {"name": "dns", "port": 53, "protocol": "UDP"}],
        }))
        .unwrap(),
    ))
}

fn endpoint(text: &str) -> Value {
    let mut words = text.split(' ');
    let (address, node) = words.next().unwrap().split_once('@').unwrap();
    let mut endpoint = json!({"addresses": [address], "nodeName": node, "conditions": {}});
    for word in words {
        match word.split_once('=') {
            Some(("zone", zone)) => endpoint["hints"]["forZones"] = json!([{"name": zone}]),
            Some(("for", node)) => endpoint["hints"]["forNodes"] = json!([{"name": node}]),
            None if word == "draining" => {
                endpoint["conditions"] = json!({"ready": false, "serving": true, "terminating": true});
            }
            None if word == "down" => endpoint["conditions"] = json!({"ready": false, "serving": false}),
            None if word == "unready" => {
                endpoint["conditions"] = json!({"ready": false, "serving": true, "terminating": false});
            }
            _ => panic!("{word}"),
        }
    }
    endpoint
}

/// Lines about fronts and pools.
fn lines(objects: Vec<Input>) -> Vec<String> {
    lines_with(settings(), objects)
}

fn lines_with(settings: Settings, objects: Vec<Input>) -> Vec<String> {
    let (intent, _) = resolve_all(settings, facts(), objects);
    intent.check().unwrap();
    let text = intent.to_string();
    let wanted = text.lines().map(str::trim).filter(|l| l.starts_with("front ") || l.starts_with("pool "));
    wanted.map(|l| l.replace(" of default/web:http", "").replace("default/web/", "")).collect()
}
