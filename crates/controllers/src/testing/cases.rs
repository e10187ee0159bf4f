//! Runs the recorded cases of `conformance/controllers` against the controllers, without a server.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use portway_api::kinds;
use portway_base::ObjectKey;
use portway_client::{Action, Gvr, Preconditions, Propagation, Write};
use portway_machinery::decode::{Format, parse};
use serde_json::{Value, json};

use super::Cluster;
use super::observe::{observe, wanted};
use super::world::others;
use crate::controller::Controller;
use crate::endpoints::EndpointsObjects;
use crate::endpointslice::EndpointSlices;
use crate::garbage::Garbage;
use crate::mirror::Mirror;
use crate::node_lifecycle::{NodeLifecycle, NodeTimes};

const NAMESPACE: &str = "case";

#[test]
fn recorded_cases() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance/controllers");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "yaml"));
    files.sort();
    let mut failures = Vec::new();
    for file in &files {
        let text = std::fs::read_to_string(file).unwrap().replace("$NS", NAMESPACE);
        let case = parse(Format::Yaml, text.as_bytes()).unwrap().into_value();
        if let Err(why) = run(&case) {
            failures.push(format!("{}: {why}", case["name"]));
        }
    }
    assert!(
        files.len() > 50 && failures.is_empty(),
        "{} of {}:\n{}",
        failures.len(),
        files.len(),
        failures.join("\n")
    );
}

fn run(case: &Value) -> Result<(), String> {
    let mut controllers: Vec<Box<dyn Controller>> = vec![
        Box::new(EndpointSlices::new(100)),
        Box::new(EndpointsObjects::default()),
        Box::new(Mirror),
        Box::new(Garbage::new(others())),
    ];
    if case["profile"] == "node-lifecycle" {
        let grace = Duration::from_secs(6);
        controllers.push(Box::new(NodeLifecycle::new(NodeTimes { grace, ..NodeTimes::default() })));
    }
    let mut cluster = Cluster::new(controllers);
    for (i, step) in case["steps"].as_array().unwrap().iter().enumerate() {
        do_step(&mut cluster, step).map_err(|e| format!("step {}: {e}", i + 1))?;
        // As in the recording, time passes between the steps.
        cluster.settle_for(Duration::from_millis(100));
    }
    Ok(())
}

fn do_step(cluster: &mut Cluster, step: &Value) -> Result<(), String> {
    let (kind, arg) = step.as_object().unwrap().iter().next().unwrap();
    match kind.as_str() {
        "create" => {
            for short in arg.as_array().unwrap() {
                for mut object in expand(short) {
                    let row = row(object["kind"].as_str().unwrap());
                    object["apiVersion"] = row.api_version().into();
                    if row.namespaced {
                        object["metadata"]["namespace"] = NAMESPACE.into();
                    }
                    cluster.world.create(object)?;
                }
            }
        }
        "patch" => {
            let body = arg["body"].clone();
            let action = match arg["type"].as_str() {
                None | Some("merge") => Action::MergePatch(body),
                Some("json") => Action::JsonPatch(body),
                _ => Action::StrategicPatch(body),
            };
            let mut write = write(arg["kind"].as_str().unwrap(), arg["name"].as_str().unwrap(), action);
            write.subresource = (arg["subresource"] == "status").then_some("status");
            cluster.world.write(&write)?;
        }
        "podReady" => {
            for (name, value) in arg.as_object().unwrap() {
                let status = value.as_str().unwrap_or(if *value == json!(true) { "True" } else { "False" });
                let time = format!("{:.0}", cluster.now().wall);
                let condition = json!({"type": "Ready", "status": status, "lastTransitionTime": time});
                let patch = Action::StrategicPatch(json!({"status": {"conditions": [condition]}}));
                cluster.world.write(&write("Pod", name, patch).on("status"))?;
            }
        }
        "delete" => {
            let one = arg["name"].as_str().into_iter();
            let many = arg["names"].as_array().into_iter().flatten().filter_map(Value::as_str);
            for name in one.chain(many) {
                let propagation = match arg["propagation"].as_str() {
                    Some("Foreground") => Some(Propagation::Foreground),
                    Some("Orphan") => Some(Propagation::Orphan),
                    _ => None,
                };
                let (preconditions, grace) = (Preconditions::default(), arg["grace"].as_i64());
                let action = Action::Delete { preconditions, grace, propagation };
                let _ = cluster.world.write(&write(arg["kind"].as_str().unwrap(), name, action));
            }
        }
        "deleteSlices" => {
            for key in slices(cluster, arg.as_str().unwrap()) {
                cluster.world.delete(&slice_gvr(), &key, None, None)?;
            }
        }
        "patchSlices" => {
            for key in slices(cluster, arg["service"].as_str().unwrap()) {
                let patch = Action::MergePatch(arg["body"].clone());
                cluster.world.write(&Write::new(slice_gvr(), key, patch))?;
            }
        }
        "sleep" => cluster.settle_for(Duration::from_secs_f64(arg.as_f64().unwrap())),
        "expect" => return expect(cluster, arg),
        "expectEvents" => {
            for event in arg.as_array().unwrap() {
                let found = cluster.notes.iter().any(|note| {
                    event["reason"] == note.reason
                        && (event["type"] == "Warning") == note.warning
                        && event["kind"] == note.kind
                        && event["name"] == note.key.name.as_str()
                });
                if !found {
                    return Err(format!("no event {event}; there are {:?}", cluster.notes));
                }
            }
        }
        "expectObjects" => return expect_objects(cluster, arg.as_array().unwrap()),
        other => return Err(format!("unknown step {other}")),
    }
    Ok(())
}

