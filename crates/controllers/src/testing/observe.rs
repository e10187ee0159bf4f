//! What a case compares: the endpoints of a Service in a form without names, UIDs, times and order.

use std::net::IpAddr;

use portway_api::types::core::Endpoints;
use portway_api::types::discovery::EndpointSlice;
use portway_base::ObjectKey;
use portway_client::Gvr;
use serde_json::{Map, Value, json};

use super::World;
use crate::trigger;

/// What the case's `expect` names, as it is.
pub fn observe(world: &World, namespace: &str, expect: &Value) -> Value {
    let service = expect["service"].as_str().unwrap();
    let counts = expect["mode"] == "counts";
    let mut out = json!({});
    if expect.get("endpoints").is_some() {
        let object = world.get(&Gvr::of::<Endpoints>(), &ObjectKey::new(namespace, service));
        out["endpoints"] = object.map_or(Value::Null, |o| endpoints(o, namespace, counts));
    }
    if expect.get("slices").is_some() {
        let resource = Gvr::of::<EndpointSlice>();
        let mine = |s: &&Value| {
            s["metadata"]["namespace"] == namespace
                && s["metadata"]["labels"]["kubernetes.io/service-name"] == service
        };
        let raw: Vec<&Value> = world.all(&resource).filter(mine).collect();
        out["slices"] = sorted(raw.iter().map(|s| slice(s, namespace, counts)).collect());
        if expect.get("union").is_some() {
            out["union"] = union(&raw);
        }
    }
    // Absent and null are the same, except for the whole object.
    out
}

/// The expectation in the same form.
pub fn wanted(expect: &Value) -> Value {
    let mut out = json!({});
    for field in ["endpoints", "slices", "union"] {
        if let Some(value) = expect.get(field) {
            out[field] = resort(value.clone());
        }
    }
    out
}

fn resort(mut value: Value) -> Value {
    match &mut value {
        Value::Array(list) => {
            let list: Vec<Value> = list.drain(..).map(resort).collect();
            sorted(list)
        }
        Value::Object(map) => {
            let map: Map<String, Value> = map.clone().into_iter().map(|(k, v)| (k, resort(v))).collect();
            Value::Object(map)
        }
        _ => value,
    }
}

fn sorted(mut list: Vec<Value>) -> Value {
    list.sort_by_key(Value::to_string);
    Value::Array(list)
}

fn pick(from: &Value, fields: &[&str]) -> Map<String, Value> {
    let present = fields.iter().filter_map(|f| Some(((*f).to_owned(), from.get(*f)?.clone())));
    present.filter(|(_, v)| !v.is_null() && v != "").collect()
}

fn target(from: &Value, namespace: &str) -> Option<Value> {
    let reference = from.get("targetRef").filter(|t| !t.is_null())?;
    let mut out = pick(reference, &["kind", "name"]);
    if reference["namespace"].as_str().is_some_and(|n| !n.is_empty() && n != namespace) {
        out.insert("namespace".into(), reference["namespace"].clone());
    }
    Some(out.into())
}

fn ports(from: &Value) -> Value {
    let port = |p: &Value| {
        let mut out = pick(p, &["port", "appProtocol"]);
        out.insert("name".into(), p["name"].as_str().unwrap_or_default().into());
        out.insert("protocol".into(), p["protocol"].as_str().unwrap_or("TCP").into());
        Value::Object(out)
    };
    sorted(list(from, "ports").iter().map(port).collect())
}

fn list(from: &Value, field: &str) -> Vec<Value> {
    from[field].as_array().cloned().unwrap_or_default()
}

fn annotations(object: &Value) -> Value {
    let mut out = object["metadata"]["annotations"].as_object().cloned().unwrap_or_default();
    out.remove(trigger::ANNOTATION);
    out.into()
}

fn labels(object: &Value) -> Value {
    object["metadata"]["labels"].as_object().cloned().unwrap_or_default().into()
}

fn endpoints(object: &Value, namespace: &str, counts: bool) -> Value {
    let address = |a: &Value| {
        let mut out = pick(a, &["ip", "hostname", "nodeName"]);
        out.extend(target(a, namespace).map(|t| ("targetRef".to_owned(), t)));
        Value::Object(out)
    };
    let subset = |s: &Value| {
        let mut out = json!({"ports": ports(s)});
        for field in ["addresses", "notReadyAddresses"] {
            let all = list(s, field);
            if counts {
                out[field] = all.len().into();
            } else if !all.is_empty() {
                out[field] = sorted(all.iter().map(address).collect());
            }
        }
        out
    };
    let subsets = sorted(list(object, "subsets").iter().map(subset).collect());
    json!({"labels": labels(object), "annotations": annotations(object), "subsets": subsets})
}

fn slice(object: &Value, namespace: &str, counts: bool) -> Value {
    let endpoint = |e: &Value| {
        let mut out = pick(e, &["hostname", "nodeName", "zone"]);
        out.insert("addresses".into(), sorted(list(e, "addresses")));
        out.insert(
            "conditions".into(),
            Value::Object(pick(&e["conditions"], &["ready", "serving", "terminating"])),
        );
        out.extend(target(e, namespace).map(|t| ("targetRef".to_owned(), t)));
        if let Some(hints) = e["hints"].as_object() {
            let names =
                |v: &Value| v.as_array().unwrap().iter().map(|h| h["name"].clone()).collect::<Vec<_>>();
            out.insert("hints".into(), hints.iter().map(|(k, v)| (k.clone(), json!(names(v)))).collect());
        }
        Value::Object(out)
    };
    let all = list(object, "endpoints");
    let endpoints = if counts {
        let mut zones: Map<String, Value> = Map::new();
        for hint in all.iter().flat_map(|e| list(&e["hints"], "forZones")) {
            let count = zones.entry(hint["name"].as_str().unwrap()).or_insert(json!(0));
            *count = (count.as_u64().unwrap() + 1).into();
        }
        json!({"total": all.len(), "hintsByZone": zones})
    } else {
        sorted(all.iter().map(endpoint).collect())
    };
    let owner = |o: &Value| {
        json!({"kind": o["kind"], "name": o["name"], "controller": o["controller"] == true,
            "blockOwnerDeletion": o["blockOwnerDeletion"] == true})
    };
    json!({
        "addressType": object["addressType"],
        "ports": ports(object),
        "labels": labels(object),
        "annotations": annotations(object),
        "owners": list(&object["metadata"], "ownerReferences").iter().map(owner).collect::<Vec<_>>(),
        "generateName": object["metadata"]["generateName"].as_str().unwrap_or_default(),
        "endpoints": endpoints,
    })
}

fn union(slices: &[&Value]) -> Value {
    let addresses = |ready: bool| {
        let endpoints = slices.iter().flat_map(|s| list(s, "endpoints"));
        let wanted = endpoints.filter(|e| !ready || e["conditions"]["ready"] == true);
        let mut all: Vec<IpAddr> = wanted
            .flat_map(|e| list(&e, "addresses"))
            .map(|a| a.as_str().unwrap().parse().unwrap())
            .collect();
        all.sort();
        all.dedup();
        all
    };
    let all = addresses(false);
    json!({
        "count": all.len(),
        "first": all.first().map(ToString::to_string).into_iter().collect::<Vec<_>>(),
        "last": all.last().map(ToString::to_string).into_iter().collect::<Vec<_>>(),
        "ready": addresses(true).len(),
    })
}
