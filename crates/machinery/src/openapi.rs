//! OpenAPI documents, from the schema and the kind registry.
//!
//! Written piece by piece straight into bytes: a definition or a path is a small value for a moment, the
//! document never is one. Callers keep the bytes they want to keep. Must not know HTTP.

mod definition;
mod gnostic;
mod operation;
mod path;
mod reach;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use portway_api::kinds::Kind;
use portway_api::schema::Schema;
use serde_json::{Value, json};

use crate::discovery::{fingerprint, group_version};
use definition::Definitions;

/// The media type of the protobuf form, as an answer names it. Clients ask for it with `@v1.0` in place of
/// `.v1.0` too, which is no media type Go can read.
pub const V2_PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/// Makes the documents.
pub struct OpenApi {
    schema: &'static Schema,
    kinds: Vec<&'static Kind>,
    version: String,
}

/// Swagger 2.0 or OpenAPI 3.0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    V2,
    V3,
}

impl Dialect {
    /// Where references to definitions point.
    fn reference(self, name: &str) -> Value {
        let root = match self {
            Self::V2 => "#/definitions",
            Self::V3 => "#/components/schemas",
        };
        json!({ "$ref": format!("{root}/{name}") })
    }
}

impl OpenApi {
    /// For these kinds; `version` is the server's (`v1.36.0`).
    pub fn new(
        schema: &'static Schema,
        kinds: impl IntoIterator<Item = &'static Kind>,
        version: impl Into<String>,
    ) -> Self {
        Self { schema, kinds: kinds.into_iter().collect(), version: version.into() }
    }

    /// `/openapi/v3`: an address for each group and version, with the hash of its document.
    pub fn v3_index(&self) -> Value {
        let mut paths = BTreeMap::new();
        for kind in &self.kinds {
            let root = root(kind.group, kind.version);
            if !paths.contains_key(&root)
                && let Some(document) = self.v3(kind.group, kind.version)
            {
                let address = format!("/openapi/v3/{root}?hash={}", fingerprint(&document));
                paths.insert(root, json!({ "serverRelativeURL": address }));
            }
        }
        json!({ "paths": paths })
    }

    /// `/openapi/v3/api/v1`, `/openapi/v3/apis/GROUP/VERSION`.
    pub fn v3(&self, group: &str, version: &str) -> Option<Vec<u8>> {
        let kinds: Vec<&Kind> =
            self.kinds.iter().copied().filter(|k| (k.group, k.version) == (group, version)).collect();
        if kinds.is_empty() {
            return None;
        }
        let definitions = Definitions::new(self.schema, &self.kinds);
        let names = reach::reachable(self.schema, &kinds);
        let mut out = b"{\"openapi\":\"3.0.0\",\"info\":".to_vec();
        append(&mut out, &self.info());
        out.extend(b",\"paths\":{");
        let mut members = Members::new(&mut out);
        for kind in &kinds {
            path::each(kind, self.schema, Dialect::V3, |path, item| members.add(path, &item));
        }
        out.extend(b"},\"components\":{\"schemas\":{");
        let mut members = Members::new(&mut out);
        for name in &names {
            members.add(name, &definitions.definition(name, Dialect::V3));
        }
        out.extend(b"}}}");
        Some(out)
    }

    /// `/openapi/v2` as JSON.
    pub fn v2(&self) -> Vec<u8> {
        let definitions = Definitions::new(self.schema, &self.kinds);
        let mut out = b"{\"swagger\":\"2.0\",\"info\":".to_vec();
        append(&mut out, &self.info());
        out.extend(b",\"paths\":{");
        let mut members = Members::new(&mut out);
        for kind in &self.kinds {
            path::each(kind, self.schema, Dialect::V2, |path, item| members.add(path, &item));
        }
        out.extend(b"},\"definitions\":{");
        let mut members = Members::new(&mut out);
        for name in &reach::reachable(self.schema, &self.kinds) {
            members.add(name, &definitions.definition(name, Dialect::V2));
        }
        out.extend(b"}}");
        out
    }

    /// `/openapi/v2` as the protobuf `Document` that kubectl before 1.24 reads.
    pub fn v2_protobuf(&self) -> Vec<u8> {
        let definitions = Definitions::new(self.schema, &self.kinds);
        let mut document = gnostic::Document::new(&self.info());
        for kind in &self.kinds {
            path::each(kind, self.schema, Dialect::V2, |path, item| document.path(path, &item));
        }
        for name in &reach::reachable(self.schema, &self.kinds) {
            document.definition(name, &definitions.definition(name, Dialect::V2));
        }
        document.finish()
    }

    fn info(&self) -> Value {
        json!({ "title": "Kubernetes", "version": self.version })
    }
}

/// `api/v1`, `apis/GROUP/VERSION`.
fn root(group: &str, version: &str) -> String {
    let prefix = if group.is_empty() { "api" } else { "apis" };
    format!("{prefix}/{}", group_version(group, version))
}

fn append(out: &mut Vec<u8>, value: &Value) {
    out.extend(value.to_string().into_bytes());
}

/// Members of a JSON object being written.
struct Members<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl<'a> Members<'a> {
    fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, first: true }
    }

    fn add(&mut self, name: &str, value: &Value) {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        append(self.out, &Value::from(name));
        self.out.push(b':');
        append(self.out, value);
    }
}
