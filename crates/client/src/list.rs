//! Lists and how to ask for them.

use std::fmt::Write as _;

use serde::Deserialize;

use crate::resource::{Gvr, escape};

/// Which objects to list or watch; the default is all of them, in all namespaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListOptions {
    /// Only this namespace; empty for all.
    pub namespace: String,
    /// Label selector in kubectl's notation: `app=web,tier!=db`.
    pub labels: String,
    /// Field selector: `spec.nodeName=node-1`.
    pub fields: String,
    /// Objects a page; 0 lets the server decide (list) or takes 500 (watch).
    pub limit: u32,
    /// Continue a list, from [`ListMeta::continue_token`].
    pub continue_token: String,
    /// Revision to list at or after; empty means the newest.
    pub resource_version: String,
}

impl ListOptions {
    /// All objects of one namespace.
    pub fn namespace(namespace: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), ..Self::default() }
    }

    /// With a label selector.
    #[must_use]
    pub fn with_labels(mut self, selector: impl Into<String>) -> Self {
        self.labels = selector.into();
        self
    }

    /// With a field selector.
    #[must_use]
    pub fn with_fields(mut self, selector: impl Into<String>) -> Self {
        self.fields = selector.into();
        self
    }

    /// Path and query of the list request.
    pub fn list_uri(&self, resource: &Gvr) -> String {
        let mut query = self.selectors();
        if self.limit > 0 {
            push(&mut query, "limit", &self.limit.to_string());
        }
        push(&mut query, "continue", &self.continue_token);
        // A continued list has its revision in the token.
        if self.continue_token.is_empty() {
            push(&mut query, "resourceVersion", &self.resource_version);
        }
        self.uri(resource, query)
    }

    /// Path and query of a watch from `revision` that lasts at most `timeout` seconds.
    pub fn watch_uri(&self, resource: &Gvr, revision: &str, timeout: u64) -> String {
        let mut query = self.selectors();
        push(&mut query, "watch", "true");
        push(&mut query, "allowWatchBookmarks", "true");
        push(&mut query, "resourceVersion", revision);
        push(&mut query, "timeoutSeconds", &timeout.to_string());
        self.uri(resource, query)
    }

    fn selectors(&self) -> String {
        let mut query = String::new();
        push(&mut query, "labelSelector", &self.labels);
        push(&mut query, "fieldSelector", &self.fields);
        query
    }

    fn uri(&self, resource: &Gvr, query: String) -> String {
        let path = resource.collection_path(&self.namespace);
        if query.is_empty() { path } else { format!("{path}?{query}") }
    }
}

/// Adds a query parameter unless its value is empty.
pub(crate) fn push(query: &mut String, name: &str, value: &str) {
    if !value.is_empty() {
        let separator = if query.is_empty() { "" } else { "&" };
        let _ = write!(query, "{separator}{name}={}", escape(value));
    }
}

/// Objects, and where in history they were read.
#[derive(Clone, Debug, Deserialize)]
#[serde(bound(deserialize = "T: serde::de::DeserializeOwned"))]
pub struct List<T> {
    /// Position in history and in the list.
    #[serde(default)]
    pub metadata: ListMeta,
    /// The objects, in the server's order.
    #[serde(default = "Vec::new", deserialize_with = "null_as_empty")]
    pub items: Vec<T>,
}

/// `metadata` of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ListMeta {
    /// Revision of the list.
    pub resource_version: String,
    /// Token for the next page; empty on the last.
    #[serde(rename = "continue")]
    pub continue_token: String,
    /// Objects after this page, if the server counted.
    pub remaining_item_count: Option<u64>,
}

fn null_as_empty<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: serde::de::DeserializeOwned,
{
    Ok(Option::<Vec<T>>::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris() {
        let pods = Gvr::new("", "v1", "pods");
        let check = |options: &ListOptions, expect: &str| assert_eq!(options.list_uri(&pods), expect);
        check(&ListOptions::default(), "/api/v1/pods");
        check(
            &ListOptions::namespace("a").with_labels("app=web,tier!=db").with_fields("spec.nodeName=n"),
            "/api/v1/namespaces/a/pods?labelSelector=app%3Dweb%2Ctier%21%3Ddb&fieldSelector=spec.nodeName%3Dn",
        );
        check(
            &ListOptions {
                limit: 5,
                continue_token: "x=".into(),
                resource_version: "7".into(),
                ..ListOptions::default()
            },
            "/api/v1/pods?limit=5&continue=x%3D",
        );
        assert_eq!(
            ListOptions::default().watch_uri(&pods, "9", 300),
            "/api/v1/pods?watch=true&allowWatchBookmarks=true&resourceVersion=9&timeoutSeconds=300"
        );
    }
}
