//! A few kinds for tests, independent of the real registry.

use portway_api::kinds::{FieldSelector, Kind, Strategy};

struct Plain;

impl Strategy for Plain {}

const BASE: Kind = Kind {
    group: "",
    version: "v1",
    kind: "",
    plural: "",
    singular: "",
    short_names: &[],
    categories: &[],
    namespaced: true,
    schema: "",
    subresources: &[],
    create_on_update: false,
    unconditional_update: true,
    field_selectors: &[],
    columns: &[],
    strategy: &Plain,
};

pub(crate) static SERVICE: Kind = Kind {
    kind: "Service",
    plural: "services",
    singular: "service",
    short_names: &["svc"],
    categories: &["all"],
    schema: "io.k8s.api.core.v1.Service",
    subresources: &["status", "proxy"],
    field_selectors: &[FieldSelector {
        path: "spec.type",
        value: |object| object["spec"]["type"].as_str().unwrap_or("").to_owned(),
    }],
    ..BASE
};

pub(crate) static NODE: Kind = Kind {
    kind: "Node",
    plural: "nodes",
    singular: "node",
    namespaced: false,
    schema: "io.k8s.api.core.v1.Node",
    subresources: &["status"],
    ..BASE
};

pub(crate) static DEPLOYMENT: Kind = Kind {
    group: "apps",
    kind: "Deployment",
    plural: "deployments",
    singular: "deployment",
    schema: "io.k8s.api.apps.v1.Deployment",
    subresources: &["status", "scale"],
    ..BASE
};

pub(crate) fn kinds() -> Vec<&'static Kind> {
    vec![&SERVICE, &NODE, &DEPLOYMENT]
}
