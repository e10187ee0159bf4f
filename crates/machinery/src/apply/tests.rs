//! Server-side apply on real kinds, after the recorded behaviour of the upstream server.

mod properties;

use portway_api::kinds;
use portway_api::schema::schema;
use serde_json::json;

use super::*;

fn service() -> &'static Kind {
    kinds::find("", "v1", "services").unwrap()
}

fn writer<'a>(manager: &'a str, now: &'a str) -> Writer<'a> {
    Writer { manager, subresource: "", now }
}

fn config(spec: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": spec})
}

/// What the server does around an apply, as far as it matters here.
fn store(mut object: Value) -> Value {
    service().default(&mut object);
    meta::set(&mut object, "uid", "u");
    object
}

fn applied(live: &Value, spec: Value, manager: &str, force: bool) -> Result<Value, ApplyError> {
    apply(schema(), service(), live, &config(spec), &writer(manager, "2026-01-01T00:00:00Z"), force)
        .map(store)
}

fn created(spec: Value, manager: &str) -> Value {
    applied(&blank(schema(), service()), spec, manager, false).unwrap()
}

/// Managed fields by manager.
fn managed_by(object: &Value) -> Value {
    let entries = object["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
    entries
        .into_iter()
        .map(|e| (e["manager"].as_str().unwrap_or("").to_owned(), e["fieldsV1"].clone()))
        .collect()
}

fn conflict(result: Result<Value, ApplyError>) -> (String, Vec<String>) {
    match result {
        Err(ApplyError::Conflict { message, causes }) => {
            (message, causes.into_iter().map(|c| c.field).collect())
        }
        other => panic!("no conflict: {other:?}"),
    }
}

const KEY: &str = "k:{\"port\":80,\"protocol\":\"TCP\"}";

fn port() -> Value {
    json!([{"port": 80, "name": "a", "protocol": "TCP"}])
}

#[test]
fn apply_records_what_was_applied() {
    let object = created(json!({"ports": port(), "selector": {"app": "x"}}), "m1");
    let set = json!({"f:spec": {"f:ports": {KEY: {".": {}, "f:name": {}, "f:port": {}, "f:protocol": {}}}, "f:selector": {}}});
    assert_eq!(
        object["metadata"]["managedFields"],
        json!([{"manager": "m1", "operation": "Apply", "apiVersion": "v1", "time": "2026-01-01T00:00:00Z",
            "fieldsType": "FieldsV1", "fieldsV1": set}])
    );
    // The protocol is part of the key even when it was left out.
    let object = created(json!({"ports": [{"port": 80}]}), "m1");
    assert_eq!(managed_by(&object), json!({"m1": {"f:spec": {"f:ports": {KEY: {".": {}, "f:port": {}}}}}}));
}

#[test]
fn update_records_what_changed() {
    let mut object = config(json!({"ports": port(), "selector": {"app": "x"}}));
    object["metadata"]["labels"] = json!({"l": "1"});
    service().default(&mut object);
    track_update(schema(), service(), None, &mut object, &writer("creator", "t1"));
    let set = json!({
        "f:metadata": {"f:labels": {".": {}, "f:l": {}}},
        "f:spec": {
            "f:internalTrafficPolicy": {},
            "f:ports": {".": {}, KEY: {".": {}, "f:name": {}, "f:port": {}, "f:protocol": {}, "f:targetPort": {}}},
            "f:selector": {}, "f:sessionAffinity": {}, "f:type": {},
        },
    });
    assert_eq!(managed_by(&object), json!({"creator": set}));

    // Nothing changed: nothing is written, not even a time.
    let mut same = object.clone();
    track_update(schema(), service(), Some(&object), &mut same, &writer("creator", "t2"));
    assert_eq!(same, object);
    let mut same = bare(&object);
    track_update(schema(), service(), Some(&object), &mut same, &writer("other", "t2"));
    assert_eq!(same, object);

    // A change moves a field to whoever made it; a removal takes it from all.
    let mut changed = object.clone();
    changed["spec"]["selector"] = json!({"app": "y"});
    changed["metadata"].as_object_mut().unwrap().remove("labels");
    track_update(schema(), service(), Some(&object), &mut changed, &writer("other", "t2"));
    let by = managed_by(&changed);
    assert_eq!(by["other"], json!({"f:spec": {"f:selector": {}}}));
    assert_eq!(by["creator"]["f:metadata"], Value::Null);
    assert_eq!(by["creator"]["f:spec"]["f:selector"], Value::Null);
    let entries = changed["metadata"]["managedFields"].as_array().unwrap();
    assert_eq!((&entries[0]["time"], &entries[1]["time"]), (&json!("t1"), &json!("t2")));
}

#[test]
fn clients_may_edit_managed_fields() {
    let live = created(json!({"ports": port()}), "m1");
    let update = |fields: Value| {
        let mut new = live.clone();
        new["metadata"]["managedFields"] = fields;
        track_update(schema(), service(), Some(&live), &mut new, &writer("w", "t"));
        new["metadata"]["managedFields"].clone()
    };
    let own = live["metadata"]["managedFields"].clone();
    assert_eq!(update(json!([{}])), Value::Null);
    assert_eq!(update(json!([])), own);
    assert_eq!(update(json!([{"manager": "bad"}])), own);
    assert_eq!(
        update(
            json!([{"manager": "b", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {"x": {}}}])
        ),
        own
    );
    let mut renamed = own;
    renamed[0]["manager"] = json!("m2");
    assert_eq!(update(renamed.clone()), renamed);
    // Without any it stays without any.
    let cleared = bare(&live);
    let mut new = cleared.clone();
    new["spec"]["type"] = json!("NodePort");
    track_update(schema(), service(), Some(&cleared), &mut new, &writer("w", "t"));
    assert_eq!(new["metadata"]["managedFields"], Value::Null);
}

#[test]
fn conflicts() {
    let live = created(json!({"ports": port(), "selector": {"app": "x"}}), "m1");
    assert_eq!(
        conflict(applied(&live, json!({"ports": port(), "selector": {"app": "y"}}), "m2", false)),
        (
            "Apply failed with 1 conflict: conflict with \"m1\": .spec.selector".to_owned(),
            vec![".spec.selector".to_owned()]
        )
    );
    let name = ".spec.ports[port=80,protocol=\"TCP\"].name";
    let two = json!({"ports": [{"port": 80, "name": "z", "targetPort": 9}], "selector": {"app": "y"}, "type": "NodePort"});
    assert_eq!(
        conflict(applied(&live, two.clone(), "m2", false)),
        (
            format!("Apply failed with 2 conflicts: conflicts with \"m1\":\n- {name}\n- .spec.selector"),
            vec![name.to_owned(), ".spec.selector".to_owned()]
        )
    );
    let forced = applied(&live, two, "m2", true).unwrap();
    assert_eq!(forced["spec"]["ports"][0]["name"], "z");
    let by = managed_by(&forced);
    assert_eq!(by["m1"], json!({"f:spec": {"f:ports": {KEY: {".": {}, "f:port": {}, "f:protocol": {}}}}}));
    assert_eq!(by["m2"]["f:spec"]["f:selector"], json!({}));

    let mut updated = live.clone();
    updated["spec"]["selector"] = json!({"app": "u"});
    track_update(
        schema(),
        service(),
        Some(&live),
        &mut updated,
        &Writer { manager: "u", subresource: "", now: "t" },
    );
    assert_eq!(
        conflict(applied(&updated, json!({"selector": {"app": "z"}}), "m2", false)).0,
        "Apply failed with 1 conflict: conflict with \"u\" using v1: .spec.selector"
    );
    // The same value is shared.
    let shared = applied(&live, json!({"selector": {"app": "x"}}), "m2", false).unwrap();
    assert_eq!(managed_by(&shared)["m2"], json!({"f:spec": {"f:selector": {}}}));
    assert_eq!(managed_by(&shared)["m1"], managed_by(&live)["m1"]);
}

#[test]
fn what_is_no_longer_applied_goes() {
    let first = json!({"ports": [{"port": 80, "name": "a"}, {"port": 81, "name": "b"}], "selector": {"app": "x"}, "externalIPs": ["192.0.2.1"]});
    let live = created(first, "m1");
    let mut live = live;
    live["spec"]["clusterIP"] = json!("10.0.0.1");
    let next = applied(&live, json!({"ports": [{"port": 81, "name": "b"}]}), "m1", false).unwrap();
    assert_eq!(
        next["spec"]["ports"],
        json!([{"port": 81, "name": "b", "protocol": "TCP", "targetPort": 81}])
    );
    assert_eq!((&next["spec"]["selector"], &next["spec"]["externalIPs"]), (&Value::Null, &Value::Null));
    assert_eq!(next["spec"]["clusterIP"], "10.0.0.1");

    // Another manager's share keeps a field.
    let shared = applied(&live, json!({"selector": {"app": "x"}}), "m2", false).unwrap();
    let next = applied(&shared, json!({"ports": [{"port": 81, "name": "b"}]}), "m1", false).unwrap();
    assert_eq!(next["spec"]["selector"], json!({"app": "x"}));

    // The same again changes nothing, and later neither.
    let again = apply(
        schema(),
        service(),
        &live,
        &config(
            json!({"ports": [{"port": 80, "name": "a"}, {"port": 81, "name": "b"}], "selector": {"app": "x"}, "externalIPs": ["192.0.2.1"]}),
        ),
        &writer("m1", "2027-01-01T00:00:00Z"),
        false,
    );
    assert_eq!(again, Ok(live));
}

#[test]
fn bad_configurations() {
    let bad = |spec: Value| match applied(&blank(schema(), service()), spec, "m", false) {
        Err(error @ ApplyError::Typed(_)) => {
            error.status(service(), &json!({"metadata": {"name": "s", "namespace": "n"}})).message
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(
        bad(json!({"ports": [{"port": 80, "name": "a"}, {"port": 80, "name": "b", "protocol": "TCP"}]})),
        "failed to create typed patch object (n/s; v1, Kind=Service): .spec.ports: duplicate entries for key [port=80,protocol=\"TCP\"]"
    );
    assert!(bad(json!({"ports": [{"name": "a"}]})).ends_with("omits key field \"port\""));
}

#[test]
fn status_belongs_to_its_subresource() {
    let mut live = created(json!({"ports": port()}), "m1");
    live["metadata"].as_object_mut().unwrap().remove("managedFields");
    let mut new = live.clone();
    new["status"] = json!({"loadBalancer": {"ingress": [{"ip": "192.0.2.3"}]}});
    new["spec"]["type"] = json!("x");
    live["metadata"]["managedFields"] = managed_entry("old", json!({"f:spec": {"f:type": {}}}));
    new["metadata"]["managedFields"] = live["metadata"]["managedFields"].clone();
    track_update(
        schema(),
        service(),
        Some(&live),
        &mut new,
        &Writer { manager: "lb", subresource: "status", now: "t" },
    );
    assert_eq!(managed_by(&new)["lb"], json!({"f:status": {"f:loadBalancer": {"f:ingress": {}}}}));
    assert_eq!(managed_by(&new)["old"], json!({"f:spec": {"f:type": {}}}));

    let config =
        json!({"metadata": {"name": "s"}, "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.4"}]}}});
    let result = apply(
        schema(),
        service(),
        &new,
        &config,
        &Writer { manager: "m", subresource: "status", now: "t" },
        false,
    );
    assert_eq!(
        conflict(result).0,
        "Apply failed with 1 conflict: conflict with \"lb\" with subresource \"status\" using v1: .status.loadBalancer.ingress"
    );
}

