//! Rules of `metadata`, the same for every kind.

use serde_json::Value;

use super::format;
use super::value::{Edit, Read};
use crate::field::FieldError;

/// What `metadata.name` may look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameFormat {
    /// DNS-1123 label.
    Label,
    /// DNS-1123 subdomain.
    Subdomain,
    /// Anything that can stand in a URL path.
    PathSegment,
    /// An IP address in its canonical spelling.
    CanonicalIp,
}

impl NameFormat {
    /// What is wrong with a name.
    pub fn problems(self, name: &str) -> Vec<String> {
        match self {
            Self::Label => format::dns1123_label(name),
            Self::Subdomain => format::dns1123_subdomain(name),
            Self::PathSegment => format::path_segment(name),
            Self::CanonicalIp => {
                super::ip::validate_canonical("", name).into_iter().map(|error| error.detail).collect()
            }
        }
    }
}

/// Clears what the server alone sets. The server then fills in `uid`, `creationTimestamp` and a generated
/// name.
pub fn prepare_create(object: &mut Value) {
    for field in ["selfLink", "deletionTimestamp", "deletionGracePeriodSeconds"] {
        object.unset(&format!("metadata.{field}"));
    }
    drop_repeated_owners(object);
}

/// Keeps what an update may not change: an omitted or server-owned field gets its old value.
pub fn prepare_update(new: &mut Value, old: &Value) {
    new.unset("metadata.selfLink");
    for field in ["metadata.creationTimestamp", "metadata.generation"] {
        new.copy(field, old);
    }
    for field in ["metadata.uid", "metadata.deletionTimestamp", "metadata.deletionGracePeriodSeconds"] {
        if !new.has(field) || new.at(field).and_then(Value::as_str) == Some("") {
            new.copy(field, old);
        }
    }
    drop_repeated_owners(new);
}

/// Keeps the first of several owner references with the same UID.
fn drop_repeated_owners(object: &mut Value) {
    if !object.has("metadata.ownerReferences") {
        return;
    }
    if let Some(owners) = object.slot("metadata.ownerReferences").as_array_mut() {
        let mut seen: Vec<Value> = Vec::new();
        owners.retain(|owner| {
            let fresh = !seen.contains(&owner["uid"]) || owner.text("uid").is_empty();
            seen.push(owner["uid"].clone());
            fresh
        });
    }
}

/// Counts `metadata.generation`: 1 on create, one more than before when `changed`.
pub fn count_generation(new: &mut Value, old: Option<&Value>, changed: bool) {
    let before = old.map_or(0, |old| old.int("metadata.generation"));
    let now = before.saturating_add(i64::from(changed || old.is_none()));
    if now > 0 {
        new.set("metadata.generation", now);
    }
}

/// Everything wrong with the metadata of a new object.
pub fn validate(object: &Value, namespaced: bool, name_format: NameFormat) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let prefix = object.text("metadata.generateName");
    if !prefix.is_empty() {
        let problems = name_format.problems(&format::as_prefix(prefix));
        errors.extend(FieldError::each_invalid("metadata.generateName", prefix, problems));
    }
    let name = object.text("metadata.name");
    if name.is_empty() {
        errors.push(FieldError::required("metadata.name", "name or generateName is required"));
    } else {
        errors.extend(FieldError::each_invalid("metadata.name", name, name_format.problems(name)));
    }
    let namespace = object.text("metadata.namespace");
    match (namespaced, namespace.is_empty()) {
        (true, true) => errors.push(FieldError::required("metadata.namespace", "")),
        (true, false) => {
            let problems = format::dns1123_label(namespace);
            errors.extend(FieldError::each_invalid("metadata.namespace", namespace, problems));
        }
        (false, false) => {
            errors.push(FieldError::forbidden("metadata.namespace", "not allowed on this type"));
        }
        (false, true) => {}
    }
    errors.extend(generation(object));
    errors.extend(common(object));
    errors
}

/// Everything wrong with the metadata of `new`, as a change of `old`.
pub fn validate_update(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if old.has("metadata.deletionTimestamp") {
        let before = old.texts("metadata.finalizers");
        let mut added = new.texts("metadata.finalizers");
        added.retain(|finalizer| !before.contains(finalizer));
        added.sort_unstable();
        if !added.is_empty() {
            let list = added.iter().map(|f| crate::field::quoted(f)).collect::<Vec<_>>().join(", ");
            let detail = format!(
                "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{list}}}"
            );
            errors.push(FieldError::forbidden("metadata.finalizers", detail));
        }
    }
    errors.extend(generation(new));
    if new.int("metadata.generation") < old.int("metadata.generation") {
        let value = new.int("metadata.generation");
        errors.push(FieldError::invalid("metadata.generation", value, "must not be decremented"));
    }
    for field in
        ["name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"]
    {
        errors.extend(immutable(new, old, &format!("metadata.{field}")));
    }
    errors.extend(common(new));
    errors
}

/// `field is immutable`, if the value at a path has changed.
pub fn immutable(new: &Value, old: &Value, path: &str) -> Option<FieldError> {
    let now = new.at(path);
    (now != old.at(path))
        .then(|| FieldError::invalid(path, now.cloned().unwrap_or(Value::Null), "field is immutable"))
}

fn generation(object: &Value) -> Option<FieldError> {
    let value = object.int("metadata.generation");
    let detail = "must be greater than or equal to 0";
    (value < 0).then(|| FieldError::invalid("metadata.generation", value, detail))
}

