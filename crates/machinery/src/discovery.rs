//! What a server says it serves: the discovery documents, from the kind registry.
//!
//! Must not know how requests are answered. Documents are values; they are few and small, and do not change
//! while the server runs, so the caller keeps their bytes.

mod subresource;
#[cfg(test)]
mod tests;

use portway_api::kinds::Kind;
use serde_json::{Map, Value, json};

pub(crate) use subresource::{Subresource, subresource};

/// The media type of aggregated discovery, without its version parameter.
pub const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// The discovery documents of a set of kinds.
pub struct Discovery {
    groups: Vec<Group>,
}

struct Group {
    name: &'static str,
    /// Preferred first.
    versions: Vec<Version>,
}

struct Version {
    name: &'static str,
    /// Sorted by plural.
    kinds: Vec<&'static Kind>,
}

impl Discovery {
    /// Groups and versions in the order the kinds come.
    pub fn new(kinds: impl IntoIterator<Item = &'static Kind>) -> Self {
        let mut groups: Vec<Group> = Vec::new();
        for kind in kinds {
            let at = groups.iter().position(|g| g.name == kind.group).unwrap_or_else(|| {
                groups.push(Group { name: kind.group, versions: Vec::new() });
                groups.len() - 1
            });
            let versions = &mut groups[at].versions;
            let at = versions.iter().position(|v| v.name == kind.version).unwrap_or_else(|| {
                versions.push(Version { name: kind.version, kinds: Vec::new() });
                versions.len() - 1
            });
            versions[at].kinds.push(kind);
        }
        for version in groups.iter_mut().flat_map(|g| &mut g.versions) {
            version.kinds.sort_by_key(|kind| kind.plural);
        }
        Self { groups }
    }

    /// `/api`: `address` is where clients reach this server.
    pub fn core(&self, address: &str) -> Value {
        let versions: Vec<&str> = self
            .groups
            .iter()
            .filter(|g| g.name.is_empty())
            .flat_map(|g| &g.versions)
            .map(|v| v.name)
            .collect();
        json!({
            "kind": "APIVersions",
            "versions": versions,
            "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
        })
    }

    /// `/apis`.
    pub fn groups(&self) -> Value {
        let groups: Vec<Value> = self.named().map(Group::describe).map(Value::Object).collect();
        json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups })
    }

    /// `/apis/GROUP`.
    pub fn group(&self, name: &str) -> Option<Value> {
        let mut body = self.named().find(|g| g.name == name)?.describe();
        body.insert("kind".to_owned(), json!("APIGroup"));
        body.insert("apiVersion".to_owned(), json!("v1"));
        Some(Value::Object(body))
    }

    /// `/api/v1` (empty group) and `/apis/GROUP/VERSION`.
    pub fn resources(&self, group: &str, version: &str) -> Option<Value> {
        let group = self.groups.iter().find(|g| g.name == group)?;
        let version = group.versions.iter().find(|v| v.name == version)?;
        let mut resources = Vec::new();
        for kind in &version.kinds {
            resources.push(resource(kind));
            resources.extend(sorted(kind).into_iter().map(|sub| subresource_entry(kind, &sub)));
        }
        let mut body = json!({
            "kind": "APIResourceList",
            "groupVersion": group_version(group.name, version.name),
            "resources": resources,
        });
        if !group.name.is_empty() {
            body["apiVersion"] = json!("v1");
        }
        Some(body)
    }

    /// `/api` aggregated; `version` is that of `apidiscovery.k8s.io` (`v2`, `v2beta1`).
    pub fn aggregated_core(&self, version: &str) -> Value {
        aggregated(version, self.groups.iter().filter(|g| g.name.is_empty()))
    }

    /// `/apis` aggregated.
    pub fn aggregated_groups(&self, version: &str) -> Value {
        aggregated(version, self.named())
    }

    /// Groups and versions, in order: for 404s and the OpenAPI index.
    pub fn group_versions(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.groups.iter().flat_map(|g| g.versions.iter().map(|v| (g.name, v.name)))
    }

    fn named(&self) -> impl Iterator<Item = &Group> {
        self.groups.iter().filter(|g| !g.name.is_empty())
    }
}

