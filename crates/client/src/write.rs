//! Writes as values: controllers return them, [`Client::write`](crate::Client::write) sends them, tests compare them.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Method, Request};
use portway_api::Object;
use portway_base::ObjectKey;
use serde_json::{Value, json};

use crate::error::Error;
use crate::list::push;
use crate::resource::Gvr;

/// One change to ask the server for.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// Kind of the object.
    pub resource: Gvr,
    /// The object; for a create with `generateName` the name is empty.
    pub key: ObjectKey,
    /// `status`, `scale`, `binding`, `finalize`, ...
    pub subresource: Option<&'static str>,
    /// What to do with it.
    pub action: Action,
}

/// What to do with an object. The `Value`s are bodies, sent as they are.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// POST; with a subresource, to that of the named object.
    Create(Value),
    /// PUT.
    Replace(Value),
    /// PATCH, RFC 7386.
    MergePatch(Value),
    /// PATCH, RFC 6902.
    JsonPatch(Value),
    /// PATCH, with the merge keys of the schema.
    StrategicPatch(Value),
    /// PATCH, server-side apply.
    Apply {
        /// The fields this manager wants.
        body: Value,
        /// Who applies.
        field_manager: String,
        /// Take fields over from other managers.
        force: bool,
    },
    /// DELETE.
    Delete {
        /// Only if the object is still this one.
        preconditions: Preconditions,
        /// Seconds to terminate in; absent leaves it to the object.
        grace: Option<i64>,
        /// What happens to dependents; absent means background.
        propagation: Option<Propagation>,
    },
    /// DELETE of all objects of the namespace that match a label selector (empty: all).
    DeleteCollection {
        /// Label selector.
        labels: String,
        /// What happens to dependents; absent means background.
        propagation: Option<Propagation>,
    },
}

/// Holds a delete back from hitting another object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preconditions {
    /// Its UID.
    pub uid: Option<String>,
    /// Its revision.
    pub resource_version: Option<String>,
}

impl Preconditions {
    /// The object with this UID.
    pub fn uid(uid: impl Into<String>) -> Self {
        Self { uid: Some(uid.into()), resource_version: None }
    }
}

/// What a delete does to dependents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// They are collected afterwards.
    Background,
    /// They go first.
    Foreground,
    /// They stay.
    Orphan,
}

impl Propagation {
    /// The API's spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Background => "Background",
            Self::Foreground => "Foreground",
            Self::Orphan => "Orphan",
        }
    }
}

impl Write {
    /// A write to the object itself.
    pub fn new(resource: Gvr, key: ObjectKey, action: Action) -> Self {
        Self { resource, key, subresource: None, action }
    }

    /// A write to an object of a known kind.
    pub fn of<T: Object>(key: ObjectKey, action: Action) -> Self {
        Self::new(Gvr::of::<T>(), key, action)
    }

    /// The same write to a subresource.
    #[must_use]
    pub fn on(mut self, subresource: &'static str) -> Self {
        self.subresource = Some(subresource);
        self
    }

    /// Creates an object; `apiVersion` and `kind` are filled in.
    pub fn create<T: Object>(object: &T) -> Self {
        Self::of::<T>(object.key(), Action::Create(body(object)))
    }

    /// Replaces an object; with its `resourceVersion` set, only if it is unchanged.
    pub fn replace<T: Object>(object: &T) -> Self {
        Self::of::<T>(object.key(), Action::Replace(body(object)))
    }

    /// Deletes an object in the background.
    pub fn delete<T: Object>(key: ObjectKey) -> Self {
        let action =
            Action::Delete { preconditions: Preconditions::default(), grace: None, propagation: None };
        Self::of::<T>(key, action)
    }

    /// The request, with path and query as its URI.
    ///
    /// # Errors
    /// [`Error::Malformed`] when the key makes no URI.
    pub fn request(&self) -> Result<Request<Bytes>, Error> {
        let mut query = String::new();
        let (method, content_type, payload) = match &self.action {
            Action::Create(value) => (Method::POST, JSON, Some(value.clone())),
            Action::Replace(value) => (Method::PUT, JSON, Some(value.clone())),
            Action::MergePatch(value) => (Method::PATCH, "application/merge-patch+json", Some(value.clone())),
            Action::JsonPatch(value) => (Method::PATCH, "application/json-patch+json", Some(value.clone())),
            Action::StrategicPatch(value) => {
                (Method::PATCH, "application/strategic-merge-patch+json", Some(value.clone()))
            }
            Action::Apply { body, field_manager, force } => {
                push(&mut query, "fieldManager", field_manager);
                push(&mut query, "force", if *force { "true" } else { "" });
                (Method::PATCH, "application/apply-patch+yaml", Some(body.clone()))
            }
            Action::Delete { preconditions, grace, propagation } => {
                (Method::DELETE, JSON, delete_options(preconditions, *grace, *propagation))
            }
            Action::DeleteCollection { labels, propagation } => {
                push(&mut query, "labelSelector", labels);
                (Method::DELETE, JSON, delete_options(&Preconditions::default(), None, *propagation))
            }
        };
        let collection = match self.action {
            Action::Create(_) => self.subresource.is_none(),
            Action::DeleteCollection { .. } => true,
            _ => false,
        };
        let mut uri = if collection {
            self.resource.collection_path(&self.key.namespace)
        } else {
            self.resource.object_path(&self.key, self.subresource)
        };
        if !query.is_empty() {
            uri.push('?');
            uri.push_str(&query);
        }
        let mut request = Request::builder().method(method).uri(uri).header(ACCEPT, JSON);
        let bytes = match payload {
            Some(value) => {
                request = request.header(CONTENT_TYPE, content_type);
                Bytes::from(value.to_string())
            }
            None => Bytes::new(),
        };
        request.body(bytes).map_err(|e| Error::Malformed(format!("{} {}: {e}", self.resource, self.key)))
    }
}