fn common(object: &Value) -> Vec<FieldError> {
    let mut errors = labels("metadata.labels", &object.pairs("metadata.labels"));
    errors.extend(annotations("metadata.annotations", &object.pairs("metadata.annotations")));
    errors.extend(owners(object.list("metadata.ownerReferences")));
    errors.extend(finalizers(&object.texts("metadata.finalizers")));
    errors
}

/// What is wrong with a map of labels; every error stands at the map's path.
pub fn labels(path: &str, labels: &[(&str, &str)]) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (key, value) in labels {
        errors.extend(FieldError::each_invalid(path, *key, format::qualified_name(key)));
        errors.extend(FieldError::each_invalid(path, *value, format::label_value(value)));
    }
    errors
}

/// What is wrong with a map of annotations. Their keys may be in upper case.
pub fn annotations(path: &str, annotations: &[(&str, &str)]) -> Vec<FieldError> {
    const LIMIT: usize = 256 * 1024;
    let mut errors = Vec::new();
    for (key, _) in annotations {
        errors.extend(FieldError::each_invalid(path, *key, format::qualified_name(&key.to_lowercase())));
    }
    if annotations.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>() > LIMIT {
        errors.push(FieldError::too_long(path, LIMIT));
    }
    errors
}

fn owners(owners: &[Value]) -> Vec<FieldError> {
    const PATH: &str = "metadata.ownerReferences";
    let mut errors = Vec::new();
    let mut controller: Option<String> = None;
    for owner in owners {
        let version = owner.text("apiVersion").rsplit('/').next().unwrap_or_default();
        for (field, value) in [
            ("apiVersion", version),
            ("kind", owner.text("kind")),
            ("name", owner.text("name")),
            ("uid", owner.text("uid")),
        ] {
            if value.is_empty() {
                let detail =
                    if field == "apiVersion" { "version must not be empty" } else { "must not be empty" };
                errors.push(FieldError::invalid(format!("{PATH}.{field}"), owner.text(field), detail));
            }
        }
        if owner.text("apiVersion") == "v1" && owner.text("kind") == "Event" {
            let detail = "/v1, Kind=Event is disallowed from being an owner";
            errors.push(FieldError::invalid(PATH, owner.clone(), detail));
        }
        if owner.flag("controller") {
            let this = format!("{}/{}", owner.text("kind"), owner.text("name"));
            match &controller {
                Some(first) => {
                    let detail = format!(
                        "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {this}"
                    );
                    errors.push(FieldError::invalid(PATH, owners.to_vec(), detail));
                }
                None => controller = Some(this),
            }
        }
    }
    errors
}

fn finalizers(finalizers: &[&str]) -> Vec<FieldError> {
    const PATH: &str = "metadata.finalizers";
    let mut errors = Vec::new();
    for finalizer in finalizers {
        errors.extend(FieldError::each_invalid(PATH, *finalizer, format::qualified_name(finalizer)));
    }
    if finalizers.contains(&"orphan") && finalizers.contains(&"foregroundDeletion") {
        let value: Vec<Value> = finalizers.iter().map(|f| Value::from(*f)).collect();
        let detail = "finalizer orphan and foregroundDeletion cannot be both set";
        errors.push(FieldError::invalid(PATH, value, detail));
    }
    for (index, finalizer) in finalizers.iter().enumerate() {
        if !finalizer.contains('/') && !["kubernetes", "orphan", "foregroundDeletion"].contains(finalizer) {
            let detail = "name is neither a standard finalizer name nor is it fully qualified";
            errors.push(FieldError::invalid(format!("{PATH}[{index}]"), *finalizer, detail));
        }
    }
    errors
}

/// What is wrong with a `LabelSelector` at `path`.
pub fn label_selector(path: &str, selector: &Value) -> Vec<FieldError> {
    let mut errors = labels(&format!("{path}.matchLabels"), &selector.pairs("matchLabels"));
    for (index, term) in selector.list("matchExpressions").iter().enumerate() {
        let path = format!("{path}.matchExpressions[{index}]");
        let values = term.texts("values");
        match term.text("operator") {
            "In" | "NotIn" if values.is_empty() => {
                let detail = "must be specified when `operator` is 'In' or 'NotIn'";
                errors.push(FieldError::required(format!("{path}.values"), detail));
            }
            "Exists" | "DoesNotExist" if !values.is_empty() => {
                let detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                errors.push(FieldError::forbidden(format!("{path}.values"), detail));
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            other => {
                let detail = "not a valid selector operator";
                errors.push(FieldError::invalid(format!("{path}.operator"), other, detail));
            }
        }
        let key = term.text("key");
        errors.extend(FieldError::each_invalid(&format!("{path}.key"), key, format::qualified_name(key)));
        for (at, value) in values.iter().enumerate() {
            let path = format!("{path}.values[{at}]");
            errors.extend(FieldError::each_invalid(&path, *value, format::label_value(value)));
        }
    }
    errors
}

/// Whether a `LabelSelector` selects these labels; an empty one selects everything.
pub fn selector_matches(selector: &Value, labels: &Value) -> bool {
    let label = |key: &str| labels.entry("", key).map(|v| v.as_str().unwrap_or_default());
    selector.pairs("matchLabels").iter().all(|(key, value)| label(key) == Some(value))
        && selector.list("matchExpressions").iter().all(|term| {
            let value = label(term.text("key"));
            let listed = value.is_some_and(|value| term.texts("values").contains(&value));
            match term.text("operator") {
                "In" => listed,
                "NotIn" => !listed,
                "Exists" => value.is_some(),
                "DoesNotExist" => value.is_none(),
                _ => false,
            }
        })
}
