//! PUT, and the loop that every change of an existing object goes through.

use portway_api::field::FieldError;
use portway_api::schema::schema;
use portway_machinery::apply::{self, Writer};
use portway_machinery::meta;
use portway_machinery::status::Status;
use portway_store::{Guard, Op, Txn};
use serde_json::Value;

use crate::answer::Answer;
use crate::cache::Cached;
use crate::call::Call;
use crate::options::WriteOptions;
use crate::server::now_text;
use crate::shape;
use crate::verbs::create;

/// How often a change is tried again after another writer was faster.
const ATTEMPTS: usize = 8;

/// The part of an object that a request may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All but the status.
    Whole,
    /// The status.
    Status,
    /// `spec.finalizers` of a Namespace.
    Finalizers,
    /// The node of a Pod; what else changes is the server's own doing.
    Binding,
}

impl Part {
    /// Name of the subresource; empty for the object itself.
    pub(crate) fn subresource(self) -> &'static str {
        match self {
            Self::Whole => "",
            Self::Status => "status",
            Self::Finalizers => "finalize",
            Self::Binding => "binding",
        }
    }
}

/// What became of a change.
pub(crate) struct Outcome {
    pub object: Value,
    pub created: bool,
}

/// Makes the new object from the current one; called again when another writer was faster.
pub(crate) type Make<'a> = &'a (dyn Fn(&Value) -> Result<Value, Status> + Send + Sync);

pub(crate) async fn put(call: &Call<'_>, part: Part) -> Result<Answer, Status> {
    let options = WriteOptions::parse(call.query, "UpdateOptions")?;
    let object = create::body(call, &options)?;
    if meta::name(&object).is_empty() {
        let error = "the name of the object (, which is required) must be given: metadata.name";
        return Err(Status::bad_request(error));
    }
    let outcome = replace(call, part, &object, &options).await?;
    shape::value(call, if outcome.created { 201 } else { 200 }, &outcome.object)
}

/// Replaces the object with this one; creates it if it is missing and its kind allows that.
pub(crate) async fn replace(
    call: &Call<'_>,
    part: Part,
    object: &Value,
    options: &WriteOptions,
) -> Result<Outcome, Status> {
    let may_create = call.resource.kind.create_on_update && part != Part::Finalizers;
    modify(call, part, options, &|_| Ok(object.clone()), may_create.then_some(object)).await
}

/// The loop: read, make, check, write; again if someone else wrote in between.
pub(crate) async fn modify(
    call: &Call<'_>,
    part: Part,
    options: &WriteOptions,
    make: Make<'_>,
    missing: Option<&Value>,
) -> Result<Outcome, Status> {
    let (server, resource) = (call.server, call.resource);
    let name = call.target.name.as_str();
    let key = resource.key(&call.target.namespace, name);
    for _ in 0..ATTEMPTS {
        server.fresh().await?;
        let Some(current) = server.cache.get(resource, &key) else {
            let Some(object) = missing else { return Err(Status::not_found(call.subject(name))) };
            return create_instead(call, object.clone(), options).await;
        };
        if let Some(object) = attempt(call, part, options, &current, make).await? {
            return Ok(Outcome { object, created: false });
        }
    }
    Err(Status::modified(call.subject(name)))
}

async fn create_instead(
    call: &Call<'_>,
    mut object: Value,
    options: &WriteOptions,
) -> Result<Outcome, Status> {
    check_name(call, &object)?;
    if !meta::uid(&object).is_empty() {
        return Err(other_uid(call, meta::uid(&object), ""));
    }
    meta::remove(&mut object, "resourceVersion");
    let object = create::insert(call, object, options).await?;
    Ok(Outcome { object, created: true })
}