pub(crate) const JSON: &str = "application/json";

/// The object as a body: its fields, `apiVersion` and `kind`.
fn body<T: Object>(object: &T) -> Value {
    let mut value = serde_json::to_value(object).unwrap_or_default();
    value["apiVersion"] = T::api_version().into();
    value["kind"] = T::KIND.into();
    value
}

fn delete_options(
    pre: &Preconditions,
    grace: Option<i64>,
    propagation: Option<Propagation>,
) -> Option<Value> {
    if *pre == Preconditions::default() && grace.is_none() && propagation.is_none() {
        return None;
    }
    let mut options = json!({"apiVersion": "v1", "kind": "DeleteOptions"});
    if let Some(uid) = &pre.uid {
        options["preconditions"]["uid"] = uid.as_str().into();
    }
    if let Some(version) = &pre.resource_version {
        options["preconditions"]["resourceVersion"] = version.as_str().into();
    }
    if let Some(seconds) = grace {
        options["gracePeriodSeconds"] = seconds.into();
    }
    if let Some(propagation) = propagation {
        options["propagationPolicy"] = propagation.as_str().into();
    }
    Some(options)
}

#[cfg(test)]
mod tests {
    use super::*;
    use portway_api::types::pod::Pod;

    #[test]
    fn requests() {
        let check = |write: Write, head: &str, content_type: Option<&str>, expect: &str| {
            let request = write.request().unwrap();
            assert_eq!(format!("{} {}", request.method(), request.uri()), head);
            assert_eq!(request.headers().get(CONTENT_TYPE).map(|v| v.to_str().unwrap()), content_type);
            assert_eq!(std::str::from_utf8(request.body()).unwrap(), expect);
        };
        let key = || ObjectKey::new("ns", "p");
        let body = || json!({"a": 1});
        check(
            Write::of::<Pod>(key(), Action::Create(body())),
            "POST /api/v1/namespaces/ns/pods",
            Some(JSON),
            r#"{"a":1}"#,
        );
        check(
            Write::of::<Pod>(key(), Action::Create(body())).on("binding"),
            "POST /api/v1/namespaces/ns/pods/p/binding",
            Some(JSON),
            r#"{"a":1}"#,
        );
        check(
            Write::of::<Pod>(key(), Action::MergePatch(body())).on("status"),
            "PATCH /api/v1/namespaces/ns/pods/p/status",
            Some("application/merge-patch+json"),
            r#"{"a":1}"#,
        );
        let apply = Action::Apply { body: body(), field_manager: "me & you".into(), force: true };
        check(
            Write::of::<Pod>(key(), apply),
            "PATCH /api/v1/namespaces/ns/pods/p?fieldManager=me%20%26%20you&force=true",
            Some("application/apply-patch+yaml"),
            r#"{"a":1}"#,
        );
        check(Write::delete::<Pod>(key()), "DELETE /api/v1/namespaces/ns/pods/p", None, "");
        let delete = Action::Delete {
            preconditions: Preconditions::uid("u"),
            grace: Some(0),
            propagation: Some(Propagation::Foreground),
        };
        check(
            Write::of::<Pod>(key(), delete),
            "DELETE /api/v1/namespaces/ns/pods/p",
            Some(JSON),
            r#"{"apiVersion":"v1","gracePeriodSeconds":0,"kind":"DeleteOptions","preconditions":{"uid":"u"},"propagationPolicy":"Foreground"}"#,
        );
        let all = Action::DeleteCollection { labels: "a=b".into(), propagation: None };
        check(
            Write::of::<Pod>(ObjectKey::new("ns", ""), all),
            "DELETE /api/v1/namespaces/ns/pods?labelSelector=a%3Db",
            None,
            "",
        );
    }
}