impl Group {
    fn describe(&self) -> Map<String, Value> {
        let version =
            |v: &Version| json!({"groupVersion": group_version(self.name, v.name), "version": v.name});
        let versions: Vec<Value> = self.versions.iter().map(version).collect();
        let mut body = Map::new();
        body.insert("name".to_owned(), json!(self.name));
        body.insert("preferredVersion".to_owned(), versions.first().cloned().unwrap_or_default());
        body.insert("versions".to_owned(), Value::Array(versions));
        body
    }
}

/// `v1`, `apps/v1`.
pub(crate) fn group_version(group: &str, version: &str) -> String {
    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
}

fn sorted(kind: &'static Kind) -> Vec<Subresource> {
    let mut subresources: Vec<Subresource> =
        kind.subresources.iter().map(|name| subresource(kind, name)).collect();
    subresources.sort_by_key(|s| s.name);
    subresources
}

fn resource(kind: &Kind) -> Value {
    let mut entry = json!({
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": kind.verbs,
    });
    if !kind.short_names.is_empty() {
        entry["shortNames"] = json!(kind.short_names);
    }
    if !kind.categories.is_empty() {
        entry["categories"] = json!(kind.categories);
    }
    entry
}

fn subresource_entry(kind: &Kind, sub: &Subresource) -> Value {
    let mut entry = json!({
        "name": format!("{}/{}", kind.plural, sub.name),
        "singularName": "",
        "namespaced": kind.namespaced,
        "kind": sub.kind,
        "verbs": sub.verbs,
    });
    if (sub.group, sub.version) != (kind.group, kind.version) {
        entry["group"] = json!(sub.group);
        entry["version"] = json!(sub.version);
    }
    entry
}

fn aggregated<'g>(api_version: &str, groups: impl Iterator<Item = &'g Group>) -> Value {
    let items: Vec<Value> = groups
        .map(|group| {
            let metadata = if group.name.is_empty() { json!({}) } else { json!({"name": group.name}) };
            let versions: Vec<Value> = group
                .versions
                .iter()
                .map(|version| {
                    let resources: Vec<Value> =
                        version.kinds.iter().copied().map(aggregated_resource).collect();
                    json!({"version": version.name, "resources": resources, "freshness": "Current"})
                })
                .collect();
            json!({"metadata": metadata, "versions": versions})
        })
        .collect();
    json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": format!("apidiscovery.k8s.io/{api_version}"),
        "metadata": {},
        "items": items,
    })
}

fn aggregated_resource(kind: &'static Kind) -> Value {
    let mut entry = json!({
        "resource": kind.plural,
        "responseKind": {"group": "", "version": "", "kind": kind.kind},
        "scope": if kind.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": kind.singular,
        "verbs": kind.verbs,
    });
    if !kind.short_names.is_empty() {
        entry["shortNames"] = json!(kind.short_names);
    }
    if !kind.categories.is_empty() {
        entry["categories"] = json!(kind.categories);
    }
    let subresources: Vec<Value> = sorted(kind)
        .into_iter()
        .map(|sub| {
            let own = (sub.group, sub.version) == (kind.group, kind.version);
            let (group, version) = if own { ("", "") } else { (sub.group, sub.version) };
            json!({
                "subresource": sub.name,
                "responseKind": {"group": group, "version": version, "kind": sub.kind},
                "verbs": sub.verbs,
            })
        })
        .collect();
    if !subresources.is_empty() {
        entry["subresources"] = Value::Array(subresources);
    }
    entry
}

/// Upper-case hex SHA-512: the `ETag` of discovery and OpenAPI documents (to be quoted), and the `hash` of
/// OpenAPI v3 addresses.
pub fn fingerprint(document: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA512, document);
    digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect()
}