/// The expectation must come true within 30 s, and stay so.
fn expect(cluster: &mut Cluster, arg: &Value) -> Result<(), String> {
    let want = wanted(arg);
    let look = |cluster: &mut Cluster, wait: u64| {
        cluster.settle_for(Duration::from_millis(wait));
        wanted(&observe(&cluster.world, NAMESPACE, arg))
    };
    for _ in 0..120 {
        if look(cluster, 250) == want && look(cluster, 600) == want {
            return Ok(());
        }
    }
    let show = |v: &Value| serde_json::to_string_pretty(v).unwrap();
    let got = look(cluster, 0);
    Err(format!("want {}\ngot {}\nerrors {:?}", show(&want), show(&got), cluster.errors))
}

fn expect_objects(cluster: &mut Cluster, items: &[Value]) -> Result<(), String> {
    cluster.settle_for(Duration::from_secs(30));
    for item in items {
        let kind = row(item["kind"].as_str().unwrap());
        let resource = Gvr::new(kind.group, kind.version, kind.plural);
        let namespace = if kind.namespaced { NAMESPACE } else { "" };
        let got = cluster.world.get(&resource, &ObjectKey::new(namespace, item["name"].as_str().unwrap()));
        match (item["absent"] == true, got) {
            (true, None) => {}
            (true, Some(_)) => return Err(format!("{} {} still exists", item["kind"], item["name"])),
            (false, None) => return Err(format!("{} {} is missing", item["kind"], item["name"])),
            (false, Some(got)) => subset_of(&item["match"], got, "")?,
        }
    }
    Ok(())
}

fn subset_of(want: &Value, got: &Value, path: &str) -> Result<(), String> {
    let fail = || Err(format!("{path}: want {want}, got {got}"));
    match want {
        Value::Object(map) => map.iter().try_for_each(|(key, value)| {
            let there = got.get(key).unwrap_or(&Value::Null);
            let void = there.is_null() || *there == json!([]) || *there == json!({}) || *there == json!("");
            if value.is_null() && void { Ok(()) } else { subset_of(value, there, &format!("{path}.{key}")) }
        }),
        Value::Array(list) => match got.as_array() {
            Some(there) if there.len() == list.len() => {
                list.iter().zip(there).try_for_each(|(w, g)| subset_of(w, g, &format!("{path}[]")))
            }
            _ => fail(),
        },
        _ if want == got => Ok(()),
        _ => fail(),
    }
}

fn row(kind: &str) -> &'static kinds::Kind {
    kinds::all().iter().copied().find(|k| k.kind == kind).unwrap()
}

fn slice_gvr() -> Gvr {
    Gvr::new("discovery.k8s.io", "v1", "endpointslices")
}

fn slices(cluster: &Cluster, service: &str) -> Vec<ObjectKey> {
    let resource = slice_gvr();
    let mine = |s: &&Value| s["metadata"]["labels"]["kubernetes.io/service-name"] == service;
    let name = |s: &Value| ObjectKey::new(NAMESPACE, s["metadata"]["name"].as_str().unwrap());
    cluster.world.all(&resource).filter(mine).map(name).collect()
}

