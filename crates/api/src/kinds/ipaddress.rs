//! IPAddress: one allocated address and what it is allocated to.

use serde_json::Value;

use super::column::Column;
use super::meta::{self, NameFormat};
use super::value::Read;
use super::{Kind, Strategy, format};
use crate::field::FieldError;

pub(super) const KIND: Kind = Kind {
    group: "networking.k8s.io",
    short_names: &["ip"],
    namespaced: false,
    columns: &[
        Column::NAME,
        Column::text("ParentRef", "What it is allocated to.", |object, _| parent(object).into()),
    ],
    strategy: &IpAddress,
    ..Kind::core("IPAddress", "ipaddresses", "ipaddress", "io.k8s.api.networking.v1.IPAddress")
};

/// `services/default/kubernetes`, `RESOURCE.GROUP/NAME`.
fn parent(object: &Value) -> String {
    let Some(parent) = object.at("spec.parentRef") else { return "<none>".to_owned() };
    let mut text = parent.text("resource").to_owned();
    if !parent.text("group").is_empty() {
        text = format!("{text}.{}", parent.text("group"));
    }
    text = text.to_lowercase();
    if !parent.text("namespace").is_empty() {
        text = format!("{text}/{}", parent.text("namespace"));
    }
    format!("{text}/{}", parent.text("name"))
}

struct IpAddress;

impl Strategy for IpAddress {
    fn validate(&self, object: &Value) -> Vec<FieldError> {
        let mut errors = meta::validate(object, false, NameFormat::CanonicalIp);
        errors.extend(spec(object));
        errors
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<FieldError> {
        let mut errors = meta::validate_update(new, old);
        errors.extend(meta::immutable(new, old, "spec.parentRef"));
        errors
    }
}

fn spec(object: &Value) -> Vec<FieldError> {
    const PATH: &str = "spec.parentRef";
    let Some(parent) = object.at(PATH) else { return vec![FieldError::required(PATH, "")] };
    let mut errors = Vec::new();
    let group = parent.text("group");
    if !group.is_empty() {
        let problems = format::dns1123_subdomain(group);
        errors.extend(FieldError::each_invalid(&format!("{PATH}.group"), group, problems));
    }
    for (field, required) in [("resource", true), ("name", true), ("namespace", false)] {
        let (path, text) = (format!("{PATH}.{field}"), parent.text(field));
        if text.is_empty() {
            errors.extend(required.then(|| FieldError::required(&*path, "")));
        } else {
            errors.extend(FieldError::each_invalid(&path, text, format::path_segment(text)));
        }
    }
    errors
}
