//! Addresses and ports of Services: who holds what, and what a write takes or gives back.
//!
//! Memory answers at once; the store's guards make it certain, because an address is taken by creating its
//! IPAddress in the transaction that writes the Service.

mod grant;
mod services;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use portway_alloc::{AddressAllocator, AddressRange, PortAllocator, PortRange};
use portway_api::kinds::service;
use portway_base::{IpFamily, Revision};
use portway_machinery::meta;
use portway_machinery::status::Status;
use serde_json::Value;

pub(crate) use grant::Grant;

use crate::cache::{Cache, Cached};
use crate::config::Config;
use crate::resource::{Resource, Resources};
use crate::server::ApiServer;

/// Who holds an address or port: `namespace/name` of a Service, or what an IPAddress refers to.
type Owner = Arc<str>;

/// Who holds what.
pub(crate) struct Ledger {
    books: Arc<Mutex<Books>>,
    /// The cluster's families, the default one first.
    families: Vec<IpFamily>,
    /// The ranges that are there from the start.
    configured: Vec<AddressRange>,
}

struct Books {
    addresses: AddressAllocator<Owner>,
    ports: PortAllocator<Owner>,
    /// The ServiceCIDRs the ranges were made of, to see that they have changed.
    made_of: Vec<(Arc<str>, Revision)>,
}

impl Ledger {
    /// Reads who holds what from the stored objects.
    pub(crate) fn open(config: &Config, resources: &Resources, cache: &Cache) -> Result<Self, String> {
        let families: Vec<IpFamily> =
            config.service_cidrs.iter().map(|net| IpFamily::of(net.network())).collect();
        if families.is_empty()
            || families.len() > 2
            || families.iter().collect::<BTreeSet<_>>().len() != families.len()
        {
            return Err("give one Service CIDR, or two of different families".to_owned());
        }
        let ranges: Result<Vec<AddressRange>, _> =
            config.service_cidrs.iter().map(|net| AddressRange::new(*net)).collect();
        let ranges = ranges.map_err(|e| format!("Service CIDR {e}"))?;
        let range = PortRange::new(config.node_port_range.clone()).map_err(|e| e.to_string())?;
        let mut books = Books {
            addresses: AddressAllocator::new(ranges.clone()),
            ports: PortAllocator::new(range),
            made_of: Vec::new(),
        };
        let all = |group, plural| {
            resources.find(group, plural).map(|r| cache.snapshot(r, &r.prefix).objects).unwrap_or_default()
        };
        for address in all("networking.k8s.io", "ipaddresses") {
            let address = address.value();
            if let Ok(ip) = meta::name(&address).parse() {
                books.addresses.record(ip, parent(&address));
            }
        }
        for object in all("", "services") {
            let object = object.value();
            let owner = owner(&object);
            for ip in service::cluster_ips(&object) {
                if let Some(finding) = books.addresses.record(ip, owner.clone()) {
                    tracing::warn!(?finding, "a Service's address is not its own");
                }
            }
            for port in service::node_ports(&object) {
                if let Some(finding) = books.ports.record(port, owner.clone()) {
                    tracing::warn!(?finding, "a Service's node port is not its own");
                }
            }
        }
        Ok(Self { books: Arc::new(Mutex::new(books)), families, configured: ranges })
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        lock(&self.books)
    }

    /// Lets addresses come from every ServiceCIDR that is ready and stays.
    fn follow_ranges(&self, server: &ApiServer) {
        let Some(resource) = server.resources.find("networking.k8s.io", "servicecidrs") else { return };
        let found = server.cache.snapshot(resource, &resource.prefix).objects;
        let mut books = self.books();
        let same = |(object, (key, revision)): (&Arc<Cached>, &(Arc<str>, Revision))| {
            object.key == *key && object.revision == *revision
        };
        if found.len() == books.made_of.len() && found.iter().zip(&books.made_of).all(same) {
            return;
        }
        let more = found.iter().flat_map(|object| usable_ranges(&object.value()));
        let ranges: Vec<AddressRange> = self.configured.iter().copied().chain(more).collect();
        books.addresses.set_ranges(ranges);
        books.made_of = found.iter().map(|object| (object.key.clone(), object.revision)).collect();
    }

    /// Gives a new object what it needs. Whatever the grant holds goes back when it is dropped unkept.
    pub(crate) fn create(
        &self,
        server: &ApiServer,
        resource: &Resource,
        object: &mut Value,
        dry_run: bool,
    ) -> Result<Grant, Status> {
        match of(resource) {
            Allocated::Service => self.create_service(server, object, dry_run),
            Allocated::Address => Ok(self.create_address(object, dry_run)),
            Allocated::Nothing => Ok(Grant::default()),
        }
    }

