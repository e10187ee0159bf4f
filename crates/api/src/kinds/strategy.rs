//! What the rules of a kind are made of.

use serde_json::Value;

use super::meta::{self, NameFormat};
use crate::field::FieldError;

/// Rules of one kind, on JSON values. Every method is pure and total; what needs the cluster (allocation,
/// admission) is done by the server around them.
///
/// Callers use the entry points on [`super::Kind`] for defaults and preparation: they add what is common to
/// all kinds.
pub trait Strategy: Sync {
    /// Fills in what the client left out.
    fn default(&self, _object: &mut Value) {}

    /// Drops what a client may not set on create (status, for most kinds) and starts `generation`.
    fn prepare_create(&self, _object: &mut Value) {}

    /// Adds what depends on the name, once it is known (it may have been generated).
    fn named(&self, _object: &mut Value) {}

    /// Everything wrong with a new object.
    fn validate(&self, object: &Value) -> Vec<FieldError>;

    /// Carries over what a client may not change on update (status, for most kinds), and counts `generation`.
    fn prepare_update(&self, _new: &mut Value, _old: &Value) {}

    /// Everything wrong with `new`, as a change of `old`.
    fn validate_update(&self, new: &Value, old: &Value) -> Vec<FieldError>;

    /// Carries over everything but metadata and status.
    fn prepare_status_update(&self, new: &mut Value, old: &Value) {
        let (Some(to), Some(from)) = (new.as_object_mut(), old.as_object()) else { return };
        let own = |key: &str| !["apiVersion", "kind", "metadata", "status"].contains(&key);
        to.retain(|key, _| !own(key));
        to.extend(from.iter().filter(|(key, _)| own(key)).map(|(key, value)| (key.clone(), value.clone())));
    }

    /// Everything wrong with a status change.
    fn validate_status_update(&self, new: &Value, old: &Value) -> Vec<FieldError> {
        meta::validate_update(new, old)
    }

    /// `Warning` headers for a create (`old` is `None`) or an update.
    fn warnings(&self, _new: &Value, _old: Option<&Value>) -> Vec<String> {
        Vec::new()
    }

    /// Seconds a DELETE leaves the object in a terminating state, from what the client asked for; `None` when
    /// the kind knows no graceful deletion.
    fn grace_period(&self, _object: &Value, _asked: Option<i64>) -> Option<i64> {
        None
    }
}

/// A namespaced kind without rules of its own.
pub(super) struct Plain;

impl Strategy for Plain {
    fn validate(&self, object: &Value) -> Vec<FieldError> {
        meta::validate(object, true, NameFormat::Subdomain)
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<FieldError> {
        meta::validate_update(new, old)
    }
}
