//! What a Pod, and a Pod template, gets when its author says nothing.

use serde_json::{Value, json};

use crate::kinds::value::{Edit, Read};

/// Defaults of a Pod alone, beyond those of every Pod spec.
pub(super) fn pod(pod: &mut Value) {
    spec(pod.slot("spec"));
    for list in ["spec.containers", "spec.initContainers"] {
        for container in pod.list_mut(list) {
            requests_from_limits(container);
        }
    }
    if !pod.has("spec.enableServiceLinks") {
        pod.set("spec.enableServiceLinks", true);
    }
}

/// What is asked for, where only a limit is given.
fn requests_from_limits(container: &mut Value) {
    let Some(limits) = container.at("resources.limits").and_then(Value::as_object).cloned() else { return };
    for (name, limit) in limits {
        if container.entry("resources.requests", &name).is_none() {
            let requests = container.slot("resources.requests");
            if !requests.is_object() {
                *requests = json!({});
            }
            requests[name] = limit;
        }
    }
}

/// Defaults of a Pod spec, in a Pod or a template.
pub(in crate::kinds) fn spec(spec: &mut Value) {
    // One field with two names; the newer one wins.
    match spec.text("serviceAccountName").to_owned() {
        name if !name.is_empty() => spec.set("serviceAccount", name),
        _ => {
            let old = spec.text("serviceAccount").to_owned();
            if !old.is_empty() {
                spec.set("serviceAccountName", old);
            }
        }
    }
    spec.fill("dnsPolicy", "ClusterFirst");
    spec.fill("restartPolicy", "Always");
    spec.fill("schedulerName", "default-scheduler");
    if !spec.has("securityContext") {
        spec.set("securityContext", json!({}));
    }
    if !spec.has("terminationGracePeriodSeconds") {
        spec.set("terminationGracePeriodSeconds", 30);
    }
    let host_network = spec.flag("hostNetwork");
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        for container in spec.list_mut(list) {
            self::container(container, host_network && list != "ephemeralContainers");
        }
    }
    for constraint in spec.list_mut("topologySpreadConstraints") {
        if constraint.at("nodeAffinityPolicy").is_some_and(|v| v == "") {
            constraint.unset("nodeAffinityPolicy");
        }
    }
    for volume in spec.list_mut("volumes") {
        self::volume(volume);
    }
}

fn container(container: &mut Value, host_network: bool) {
    let image = container.text("image");
    if container.text("imagePullPolicy").is_empty() {
        let policy = if pulls_always(image) { "Always" } else { "IfNotPresent" };
        container.set("imagePullPolicy", policy);
    }
    container.fill("terminationMessagePath", "/dev/termination-log");
    container.fill("terminationMessagePolicy", "File");
    for port in container.list_mut("ports") {
        port.fill("protocol", "TCP");
        if host_network && port.int("hostPort") == 0 {
            let number = port.int("containerPort");
            port.set("hostPort", number);
        }
    }
    for variable in container.list_mut("env") {
        if variable.has("valueFrom.fieldRef") {
            variable.fill("valueFrom.fieldRef.apiVersion", "v1");
        }
    }
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if container.has(name) {
            probe(container.slot(name));
        }
    }
    for hook in ["lifecycle.postStart", "lifecycle.preStop"] {
        if container.has(&format!("{hook}.httpGet")) {
            http_get(container.slot(&format!("{hook}.httpGet")));
        }
    }
}

/// The image says `latest`, in so many words or by saying nothing.
fn pulls_always(image: &str) -> bool {
    let name = image.rsplit('/').next().unwrap_or_default();
    if name.contains('@') {
        return false;
    }
    match name.split_once(':') {
        Some((_, tag)) => tag == "latest",
        None => true,
    }
}

fn probe(probe: &mut Value) {
    for (field, value) in
        [("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)]
    {
        if probe.int(field) == 0 {
            probe.set(field, value);
        }
    }
    if probe.has("httpGet") {
        http_get(probe.slot("httpGet"));
    }
    if probe.has("grpc") && !probe.has("grpc.service") {
        probe.set("grpc.service", "");
    }
}

fn http_get(action: &mut Value) {
    action.fill("path", "/");
    action.fill("scheme", "HTTP");
}

fn volume(volume: &mut Value) {
    if volume.as_object().is_some_and(|map| !map.iter().any(|(key, value)| key != "name" && !value.is_null()))
    {
        volume.set("emptyDir", json!({}));
    }
    for source in ["secret", "configMap", "downwardAPI", "projected"] {
        if volume.has(source) && !volume.has(&format!("{source}.defaultMode")) {
            volume.set(&format!("{source}.defaultMode"), 0o644);
        }
    }
    if volume.has("hostPath") && !volume.has("hostPath.type") {
        volume.set("hostPath.type", "");
    }
    for item in volume.list_mut("downwardAPI.items") {
        field_ref(item);
    }
    for source in volume.list_mut("projected.sources") {
        for item in source.list_mut("downwardAPI.items") {
            field_ref(item);
        }
        if source.has("serviceAccountToken") && !source.has("serviceAccountToken.expirationSeconds") {
            source.set("serviceAccountToken.expirationSeconds", 3600);
        }
    }
    if volume.has("iscsi") {
        volume.fill("iscsi.iscsiInterface", "default");
    }
    if volume.has("image") {
        let policy = if pulls_always(volume.text("image.reference")) { "Always" } else { "IfNotPresent" };
        volume.fill("image.pullPolicy", policy);
    }
}

fn field_ref(item: &mut Value) {
    if item.has("fieldRef") {
        item.fill("fieldRef.apiVersion", "v1");
    }
}
