//! Secret.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::column::Column;
use super::configmap::{MAX_SIZE, entries, frozen};
use super::format;
use super::meta::{self, NameFormat};
use super::value::{Edit, Read};
use super::{Kind, Strategy, select};
use crate::field::FieldError;

pub(super) const KIND: Kind = Kind {
    field_selectors: &[select!("type")],
    columns: &[
        Column::NAME,
        Column::text("Type", "What the data is for.", |object, _| object.text("type").into()),
        Column::text("Data", "How many entries it has.", |object, _| entries(object, "data").into()),
        Column::AGE,
    ],
    strategy: &Secret,
    ..Kind::core("Secret", "secrets", "secret", "io.k8s.api.core.v1.Secret")
};

struct Secret;

impl Strategy for Secret {
    fn default(&self, object: &mut Value) {
        object.fill("type", "Opaque");
        let plain: Vec<(String, String)> =
            object.pairs("stringData").into_iter().map(|(k, v)| (k.to_owned(), STANDARD.encode(v))).collect();
        object.unset("stringData");
        for (key, value) in plain {
            let data = object.slot("data");
            if !data.is_object() {
                *data = Value::Object(serde_json::Map::new());
            }
            data[key] = value.into();
        }
    }

    fn validate(&self, object: &Value) -> Vec<FieldError> {
        let mut errors = meta::validate(object, true, NameFormat::Subdomain);
        errors.extend(content(object));
        errors
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<FieldError> {
        let mut errors = meta::validate_update(new, old);
        errors.extend(meta::immutable(new, old, "type"));
        errors.extend(frozen(new, old, &["data"]));
        errors.extend(content(new));
        errors
    }
}

fn content(object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut size = 0;
    for (key, value) in object.pairs("data") {
        errors.extend(FieldError::each_invalid(&format!("data[{key}]"), key, format::config_key(key)));
        size += value.len() / 4 * 3;
    }
    if size > MAX_SIZE {
        errors.push(FieldError::too_long("data", MAX_SIZE));
    }
    let mut require = |key: &str, name: &str| {
        if object.entry("data", key).is_none() {
            errors.push(FieldError::required(format!("data[{name}]"), ""));
        }
    };
    match object.text("type") {
        "kubernetes.io/dockercfg" => require(".dockercfg", ".dockercfg"),
        "kubernetes.io/dockerconfigjson" => require(".dockerconfigjson", ".dockerconfigjson"),
        "kubernetes.io/tls" => {
            require("tls.crt", "tls.crt");
            require("tls.key", "tls.key");
        }
        "kubernetes.io/ssh-auth" => require("ssh-privatekey", "ssh-privatekey"),
        "kubernetes.io/basic-auth" => {
            let has = |key| object.entry("data", key).is_some();
            if !has("username") && !has("password") {
                require("username", "username");
                require("password", "password");
            }
        }
        "kubernetes.io/service-account-token" => {
            const KEY: &str = "kubernetes.io/service-account.name";
            if object.annotation(KEY).is_none_or(str::is_empty) {
                errors.push(FieldError::required(format!("metadata.annotations[{KEY}]"), ""));
            }
        }
        _ => {}
    }
    errors
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn string_data_becomes_data() {
        let mut secret = json!({"data": {"a": "MQ=="}, "stringData": {"b": "two"}});
        KIND.default(&mut secret);
        assert_eq!(secret, json!({"metadata": {}, "type": "Opaque", "data": {"a": "MQ==", "b": "dHdv"}}));
    }
}
