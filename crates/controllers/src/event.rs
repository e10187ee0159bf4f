//! Events: what controllers tell people.

use jiff::Timestamp;
use portway_base::ObjectKey;
use portway_client::{Action, Client, Error, Gvr, Write};
use serde_json::{Value, json};

use crate::plan::Note;

/// Publishes a note as a core/v1 Event; equal notes are counted up instead of repeated.
///
/// # Errors
/// Whatever the server refuses.
pub async fn publish(client: &Client, controller: &str, note: &Note) -> Result<(), Error> {
    let event = body(controller, note, Timestamp::now());
    let key = ObjectKey::new(event["metadata"]["namespace"].as_str().unwrap_or_default(), name(note));
    let resource = Gvr::new("", "v1", "events");
    match client.write(&Write::new(resource.clone(), key.clone(), Action::Create(event.clone()))).await {
        Err(Error::AlreadyExists(_)) => {}
        other => return other.map(drop),
    }
    let path = resource.object_path(&key, None);
    let old: Value =
        serde_json::from_slice(&client.get_bytes(&path, "application/json").await?).unwrap_or_default();
    let count = old["count"].as_i64().unwrap_or(1) + 1;
    let patch = json!({"count": count, "lastTimestamp": event["lastTimestamp"]});
    client.write(&Write::new(resource, key, Action::MergePatch(patch))).await.map(drop)
}

fn body(controller: &str, note: &Note, now: Timestamp) -> Value {
    let time = format!("{now:.0}");
    // Events about cluster-scoped objects stand in `default`.
    let namespace = if note.key.namespace.is_empty() { "default" } else { note.key.namespace.as_str() };
    let mut object =
        json!({"apiVersion": note.api_version, "kind": note.kind, "name": note.key.name, "uid": note.uid});
    if !note.key.namespace.is_empty() {
        object["namespace"] = note.key.namespace.as_str().into();
    }
    json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"namespace": namespace, "name": name(note)},
        "involvedObject": object,
        "type": if note.warning { "Warning" } else { "Normal" },
        "reason": note.reason,
        "message": note.message,
        "count": 1,
        "firstTimestamp": time,
        "lastTimestamp": time,
        "source": {"component": controller},
        "reportingComponent": controller,
        "reportingInstance": "",
    })
}

/// The same for equal notes, so that the server finds the repetition.
fn name(note: &Note) -> String {
    let text = format!("{}\0{}\0{}\0{}", note.kind, note.uid, note.reason, note.message);
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    let stem: String = note.key.name.chars().take(230).collect();
    format!("{stem}.{hash:016x}")
}
