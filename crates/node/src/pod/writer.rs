//! Writes a Pod's status: always the newest one, in order, again until the server has it.

use std::sync::Arc;
use std::time::Duration;

use portway_api::types::meta::Condition;
use portway_api::types::pod::Pod;
use portway_base::ObjectKey;
use portway_client::{Action, Client, Error, Write};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The last status given to it, on its way to the server.
pub(super) struct StatusWriter {
    sender: Option<watch::Sender<Value>>,
    task: JoinHandle<()>,
    last: Value,
}

impl StatusWriter {
    pub fn start(client: Client, pod: &Arc<Pod>) -> Self {
        let (sender, receiver) = watch::channel(Value::Null);
        let key = ObjectKey::new(pod.metadata.namespace.clone(), pod.metadata.name.clone());
        let task = tokio::spawn(write_all(client, key, pod.metadata.uid.clone(), receiver));
        Self { sender: Some(sender), task, last: Value::Null }
    }

    /// The conditions last given, or those of the object.
    pub fn conditions(&self, pod: &Pod) -> Vec<Condition> {
        match self.last.get("conditions") {
            Some(conditions) => serde_json::from_value(conditions.clone()).unwrap_or_default(),
            None => pod.status.conditions.clone(),
        }
    }

    /// Gives the status to write, unless it is the last one again.
    pub fn give(&mut self, status: Value) {
        if let Some(sender) = self.sender.as_ref().filter(|_| status != self.last) {
            self.last = status.clone();
            sender.send_replace(status);
        }
    }

    /// Waits until the last status has been written (or can never be).
    pub async fn finish(&mut self) {
        if self.sender.take().is_some() {
            (&mut self.task).await.ok();
        }
    }
}

async fn write_all(client: Client, key: ObjectKey, uid: String, mut statuses: watch::Receiver<Value>) {
    let mut pause = Duration::from_millis(20);
    // The last value is seen even if the sender is gone by then.
    while statuses.changed().await.is_ok() {
        loop {
            let status = statuses.borrow_and_update().clone();
            // The UID keeps a status from landing on a later Pod of the same name.
            let patch = json!({"metadata": {"uid": uid}, "status": status});
            let write = Write::of::<Pod>(key.clone(), Action::StrategicPatch(patch)).on("status");
            match client.write(&write).await {
                Ok(_) => break,
                Err(Error::NotFound(_)) => return,
                Err(Error::Conflict(status)) if status.message.contains("uid") => return,
                Err(Error::Invalid(status)) => {
                    tracing::warn!(pod = %key, error = status.message, "the status was refused");
                    break;
                }
                Err(error) => {
                    tracing::debug!(pod = %key, %error, "the status will be written again");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(5));
                }
            }
        }
        pause = Duration::from_millis(20);
    }
}
