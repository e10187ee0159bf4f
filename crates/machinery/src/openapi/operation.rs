//! One operation of a path.

use portway_api::kinds::Kind;
use portway_api::schema::Schema;
use serde_json::{Value, json};

use super::Dialect;
use super::definition::{DELETE_OPTIONS, PATCH, STATUS, list_message};
use crate::discovery::Subresource;

/// What an operation does, as `x-kubernetes-action` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Get,
    List,
    Post,
    Put,
    Patch,
    Delete,
    DeleteCollection,
}

impl Action {
    pub fn method(self) -> &'static str {
        match self {
            Self::Get | Self::List => "get",
            Self::Post => "post",
            Self::Put => "put",
            Self::Patch => "patch",
            Self::Delete | Self::DeleteCollection => "delete",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::DeleteCollection => "deletecollection",
            other => other.method(),
        }
    }

    fn verb(self) -> &'static str {
        match self {
            Self::Get => "read",
            Self::List => "list",
            Self::Post => "create",
            Self::Put => "replace",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::DeleteCollection => "deleteCollection",
        }
    }

    fn parameters(self) -> &'static [(&'static str, &'static str)] {
        const WRITE: &[(&str, &str)] = &[
            ("dryRun", "string"),
            ("fieldManager", "string"),
            ("fieldValidation", "string"),
            ("pretty", "string"),
        ];
        const LIST: &[(&str, &str)] = &[
            ("allowWatchBookmarks", "boolean"),
            ("continue", "string"),
            ("fieldSelector", "string"),
            ("labelSelector", "string"),
            ("limit", "integer"),
            ("resourceVersion", "string"),
            ("resourceVersionMatch", "string"),
            ("sendInitialEvents", "boolean"),
            ("timeoutSeconds", "integer"),
            ("watch", "boolean"),
        ];
        match self {
            Self::Get => &[("pretty", "string")],
            Self::List => LIST,
            Self::Post | Self::Put => WRITE,
            Self::Patch => &[
                ("dryRun", "string"),
                ("fieldManager", "string"),
                ("fieldValidation", "string"),
                ("force", "boolean"),
                ("pretty", "string"),
            ],
            Self::Delete | Self::DeleteCollection => {
                &[("dryRun", "string"), ("gracePeriodSeconds", "integer"), ("propagationPolicy", "string")]
            }
        }
    }
}

/// What is sent to and answered by an operation.
pub(super) struct Target<'a> {
    pub kind: &'static Kind,
    /// A subresource, with its own kind.
    pub sub: Option<&'a Subresource>,
    /// Part of the operation's id: `NamespacedService`, `ServiceForAllNamespaces`.
    pub id: &'a str,
}

/// Schema message of a subresource's kind; `None` if it has none here.
pub(super) fn message(schema: &Schema, kind: &Kind, sub: &Subresource) -> Option<String> {
    if (sub.group, sub.version, sub.kind) == (kind.group, kind.version, kind.kind) {
        return Some(kind.schema.to_owned());
    }
    let end = format!(".{}.{}", sub.version, sub.kind);
    schema.messages.keys().find(|name| name.ends_with(&end)).cloned()
}

pub(super) fn operation(action: Action, target: &Target<'_>, schema: &Schema, dialect: Dialect) -> Value {
    let kind = target.kind;
    let (group, version, name) = match target.sub {
        Some(sub) => (sub.group, sub.version, sub.kind),
        None => (kind.group, kind.version, kind.kind),
    };
    let own = match target.sub {
        Some(sub) => message(schema, kind, sub),
        None => Some(kind.schema.to_owned()),
    };
    let answer = match action {
        Action::List => list_message(schema, kind),
        Action::Delete | Action::DeleteCollection => Some(STATUS.to_owned()),
        _ => own.clone(),
    };
    let request = match action {
        Action::Post | Action::Put => own,
        Action::Patch => Some(PATCH.to_owned()),
        Action::Delete | Action::DeleteCollection => Some(DELETE_OPTIONS.to_owned()),
        Action::Get | Action::List => None,
    };
    let mut body = json!({
        "description": format!("{} {}", action.verb(), kind.singular),
        "operationId": format!("{}{}{}", action.verb(), camel(kind), target.id),
        "tags": [tag(kind)],
        "x-kubernetes-action": action.name(),
        "x-kubernetes-group-version-kind": { "group": group, "version": version, "kind": name },
    });
    let mut parameters: Vec<Value> =
        action.parameters().iter().map(|(name, ty)| parameter(name, ty, dialect)).collect();
    let media = if action == Action::Patch { PATCHES } else { &["application/json"][..] };
    match (dialect, request) {
        (Dialect::V2, Some(message)) => {
            parameters.push(json!({"name": "body", "in": "body", "required": action.method() != "delete", "schema": dialect.reference(&message)}));
            body["consumes"] = json!(media);
        }
        (Dialect::V3, Some(message)) => {
            let content: serde_json::Map<String, Value> = media
                .iter()
                .map(|ty| ((*ty).to_owned(), json!({ "schema": dialect.reference(&message) })))
                .collect();
            body["requestBody"] = json!({ "content": content });
        }
        (_, None) => {}
    }
    body["parameters"] = Value::Array(parameters);
    body["responses"] = json!({ code(action): response(answer, dialect) });
    if dialect == Dialect::V2 {
        body["produces"] = json!(["application/json", "application/yaml"]);
    }
    body
}

const PATCHES: &[&str] = &[
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
];

fn code(action: Action) -> &'static str {
    if action == Action::Post { "201" } else { "200" }
}

fn response(message: Option<String>, dialect: Dialect) -> Value {
    let schema = message.map(|name| dialect.reference(&name));
    match (dialect, schema) {
        (_, None) => json!({ "description": "OK" }),
        (Dialect::V2, Some(schema)) => json!({ "description": "OK", "schema": schema }),
        (Dialect::V3, Some(schema)) => {
            json!({ "description": "OK", "content": { "application/json": { "schema": schema } } })
        }
    }
}

fn parameter(name: &str, ty: &str, dialect: Dialect) -> Value {
    match dialect {
        Dialect::V2 => json!({ "name": name, "in": "query", "type": ty, "uniqueItems": true }),
        Dialect::V3 => json!({ "name": name, "in": "query", "schema": { "type": ty, "uniqueItems": true } }),
    }
}

/// A parameter that is part of the path.
pub(super) fn path_parameter(name: &str, dialect: Dialect) -> Value {
    match dialect {
        Dialect::V2 => {
            json!({ "name": name, "in": "path", "type": "string", "required": true, "uniqueItems": true })
        }
        Dialect::V3 => {
            json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string", "uniqueItems": true } })
        }
    }
}

/// `CoreV1`, `NetworkingV1`.
fn camel(kind: &Kind) -> String {
    let capital = |text: &str| {
        let mut chars = text.chars();
        chars.next().map_or(String::new(), |c| c.to_ascii_uppercase().to_string() + chars.as_str())
    };
    let group = kind.group.split('.').next().filter(|g| !g.is_empty()).unwrap_or("core");
    format!("{}{}", capital(group), capital(kind.version))
}

/// `core_v1`, `networking_v1`.
fn tag(kind: &Kind) -> String {
    let group = kind.group.split('.').next().filter(|g| !g.is_empty()).unwrap_or("core");
    format!("{group}_{}", kind.version)
}
