//! Server-side apply, and whom each field belongs to (`metadata.managedFields`).
//!
//! Works on objects in normal form, before defaults are filled in again. Must not know validation or storage.

mod fieldset;
mod managed;
mod shape;
#[cfg(test)]
mod tests;
mod walk;

use portway_api::kinds::Kind;
use portway_api::schema::Schema;
use serde_json::{Map, Value};

use crate::meta;
use crate::status::{Cause, Status};
pub use fieldset::FieldSet;
use managed::{Entry, Operation, Sent};
use shape::Shape;

/// The annotation client-side apply keeps its last configuration in.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Who writes, through what.
#[derive(Clone, Copy, Debug)]
pub struct Writer<'a> {
    /// Name of the field manager.
    pub manager: &'a str,
    /// Subresource written to; empty for the object itself.
    pub subresource: &'a str,
    /// Now, RFC 3339 in whole seconds.
    pub now: &'a str,
}

/// An apply that changes nothing, and why.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ApplyError {
    /// The configuration does not fit the schema's list and map types.
    #[error("{0}")]
    Typed(String),
    /// Other managers own what would change.
    #[error("{message}")]
    Conflict {
        /// For people.
        message: String,
        /// Each field.
        causes: Vec<Cause>,
    },
}

impl ApplyError {
    /// The answer: 500 as upstream has it for the first, 409 for conflicts.
    pub fn status(self, kind: &Kind, object: &Value) -> Status {
        match self {
            Self::Typed(why) => {
                let (namespace, name) = (meta::namespace(object), meta::name(object));
                Status::bare(format!(
                    "failed to create typed patch object ({namespace}/{name}; {}, Kind={}): {why}",
                    kind.api_version(),
                    kind.kind
                ))
            }
            Self::Conflict { message, causes } => Status::apply_conflict(message, causes),
        }
    }
}

/// Never recorded: they are the server's, or tell which object it is.
const STRIPPED: &[&[&str]] = &[
    &["apiVersion"],
    &["kind"],
    &["metadata"],
    &["metadata", "name"],
    &["metadata", "namespace"],
    &["metadata", "creationTimestamp"],
    &["metadata", "selfLink"],
    &["metadata", "uid"],
    &["metadata", "generation"],
    &["metadata", "managedFields"],
    &["metadata", "resourceVersion"],
];

/// What a write through this path cannot change.
fn reset(kind: &Kind, writer: &Writer<'_>, set: &mut FieldSet) {
    let has_status = kind.subresources.contains(&"status");
    match writer.subresource {
        "" if has_status => set.remove_below(&["status"]),
        "status" => set.remove_below(&["spec"]),
        _ => {}
    }
}

fn strip(set: &mut FieldSet) {
    for path in STRIPPED {
        set.remove_field(path);
    }
    set.member = false;
}

/// What a new object is compared with: one of its kind without any content.
pub fn blank(schema: &Schema, kind: &Kind) -> Value {
    let mut object = Value::Object(Map::new());
    schema.normalize(&mut object, kind.schema);
    object
}

fn bare(object: &Value) -> Value {
    let mut object = object.clone();
    meta::remove(&mut object, "managedFields");
    object
}