    /// Gives a changed object what it needs now; what it no longer needs goes back when the grant is kept.
    pub(crate) fn update(
        &self,
        server: &ApiServer,
        resource: &Resource,
        new: &mut Value,
        old: &Value,
        dry_run: bool,
    ) -> Result<Grant, Status> {
        match of(resource) {
            Allocated::Service => self.update_service(server, new, old, dry_run),
            Allocated::Address | Allocated::Nothing => Ok(Grant::default()),
        }
    }

    /// Brings a Service into the form that is kept and shown.
    pub(crate) fn settle(&self, resource: &Resource, object: &mut Value) {
        if matches!(of(resource), Allocated::Service) {
            service::refresh(object, &self.families);
        }
    }

    /// What goes with an object that is removed.
    pub(crate) fn delete(&self, server: &ApiServer, resource: &Resource, old: &Value) -> Grant {
        match of(resource) {
            Allocated::Service => self.delete_service(server, old),
            Allocated::Address => self.delete_address(server, old),
            Allocated::Nothing => Grant::default(),
        }
    }

    /// Someone writes an IPAddress by hand: the address is taken from then on.
    fn create_address(&self, object: &Value, dry_run: bool) -> Grant {
        let mut grant = Grant::on(&self.books);
        if let (false, Ok(ip)) = (dry_run, meta::name(object).parse::<IpAddr>()) {
            let mut books = self.books();
            // If it is held already, the store refuses the name; nothing to undo then.
            if books.addresses.owner(ip).is_none() {
                books.addresses.record(ip, parent(object));
                grant.taken_addresses.push(ip);
            }
        }
        grant
    }

    /// An IPAddress goes. The address of a Service that still has it stays reserved.
    fn delete_address(&self, server: &ApiServer, old: &Value) -> Grant {
        let mut grant = Grant::on(&self.books);
        let Ok(ip) = meta::name(old).parse::<IpAddr>() else { return grant };
        let holder = parent(old);
        let in_use = server.resources.find("", "services").is_some_and(|services| {
            let key = format!("{}{holder}", services.prefix);
            let found = server.cache.get(services, &key);
            found.is_some_and(|s| service::cluster_ips(&s.value()).contains(&ip))
        });
        if !in_use {
            grant.dropped_addresses.push(ip);
        }
        grant
    }
}

/// The ranges of a ServiceCIDR, none if it is going away or not ready.
fn usable_ranges(object: &Value) -> Vec<AddressRange> {
    let conditions = object.get("status").and_then(|s| s.get("conditions")).and_then(Value::as_array);
    let is = |c: &Value, field: &str, text: &str| c.get(field).and_then(Value::as_str) == Some(text);
    let unready = |c: &Value| is(c, "type", "Ready") && is(c, "status", "False");
    if meta::is_deleting(object) || conditions.into_iter().flatten().any(unready) {
        return Vec::new();
    }
    let cidrs = object.get("spec").and_then(|s| s.get("cidrs")).and_then(Value::as_array);
    let range = |cidr: &Value| AddressRange::new(cidr.as_str()?.parse().ok()?).ok();
    cidrs.into_iter().flatten().filter_map(range).collect()
}

fn lock(books: &Mutex<Books>) -> MutexGuard<'_, Books> {
    // Allocators change in single steps that do not panic half-way.
    books.lock().unwrap_or_else(PoisonError::into_inner)
}

enum Allocated {
    Service,
    Address,
    Nothing,
}

fn of(resource: &Resource) -> Allocated {
    match (resource.kind.group, resource.kind.plural) {
        ("", "services") => Allocated::Service,
        ("networking.k8s.io", "ipaddresses") => Allocated::Address,
        _ => Allocated::Nothing,
    }
}

fn owner(service: &Value) -> Owner {
    format!("{}/{}", meta::namespace(service), meta::name(service)).into()
}

/// Whom an IPAddress belongs to; in the same form as [`owner`] for Services.
fn parent(address: &Value) -> Owner {
    let part = |field: &str| {
        let parent = address.get("spec").and_then(|s| s.get("parentRef"));
        parent.and_then(|p| p.get(field)).and_then(Value::as_str).unwrap_or_default()
    };
    match (part("group"), part("resource")) {
        ("", "services") => format!("{}/{}", part("namespace"), part("name")).into(),
        (group, resource) => format!("{group}/{resource}/{}/{}", part("namespace"), part("name")).into(),
    }
}
