//! A server without a wire or a store: just enough around the kinds to create, update and delete objects.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use portway_api::field::FieldError;
use portway_api::kinds::value::{Edit, Read};
use portway_api::kinds::{self, Kind, service};
use portway_base::IpFamily;
use serde_json::{Value, json};

/// An answer: HTTP status, body, `Warning` texts.
pub struct Answer {
    pub code: u16,
    pub body: Value,
    pub warnings: Vec<String>,
}

/// Objects, and the addresses and ports given to Services.
pub struct World {
    families: Vec<IpFamily>,
    objects: BTreeMap<String, Value>,
    addresses: BTreeSet<IpAddr>,
    ports: BTreeSet<i64>,
    revision: u64,
}

enum Refusal {
    Invalid(Vec<FieldError>),
    Status(u16, &'static str),
}

impl From<Vec<FieldError>> for Refusal {
    fn from(errors: Vec<FieldError>) -> Self {
        Self::Invalid(errors)
    }
}

fn reject(errors: Vec<FieldError>) -> Result<(), Refusal> {
    if errors.is_empty() { Ok(()) } else { Err(Refusal::Invalid(errors)) }
}

/// Address number `n` of a family's range.
pub fn address(family: IpFamily, n: u32) -> IpAddr {
    let base: IpAddr = if family == IpFamily::V4 { "10.96.0.0" } else { "fd00:10:96::" }.parse().unwrap();
    match base {
        IpAddr::V4(v4) => IpAddr::from((u32::from(v4) + n).to_be_bytes()),
        IpAddr::V6(v6) => IpAddr::from((u128::from(v6) + u128::from(n)).to_be_bytes()),
    }
}

struct Target {
    kind: &'static Kind,
    namespace: String,
    name: String,
    status: bool,
}

impl Target {
    fn parse(path: &str) -> Option<Self> {
        let mut parts: Vec<&str> = path.split('?').next()?.trim_start_matches('/').split('/').collect();
        let (group, version) = match parts.first()? {
            &"api" => ("", parts.drain(..2).nth(1)?),
            _ => {
                let mut head = parts.drain(..3).skip(1);
                (head.next()?, head.next()?)
            }
        };
        let mut namespace = "";
        if parts.len() > 2 && parts[0] == "namespaces" {
            namespace = parts[1];
            parts.drain(..2);
        }
        let kind = kinds::find(group, version, parts.first()?)?;
        let name = parts.get(1).copied().unwrap_or_default();
        let status = parts.get(2) == Some(&"status");
        Some(Self { kind, namespace: namespace.into(), name: name.into(), status })
    }

    fn key(&self, name: &str) -> String {
        format!("{}/{}/{name}", self.kind.storage_prefix, self.namespace)
    }
}

impl World {
    pub fn new(dual: bool) -> Self {
        let families = if dual { vec![IpFamily::V4, IpFamily::V6] } else { vec![IpFamily::V4] };
        Self {
            families,
            objects: BTreeMap::new(),
            addresses: BTreeSet::from([address(IpFamily::V4, 1)]),
            ports: BTreeSet::new(),
            revision: 100,
        }
    }

    /// What is given out is exactly what the Services hold.
    pub fn check_books(&self) {
        let services =
            || self.objects.iter().filter(|(key, _)| key.starts_with("services/specs/")).map(|(_, o)| o);
        let mut addresses: BTreeSet<IpAddr> = services().flat_map(service::cluster_ips).collect();
        addresses.insert(address(IpFamily::V4, 1));
        assert_eq!(self.addresses, addresses);
        let ports: BTreeSet<i64> = services().flat_map(service::node_ports).map(i64::from).collect();
        assert_eq!(self.ports, ports);
    }

