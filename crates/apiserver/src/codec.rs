//! Objects as bytes. Stored objects start with kind, apiVersion and metadata and have no `resourceVersion`;
//! served ones have it as the first member of metadata, so that it is spliced in without decoding.

use bytes::{Bytes, BytesMut};
use portway_base::Revision;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::{Map, Value};

use crate::resource::Resource;

const MARK: &[u8] = br#""resourceVersion":""#;

/// The stored form of an object.
pub fn encode(resource: &Resource, object: &Value) -> Bytes {
    let ordered = Ordered { resource, object: object.as_object() };
    // Values have text keys only, which always serialize.
    Bytes::from(serde_json::to_vec(&ordered).unwrap_or_default())
}

struct Ordered<'a> {
    resource: &'a Resource,
    object: Option<&'a Map<String, Value>>,
}

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("kind", self.resource.kind.kind)?;
        map.serialize_entry("apiVersion", &self.resource.api_version)?;
        map.serialize_entry("metadata", &Metadata(self.object.and_then(|o| o.get("metadata")?.as_object())))?;
        for (key, value) in self.object.into_iter().flatten() {
            if !matches!(key.as_str(), "kind" | "apiVersion" | "metadata") {
                map.serialize_entry(key, value)?;
            }
        }
        map.end()
    }
}

struct Metadata<'a>(Option<&'a Map<String, Value>>);

impl Serialize for Metadata<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in self.0.into_iter().flatten() {
            if key != "resourceVersion" {
                map.serialize_entry(key, value)?;
            }
        }
        map.end()
    }
}

/// The served form of a stored object; `None` if the bytes are no object.
pub fn dress(resource: &Resource, stored: &[u8], revision: Revision) -> Option<Bytes> {
    if stored.starts_with(&resource.head) && stored.get(resource.head.len()) == Some(&b'"') {
        return Some(splice(stored, resource.head.len(), resource.head.len(), revision));
    }
    // Written by another program, in another order.
    let object: Value = serde_json::from_slice(stored).ok().filter(Value::is_object)?;
    let stored = encode(resource, &object);
    (stored.get(resource.head.len()) == Some(&b'"'))
        .then(|| splice(&stored, resource.head.len(), resource.head.len(), revision))
}

/// A served object with another `resourceVersion`.
pub fn redress(resource: &Resource, served: &[u8], revision: Revision) -> Bytes {
    let start = resource.head.len();
    let digits = start + MARK.len();
    let end = served.iter().skip(digits).position(|b| *b == b'"').map_or(start, |at| digits + at + 2);
    splice(served, start, end, revision)
}

/// `bytes` with `"resourceVersion":"N",` instead of `from..to`.
fn splice(bytes: &[u8], from: usize, to: usize, revision: Revision) -> Bytes {
    let mut out = BytesMut::with_capacity(bytes.len() + MARK.len() + 22);
    out.extend_from_slice(bytes.get(..from).unwrap_or_default());
    out.extend_from_slice(MARK);
    out.extend_from_slice(revision.to_string().as_bytes());
    out.extend_from_slice(b"\",");
    out.extend_from_slice(bytes.get(to..).unwrap_or_default());
    out.freeze()
}

/// A served object as it stands in a list: without kind and apiVersion, and without its first brace.
pub fn item<'a>(resource: &Resource, served: &'a [u8]) -> &'a [u8] {
    served.get(1 + resource.typed..).unwrap_or_default()
}
