//! Templates as identities: equality, the hash in names and labels, the ReplicaSet made from one.

use std::collections::BTreeMap;

use portway_api::types::apps::Deployment;
use serde_json::{Value, json};

use crate::ownership::reference;

/// Label that tells the Pods of one template from those of another.
pub const LABEL_HASH: &str = "pod-template-hash";

/// The templates are the same but for the hash label.
pub fn same(a: &Value, b: &Value) -> bool {
    canonical(a) == canonical(b)
}

/// Without the hash label, and without fields that say nothing.
fn canonical(template: &Value) -> Value {
    let mut copy = template.clone();
    if let Some(labels) = copy.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.remove(LABEL_HASH);
    }
    strip(&mut copy);
    copy
}

/// Removes nulls and empty lists; empty objects stay, since some of them mean something (`emptyDir: {}`).
fn strip(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.values_mut().for_each(strip);
            map.retain(|_, v| !v.is_null() && v.as_array().is_none_or(|list| !list.is_empty()));
        }
        Value::Array(list) => list.iter_mut().for_each(strip),
        _ => {}
    }
}

/// A short text that differs between templates.
pub fn hash(template: &Value, collisions: Option<i32>) -> String {
    // serde_json keeps maps sorted, so that equal templates have equal texts.
    let mut text = canonical(template).to_string();
    if let Some(count) = collisions {
        text.push_str(&count.to_string());
    }
    let hash = text.bytes().fold(0x811c_9dc5_u32, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193));
    // No vowels and nothing alike: such names spell no words.
    const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    hash.to_string().bytes().map(|digit| char::from(ALPHABET[usize::from(digit) % ALPHABET.len()])).collect()
}

/// The ReplicaSet for the current template.
pub fn replica_set(
    deployment: &Deployment,
    name: &str,
    hash: &str,
    replicas: i32,
    annotations: BTreeMap<String, String>,
) -> Value {
    let mut template = deployment.spec.template.clone();
    template["metadata"]["labels"][LABEL_HASH] = hash.into();
    let mut selector = deployment.spec.selector.clone();
    selector.match_labels.insert(LABEL_HASH.to_owned(), hash.to_owned());
    let labels = template["metadata"]["labels"].clone();
    let mut spec = json!({"replicas": replicas, "selector": selector, "template": template});
    if deployment.spec.min_ready_seconds > 0 {
        spec["minReadySeconds"] = deployment.spec.min_ready_seconds.into();
    }
    json!({
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": name,
            "namespace": deployment.metadata.namespace,
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": [reference(deployment)],
        },
        "spec": spec,
    })
}
