//! One cached object: its served bytes, and what selectors ask about, read on first use.

use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use portway_base::Revision;
use portway_machinery::selector::Labels;
use serde_json::Value;

use crate::codec;
use crate::resource::Resource;

/// An object in the cache.
pub struct Cached {
    /// Its key in the store.
    pub key: Arc<str>,
    /// When it was last written.
    pub revision: Revision,
    /// The JSON that is served, with `resourceVersion`.
    pub body: Bytes,
    traits: OnceLock<Traits>,
}

/// What selectors can ask about.
pub struct Traits {
    labels: Box<[(Box<str>, Box<str>)]>,
    /// In the order of the kind's field selectors.
    fields: Box<[Box<str>]>,
}

impl Cached {
    /// The object that stored bytes stand for; `None` if they are no object.
    pub fn new(resource: &Resource, key: Arc<str>, stored: &[u8], revision: Revision) -> Option<Self> {
        let body = codec::dress(resource, stored, revision)?;
        Some(Self { key, revision, body, traits: OnceLock::new() })
    }

    /// The same object, with another `resourceVersion` in its bytes.
    pub fn body_at(&self, resource: &Resource, revision: Revision) -> Bytes {
        codec::redress(resource, &self.body, revision)
    }

    /// The object, decoded.
    pub fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Namespace and name, out of the key.
    pub fn name(&self, resource: &Resource) -> (&str, &str) {
        let path = self.key.strip_prefix(resource.prefix.as_str()).unwrap_or_default();
        path.split_once('/').unwrap_or(("", path))
    }

    /// Labels and selectable fields.
    pub fn traits(&self, resource: &Resource) -> &Traits {
        self.traits.get_or_init(|| Traits::of(resource, &self.value()))
    }
}

impl fmt::Debug for Cached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cached")
            .field("key", &self.key)
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}

impl Traits {
    fn of(resource: &Resource, object: &Value) -> Self {
        let labels = object.get("metadata").and_then(|m| m.get("labels")).and_then(Value::as_object);
        let pair = |(key, value): (&String, &Value)| Some((key.as_str().into(), value.as_str()?.into()));
        Self {
            labels: labels.into_iter().flatten().filter_map(pair).collect(),
            fields: resource.kind.field_selectors.iter().map(|f| (f.value)(object).into()).collect(),
        }
    }

    /// The value of the kind's field selector at this position.
    pub fn field(&self, index: usize) -> &str {
        self.fields.get(index).map_or("", |f| f)
    }
}

impl Labels for Traits {
    fn label(&self, key: &str) -> Option<&str> {
        self.labels.iter().find(|(k, _)| k.as_ref() == key).map(|(_, v)| v.as_ref())
    }
}
