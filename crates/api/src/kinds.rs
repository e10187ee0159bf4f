//! The kind registry: one row a kind. The server has one generic path; all that differs stands here.
//!
//! A new kind is a file with its row and its rules, and one line in [`all`].
//!
//! What the server does around a write, with the entry points on [`Kind`]:
//!
//! ```text
//! create:  decode, default, prepare_create, server: uid, times, generated name; strategy.named;
//!          allocation; strategy.validate, strategy.warnings, store
//! update:  decode, default, prepare_update, server: allocation; strategy.validate_update, warnings, store
//! status:  decode, default, prepare_status_update, strategy.validate_status_update, warnings, store
//! ```
//!
//! Allocation is the Service's alone; its pure part is described in [`service`].

mod column;
pub mod format;
pub mod ip;
pub mod meta;
mod strategy;
pub mod value;

mod configmap;
mod deployment;
mod endpoints;
mod endpointslice;
mod event;
pub mod ingress;
mod ingressclass;
mod ipaddress;
mod lease;
pub mod namespace;
mod node;
pub mod pod;
mod replicaset;
mod secret;
pub mod service;
mod serviceaccount;
mod servicecidr;
mod workload;

#[cfg(test)]
mod tests;

use serde_json::Value;

pub use column::{Column, age, span};
pub use strategy::Strategy;

use crate::schema::schema;

/// Every kind the server serves, in discovery order (core first).
pub fn all() -> &'static [&'static Kind] {
    static ALL: &[&Kind] = &[
        &configmap::KIND,
        &endpoints::KIND,
        &event::KIND,
        &namespace::KIND,
        &node::KIND,
        &pod::KIND,
        &secret::KIND,
        &service::KIND,
        &serviceaccount::KIND,
        &deployment::KIND,
        &replicaset::KIND,
        &lease::KIND,
        &endpointslice::KIND,
        &ingress::KIND,
        &ingressclass::KIND,
        &ipaddress::KIND,
        &servicecidr::KIND,
    ];
    ALL
}

/// The kind behind a resource path: `find("apps", "v1", "deployments")`.
pub fn find(group: &str, version: &str, plural: &str) -> Option<&'static Kind> {
    all().iter().copied().find(|kind| (kind.group, kind.version, kind.plural) == (group, version, plural))
}

/// The kind of an object: `by_kind("apps", "v1", "Deployment")`.
pub fn by_kind(group: &str, version: &str, kind: &str) -> Option<&'static Kind> {
    all().iter().copied().find(|row| (row.group, row.version, row.kind) == (group, version, kind))
}

/// Every verb of an ordinary resource.
pub const VERBS: &[&str] =
    &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/// A kind the server serves.
pub struct Kind {
    /// API group; empty for core.
    pub group: &'static str,
    /// API version within the group.
    pub version: &'static str,
    /// `Service`.
    pub kind: &'static str,
    /// `services`.
    pub plural: &'static str,
    /// `service`.
    pub singular: &'static str,
    /// `svc`.
    pub short_names: &'static [&'static str],
    /// `all`.
    pub categories: &'static [&'static str],
    /// Lives in namespaces.
    pub namespaced: bool,
    /// Full schema name: `io.k8s.api.core.v1.Service`.
    pub schema: &'static str,
    /// What follows `/registry/` in store keys: `services/specs`.
    pub storage_prefix: &'static str,
    /// What can be done with it, sorted.
    pub verbs: &'static [&'static str],
    /// Subresources: `status`, `scale`, `log`, `token`, `finalize`, ...
    pub subresources: &'static [&'static str],
    /// PUT on a missing name creates it.
    pub create_on_update: bool,
    /// PUT and PATCH without `resourceVersion` are accepted.
    pub unconditional_update: bool,
    /// DELETE that removes the object answers with it, rather than with a `Status`.
    pub delete_returns_object: bool,
    /// A `Warning` header on every answer about the kind.
    pub deprecation: Option<&'static str>,
    /// Field selectors besides `metadata.name` and `metadata.namespace`, as dotted paths with their default.
    pub field_selectors: &'static [FieldSelector],
    /// Columns of the Table form, `kubectl get`.
    pub columns: &'static [Column],
    /// Rules of the kind.
    pub strategy: &'static dyn Strategy,
}

impl Kind {
    /// A row of the core group with the usual answers; the rest is filled in by struct update.
    const fn core(
        kind: &'static str,
        plural: &'static str,
        singular: &'static str,
        schema: &'static str,
    ) -> Self {
        Self {
            group: "",
            version: "v1",
            kind,
            plural,
            singular,
            short_names: &[],
            categories: &[],
            namespaced: true,
            schema,
            storage_prefix: plural,
            verbs: VERBS,
            subresources: &[],
            create_on_update: false,
            unconditional_update: true,
            delete_returns_object: false,
            deprecation: None,
            field_selectors: &[],
            columns: &[Column::NAME, Column::AGE],
            strategy: &strategy::Plain,
        }
    }

    /// `v1`, `apps/v1`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_owned()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// `ServiceList`.
    pub fn list_kind(&self) -> String {
        format!("{}List", self.kind)
    }

    /// Brings an object into the form upstream writes ([`crate::schema::Schema::normalize`]).
    pub fn normalize(&self, object: &mut Value) {
        schema().normalize(object, self.schema);
    }

    /// Fills in what a client left out, after decoding.
    pub fn default(&self, object: &mut Value) {
        self.normalize(object);
        self.strategy.default(object);
    }

    /// Drops what a client may not set on create. Afterwards the server sets `metadata.uid`,
    /// `metadata.creationTimestamp` and a generated name.
    pub fn prepare_create(&self, object: &mut Value) {
        meta::prepare_create(object);
        self.strategy.prepare_create(object);
        self.normalize(object);
    }

    /// Carries over what a client may not change on update, and counts `metadata.generation`.
    pub fn prepare_update(&self, new: &mut Value, old: &Value) {
        meta::prepare_update(new, old);
        self.strategy.prepare_update(new, old);
        self.normalize(new);
    }

    /// Carries over everything but metadata and status.
    pub fn prepare_status_update(&self, new: &mut Value, old: &Value) {
        meta::prepare_update(new, old);
        self.strategy.prepare_status_update(new, old);
        self.normalize(new);
    }
}

/// A field that list and watch can select by.
pub struct FieldSelector {
    /// Label of the selector: `spec.nodeName`.
    pub path: &'static str,
    /// Its value for an object; unset fields give the empty text.
    pub value: fn(&Value) -> String,
}

/// A selector that reads the text at its own path.
macro_rules! select {
    ($path:literal) => {
        $crate::kinds::FieldSelector {
            path: $path,
            value: |object| $crate::kinds::value::Read::text(object, $path).to_owned(),
        }
    };
}
use select;
