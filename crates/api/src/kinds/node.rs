//! Node.

use std::collections::BTreeSet;

use serde_json::Value;

use super::column::{Column, or_none};
use super::meta::{self, NameFormat};
use super::value::{Edit, Read};
use super::{FieldSelector, Kind, Strategy, format, ip};
use crate::field::FieldError;

pub(super) const KIND: Kind = Kind {
    short_names: &["no"],
    namespaced: false,
    storage_prefix: "minions",
    subresources: &["proxy", "status"],
    field_selectors: &[FieldSelector {
        path: "spec.unschedulable",
        value: |object| object.flag("spec.unschedulable").to_string(),
    }],
    columns: &[
        Column::NAME,
        Column::text(
            "Status",
            "Ready, NotReady or Unknown, and whether new Pods are kept away.",
            |node, _| status(node).into(),
        ),
        Column::text("Roles", "From labels node-role.kubernetes.io/ROLE.", |node, _| or_none(roles(node))),
        Column::AGE,
        Column::text("Version", "Version of its agent.", |node, _| {
            node.text("status.nodeInfo.kubeletVersion").into()
        }),
        Column::wide("Internal-IP", "Its address inside the cluster.", |node, _| address(node, "InternalIP")),
        Column::wide("External-IP", "Its address outside the cluster.", |node, _| {
            address(node, "ExternalIP")
        }),
        Column::wide("OS-Image", "Its operating system.", |node, _| info(node, "osImage")),
        Column::wide("Kernel-Version", "Its kernel.", |node, _| info(node, "kernelVersion")),
        Column::wide("Container-Runtime", "What runs its containers.", |node, _| {
            info(node, "containerRuntimeVersion")
        }),
    ],
    strategy: &Node,
    ..Kind::core("Node", "nodes", "node", "io.k8s.api.core.v1.Node")
};

fn status(node: &Value) -> String {
    let ready = node.list("status.conditions").iter().find(|c| c.text("type") == "Ready");
    let mut text = match ready.map(|c| c.text("status")) {
        Some("True") => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    }
    .to_owned();
    if node.flag("spec.unschedulable") {
        text.push_str(",SchedulingDisabled");
    }
    text
}

fn roles(node: &Value) -> String {
    let mut roles = BTreeSet::new();
    for (key, value) in node.pairs("metadata.labels") {
        if let Some(role) = key.strip_prefix("node-role.kubernetes.io/").filter(|role| !role.is_empty()) {
            roles.insert(role);
        }
        if key == "kubernetes.io/role" && !value.is_empty() {
            roles.insert(value);
        }
    }
    roles.into_iter().collect::<Vec<_>>().join(",")
}

fn address(node: &Value, kind: &str) -> Value {
    let found = node.list("status.addresses").iter().find(|a| a.text("type") == kind);
    or_none(found.map(|a| a.text("address")).unwrap_or_default())
}

fn info(node: &Value, field: &str) -> Value {
    match node.text(&format!("status.nodeInfo.{field}")) {
        "" => "<unknown>".into(),
        text => text.into(),
    }
}

struct Node;

impl Strategy for Node {
    fn default(&self, node: &mut Value) {
        // The old single field and the list are kept in step, the single one winning.
        let single = node.text("spec.podCIDR").to_owned();
        let first = node.texts("spec.podCIDRs").first().map(|first| (*first).to_owned());
        match (single.is_empty(), first) {
            (true, Some(first)) => node.set("spec.podCIDR", first),
            (false, first) if first.as_ref() != Some(&single) => {
                node.set("spec.podCIDRs", vec![Value::from(single)])
            }
            _ => {}
        }
        if !node.has("status.allocatable") {
            node.copy_within("status.capacity", "status.allocatable");
        }
    }

    fn validate(&self, node: &Value) -> Vec<FieldError> {
        let mut errors = meta::validate(node, false, NameFormat::Subdomain);
        errors.extend(spec(node));
        errors.extend(addresses(node));
        errors
    }

    fn prepare_update(&self, new: &mut Value, old: &Value) {
        new.copy("status", old);
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<FieldError> {
        let mut errors = meta::validate_update(new, old);
        errors.extend(spec(new));
        if !old.list("spec.podCIDRs").is_empty() && new.at("spec.podCIDRs") != old.at("spec.podCIDRs") {
            let detail = "node updates may not change podCIDR except from \"\" to valid";
            errors.push(FieldError::forbidden("spec.podCIDRs", detail));
        }
        if !old.text("spec.providerID").is_empty()
            && new.text("spec.providerID") != old.text("spec.providerID")
        {
            let detail = "node updates may not change providerID except from \"\" to valid";
            errors.push(FieldError::forbidden("spec.providerID", detail));
        }
        errors
    }

    fn validate_status_update(&self, new: &Value, old: &Value) -> Vec<FieldError> {
        let mut errors = meta::validate_update(new, old);
        errors.extend(addresses(new));
        errors
    }
}

fn spec(node: &Value) -> Vec<FieldError> {
    const EFFECTS: &[&str] = &["NoExecute", "NoSchedule", "PreferNoSchedule"];
    let mut errors = Vec::new();
    let cidrs = node.texts("spec.podCIDRs");
    for (index, cidr) in cidrs.iter().enumerate() {
        errors.extend(ip::validate_legacy_cidr(&format!("spec.podCIDRs[{index}]"), cidr, &[]));
    }
    let families: BTreeSet<bool> =
        cidrs.iter().filter_map(|cidr| ip::sloppy_cidr(cidr)).map(|(address, _)| address.is_ipv6()).collect();
    if cidrs.len() > 1 && (cidrs.len() > 2 || families.len() < 2) {
        let detail = "may specify no more than one CIDR for each IP family";
        errors.push(FieldError::invalid("spec.podCIDRs", node.list("spec.podCIDRs").to_vec(), detail));
    }
    let mut seen = BTreeSet::new();
    for (index, taint) in node.list("spec.taints").iter().enumerate() {
        let path = format!("spec.taints[{index}]");
        let (key, value, effect) = (taint.text("key"), taint.text("value"), taint.text("effect"));
        errors.extend(FieldError::each_invalid(&format!("{path}.key"), key, format::qualified_name(key)));
        errors.extend(FieldError::each_invalid(&format!("{path}.value"), value, format::label_value(value)));
        if effect.is_empty() {
            errors.push(FieldError::required(format!("{path}.effect"), ""));
        } else if !EFFECTS.contains(&effect) {
            errors.push(FieldError::not_supported(format!("{path}.effect"), effect, EFFECTS));
        }
        if !seen.insert((key, effect)) {
            let detail = "taints must be unique by key and effect pair";
            errors
                .push(FieldError { detail: detail.to_owned(), ..FieldError::duplicate(path, taint.clone()) });
        }
    }
    errors
}

fn addresses(node: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let addresses = node.list("status.addresses");
    for (index, address) in addresses.iter().enumerate() {
        if addresses[..index].contains(address) {
            errors.push(FieldError::duplicate(format!("status.addresses[{index}]"), address.clone()));
        }
    }
    errors
}