/// Records a create (`live` is `None`), update or patch: what changed belongs to the writer now.
///
/// To be called with the defaulted object, before the server adds anything of its own. A client may edit
/// `managedFields` itself, or clear them with `[{}]`; an object without any stays without.
pub fn track_update(
    schema: &Schema,
    kind: &Kind,
    live: Option<&Value>,
    new: &mut Value,
    writer: &Writer<'_>,
) {
    let old = live.map(managed::stored);
    let entries = match (managed::sent(new), old) {
        (Sent::Reset, _) => {
            meta::remove(new, "managedFields");
            return;
        }
        (Sent::Entries(entries), _) | (Sent::Nothing, Some(entries)) => entries,
        (Sent::Nothing, None) => Vec::new(),
    };
    if live.is_some() && entries.is_empty() {
        meta::remove(new, "managedFields");
        return;
    }
    let shape = Shape::message(schema, kind.schema);
    let before = live.map_or_else(|| blank(schema, kind), bare);
    meta::remove(new, "managedFields");
    let mut comparison = walk::compare(shape, &before, new);
    for set in [&mut comparison.changed, &mut comparison.removed] {
        reset(kind, writer, set);
        strip(set);
    }
    let own = Entry {
        manager: writer.manager.to_owned(),
        operation: Operation::Update,
        api_version: kind.api_version(),
        subresource: writer.subresource.to_owned(),
        time: writer.now.to_owned(),
        fields: comparison.changed.clone(),
    };
    let mut found = false;
    let mut entries: Vec<Entry> = entries
        .into_iter()
        .map(|mut entry| {
            let rest = entry.fields.clone().difference(&comparison.removed);
            if entry.is_of(&own) {
                found = true;
                let fields = rest.union(&comparison.changed);
                if fields != entry.fields {
                    entry.time.clone_from(&own.time);
                }
                entry.fields = fields;
            } else {
                entry.fields = rest.difference(&comparison.changed);
            }
            entry
        })
        .collect();
    if !found {
        entries.push(own);
    }
    managed::write(new, entries);
}

/// Applies a configuration (checked against the schema, without unknown fields) to an object; `live` is
/// [`blank`] for one that does not exist yet. The result is to be defaulted and validated.
///
/// An apply that changes nothing gives back the live object as it is.
pub fn apply(
    schema: &Schema,
    kind: &Kind,
    live: &Value,
    config: &Value,
    writer: &Writer<'_>,
    force: bool,
) -> Result<Value, ApplyError> {
    let result = attempt(schema, kind, live, config, writer, force);
    // Whoever comes from client-side apply still owns what that applied last.
    if writer.manager == "kubectl"
        && let Err(ApplyError::Conflict { causes, .. }) = &result
        && let Some(allowed) = last_applied(schema, kind, live)
        && causes.iter().all(|cause| allowed.contains(&cause.field))
    {
        return attempt(schema, kind, live, config, writer, true);
    }
    result
}

fn attempt(
    schema: &Schema,
    kind: &Kind,
    live: &Value,
    config: &Value,
    writer: &Writer<'_>,
    force: bool,
) -> Result<Value, ApplyError> {
    let shape = Shape::message(schema, kind.schema);
    walk::check_unique(shape, config, "")?;
    let before = bare(live);
    let mut entries = managed::stored(live);
    if entries.is_empty() && !meta::uid(live).is_empty() {
        entries.push(unclaimed(schema, kind, &before));
    }
    let mut fields = walk::fields_of(shape, config);
    reset(kind, writer, &mut fields);
    strip(&mut fields);
    let own = Entry {
        manager: writer.manager.to_owned(),
        operation: Operation::Apply,
        api_version: kind.api_version(),
        subresource: writer.subresource.to_owned(),
        time: writer.now.to_owned(),
        fields,
    };
    let last = entries.iter().find(|entry| entry.is_of(&own)).cloned();
    entries.retain(|entry| !entry.is_of(&own));

    let mut merged = walk::merge(shape, before.clone(), config.clone())?;
    if let Some(last) = &last {
        let kept = entries.iter().fold(own.fields.clone(), |all, entry| all.union(&entry.fields));
        merged = walk::prune(shape, merged, &last.fields, &kept);
    }
    schema.normalize(&mut merged, kind.schema);
    let mut comparison = walk::compare(shape, &before, &merged);
    for set in [&mut comparison.changed, &mut comparison.removed] {
        reset(kind, writer, set);
        strip(set);
    }
    if !force {
        check_conflicts(&entries, &comparison.changed)?;
    }
    for entry in &mut entries {
        let fields = std::mem::take(&mut entry.fields);
        entry.fields = fields.difference(&comparison.changed).difference(&comparison.removed);
    }
    let same_fields = match &last {
        Some(last) => last.fields == own.fields && last.api_version == own.api_version,
        None => own.fields.is_empty(),
    };
    if same_fields && merged == before {
        return Ok(live.clone());
    }
    entries.push(own);
    keep_last_applied(&mut merged, &before, config, writer);
    managed::write(&mut merged, entries);
    Ok(merged)
}