fn write(kind: &str, name: &str, action: Action) -> Write {
    let kind = row(kind);
    let namespace = if kind.namespaced { NAMESPACE } else { "" };
    Write::new(Gvr::new(kind.group, kind.version, kind.plural), ObjectKey::new(namespace, name), action)
}

/// A short form for Pods and Nodes, or a whole object.
fn expand(short: &Value) -> Vec<Value> {
    if let Some(pod) = short.get("pod") {
        let name = pod["name"].as_str().unwrap().to_owned();
        return vec![pod_object(&name, pod, pod["ips"].as_array().cloned().unwrap_or_default())];
    }
    if let Some(group) = short.get("pods") {
        let (count, first) = (group["count"].as_u64().unwrap(), group["first"].as_u64().unwrap_or_default());
        let prefix = group["prefix"].as_str().unwrap_or("p");
        let bases = ["ipBase", "ipBase6"].iter().filter_map(|f| group[*f].as_str());
        let bases: Vec<IpAddr> = bases.map(|b| b.parse().unwrap()).collect();
        let nodes = group["nodes"].as_array();
        let one = |i: u64| {
            let mut spec = group.clone();
            if let Some(nodes) = nodes {
                spec["node"] = nodes[usize::try_from(i).unwrap() % nodes.len()].clone();
            }
            let ips = bases.iter().map(|base| offset(*base, i).to_string().into()).collect();
            pod_object(&format!("{prefix}{i:04}"), &spec, ips)
        };
        return (first..first + count).map(one).collect();
    }
    if let Some(node) = short.get("node") {
        let mut labels = node["labels"].as_object().cloned().unwrap_or_default();
        if node["zone"].as_str().is_some_and(|z| !z.is_empty()) {
            labels.insert("topology.kubernetes.io/zone".into(), node["zone"].clone());
        }
        let cpu = node["cpu"].as_str().map_or_else(|| node["cpu"].to_string(), str::to_owned);
        let cpu = if cpu == "null" { "4".to_owned() } else { cpu };
        let ready = node["ready"].as_str().unwrap_or("True");
        return vec![
            json!({"kind": "Node", "metadata": {"name": node["name"], "labels": labels}, "spec": {},
            "status": {"allocatable": {"cpu": cpu, "memory": "8Gi", "pods": "110"},
                "conditions": [{"type": "Ready", "status": ready, "reason": "KubeletReady",
                    "lastHeartbeatTime": "2024-01-01T00:00:00Z", "lastTransitionTime": "2024-01-01T00:00:00Z"}]}}),
        ];
    }
    vec![short.clone()]
}

fn offset(base: IpAddr, i: u64) -> IpAddr {
    match base {
        IpAddr::V4(ip) => (u32::from(ip) + u32::try_from(i).unwrap()).to_be_bytes().into(),
        IpAddr::V6(ip) => (u128::from(ip) + u128::from(i)).to_be_bytes().into(),
    }
}

fn pod_object(name: &str, short: &Value, ips: Vec<Value>) -> Value {
    let ports = match &short["ports"] {
        Value::Null => json!([]),
        Value::Object(one) => json!([one]),
        list => list.clone(),
    };
    let mut spec = json!({"containers": [{"name": "c", "image": "x", "ports": ports}]});
    for (from, to) in [
        ("node", "nodeName"),
        ("hostname", "hostname"),
        ("subdomain", "subdomain"),
        ("init", "initContainers"),
        ("hostNetwork", "hostNetwork"),
        ("grace", "terminationGracePeriodSeconds"),
    ] {
        if !short[from].is_null() && short[from] != "" {
            spec[to] = short[from].clone();
        }
    }
    for (key, value) in short["extra"].as_object().into_iter().flatten() {
        spec[key] = value.clone();
    }
    let mut status = json!({"phase": short["phase"].as_str().unwrap_or("Running")});
    if let Some(first) = ips.first() {
        status["podIP"] = first.clone();
        status["podIPs"] = ips.iter().map(|ip| json!({"ip": ip})).collect();
    }
    let ready = short.get("ready").cloned().unwrap_or(json!(true));
    if !ready.is_null() || !short["readyStatus"].is_null() {
        let value =
            short["readyStatus"].as_str().unwrap_or(if ready == json!(true) { "True" } else { "False" });
        let time = short["readyTime"].as_str().unwrap_or("2024-01-01T00:00:00Z");
        status["conditions"] = json!([{"type": "Ready", "status": value, "lastTransitionTime": time}]);
    }
    let labels = short["labels"].as_object().cloned().unwrap_or_default();
    json!({"kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": spec, "status": status})
}
