//! The paths of a kind.

use portway_api::kinds::Kind;
use portway_api::schema::Schema;
use serde_json::{Map, Value};

use super::operation::{Action, Target, operation, path_parameter};
use super::{Dialect, root};
use crate::discovery::subresource;

/// Calls `add` with each path of a kind and its operations.
pub(super) fn each(kind: &'static Kind, schema: &Schema, dialect: Dialect, mut add: impl FnMut(&str, Value)) {
    let base = format!("/{}", root(kind.group, kind.version));
    let (collection, id) = if kind.namespaced {
        (format!("{base}/namespaces/{{namespace}}/{}", kind.plural), format!("Namespaced{}", kind.kind))
    } else {
        (format!("{base}/{}", kind.plural), kind.kind.to_owned())
    };
    let item = |target: &Target<'_>, path: &str, actions: &[(&str, Action)], verbs: &[&str]| {
        let mut body: Map<String, Value> = actions
            .iter()
            .filter(|(verb, _)| verbs.contains(verb))
            .map(|(_, action)| (action.method().to_owned(), operation(*action, target, schema, dialect)))
            .collect();
        let parameters: Vec<Value> = ["namespace", "name"]
            .into_iter()
            .filter(|name| path.contains(&format!("{{{name}}}")))
            .map(|name| path_parameter(name, dialect))
            .collect();
        if !parameters.is_empty() && !body.is_empty() {
            body.insert("parameters".to_owned(), Value::Array(parameters));
        }
        (!body.is_empty()).then_some(Value::Object(body))
    };
    let mut give = |path: &str, value: Option<Value>| {
        if let Some(value) = value {
            add(path, value);
        }
    };
    if kind.namespaced {
        let all = format!("{}ForAllNamespaces", kind.kind);
        let target = Target { kind, sub: None, id: &all };
        let path = format!("{base}/{}", kind.plural);
        give(&path, item(&target, &path, &[("list", Action::List)], kind.verbs));
    }
    let target = Target { kind, sub: None, id: &id };
    give(&collection, item(&target, &collection, COLLECTION, kind.verbs));
    let single = format!("{collection}/{{name}}");
    give(&single, item(&target, &single, SINGLE, kind.verbs));
    for name in kind.subresources {
        let sub = subresource(kind, name);
        let path = format!("{single}/{name}");
        let mut capital = name.chars();
        let capital =
            capital.next().map_or(String::new(), |c| c.to_ascii_uppercase().to_string() + capital.as_str());
        let id = format!("{id}{capital}");
        let target = Target { kind, sub: Some(&sub), id: &id };
        let actions: Vec<(&str, Action)> = SINGLE.iter().copied().chain([("create", Action::Post)]).collect();
        give(&path, item(&target, &path, &actions, sub.verbs));
    }
}

const COLLECTION: &[(&str, Action)] =
    &[("list", Action::List), ("create", Action::Post), ("deletecollection", Action::DeleteCollection)];

const SINGLE: &[(&str, Action)] =
    &[("get", Action::Get), ("update", Action::Put), ("patch", Action::Patch), ("delete", Action::Delete)];