fn managed_entry(manager: &str, fields: Value) -> Value {
    json!([{"manager": manager, "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": fields}])
}

#[test]
fn coming_from_client_side_apply() {
    let last = config(json!({"ports": [{"port": 80}], "selector": {"app": "x"}}));
    let mut live = last.clone();
    live["metadata"]["annotations"] = json!({LAST_APPLIED: last.to_string()});
    service().default(&mut live);
    track_update(schema(), service(), None, &mut live, &writer("kubectl-client-side-apply", "t"));
    let live = store(live);
    let spec = json!({"ports": [{"port": 80}], "selector": {"app": "y"}});
    let next = applied(&live, spec.clone(), "kubectl", false).unwrap();
    let text = next["metadata"]["annotations"][LAST_APPLIED].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(text).unwrap(), config(spec.clone()));
    assert_eq!(conflict(applied(&live, spec, "m", false)).1, [".spec.selector"]);

    // An object nobody tracked: all of it belongs to one manager first.
    let untracked = bare(&live);
    assert_eq!(
        conflict(applied(&untracked, json!({"selector": {"app": "z"}}), "m", false)).0,
        "Apply failed with 1 conflict: conflict with \"before-first-apply\" using v1: .spec.selector"
    );
}

#[test]
fn old_updates_are_put_together() {
    let mut object = config(json!({"ports": port()}));
    service().default(&mut object);
    for i in 0..14 {
        let old = object.clone();
        object["metadata"]["labels"][format!("l{i:02}")] = json!("x");
        let now = format!("2026-01-01T00:00:{i:02}Z");
        let manager = format!("m{i:02}");
        let live = (i > 0).then_some(&old);
        track_update(schema(), service(), live, &mut object, &writer(&manager, &now));
    }
    let entries = object["metadata"]["managedFields"].as_array().unwrap();
    assert_eq!(entries.len(), 10);
    let names: Vec<_> = entries.iter().map(|e| e["manager"].as_str().unwrap()).collect();
    assert_eq!(names[0], "ancient-changes");
    assert_eq!(names[9], "m13");
    let all = entries
        .iter()
        .fold(FieldSet::default(), |all, e| all.union(&FieldSet::from_value(&e["fieldsV1"]).unwrap()));
    assert_eq!(all.paths().iter().filter(|p| p.starts_with(".metadata.labels.")).count(), 14);
}

#[test]
fn list_order() {
    let pods = kinds::find("", "v1", "pods").unwrap();
    let shape = Shape::message(schema(), pods.schema);
    let check = |live: &[&str], config: &[&str], expect: &[&str]| {
        let object = |names: &[&str]| {
            let list: Vec<Value> = names.iter().map(|name| json!({"name": name})).collect();
            json!({"spec": {"containers": list}})
        };
        assert_eq!(
            walk::merge(shape, object(live), object(config)),
            Ok(object(expect)),
            "{live:?} {config:?}"
        );
    };
    check(&[], &["a", "b"], &["a", "b"]);
    check(&["a", "b"], &[], &["a", "b"]);
    check(&["a", "b", "c"], &["c", "a"], &["b", "c", "a"]);
    check(&["a", "b"], &["b", "c"], &["a", "b", "c"]);
    check(&["a", "b", "c"], &["b"], &["a", "b", "c"]);
    check(&["x", "b"], &["a", "b"], &["x", "a", "b"]);
    check(&["b", "x"], &["a", "b"], &["a", "b", "x"]);
    check(&["b", "a"], &["a", "b"], &["a", "b"]);
}
