//! What Services take and give back.

use std::net::IpAddr;

use portway_alloc::AddressError;
use portway_api::field::FieldError;
use portway_api::kinds::service;
use portway_api::kinds::service::{assign_cluster_ips, assign_health_check_port, assign_node_ports};
use portway_base::{IpFamily, Revision};
use portway_machinery::meta;
use portway_machinery::status::{Status, Subject};
use portway_store::{Guard, Op};
use serde_json::{Value, json};

use super::{Grant, Ledger, Owner, owner};
use crate::codec;
use crate::server::{ApiServer, now_text};

/// The first number a dry run shows for a node port that would be allocated; none that could be.
const PLACEHOLDER: i64 = 32769;

enum Refused {
    /// 422 at this field.
    Field(FieldError),
    /// 500.
    Internal(String),
}

impl Ledger {
    pub(super) fn create_service(
        &self,
        server: &ApiServer,
        object: &mut Value,
        dry_run: bool,
    ) -> Result<Grant, Status> {
        service::begin_create(object, &self.families).map_err(|errors| invalid(object, &errors))?;
        self.assign(server, object, None, dry_run)
    }

    pub(super) fn update_service(
        &self,
        server: &ApiServer,
        new: &mut Value,
        old: &Value,
        dry_run: bool,
    ) -> Result<Grant, Status> {
        service::begin_update(new, old, &self.families).map_err(|errors| invalid(new, &errors))?;
        let mut grant = self.assign(server, new, Some(old), dry_run)?;
        if !dry_run {
            grant.dropped_addresses = service::released_cluster_ips(new, old);
            grant.dropped_ports = service::released_node_ports(new, old);
            self.drop_addresses(server, &mut grant);
        }
        Ok(grant)
    }

    pub(super) fn delete_service(&self, server: &ApiServer, old: &Value) -> Grant {
        let mut grant = Grant::on(&self.books);
        grant.dropped_addresses = service::cluster_ips(old);
        grant.dropped_ports = service::node_ports(old).into_iter().collect();
        self.drop_addresses(server, &mut grant);
        // Endpoints of the same name go with the Service.
        if let Some(endpoints) = server.resources.find("", "endpoints") {
            grant.txn.ops.push(Op::Delete { key: endpoints.key(meta::namespace(old), meta::name(old)) });
        }
        grant
    }

    /// Takes what the Service needs. Everything is decided under one lock, so that a Service gets all or
    /// nothing.
    fn assign(
        &self,
        server: &ApiServer,
        new: &mut Value,
        old: Option<&Value>,
        dry_run: bool,
    ) -> Result<Grant, Status> {
        self.follow_ranges(server);
        let owner = owner(new);
        let mut grant = Grant::on(&self.books);
        // The object's value before the walk, for the error's VALUE.
        let listed = new.get("spec").and_then(|s| s.get("clusterIPs")).cloned().unwrap_or_else(|| json!([]));
        let result = self.walk(new, old, dry_run, &owner, &listed, &mut grant);
        match result {
            Ok(()) => {}
            Err(Refused::Field(error)) => return Err(invalid(new, &[error])),
            Err(Refused::Internal(text)) => return Err(Status::internal(&text)),
        }
        if let Some(addresses) = server.resources.find("networking.k8s.io", "ipaddresses") {
            for ip in &grant.taken_addresses {
                let object = address(*ip, new);
                let key = addresses.key("", &ip.to_string());
                grant.txn.guards.push(Guard { key: key.clone(), modified: Revision::ZERO });
                grant.txn.ops.push(Op::Put { key, value: codec::encode(addresses, &object) });
            }
        }
        Ok(grant)
    }