    /// Sends a request; `None` if it is none this world understands.
    pub fn request(&mut self, method: &str, path: &str, content: &str, mut body: Value) -> Option<Answer> {
        let target = Target::parse(path)?;
        if content.is_empty() {
            body.unset("apiVersion");
            body.unset("kind");
        }
        let old = self.objects.get(&target.key(&target.name)).cloned();
        let (code, done) = match (method, old) {
            ("POST", _) if target.name.is_empty() => (201, self.create(&target, body)),
            ("PUT", Some(old)) => (200, self.update(&target, body, old)),
            ("PUT", None) if target.kind.create_on_update => (201, self.create(&target, body)),
            ("PATCH", Some(old)) if content == "merge" => {
                let mut new = old.clone();
                merge(&mut new, &body);
                (200, self.update(&target, new, old))
            }
            ("GET", Some(old)) => (200, Ok((old, Vec::new()))),
            ("DELETE", Some(old)) => (200, self.delete(&target, old)),
            (_, None) => (404, Err(Refusal::Status(404, "NotFound"))),
            _ => return None,
        };
        let mut answer = match done {
            Ok((mut body, warnings)) => {
                body["apiVersion"] = target.kind.api_version().into();
                body["kind"] = target.kind.kind.into();
                Answer { code, body, warnings }
            }
            Err(refusal) => refused(&target, refusal),
        };
        answer.warnings.extend(target.kind.deprecation.map(str::to_owned));
        Some(answer)
    }

    fn create(&mut self, target: &Target, mut new: Value) -> Result<(Value, Vec<String>), Refusal> {
        let kind = target.kind;
        if target.kind.namespaced {
            new.fill("metadata.namespace", target.namespace.as_str());
        }
        if new.text("metadata.name").is_empty() && !new.text("metadata.generateName").is_empty() {
            let prefix: String = new.text("metadata.generateName").chars().take(58).collect();
            let name = format!("{prefix}abcde");
            new.set("metadata.name", name);
        }
        kind.default(&mut new);
        kind.prepare_create(&mut new);
        new.set("metadata.uid", "5ca1ab1e");
        new.set("metadata.creationTimestamp", "2026-01-01T00:00:00Z");
        if kind.kind == "Service" {
            service::begin_create(&mut new, &self.families)?;
            let before = (self.addresses.clone(), self.ports.clone());
            self.allocate(&mut new, None)?;
            let errors = kind.strategy.validate(&new);
            if !errors.is_empty() {
                (self.addresses, self.ports) = before;
                return Err(Refusal::Invalid(errors));
            }
        }
        reject(kind.strategy.validate(&new))?;
        let warnings = kind.strategy.warnings(&new, None);
        let key = target.key(new.text("metadata.name"));
        if self.objects.contains_key(&key) {
            return Err(Refusal::Status(409, "AlreadyExists"));
        }
        self.put(key, &mut new);
        Ok((new, warnings))
    }

    fn update(
        &mut self,
        target: &Target,
        mut new: Value,
        mut old: Value,
    ) -> Result<(Value, Vec<String>), Refusal> {
        let kind = target.kind;
        let uid = new.text("metadata.uid");
        if !uid.is_empty() && uid != old.text("metadata.uid") {
            return Err(Refusal::Status(409, "Conflict"));
        }
        new.fill("metadata.namespace", target.namespace.as_str());
        if !kind.namespaced {
            new.unset("metadata.namespace");
        }
        kind.default(&mut new);
        if target.status {
            kind.prepare_status_update(&mut new, &old);
            kind.strategy.default(&mut new);
            reject(kind.strategy.validate_status_update(&new, &old))?;
        } else {
            let before = (self.addresses.clone(), self.ports.clone());
            if kind.kind == "Service" {
                service::refresh(&mut old, &self.families);
                service::begin_update(&mut new, &old, &self.families)?;
                self.allocate(&mut new, Some(&old))?;
            }
            kind.prepare_update(&mut new, &old);
            let errors = kind.strategy.validate_update(&new, &old);
            if !errors.is_empty() {
                (self.addresses, self.ports) = before;
                return Err(Refusal::Invalid(errors));
            }
        }
        if kind.kind == "Service" {
            self.release(
                &service::released_cluster_ips(&new, &old),
                service::released_node_ports(&new, &old),
            );
        }
        let warnings = kind.strategy.warnings(&new, Some(&old));
        let key = target.key(&target.name);
        if new.has("metadata.deletionTimestamp") && new.list("metadata.finalizers").is_empty() {
            self.objects.remove(&key);
        } else {
            self.put(key, &mut new);
        }
        Ok((new, warnings))
    }

