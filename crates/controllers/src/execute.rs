//! Carries a plan out: guards, then writes, then the Events.

use futures_util::{StreamExt, stream};
use portway_client::{Action, Client, Error, ListOptions, Partial, Write};
use serde_json::Value;

use crate::engine::{Report, Written};
use crate::event;
use crate::plan::{Guard, Plan};

/// Writes of one plan under way at once.
const PARALLEL: usize = 16;

/// Does what the plan says; the first failure ends it.
pub async fn execute(client: &Client, controller: &str, plan: &Plan) -> Report {
    let report = match check(client, &plan.guards).await {
        Err(error) => Report { written: Vec::new(), error: Some(error) },
        Ok(()) => write_all(client, plan).await,
    };
    for note in &plan.notes {
        // Events are a courtesy: they are not worth failing for.
        if let Err(error) = event::publish(client, controller, note).await {
            tracing::debug!(controller, %error, "event not published");
        }
    }
    report
}

async fn check(client: &Client, guards: &[Guard]) -> Result<(), String> {
    for guard in guards {
        match guard {
            Guard::Empty { resource, namespace } => {
                let options = ListOptions { limit: 1, ..ListOptions::namespace(namespace) };
                match client.list_of::<Partial>(resource, &options).await {
                    Ok(list) if list.items.is_empty() => {}
                    Ok(_) => return Err(format!("there are still {resource} in namespace {namespace}")),
                    Err(Error::NotFound(_)) => {}
                    Err(error) => return Err(format!("listing {resource}: {error}")),
                }
            }
            Guard::Absent { resource, key, uid } => {
                match client.get_bytes(&resource.object_path(key, None), "application/json").await {
                    Err(Error::NotFound(_)) => {}
                    Err(error) => return Err(format!("getting {resource} {key}: {error}")),
                    Ok(bytes) => {
                        let object: Partial = serde_json::from_slice(&bytes).map_err(|e| e.to_string())?;
                        if uid.is_empty() || object.metadata.uid == *uid {
                            return Err(format!("{resource} {key} exists after all"));
                        }
                    }
                }
            }
        }
    }
    Ok(())
}

async fn write_all(client: &Client, plan: &Plan) -> Report {
    let mut report = Report { written: Vec::new(), error: None };
    let width = if plan.parallel { PARALLEL } else { 1 };
    let writes: Vec<_> = plan.writes.iter().map(|w| write(client, w)).collect();
    let mut results = stream::iter(writes).buffer_unordered(width);
    while let Some(result) = results.next().await {
        match result {
            Ok(written) => report.written.extend(written),
            Err(error) => {
                report.error.get_or_insert(error);
                if !plan.parallel {
                    break;
                }
            }
        }
    }
    drop(results);
    report
}

async fn write(client: &Client, write: &Write) -> Result<Option<Written>, String> {
    match client.write(write).await {
        Ok(answer) => Ok(written(write, &answer)),
        Err(Error::NotFound(_)) if matches!(write.action, Action::Delete { .. }) => {
            Ok(written(write, &Value::Null))
        }
        // The namespace goes away, and all that was to be in it.
        Err(error) if error.is_namespace_terminating() => Ok(None),
        Err(error) => Err(format!("{} {} {}: {error}", verb(write), write.resource, write.key)),
    }
}

const fn verb(write: &Write) -> &'static str {
    match write.action {
        Action::Create(_) => "creating",
        Action::Replace(_) => "replacing",
        Action::MergePatch(_) | Action::JsonPatch(_) | Action::StrategicPatch(_) | Action::Apply { .. } => {
            "patching"
        }
        Action::Delete { .. } | Action::DeleteCollection { .. } => "deleting",
    }
}

/// What to wait for in the caches.
pub(crate) fn written(write: &Write, answer: &Value) -> Option<Written> {
    let text = |field: &str| answer["metadata"][field].as_str().unwrap_or_default().to_owned();
    let mut key = write.key.clone();
    let (uid, revision) = match &write.action {
        Action::DeleteCollection { .. } => return None,
        Action::Delete { preconditions, .. } => (preconditions.uid.clone().unwrap_or_default(), None),
        // The answer to a binding is a Status.
        _ if answer["kind"] == "Status" || !answer["metadata"]["resourceVersion"].is_string() => return None,
        _ => (text("uid"), text("resourceVersion").parse().ok()),
    };
    if matches!(write.action, Action::Create(_)) {
        key.name = text("name");
    }
    Some(Written { resource: write.resource.clone(), key, uid, revision })
}