/// One round; `None` if another writer was faster.
async fn attempt(
    call: &Call<'_>,
    part: Part,
    options: &WriteOptions,
    current: &Cached,
    make: Make<'_>,
) -> Result<Option<Value>, Status> {
    let (server, resource, kind) = (call.server, call.resource, call.resource.kind);
    let name = call.target.name.as_str();
    let mut old = current.value();
    server.ledger.settle(resource, &mut old);
    let mut new = make(&old)?;
    check_name(call, &new)?;
    create::place(call, &mut new)?;
    check_version(call, &new, &old)?;
    let wanted = meta::uid(&new);
    if !wanted.is_empty() && wanted != meta::uid(&old) {
        return Err(other_uid(call, wanted, meta::uid(&old)));
    }
    meta::set(&mut new, "resourceVersion", meta::resource_version(&old));
    let mut grant = crate::allocate::Grant::default();
    let errors = match part {
        Part::Whole => {
            kind.default(&mut new);
            track(call, part, options, &mut new, &old);
            grant = server.ledger.update(server, resource, &mut new, &old, options.dry_run)?;
            kind.prepare_update(&mut new, &old);
            kind.strategy.validate_update(&new, &old)
        }
        Part::Status => {
            kind.default(&mut new);
            track(call, part, options, &mut new, &old);
            kind.prepare_status_update(&mut new, &old);
            kind.strategy.validate_status_update(&new, &old)
        }
        Part::Binding => Vec::new(),
        Part::Finalizers => {
            let finalizers = new.get("spec").and_then(|s| s.get("finalizers")).cloned();
            new = old.clone();
            let spec = meta::child_mut(meta::map_mut(&mut new), "spec");
            match finalizers {
                Some(list) => spec.insert("finalizers".to_owned(), list),
                None => spec.remove("finalizers"),
            };
            Vec::new()
        }
    };
    if !errors.is_empty() {
        return Err(Status::invalid(call.subject(name), &errors));
    }
    server.ledger.settle(resource, &mut new);
    let warnings = kind.strategy.warnings(&new, Some(&old));
    let warn = || warnings.iter().for_each(|text| call.warn(text.clone()));

    if meta::is_deleting(&old) && may_go(call, &new) {
        warn();
        if options.dry_run {
            return Ok(Some(new));
        }
        let release = server.ledger.delete(server, resource, &old);
        let txn = Txn {
            guards: vec![Guard { key: current.key.clone(), modified: current.revision }],
            ops: vec![Op::Delete { key: current.key.clone() }],
        };
        let Some(revision) = server.commit(txn, release).await? else { return Ok(None) };
        meta::set(&mut new, "resourceVersion", revision.to_string());
        return Ok(Some(new));
    }
    if new == old {
        warn();
        return Ok(Some(old));
    }
    let value = create::encoded(call, &new)?;
    warn();
    if options.dry_run {
        return Ok(Some(new));
    }
    let txn = Txn::update(current.key.clone(), current.revision, value);
    let Some(revision) = server.commit(txn, grant).await? else { return Ok(None) };
    meta::set(&mut new, "resourceVersion", revision.to_string());
    Ok(Some(new))
}

/// Nothing holds a deleted object back any more.
pub(crate) fn may_go(call: &Call<'_>, object: &Value) -> bool {
    let grace = object.get("metadata").and_then(|m| m.get("deletionGracePeriodSeconds"));
    meta::finalizers(object).next().is_none()
        && grace.and_then(Value::as_i64).unwrap_or(0) == 0
        && !(call.resource.kind.kind == "Namespace" && has_spec_finalizers(object))
}

pub(crate) fn has_spec_finalizers(object: &Value) -> bool {
    let list = object.get("spec").and_then(|s| s.get("finalizers")).and_then(Value::as_array);
    list.is_some_and(|list| !list.is_empty())
}

fn check_name(call: &Call<'_>, object: &Value) -> Result<(), Status> {
    let (given, wanted) = (meta::name(object), call.target.name.as_str());
    if given == wanted {
        return Ok(());
    }
    Err(Status::bad_request(format!(
        "the name of the object ({given}) does not match the name on the URL ({wanted})"
    )))
}

/// The optimistic lock.
fn check_version(call: &Call<'_>, new: &Value, old: &Value) -> Result<(), Status> {
    let (given, name) = (meta::resource_version(new), call.target.name.as_str());
    match given {
        "" | "0" if call.resource.kind.unconditional_update => Ok(()),
        "" | "0" => {
            let detail = "must be specified for an update";
            let error = FieldError::invalid("metadata.resourceVersion", given, detail);
            Err(Status::invalid(call.subject(name), &[error]))
        }
        given if given.parse::<u64>().is_err() => {
            Err(Status::bare(format!("resourceVersion {given:?} is not a decimal number")))
        }
        given if given != meta::resource_version(old) => Err(Status::modified(call.subject(name))),
        _ => Ok(()),
    }
}

/// The object was meant to be another incarnation than the one there is.
fn other_uid(call: &Call<'_>, wanted: &str, actual: &str) -> Status {
    let why = format!("Precondition failed: UID in precondition: {wanted}, UID in object meta: {actual}");
    Status::conflict(call.subject(&call.target.name), &why)
}

/// Records whom the changed fields belong to; an applied object already says so.
fn track(call: &Call<'_>, part: Part, options: &WriteOptions, new: &mut Value, old: &Value) {
    if call.content_type() == crate::verbs::apply::APPLY {
        return;
    }
    let now = now_text();
    let writer = Writer { manager: call.field_manager(options), subresource: part.subresource(), now: &now };
    apply::track_update(schema(), call.resource.kind, Some(old), new, &writer);
}
