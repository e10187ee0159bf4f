//! The kind registry: one row a kind. The server has one generic path; all that differs stands here.

use serde_json::Value;

use crate::field::FieldError;

/// A kind the server serves.
pub struct Kind {
    /// API group; empty for core.
    pub group: &'static str,
    /// API version within the group.
    pub version: &'static str,
    /// `Service`.
    pub kind: &'static str,
    /// `services`.
    pub plural: &'static str,
    /// `service`.
    pub singular: &'static str,
    /// `svc`.
    pub short_names: &'static [&'static str],
    /// `all`.
    pub categories: &'static [&'static str],
    /// Lives in namespaces.
    pub namespaced: bool,
    /// Full schema name: `io.k8s.api.core.v1.Service`.
    pub schema: &'static str,
    /// Subresources: `status`, `scale`, `log`, `token`, `finalize`, ...
    pub subresources: &'static [&'static str],
    /// PUT on a missing name creates it.
    pub create_on_update: bool,
    /// PUT and PATCH without `resourceVersion` are accepted.
    pub unconditional_update: bool,
    /// Field selectors besides `metadata.name` and `metadata.namespace`, as dotted paths with their default.
    pub field_selectors: &'static [FieldSelector],
    /// Columns of the Table form, `kubectl get`.
    pub columns: &'static [Column],
    /// Rules of the kind.
    pub strategy: &'static dyn Strategy,
}

/// A field that list and watch can select by.
pub struct FieldSelector {
    /// Label of the selector: `spec.nodeName`.
    pub path: &'static str,
    /// Its value for an object; unset fields give the empty text.
    pub value: fn(&Value) -> String,
}

/// A column of the Table form.
pub struct Column {
    /// Header as upstream spells it (`Cluster-IP`).
    pub name: &'static str,
    /// `string`, `integer`, `date`.
    pub ty: &'static str,
    /// `name` for the first column, else empty.
    pub format: &'static str,
    /// 0 = always shown, 1 = with `-o wide`.
    pub priority: i32,
    /// For the Table's `description`.
    pub description: &'static str,
    /// The cell of an object; `now` is seconds since the epoch, for ages.
    pub cell: fn(&Value, i64) -> Value,
}

/// Rules of one kind, on JSON values. Every method is pure; what needs the cluster (allocation, admission)
/// is done by the server around them.
///
/// Order on create: decode, `default`, `prepare_create`, (server: metadata, allocation), `validate`.
/// Order on update: decode, `default`, `prepare_update`, `validate_update`; for `/status` the status forms.
pub trait Strategy: Sync {
    /// Fills in what the client left out.
    fn default(&self, _object: &mut Value) {}
    /// Drops what a client may not set on create (status, for most kinds).
    fn prepare_create(&self, _object: &mut Value) {}
    /// Everything wrong with a new object.
    fn validate(&self, _object: &Value) -> Vec<FieldError> {
        Vec::new()
    }
    /// Carries over what a client may not change on update (status, for most kinds), and counts `generation`.
    fn prepare_update(&self, _new: &mut Value, _old: &Value) {}
    /// Everything wrong with `new`, as a change of `old`.
    fn validate_update(&self, new: &Value, _old: &Value) -> Vec<FieldError> {
        self.validate(new)
    }
    /// Carries over everything but the status.
    fn prepare_status_update(&self, new: &mut Value, old: &Value) {
        let status = new.get("status").cloned();
        let mut merged = old.clone();
        if let (Some(to), Some(from)) = (merged.get_mut("metadata"), new.get("metadata")) {
            for field in ["resourceVersion", "managedFields"] {
                match from.get(field) {
                    Some(value) => to[field] = value.clone(),
                    None => {
                        if let Some(map) = to.as_object_mut() {
                            map.remove(field);
                        }
                    }
                }
            }
        }
        if let Some(map) = merged.as_object_mut() {
            match status {
                Some(status) => map.insert("status".to_owned(), status),
                None => map.remove("status"),
            };
        }
        *new = merged;
    }
    /// Everything wrong with a status change.
    fn validate_status_update(&self, _new: &Value, _old: &Value) -> Vec<FieldError> {
        Vec::new()
    }
    /// `Warning` headers for a create (`old` is `None`) or an update.
    fn warnings(&self, _new: &Value, _old: Option<&Value>) -> Vec<String> {
        Vec::new()
    }
}