    fn delete(&mut self, target: &Target, old: Value) -> Result<(Value, Vec<String>), Refusal> {
        self.objects.remove(&target.key(&target.name));
        if target.kind.kind == "Service" {
            self.release(&service::cluster_ips(&old), service::node_ports(&old));
        }
        Ok((old, Vec::new()))
    }

    fn release(&mut self, addresses: &[IpAddr], ports: impl IntoIterator<Item = u16>) {
        self.addresses.retain(|address| !addresses.contains(address));
        for port in ports {
            self.ports.remove(&i64::from(port));
        }
    }

    /// Stores an object; an unchanged one keeps its version.
    fn put(&mut self, key: String, new: &mut Value) {
        let version = |object: &Value| object.at("metadata.resourceVersion").cloned();
        let before = self.objects.get(&key);
        new.set("metadata.resourceVersion", before.and_then(version).unwrap_or_default());
        if before != Some(new) {
            self.revision += 1;
            new.set("metadata.resourceVersion", self.revision.to_string());
        }
        self.objects.insert(key, new.clone());
    }

    fn allocate(&mut self, new: &mut Value, old: Option<&Value>) -> Result<(), Refusal> {
        let list = new.at("spec.clusterIPs").cloned().unwrap_or(Value::Null);
        let mut addresses = self.addresses.clone();
        service::assign_cluster_ips(new, old, |family, wanted| {
            let invalid = |detail: String| vec![FieldError::invalid("spec.clusterIPs", list.clone(), detail)];
            match wanted {
                Some(ip) if !in_range(ip) => Err(invalid("not in range".to_owned())),
                Some(ip) if addresses.insert(ip) => Ok(ip),
                Some(ip) => {
                    Err(invalid(format!("failed to allocate IP {ip}: provided IP is already allocated")))
                }
                None => Ok((5000..).map(|n| address(family, n)).find(|ip| addresses.insert(*ip)).unwrap()),
            }
        })?;
        let mut ports = self.ports.clone();
        let mut port = |path: String, wanted: i64| {
            let invalid = |detail: &str| vec![FieldError::invalid(path, wanted, detail)];
            match wanted {
                0 => Ok((30_500..).find(|port| ports.insert(*port)).unwrap()),
                30_000..=32_767 if ports.insert(wanted) => Ok(wanted),
                30_000..=32_767 => Err(invalid("provided port is already allocated")),
                _ => Err(invalid(
                    "provided port is not in the valid range. The range of valid ports is 30000-32767",
                )),
            }
        };
        service::assign_node_ports(new, old, |i, wanted| port(format!("spec.ports[{i}].nodePort"), wanted))?;
        service::assign_health_check_port(new, old, |wanted| {
            port("spec.healthCheckNodePort".into(), wanted)
        })?;
        (self.addresses, self.ports) = (addresses, ports);
        Ok(())
    }
}

fn in_range(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.octets()[..2] == [10, 96] && v4.octets()[2..] != [0, 0],
        IpAddr::V6(v6) => v6.segments()[..7] == [0xfd00, 0x10, 0x96, 0, 0, 0, 0] && v6.segments()[7] != 0,
    }
}

fn refused(target: &Target, refusal: Refusal) -> Answer {
    let (code, reason, causes) = match refusal {
        Refusal::Status(code, reason) => (code, reason, Vec::new()),
        Refusal::Invalid(errors) => {
            let cause =
                |e: &FieldError| json!({"reason": e.kind.cause(), "field": e.field, "message": e.body()});
            (422, "Invalid", errors.iter().map(cause).collect())
        }
    };
    let body = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason,
        "details": {"kind": target.kind.kind, "causes": causes}});
    Answer { code, body, warnings: Vec::new() }
}

/// RFC 7386.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (key, value) in patch {
        if value.is_null() {
            target.as_object_mut().unwrap().remove(key);
        } else {
            merge(&mut target[key], value);
        }
    }
}
