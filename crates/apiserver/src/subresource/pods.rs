//! Binding, eviction and logs of Pods.

use portway_machinery::decode::Expected;
use portway_machinery::meta;
use portway_machinery::status::{Details, Status};
use serde_json::{Value, json};

use crate::answer::{self, Answer};
use crate::call::Call;
use crate::options::WriteOptions;
use crate::podlogs::{LogError, LogOptions};
use crate::server::now_text;
use crate::verbs::update::{Part, modify};
use crate::verbs::{create, delete, get};

const BINDING: Expected<'static> =
    Expected { group: "", version: "v1", kind: "Binding", message: "io.k8s.api.core.v1.Binding" };
const EVICTION: Expected<'static> =
    Expected { group: "policy", version: "v1", kind: "Eviction", message: "io.k8s.api.policy.v1.Eviction" };

/// Puts a Pod on a node.
pub(crate) async fn bind(call: &Call<'_>) -> Result<Answer, Status> {
    let options = WriteOptions::parse(call.query, "CreateOptions")?;
    let decoded = create::decode_body(&call.content_type(), &call.body, &BINDING)?;
    let (binding, _) = options.validation.settle(decoded, &BINDING)?;
    let target = |field: &str| binding.get("target").and_then(|t| t.get(field)).and_then(Value::as_str);
    let node = target("name").unwrap_or_default().to_owned();
    if node.is_empty() || !matches!(target("kind"), None | Some("" | "Node")) {
        return Err(Status::bad_request("the target of a Binding must be a Node with a name"));
    }
    let change = |old: &Value| {
        let (spec, name) = (old.get("spec"), call.target.name.as_str());
        let bound = spec.and_then(|s| s.get("nodeName")).and_then(Value::as_str).unwrap_or_default();
        let subject = call.subject(name);
        if meta::is_deleting(old) {
            return Err(Status::conflict(
                subject,
                &format!("pod {name} is being deleted, cannot be assigned to a host"),
            ));
        }
        if !bound.is_empty() {
            return Err(Status::conflict(
                subject,
                &format!("pod {name} is already assigned to node {bound:?}"),
            ));
        }
        let mut new = old.clone();
        meta::child_mut(meta::map_mut(&mut new), "spec").insert("nodeName".to_owned(), node.as_str().into());
        let status = meta::child_mut(meta::map_mut(&mut new), "status");
        let conditions = status.entry("conditions").or_insert_with(|| json!([]));
        if let Some(list) = conditions.as_array_mut() {
            list.retain(|c| c.get("type").and_then(Value::as_str) != Some("PodScheduled"));
            list.push(json!({"type": "PodScheduled", "status": "True", "lastTransitionTime": now_text()}));
        }
        Ok(new)
    };
    modify(call, Part::Binding, &options, &change, None).await?;
    let done = Status { code: 201, reason: "", message: String::new(), details: None, resume: None };
    Ok(answer::status(call.form, &done))
}

/// Deletes a Pod gracefully; there are no disruption budgets to ask.
pub(crate) async fn evict(call: &Call<'_>) -> Result<Answer, Status> {
    let options = if call.body.is_empty() {
        crate::options::DeleteOptions::parse(None, call.query)?
    } else {
        let eviction: Value = match create::decode_body(&call.content_type(), &call.body, &EVICTION) {
            Ok(decoded) => decoded.value,
            Err(status) => return Err(status),
        };
        crate::options::DeleteOptions::parse(eviction.get("deleteOptions"), call.query)?
    };
    delete::start(call, &options).await?;
    let done = Status { code: 201, reason: "", message: String::new(), details: None, resume: None };
    Ok(answer::status(call.form, &done))
}

/// What a container wrote.
pub(crate) async fn log(call: &Call<'_>) -> Result<Answer, Status> {
    let pod = get::find_fresh(call).await?.value();
    let text = |part: &str, field: &str| {
        pod.get(part).and_then(|p| p.get(field)).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let name = call.target.name.as_str();
    let options = log_options(call, &pod)?;
    let node = text("spec", "nodeName");
    if node.is_empty() {
        // Not scheduled: there is nothing to read yet.
        return Err(Status::bad_request(format!("pod {name} does not have a host assigned")));
    }
    let Some(logs) = &call.server.config.pod_logs else {
        return Err(Status::unavailable("this server has no way to the logs of Pods"));
    };
    match logs.logs(&node, &call.target.namespace, name, options).await {
        Ok(stream) => Ok(answer::stream("text/plain", stream)),
        Err(LogError::BadRequest(text)) => Err(Status::bad_request(text)),
        Err(LogError::NotFound(text)) => {
            let mut status = Status::not_found(call.subject(name));
            status.message = text;
            Err(status)
        }
        Err(LogError::Unavailable(text)) => {
            let mut status = Status::unavailable(text);
            status.details = Some(Box::new(Details { retry_after_seconds: 1, ..Details::default() }));
            Err(status)
        }
    }
}

fn log_options(call: &Call<'_>, pod: &Value) -> Result<LogOptions, Status> {
    let (query, name) = (call.query, call.target.name.as_str());
    let number = |field: &str| match query.text(field) {
        None => Ok(None),
        Some(text) => text.parse::<u64>().map(Some).map_err(|_| {
            Status::bad_request(format!("{field}: {text:?} must be a number that is not negative"))
        }),
    };
    let containers: Vec<&str> = ["initContainers", "containers"]
        .iter()
        .filter_map(|list| pod.get("spec")?.get(list)?.as_array())
        .flatten()
        .filter_map(|c| c.get("name")?.as_str())
        .collect();
    let container = match query.text("container") {
        Some(asked) if containers.contains(&asked) => Some(asked.to_owned()),
        Some(asked) => {
            return Err(Status::bad_request(format!("container {asked} is not valid for pod {name}")));
        }
        None => match containers.as_slice() {
            [one] => Some((*one).to_owned()),
            several => {
                return Err(Status::bad_request(format!(
                    "a container name must be specified for pod {name}, choose one of: [{}]",
                    several.join(" ")
                )));
            }
        },
    };
    Ok(LogOptions {
        container,
        follow: query.flag("follow").unwrap_or(false),
        previous: query.flag("previous").unwrap_or(false),
        timestamps: query.flag("timestamps").unwrap_or(false),
        tail_lines: number("tailLines")?,
        limit_bytes: number("limitBytes")?,
        since_seconds: number("sinceSeconds")?,
    })
}
