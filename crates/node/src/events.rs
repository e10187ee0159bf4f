//! Events about Pods: what people read in `kubectl describe`. Written in the background; losing one harms nothing.

use std::collections::BTreeMap;

use jiff::Timestamp;
use portway_api::types::core::Event;
use portway_api::types::pod::Pod;
use portway_base::ObjectKey;
use portway_client::{Action, Client, Write};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::pod::seconds;

/// How many Events are remembered to be counted instead of repeated.
const REMEMBERED: usize = 512;
/// How many may wait to be written.
const QUEUE: usize = 1024;

/// Takes Events; clones share the queue.
#[derive(Clone)]
pub(crate) struct Events(mpsc::Sender<Said>);

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Said {
    namespace: String,
    name: String,
    uid: String,
    /// `spec.containers{app}`, or empty for the Pod as a whole.
    field: String,
    warning: bool,
    reason: &'static str,
    message: String,
}

impl Events {
    /// Starts the writer; it ends with the last clone.
    pub fn start(client: Client, node: String) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        tokio::spawn(write_all(client, node, receiver));
        Self(sender)
    }

    /// Says something about a Pod, or about one of its containers.
    pub fn say(
        &self,
        pod: &Pod,
        container: Option<&str>,
        warning: bool,
        reason: &'static str,
        message: String,
    ) {
        let kind = |c: &str| {
            let init = pod.spec.init_containers.iter().any(|i| i.name == c);
            if init { "initContainers" } else { "containers" }
        };
        let field = container.map(|c| format!("spec.{}{{{c}}}", kind(c))).unwrap_or_default();
        let meta = &pod.metadata;
        let (namespace, name, uid) = (meta.namespace.clone(), meta.name.clone(), meta.uid.clone());
        self.0.try_send(Said { namespace, name, uid, field, warning, reason, message }).ok();
    }
}

async fn write_all(client: Client, node: String, mut queue: mpsc::Receiver<Said>) {
    let mut written: BTreeMap<Said, (String, u32)> = BTreeMap::new();
    while let Some(said) = queue.recv().await {
        let now = seconds(Timestamp::now());
        if let Some((name, count)) = written.get_mut(&said) {
            *count += 1;
            let key = ObjectKey::new(said.namespace.clone(), name.clone());
            let patch = json!({"count": *count, "lastTimestamp": now});
            if client.write(&Write::of::<Event>(key, Action::MergePatch(patch))).await.is_ok() {
                continue;
            }
        }
        let name = format!("{}.{:016x}", said.name, fastrand::u64(..));
        let key = ObjectKey::new(said.namespace.clone(), name.clone());
        match client.write(&Write::of::<Event>(key, Action::Create(body(&said, &name, &node, &now)))).await {
            Ok(_) => {
                if written.len() >= REMEMBERED {
                    written.clear();
                }
                written.insert(said, (name, 1));
            }
            Err(error) => tracing::debug!(pod = said.name, reason = said.reason, %error, "event not written"),
        }
    }
}

fn body(said: &Said, name: &str, node: &str, now: &str) -> Value {
    let mut object = json!({
        "kind": "Pod", "apiVersion": "v1", "namespace": said.namespace, "name": said.name, "uid": said.uid,
    });
    if !said.field.is_empty() {
        object["fieldPath"] = said.field.as_str().into();
    }
    json!({
        "kind": "Event",
        "apiVersion": "v1",
        "metadata": {"name": name, "namespace": said.namespace},
        "involvedObject": object,
        "reason": said.reason,
        "message": said.message,
        "type": if said.warning { "Warning" } else { "Normal" },
        "source": {"component": "kubelet", "host": node},
        "reportingComponent": "kubelet",
        "reportingInstance": node,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    })
}
