//! Rules that span several files: a workload and its Pods.

use serde_json::json;

use crate::kinds;

/// Fills in and checks an object as a create does.
fn check(kind: &str, object: serde_json::Value, expect: &[&str]) {
    let (group, kind) = kind.split_once('/').unwrap_or(("", kind));
    let Some(kind) = kinds::by_kind(group, "v1", kind) else { panic!("no {kind}") };
    let mut object = object;
    object["metadata"] = json!({"name": "x", "namespace": "default"});
    kind.default(&mut object);
    kind.prepare_create(&mut object);
    let errors: Vec<String> = kind.strategy.validate(&object).iter().map(ToString::to_string).collect();
    assert_eq!(errors, expect, "{object}");
}

#[test]
fn selectors_and_templates() {
    let template = |labels: serde_json::Value| json!({"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    let good =
        json!({"spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template(json!({"a": "b"}))}});
    check("apps/Deployment", good.clone(), &[]);
    check("apps/ReplicaSet", good, &[]);
    check(
        "apps/Deployment",
        json!({"spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template(json!({"a": "c"}))}}),
        &[
            "spec.template.metadata.labels: Invalid value: {\"a\":\"c\"}: `selector` does not match template `labels`",
        ],
    );
    check(
        "apps/Deployment",
        json!({"spec": {"replicas": -1, "template": template(json!({"a": "c"}))}}),
        &[
            "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
            "spec.selector: Required value",
            "spec.template.metadata.labels: Invalid value: {\"a\":\"c\"}: `selector` does not match template `labels`",
        ],
    );
}

#[test]
fn pods() {
    check("Pod", json!({"spec": {"containers": [{"name": "c", "image": "nginx"}]}}), &[]);
    check("Pod", json!({"spec": {}}), &["spec.containers: Required value"]);
    check(
        "Pod",
        json!({"spec": {"restartPolicy": "Sometimes", "containers": [
            {"name": "C", "ports": [{"containerPort": 70000, "name": "http"}, {"containerPort": 1, "name": "http"}],
             "volumeMounts": [{"name": "v", "mountPath": "/v"}], "readinessProbe": {"httpGet": {"port": 0}},
             "resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}}]}}),
        &[
            "spec.containers[0].name: Invalid value: \"C\": a lowercase RFC 1123 label must consist of lower case \
             alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  \
             or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
            "spec.containers[0].image: Required value",
            "spec.containers[0].volumeMounts[0].name: Not found: \"v\"",
            "spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
            "spec.containers[0].ports[1].name: Duplicate value: \"http\"",
            "spec.containers[0].resources.requests: Invalid value: \"2\": must be less than or equal to cpu limit of 1",
            "spec.containers[0].readinessProbe.httpGet.port: Invalid value: 0: must be between 1 and 65535, inclusive",
            "spec.restartPolicy: Unsupported value: \"Sometimes\": supported values: \"Always\", \"OnFailure\", \"Never\"",
        ],
    );
}

#[test]
fn pod_updates() {
    let Some(kind) = kinds::by_kind("", "v1", "Pod") else { panic!("no Pod") };
    let mut old = json!({"metadata": {"name": "x", "namespace": "default"},
        "spec": {"containers": [{"name": "c", "image": "a"}]}});
    kind.default(&mut old);
    kind.prepare_create(&mut old);
    let errors = |path: &str, value: serde_json::Value| {
        let mut new = old.clone();
        if let Some(place) = new.pointer_mut(path) {
            *place = value;
        }
        kind.prepare_update(&mut new, &old);
        let fields: Vec<String> =
            kind.strategy.validate_update(&new, &old).into_iter().map(|e| e.field).collect();
        (fields, new["metadata"]["generation"].clone())
    };
    assert_eq!(errors("/spec/containers/0/image", json!("b")), (vec![], json!(2)));
    assert_eq!(errors("/spec/containers/0/name", json!("d")).0, ["spec"]);
    assert_eq!(errors("/spec/restartPolicy", json!("Never")).0, ["spec"]);
    assert_eq!(errors("/metadata/name", json!("x")), (vec![], json!(1)));
}