    fn walk(
        &self,
        new: &mut Value,
        old: Option<&Value>,
        dry_run: bool,
        owner: &Owner,
        listed: &Value,
        grant: &mut Grant,
    ) -> Result<(), Refused> {
        // Dropping a grant takes the lock: it must outlive this one, which is why it is borrowed.
        let mut books = self.books();
        assign_cluster_ips(new, old, |family, wanted| {
            take_address(&mut books, family, wanted, dry_run, owner, listed, grant)
        })?;
        let mut placeholder = PLACEHOLDER;
        assign_node_ports(new, old, |index, wanted| {
            let field = format!("spec.ports[{index}].nodePort");
            if dry_run {
                if wanted == 0 {
                    placeholder += 1;
                    return Ok(placeholder - 1);
                }
                let taken = u16::try_from(wanted).is_ok_and(|port| books.ports.owner(port).is_some());
                let error =
                    || FieldError::invalid(field, wanted, portway_alloc::PortError::Taken.to_string());
                return if taken { Err(Refused::Field(error())) } else { Ok(wanted) };
            }
            let given = if wanted == 0 {
                let next = books.ports.allocate_next(fastrand::u64(..), owner.clone());
                next.map_err(|e| Refused::Internal(format!("failed to allocate a nodePort: {e}")))?
            } else {
                let exact = books.ports.allocate(wanted, owner.clone());
                exact.map_err(|e| Refused::Field(FieldError::invalid(field, wanted, e.to_string())))?
            };
            grant.taken_ports.push(given);
            Ok(i64::from(given))
        })?;
        assign_health_check_port(new, old, |wanted| {
            if dry_run {
                return Ok(if wanted == 0 { placeholder } else { wanted });
            }
            let given = if wanted == 0 {
                books.ports.allocate_next(fastrand::u64(..), owner.clone())
            } else {
                books.ports.allocate(wanted, owner.clone())
            };
            let given = given.map_err(|e| {
                Refused::Internal(format!("failed to allocate requested HealthCheck NodePort {wanted}: {e}"))
            })?;
            grant.taken_ports.push(given);
            Ok(i64::from(given))
        })
    }

    /// The IPAddresses of the addresses a write gives up go in the same transaction.
    fn drop_addresses(&self, server: &ApiServer, grant: &mut Grant) {
        let Some(addresses) = server.resources.find("networking.k8s.io", "ipaddresses") else { return };
        for ip in &grant.dropped_addresses {
            grant.txn.ops.push(Op::Delete { key: addresses.key("", &ip.to_string()) });
        }
    }
}

fn take_address(
    books: &mut super::Books,
    family: IpFamily,
    wanted: Option<IpAddr>,
    dry_run: bool,
    owner: &Owner,
    listed: &Value,
    grant: &mut Grant,
) -> Result<IpAddr, Refused> {
    let refused = |error: AddressError| match (wanted, &error) {
        (Some(ip), AddressError::Taken | AddressError::OutOfRange) => Refused::Field(FieldError::invalid(
            "spec.clusterIPs",
            listed.clone(),
            format!("failed to allocate IP {ip}: {error}"),
        )),
        _ => Refused::Internal(format!("failed to allocate a serviceIP: {error}")),
    };
    match wanted {
        Some(ip) if dry_run => books.addresses.check_range(ip).map(|()| ip).map_err(refused),
        None if dry_run => books.addresses.placeholder(family).map_err(refused),
        Some(ip) => {
            books.addresses.allocate(ip, owner.clone()).map_err(refused)?;
            grant.taken_addresses.push(ip);
            Ok(ip)
        }
        None => {
            let ip =
                books.addresses.allocate_next(family, fastrand::u64(..), owner.clone()).map_err(refused)?;
            grant.taken_addresses.push(ip);
            Ok(ip)
        }
    }
}

/// The IPAddress that reserves an address for a Service.
fn address(ip: IpAddr, service: &Value) -> Value {
    json!({
        "metadata": {
            "name": ip.to_string(),
            "uid": uuid::Uuid::new_v4().to_string(),
            "creationTimestamp": now_text(),
            "labels": {
                "ipaddress.kubernetes.io/ip-family": IpFamily::of(ip).as_str(),
                "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
            },
        },
        "spec": {
            "parentRef": {
                "group": "",
                "resource": "services",
                "namespace": meta::namespace(service),
                "name": meta::name(service),
            },
        },
    })
}

fn invalid(service: &Value, errors: &[FieldError]) -> Status {
    let subject = Subject { group: "", resource: "services", kind: "Service", name: meta::name(service) };
    Status::invalid(subject, errors)
}

impl From<FieldError> for Refused {
    fn from(error: FieldError) -> Self {
        Self::Field(error)
    }
}