/// An object nobody kept track of: all it has belongs to one manager, so that an apply can conflict with it.
fn unclaimed(schema: &Schema, kind: &Kind, object: &Value) -> Entry {
    let shape = Shape::message(schema, kind.schema);
    let mut fields = walk::compare(shape, &blank(schema, kind), object).changed;
    strip(&mut fields);
    Entry {
        manager: "before-first-apply".to_owned(),
        operation: Operation::Update,
        api_version: kind.api_version(),
        subresource: String::new(),
        time: String::new(),
        fields,
    }
}

fn check_conflicts(entries: &[Entry], changed: &FieldSet) -> Result<(), ApplyError> {
    let mut conflicts: Vec<(String, String)> = Vec::new();
    for entry in entries {
        let paths = entry.fields.intersection(changed).paths();
        conflicts.extend(paths.into_iter().map(|path| (entry.shown(), path)));
    }
    conflicts.sort_by(|a, b| a.0.cmp(&b.0));
    let message = match conflicts.as_slice() {
        [] => return Ok(()),
        [(manager, path)] => format!("Apply failed with 1 conflict: conflict with {manager}: {path}"),
        several => {
            let mut lines = Vec::new();
            for (i, (manager, path)) in several.iter().enumerate() {
                if i == 0 || several[i - 1].0 != *manager {
                    lines.push(format!("conflicts with {manager}:"));
                }
                lines.push(format!("- {path}"));
            }
            format!("Apply failed with {} conflicts: {}", several.len(), lines.join("\n"))
        }
    };
    let cause = |(manager, path): (String, String)| Cause {
        reason: "FieldManagerConflict".to_owned(),
        message: format!("conflict with {manager}"),
        field: path,
    };
    Err(ApplyError::Conflict { message, causes: conflicts.into_iter().map(cause).collect() })
}

/// The fields client-side apply set last and that still have that value.
fn last_applied(schema: &Schema, kind: &Kind, live: &Value) -> Option<Vec<String>> {
    let text = meta::annotation(live, LAST_APPLIED)?;
    let config = crate::decode::parse(crate::decode::Format::Json, text.as_bytes()).ok()?;
    let config = config.conform(schema, kind.schema).ok()?.value;
    let shape = Shape::message(schema, kind.schema);
    let set = walk::fields_of(shape, &config);
    let merged = walk::merge(shape, bare(live), config).ok()?;
    let changed = walk::compare(shape, &bare(live), &merged).changed;
    Some(set.difference(&changed).paths())
}

/// Keeps client-side apply's annotation in step when `kubectl` applies.
fn keep_last_applied(merged: &mut Value, before: &Value, config: &Value, writer: &Writer<'_>) {
    const LIMIT: usize = 262_144;
    if writer.manager != "kubectl"
        || !writer.subresource.is_empty()
        || meta::annotation(before, LAST_APPLIED).is_none_or(str::is_empty)
    {
        return;
    }
    let mut config = bare(config);
    if let Some(Value::Object(annotations)) =
        config.get_mut("metadata").and_then(|m| m.get_mut("annotations"))
    {
        annotations.remove(LAST_APPLIED);
    }
    let text = format!("{config}\n");
    let text = if text.len() > LIMIT { String::new() } else { text };
    meta::child_mut(meta::metadata_mut(merged), "annotations")
        .insert(LAST_APPLIED.to_owned(), Value::from(text));
}
