//! Lease.

use serde_json::Value;

use super::column::Column;
use super::meta::{self, NameFormat};
use super::value::Read;
use super::{Kind, Strategy};
use crate::field::FieldError;

pub(super) const KIND: Kind = Kind {
    group: "coordination.k8s.io",
    create_on_update: true,
    unconditional_update: false,
    columns: &[
        Column::NAME,
        Column::text("Holder", "Who holds it.", |object, _| object.text("spec.holderIdentity").into()),
        Column::AGE,
    ],
    strategy: &Lease,
    ..Kind::core("Lease", "leases", "lease", "io.k8s.api.coordination.v1.Lease")
};

struct Lease;

impl Strategy for Lease {
    fn validate(&self, object: &Value) -> Vec<FieldError> {
        let mut errors = meta::validate(object, true, NameFormat::Subdomain);
        errors.extend(spec(object));
        errors
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<FieldError> {
        let mut errors = meta::validate_update(new, old);
        errors.extend(spec(new));
        errors
    }
}

fn spec(object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let seconds = object.int("spec.leaseDurationSeconds");
    if object.has("spec.leaseDurationSeconds") && seconds <= 0 {
        errors.push(FieldError::invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0"));
    }
    let transitions = object.int("spec.leaseTransitions");
    if transitions < 0 {
        let detail = "must be greater than or equal to 0";
        errors.push(FieldError::invalid("spec.leaseTransitions", transitions, detail));
    }
    if !object.text("spec.preferredHolder").is_empty() && object.text("spec.strategy").is_empty() {
        let detail = "may only be specified when `strategy` is defined";
        errors.push(FieldError::forbidden("spec.preferredHolder", detail));
    }
    errors
}
