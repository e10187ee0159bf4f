//! What may change in a Pod: images, the deadline downwards, more tolerations, gates going away. Everything
//! else was decided when it was made.

use serde_json::Value;

use crate::field::FieldError;
use crate::kinds::value::{Edit, Read};

const DETAIL: &str = "pod updates may not change fields other than `spec.containers[*].image`,\
`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing \
tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

pub(super) fn validate(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (list, what) in [("spec.containers", "containers"), ("spec.initContainers", "init containers")] {
        if new.list(list).len() != old.list(list).len() {
            return vec![FieldError::forbidden(list, format!("pod updates may not add or remove {what}"))];
        }
        for (index, container) in new.list(list).iter().enumerate() {
            if container.text("image").is_empty() {
                errors.push(FieldError::required(format!("{list}[{index}].image"), ""));
            }
        }
    }
    errors.extend(deadline(new, old));
    errors.extend(tolerations(new, old));
    errors.extend(gates(new, old));
    if !errors.is_empty() {
        return errors;
    }

    // What remains must be equal once the things that may change are made so.
    let mut level = new.at("spec").cloned().unwrap_or(Value::Null);
    let before = old.at("spec").cloned().unwrap_or(Value::Null);
    for list in ["containers", "initContainers"] {
        for (container, old) in level.list_mut(list).iter_mut().zip(before.list(list)) {
            container.copy("image", old);
        }
    }
    for field in ["activeDeadlineSeconds", "tolerations", "schedulingGates"] {
        level.copy(field, &before);
    }
    if before.int("terminationGracePeriodSeconds") < 0 && level.int("terminationGracePeriodSeconds") == 1 {
        level.copy("terminationGracePeriodSeconds", &before);
    }
    if !before.list("schedulingGates").is_empty() {
        // A Pod nobody may place yet can still be told where to go.
        for field in ["nodeSelector", "affinity"] {
            level.copy(field, &before);
        }
    }
    if level != before {
        errors.push(FieldError::forbidden("spec", DETAIL));
    }
    errors
}

fn deadline(new: &Value, old: &Value) -> Option<FieldError> {
    const PATH: &str = "spec.activeDeadlineSeconds";
    let read = |pod: &Value| pod.at(PATH).and_then(Value::as_i64);
    match (read(new), read(old)) {
        (Some(now), _) if !(0..=i64::from(i32::MAX)).contains(&now) => {
            Some(FieldError::invalid(PATH, now, crate::kinds::format::range(0, i64::from(i32::MAX))))
        }
        (Some(now), Some(before)) if now > before => {
            Some(FieldError::invalid(PATH, now, "must be less than or equal to previous value"))
        }
        (None, Some(_)) => {
            let detail = "must not update from a positive integer to nil value";
            Some(FieldError::invalid(PATH, Value::Null, detail))
        }
        _ => None,
    }
}

fn tolerations(new: &Value, old: &Value) -> Option<FieldError> {
    const PATH: &str = "spec.tolerations";
    // How long to put up with a taint may change.
    let without = |toleration: &Value| {
        let mut toleration = toleration.clone();
        toleration.unset("tolerationSeconds");
        toleration
    };
    let now: Vec<Value> = new.list(PATH).iter().map(without).collect();
    let gone = old.list(PATH).iter().map(without).any(|toleration| !now.contains(&toleration));
    gone.then(|| {
        FieldError::forbidden(PATH, "existing toleration can not be modified except its tolerationSeconds")
    })
}

fn gates(new: &Value, old: &Value) -> Option<FieldError> {
    const PATH: &str = "spec.schedulingGates";
    let added = new.list(PATH).iter().any(|gate| !old.list(PATH).contains(gate));
    added.then(|| FieldError::forbidden(PATH, "only deletion is allowed, but found new scheduling gate"))
}
