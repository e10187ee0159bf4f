//! Pod.

mod admit;
mod columns;
mod container;
mod defaults;
mod probe;
mod qos;
mod update;
mod validate;

use serde_json::{Value, json};

pub(super) use defaults::spec as default_spec;
pub(super) use validate::spec as validate_spec;

use super::column::{Column, or_none};
use super::value::{Edit, Read};
use super::{FieldSelector, Kind, Strategy, meta, select};
use crate::field::FieldError;

pub(super) const KIND: Kind = Kind {
    short_names: &["po"],
    categories: &["all"],
    subresources: &["binding", "eviction", "log", "proxy", "status"],
    delete_returns_object: true,
    field_selectors: &[
        select!("spec.nodeName"),
        select!("spec.restartPolicy"),
        select!("spec.schedulerName"),
        select!("spec.serviceAccountName"),
        FieldSelector { path: "spec.hostNetwork", value: |pod| pod.flag("spec.hostNetwork").to_string() },
        select!("status.phase"),
        FieldSelector { path: "status.podIP", value: |pod| first_ip(pod).to_owned() },
        FieldSelector { path: "status.podIPs", value: |pod| first_ip(pod).to_owned() },
        select!("status.nominatedNodeName"),
    ],
    columns: &[
        Column::NAME,
        Column::text("Ready", "How many containers are ready, of how many.", |pod, _| columns::ready(pod)),
        Column::text("Status", "What it is doing.", |pod, _| columns::status(pod)),
        Column::text("Restarts", "How often its containers restarted.", columns::restarts),
        Column::AGE,
        Column::wide("IP", "Its address.", |pod, _| columns::ip(pod)),
        Column::wide("Node", "Where it runs.", |pod, _| or_none(pod.text("spec.nodeName"))),
        Column::wide("Nominated Node", "Where room is being made for it.", |pod, _| {
            or_none(pod.text("status.nominatedNodeName"))
        }),
        Column::wide("Readiness Gates", "How many extra conditions are met, of how many.", |pod, _| {
            columns::readiness_gates(pod)
        }),
    ],
    strategy: &Pod,
    ..Kind::core("Pod", "pods", "pod", "io.k8s.api.core.v1.Pod")
};

fn first_ip(pod: &Value) -> &str {
    match pod.list("status.podIPs").first() {
        Some(first) => first.text("ip"),
        None => pod.text("status.podIP"),
    }
}

struct Pod;

impl Strategy for Pod {
    fn default(&self, pod: &mut Value) {
        defaults::pod(pod);
    }

    fn prepare_create(&self, pod: &mut Value) {
        admit::admit(pod);
        let class = qos::class(pod);
        pod.set("status", json!({"phase": "Pending", "qosClass": class}));
        meta::count_generation(pod, None, true);
    }

    fn prepare_update(&self, new: &mut Value, old: &Value) {
        new.copy("status", old);
        meta::count_generation(new, Some(old), new.at("spec") != old.at("spec"));
    }

    fn validate(&self, pod: &Value) -> Vec<FieldError> {
        let mut errors = meta::validate(pod, true, meta::NameFormat::Subdomain);
        errors.extend(validate::spec("spec", pod.at("spec").unwrap_or(&Value::Null)));
        if !pod.list("spec.ephemeralContainers").is_empty() {
            errors.push(FieldError::forbidden("spec.ephemeralContainers", "cannot be set on create"));
        }
        errors
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<FieldError> {
        let mut errors = meta::validate_update(new, old);
        errors.extend(update::validate(new, old));
        errors
    }

    fn prepare_status_update(&self, new: &mut Value, old: &Value) {
        new.copy("spec", old);
        new.copy("metadata.ownerReferences", old);
        // The old single address and the list are kept in step, the single one winning.
        let single = new.text("status.podIP").to_owned();
        let first = new.list("status.podIPs").first().map(|ip| ip.text("ip").to_owned());
        match (single.is_empty(), first) {
            (true, Some(first)) => new.set("status.podIP", first),
            (false, first) if first.as_ref() != Some(&single) => {
                new.set("status.podIPs", json!([{"ip": single}]))
            }
            _ => {}
        }
    }

    fn validate_status_update(&self, new: &Value, old: &Value) -> Vec<FieldError> {
        let mut errors = meta::validate_update(new, old);
        errors.extend(validate::pod_ips(new, old));
        let node = new.text("status.nominatedNodeName");
        if !node.is_empty() {
            let problems = super::format::dns1123_subdomain(node);
            errors.extend(FieldError::each_invalid("status.nominatedNodeName", node, problems));
        }
        errors
    }

    fn grace_period(&self, pod: &Value, asked: Option<i64>) -> Option<i64> {
        // Nothing runs yet, or any more.
        if pod.text("spec.nodeName").is_empty() || ["Succeeded", "Failed"].contains(&pod.text("status.phase"))
        {
            return Some(0);
        }
        let own = pod.at("spec.terminationGracePeriodSeconds").and_then(Value::as_i64).unwrap_or(30);
        let grace = asked.unwrap_or(own);
        Some(if grace < 0 { 1 } else { grace })
    }
}
