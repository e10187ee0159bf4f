//! DELETE of one object and of a collection.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use portway_api::schema::schema;
use portway_base::Revision;
use portway_machinery::decode::{Expected, Format};
use portway_machinery::meta;
use portway_machinery::status::{Status, Subject};
use portway_store::Txn;
use serde_json::Value;

use crate::allocate::Grant;
use crate::answer::{self, Answer};
use crate::cache::Cached;
use crate::call::Call;
use crate::media;
use crate::options::{DeleteOptions, ListOptions, Propagation};
use crate::server::time_text;
use crate::shape;
use crate::verbs::{create, list, update};

const ATTEMPTS: usize = 8;
const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";
/// Namespaces the cluster cannot be without.
const KEPT: [&str; 3] = ["default", "kube-system", "kube-public"];

/// What a delete did.
enum Outcome {
    /// The object is gone; as it was last.
    Gone(Value),
    /// The object stays for now.
    Stays(Value),
}

pub(crate) async fn run(call: &Call<'_>) -> Result<Answer, Status> {
    let options = options(call)?;
    match one(call, &call.target.namespace, &call.target.name, &options).await? {
        Outcome::Stays(object) => shape::value(call, 200, &object),
        Outcome::Gone(object) if call.resource.kind.delete_returns_object => shape::value(call, 200, &object),
        Outcome::Gone(object) => {
            let status = Status::success(call.subject(&call.target.name), meta::uid(&object));
            Ok(answer::status(call.form, &status))
        }
    }
}

pub(crate) async fn collection(call: &Call<'_>) -> Result<Answer, Status> {
    let options = options(call)?;
    let mut listed = ListOptions::parse(call.query, false)?;
    listed.revision = None;
    let (meta, objects) = list::collect(call, &listed, &list::filter(call)?).await?;
    let mut deleted: Vec<Arc<Cached>> = Vec::with_capacity(objects.len());
    for object in objects {
        let (namespace, name) = object.name(call.resource);
        match one(call, namespace, name, &options).await {
            Ok(_) => deleted.push(object),
            // Someone else was faster.
            Err(status) if status.code == 404 => {}
            Err(status) => return Err(status),
        }
    }
    shape::list(call, &meta, &deleted)
}

/// Deletes the object the request names, whatever becomes of it at once.
pub(crate) async fn start(call: &Call<'_>, options: &DeleteOptions) -> Result<(), Status> {
    one(call, &call.target.namespace, &call.target.name, options).await.map(|_| ())
}

fn options(call: &Call<'_>) -> Result<DeleteOptions, Status> {
    if call.body.is_empty() {
        return DeleteOptions::parse(None, call.query);
    }
    let expected = Expected {
        group: "",
        version: "v1",
        kind: "DeleteOptions",
        message: "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions",
    };
    // DeleteOptions belong to every group: their apiVersion says nothing.
    let format = if call.content_type() == media::YAML { Format::Yaml } else { Format::Json };
    let body = match call.content_type().as_str() {
        media::JSON | media::YAML => {
            let document =
                portway_machinery::decode::parse(format, &call.body).map_err(|e| Status::bad_request(e.0))?;
            if !document.is_object() {
                return Err(Status::bad_request("the delete options are not an object"));
            }
            document.conform(schema(), expected.message).map_err(|e| expected.refuse(&e.0))?.value
        }
        other => create::decode_body(other, &call.body, &expected)?.value,
    };
    DeleteOptions::parse(Some(&body), call.query)
}

/// Deletes one object, or starts its deletion.
async fn one(
    call: &Call<'_>,
    namespace: &str,
    name: &str,
    options: &DeleteOptions,
) -> Result<Outcome, Status> {
    let (server, resource) = (call.server, call.resource);
    let subject = call.subject(name);
    if resource.kind.kind == "Namespace" && KEPT.contains(&name) {
        return Err(Status::forbidden(subject, "this namespace may not be deleted"));
    }
    let key = resource.key(namespace, name);
    for _ in 0..ATTEMPTS {
        server.fresh().await?;
        let Some(current) = server.cache.get(resource, &key) else { return Err(Status::not_found(subject)) };
        let old = current.value();
        check_preconditions(subject, &old, options)?;
        let Plan { object, goes } = plan(call, &old, options);
        if options.dry_run {
            return Ok(if goes { Outcome::Gone(old) } else { Outcome::Stays(object) });
        }
        if goes {
            if let Some(revision) = remove(call, &current, &old).await? {
                let mut object = object;
                meta::set(&mut object, "resourceVersion", revision.to_string());
                return Ok(Outcome::Gone(object));
            }
        } else if object == old {
            return Ok(Outcome::Stays(old));
        } else {
            let value = create::encoded(call, &object)?;
            let txn = Txn::update(key.clone(), current.revision, value);
            if let Some(revision) = server.commit(txn, Grant::default()).await? {
                let mut object = object;
                meta::set(&mut object, "resourceVersion", revision.to_string());
                return Ok(Outcome::Stays(object));
            }
        }
    }
    Err(Status::modified(subject))
}

