//! Service.
//!
//! What a Service asks for (addresses, node ports) and what it is given meet on the server. This module holds
//! everything about that which is not allocation; the server calls, in this order:
//!
//! ```text
//! create:  kind.default, kind.prepare_create, metadata
//!          begin_create(&mut new, families)            clusterIPs from clusterIP, families and policy; 422 on Err
//!          assign_cluster_ips(&mut new, None, f)       f reserves or allocates, one call for each address
//!          assign_node_ports(&mut new, None, f)        f reserves or allocates, one call for each number
//!          assign_health_check_port(&mut new, None, f)
//!          strategy.validate, warnings, store          on failure everything f gave is released
//!
//! update:  kind.default(&mut new); refresh(&mut old, families) on what was read from the store
//!          begin_update(&mut new, &old, families)      carries allocated values over, settles families; 422 on Err
//!          assign_cluster_ips(&mut new, Some(&old), f), assign_node_ports, assign_health_check_port
//!          kind.prepare_update                         old status, fields the new type does not have
//!          strategy.validate_update, warnings, store   on failure what f gave is released;
//!                                                      on success release released_cluster_ips(&new, &old) and
//!                                                      released_node_ports(&new, &old)
//!
//! delete:  cluster_ips(&old), node_ports(&old) are released
//! read:    refresh(&mut object, families)              what data written by older versions lacks
//! ```
//!
//! `families` are the cluster's configured IP families, the default one first (one or two). Values are
//! JSON throughout and every function is total.

mod allocate;
mod columns;
mod defaults;
mod families;
mod ports;
mod status;
mod update;
mod validate;
mod warnings;

use serde_json::Value;

pub use allocate::{
    assign_cluster_ips, assign_health_check_port, assign_node_ports, cluster_ips, node_ports,
    released_cluster_ips, released_node_ports,
};
pub use families::begin_create;
pub(super) use ports::port_or_name;
pub(super) use status::load_balancer_ingress;
pub use update::begin_update;

pub use self::defaults::refresh;
use super::column::Column;
use super::value::{Edit, Read};
use super::{FieldSelector, Kind, Strategy, meta, select};
use crate::field::FieldError;

pub(super) const KIND: Kind = Kind {
    short_names: &["svc"],
    categories: &["all"],
    storage_prefix: "services/specs",
    subresources: &["proxy", "status"],
    create_on_update: true,
    delete_returns_object: true,
    field_selectors: &[
        FieldSelector { path: "spec.clusterIP", value: |object| object.text("spec.clusterIP").to_owned() },
        select!("spec.type"),
    ],
    columns: &[
        Column::NAME,
        Column::text("Type", "How it can be reached.", |service, _| service.text("spec.type").into()),
        Column::text("Cluster-IP", "Its first virtual address, or None.", |service, _| {
            columns::cluster_ip(service)
        }),
        Column::text("External-IP", "Addresses from outside the cluster.", |service, _| {
            columns::external_ip(service)
        }),
        Column::text("Port(s)", "Ports, with node ports after a colon.", |service, _| {
            columns::ports(service)
        }),
        Column::AGE,
        Column::wide("Selector", "Labels of the Pods behind it.", |service, _| {
            super::column::labels(service, "spec.selector")
        }),
    ],
    strategy: &Service,
    ..Kind::core("Service", "services", "service", "io.k8s.api.core.v1.Service")
};

/// Exactly `clusterIPs: ["None"]`.
pub fn is_headless(service: &Value) -> bool {
    service.texts("spec.clusterIPs") == ["None"]
}

/// Traffic from outside the cluster can reach it.
pub fn is_externally_accessible(service: &Value) -> bool {
    match service.text("spec.type") {
        "LoadBalancer" | "NodePort" => true,
        "ClusterIP" => !service.list("spec.externalIPs").is_empty(),
        _ => false,
    }
}

/// Load balancers ask its nodes whether they have endpoints.
pub fn needs_health_check(service: &Value) -> bool {
    is_load_balancer(service) && service.text("spec.externalTrafficPolicy") == "Local"
}

fn is_load_balancer(service: &Value) -> bool {
    service.text("spec.type") == "LoadBalancer"
}

fn is_external_name(service: &Value) -> bool {
    service.text("spec.type") == "ExternalName"
}

/// Its ports have node ports, asked for or not.
fn wants_node_ports(service: &Value) -> bool {
    match service.text("spec.type") {
        "NodePort" => true,
        "LoadBalancer" => service.at("spec.allocateLoadBalancerNodePorts") != Some(&Value::Bool(false)),
        _ => false,
    }
}

/// An ExternalName shows no internal traffic policy; a wrong one stays for validation to find.
fn hide_internal_policy(service: &mut Value) {
    const PATH: &str = "spec.internalTrafficPolicy";
    if is_external_name(service) && ["Cluster", "Local"].contains(&service.text(PATH)) {
        service.unset(PATH);
    }
}

struct Service;

impl Strategy for Service {
    fn default(&self, service: &mut Value) {
        defaults::apply(service);
    }

    fn prepare_create(&self, service: &mut Value) {
        service.unset("status");
        hide_internal_policy(service);
    }

    fn validate(&self, service: &Value) -> Vec<FieldError> {
        let mut errors = meta::validate(service, true, meta::NameFormat::Label);
        errors.extend(validate::spec(service, None));
        errors
    }

    fn prepare_update(&self, new: &mut Value, old: &Value) {
        new.copy("status", old);
        update::drop_type_dependent(new, old);
        hide_internal_policy(new);
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<FieldError> {
        let mut errors = meta::validate_update(new, old);
        errors.extend(update::validate(new, old));
        errors.extend(validate::spec(new, Some(old)));
        errors
    }

    fn validate_status_update(&self, new: &Value, old: &Value) -> Vec<FieldError> {
        let mut errors = meta::validate_update(new, old);
        errors.extend(status::validate(new, old));
        errors
    }

    fn warnings(&self, new: &Value, _old: Option<&Value>) -> Vec<String> {
        warnings::all(new)
    }
}