async fn remove(call: &Call<'_>, current: &Cached, old: &Value) -> Result<Option<Revision>, Status> {
    let release = call.server.ledger.delete(call.server, call.resource, old);
    let txn = Txn::delete(current.key.clone(), current.revision);
    call.server.commit(txn, release).await
}

fn check_preconditions(subject: Subject<'_>, old: &Value, options: &DeleteOptions) -> Result<(), Status> {
    if let Some(wanted) = &options.uid
        && wanted != meta::uid(old)
    {
        return Err(Status::precondition_failed(subject, "UID", wanted, meta::uid(old)));
    }
    if let Some(wanted) = &options.resource_version
        && wanted != meta::resource_version(old)
    {
        let actual = meta::resource_version(old);
        return Err(Status::precondition_failed(subject, "ResourceVersion", wanted, actual));
    }
    Ok(())
}

/// What a delete does to an object.
struct Plan {
    /// The object afterwards, or as it is when it goes.
    object: Value,
    /// Nothing keeps it.
    goes: bool,
}

fn plan(call: &Call<'_>, old: &Value, options: &DeleteOptions) -> Plan {
    let mut object = old.clone();
    set_finalizers(&mut object, options.propagation);
    let grace = call.resource.kind.strategy.grace_period(old, options.grace);
    let graceful = grace.is_some();
    let now = Timestamp::now();
    let pending = meta::finalizers(&object).next().is_some()
        || (call.resource.kind.kind == "Namespace" && update::has_spec_finalizers(&object));
    let current =
        old.get("metadata").and_then(|m| m.get("deletionGracePeriodSeconds")).and_then(Value::as_i64);
    let grace = match (meta::is_deleting(old), current) {
        // A second delete may only shorten.
        (true, Some(current)) => grace.unwrap_or(0).min(current),
        _ => grace.unwrap_or(0),
    }
    .max(0);
    if !pending && grace == 0 {
        let mut object = old.clone();
        // Kinds that know graceful deletion show that its time is over.
        if graceful {
            end_in(&mut object, old, now, 0);
        }
        return Plan { object, goes: true };
    }
    if !meta::is_deleting(old) || current.is_some_and(|current| grace < current) {
        end_in(&mut object, old, now, grace);
    }
    if call.resource.kind.kind == "Namespace" {
        meta::child_mut(meta::map_mut(&mut object), "status").insert("phase".into(), "Terminating".into());
    }
    Plan { object, goes: false }
}

/// Marks the object as going away in `grace` seconds.
fn end_in(object: &mut Value, old: &Value, now: Timestamp, grace: i64) {
    let end = now.checked_add(SignedDuration::from_secs(grace)).unwrap_or(now);
    meta::set(object, "deletionTimestamp", time_text(end));
    meta::set(object, "deletionGracePeriodSeconds", grace);
    if !meta::is_deleting(old) && meta::generation(old) > 0 {
        meta::set(object, "generation", meta::generation(old) + 1);
    }
}

/// A propagation policy is kept as a finalizer that the collector works off. Without one the finalizers that
/// are there decide.
fn set_finalizers(object: &mut Value, propagation: Option<Propagation>) {
    let Some(propagation) = propagation else { return };
    let mut list: Vec<Value> =
        meta::finalizers(object).filter(|f| *f != FOREGROUND && *f != ORPHAN).map(Value::from).collect();
    match propagation {
        Propagation::Background => {}
        Propagation::Foreground => list.push(FOREGROUND.into()),
        Propagation::Orphan => list.push(ORPHAN.into()),
    }
    if list.is_empty() {
        meta::remove(object, "finalizers");
    } else {
        meta::set(object, "finalizers", list);
    }
}
