//! The pretended server: the kinds' own rules, patches as the real one does them, no storage, no HTTP.

use std::collections::BTreeMap;

use portway_api::kinds::{self, Kind};
use portway_api::schema::schema;
use portway_base::ObjectKey;
use portway_client::{Action, Event, Gvr, Propagation, Write};
use portway_machinery::patch::{json as json_patch, merge, strategic};
use serde_json::{Value, json};

use crate::snapshot::{Input, Snapshot};

/// All objects, and the news of them that nobody has read yet.
#[derive(Default)]
pub struct World {
    objects: BTreeMap<(Gvr, ObjectKey), Value>,
    /// In the order of a watch, for each kind.
    pub news: BTreeMap<Gvr, Vec<(bool, Value)>>,
    revision: u64,
    /// Writes done, for tests that count them.
    pub writes: usize,
}

fn gvr(kind: &Kind) -> Gvr {
    Gvr::new(kind.group, kind.version, kind.plural)
}

fn row(resource: &Gvr) -> &'static Kind {
    kinds::find(&resource.group, &resource.version, &resource.resource).unwrap()
}

fn key_of(object: &Value) -> ObjectKey {
    let meta = &object["metadata"];
    ObjectKey::new(meta["namespace"].as_str().unwrap_or_default(), meta["name"].as_str().unwrap_or_default())
}

impl World {
    /// One object.
    pub fn get(&self, resource: &Gvr, key: &ObjectKey) -> Option<&Value> {
        self.objects.get(&(resource.clone(), key.clone()))
    }

    /// All objects of a kind.
    pub fn all<'a>(&'a self, resource: &'a Gvr) -> impl Iterator<Item = &'a Value> + 'a {
        self.objects.iter().filter(move |((r, _), _)| r == resource).map(|(_, v)| v)
    }

    /// Creates an object of the kind it says it is; a `status` in it is kept, as if it had been written after.
    pub fn create(&mut self, mut object: Value) -> Result<Value, String> {
        let version = object["apiVersion"].as_str().unwrap_or("v1").to_owned();
        let (group, version) = version.split_once('/').unwrap_or(("", &version));
        let kind = kinds::by_kind(group, version, object["kind"].as_str().unwrap()).unwrap();
        let status = object["status"].take();
        kind.default(&mut object);
        kind.prepare_create(&mut object);
        if !status.is_null() {
            object["status"] = status;
        }
        self.revision += 1;
        let n = self.revision;
        let meta = &mut object["metadata"];
        if meta["name"].as_str().unwrap_or_default().is_empty() {
            meta["name"] = format!("{}{n:05}", meta["generateName"].as_str().unwrap_or_default()).into();
        }
        meta["uid"] = format!("uid-{n}").into();
        meta["creationTimestamp"] =
            format!("2024-01-01T{:02}:{:02}:{:02}Z", n / 3600 % 24, n / 60 % 60, n % 60).into();
        if kind.kind == "Service" {
            allocate(&mut object, n);
        }
        let key = key_of(&object);
        if self.get(&gvr(kind), &key).is_some() {
            return Err(format!("{key} AlreadyExists"));
        }
        let errors = kind.strategy.validate(&object);
        assert!(errors.is_empty(), "{errors:?} in {object}");
        Ok(self.put(gvr(kind), key, object))
    }

    /// Does a write as the server would.
    pub fn write(&mut self, write: &Write) -> Result<Value, String> {
        self.writes += 1;
        let kind = row(&write.resource);
        if let Action::Create(body) = &write.action {
            if write.subresource == Some("binding") {
                return self.bind(write, body);
            }
            return self.create(body.clone());
        }
        if let Action::DeleteCollection { .. } = &write.action {
            let keys: Vec<ObjectKey> = self.all(&write.resource).map(key_of).collect();
            for key in keys.into_iter().filter(|k| k.namespace == write.key.namespace) {
                self.delete(&write.resource, &key, None, None)?;
            }
            return Ok(Value::Null);
        }
        let old =
            self.get(&write.resource, &write.key).ok_or_else(|| format!("{} NotFound", write.key))?.clone();
        if let Action::Delete { preconditions, grace, propagation } = &write.action {
            let differs = |want: &Option<String>, field: &str| {
                want.as_deref().is_some_and(|w| old["metadata"][field] != w)
            };
            if differs(&preconditions.uid, "uid")
                || differs(&preconditions.resource_version, "resourceVersion")
            {
                return Err(format!("{} Conflict", write.key));
            }
            self.delete(&write.resource, &write.key, *grace, *propagation)?;
            return Ok(Value::Null);
        }
        let mut new = match &write.action {
            Action::Replace(body) => body.clone(),
            Action::MergePatch(patch) => merge::apply(old.clone(), patch.clone()),
            Action::StrategicPatch(patch) => {
                strategic::apply(schema(), kind.schema, old.clone(), patch.clone())
                    .map_err(|e| format!("{e:?}"))?
            }
            Action::JsonPatch(patch) => {
                json_patch::apply(old.clone(), patch).map_err(|e| format!("{e:?}"))?
            }
            other => return Err(format!("{other:?} is not supported here")),
        };
        let version = new["metadata"]["resourceVersion"].as_str().unwrap_or_default();
        if !version.is_empty() && version != old["metadata"]["resourceVersion"] {
            return Err(format!("{} Conflict", write.key));
        }
        if new["metadata"]["uid"].is_string() && new["metadata"]["uid"] != old["metadata"]["uid"] {
            return Err(format!("{} Conflict", write.key));
        }
        match write.subresource {
            None => {
                kind.default(&mut new);
                kind.prepare_update(&mut new, &old);
                if kind.kind == "Service" {
                    allocate(&mut new, self.revision + 1);
                }
                let errors = kind.strategy.validate_update(&new, &old);
                assert!(errors.is_empty(), "{errors:?} in {new}");
            }
            Some("status") => kind.prepare_status_update(&mut new, &old),
            Some("finalize") => {
                let finalizers = new["spec"]["finalizers"].take();
                new = old.clone();
                new["spec"]["finalizers"] = finalizers;
            }
            Some(other) => return Err(format!("no subresource {other}")),
        }
        let same = |v: &Value| {
            let mut copy = v.clone();
            copy["metadata"]["resourceVersion"].take();
            copy
        };
        if same(&new) == same(&old) {
            return Ok(old);
        }
        let stored = self.put(write.resource.clone(), write.key.clone(), new);
        self.finish(&write.resource, &write.key);
        Ok(stored)
    }

    fn bind(&mut self, write: &Write, body: &Value) -> Result<Value, String> {
        let mut pod = self.get(&write.resource, &write.key).ok_or("NotFound")?.clone();
        if pod["spec"]["nodeName"].as_str().is_some_and(|n| !n.is_empty()) {
            return Err("Conflict: already bound".to_owned());
        }
        pod["spec"]["nodeName"] = body["target"]["name"].clone();
        self.put(write.resource.clone(), write.key.clone(), pod);
        Ok(json!({"kind": "Status"}))
    }

    /// Deletes as asked; Pods on a node stay until their time is over, which here it never is by itself.
    pub fn delete(
        &mut self,
        resource: &Gvr,
        key: &ObjectKey,
        grace: Option<i64>,
        propagation: Option<Propagation>,
    ) -> Result<(), String> {
        let mut object = self.get(resource, key).ok_or_else(|| format!("{key} NotFound"))?.clone();
        let finalizer = match propagation {
            Some(Propagation::Foreground) => Some("foregroundDeletion"),
            Some(Propagation::Orphan) => Some("orphan"),
            _ => None,
        };
        let mut finalizers = object["metadata"]["finalizers"].as_array().cloned().unwrap_or_default();
        if let Some(finalizer) = finalizer
            && !finalizers.contains(&finalizer.into())
        {
            finalizers.push(finalizer.into());
        }
        let is_pod = &*resource.resource == "pods"
            && object["spec"]["nodeName"].as_str().is_some_and(|n| !n.is_empty());
        let default = object["spec"]["terminationGracePeriodSeconds"].as_i64().unwrap_or(30);
        let waits = is_pod && grace.unwrap_or(default) > 0;
        let is_namespace = &*resource.resource == "namespaces";
        if finalizers.is_empty() && !waits && !is_namespace {
            self.remove(resource, key);
            return Ok(());
        }
        object["metadata"]["finalizers"] = finalizers.into();
        if object["metadata"]["deletionTimestamp"].is_null() {
            object["metadata"]["deletionTimestamp"] = "2024-01-02T00:00:00Z".into();
        }
        if is_namespace {
            object["status"]["phase"] = "Terminating".into();
        }
        self.put(resource.clone(), key.clone(), object);
        Ok(())
    }

    /// Removes what nothing holds back any more.
    fn finish(&mut self, resource: &Gvr, key: &ObjectKey) {
        let Some(object) = self.get(resource, key) else { return };
        let none = |v: &Value| v.as_array().is_none_or(Vec::is_empty);
        let held = !none(&object["metadata"]["finalizers"]) || !none(&object["spec"]["finalizers"]);
        let pod = &*resource.resource == "pods";
        if !object["metadata"]["deletionTimestamp"].is_null() && !held && !pod {
            self.remove(resource, key);
        }
    }

    fn put(&mut self, resource: Gvr, key: ObjectKey, mut object: Value) -> Value {
        self.revision += 1;
        object["metadata"]["resourceVersion"] = self.revision.to_string().into();
        self.news.entry(resource.clone()).or_default().push((false, object.clone()));
        self.objects.insert((resource, key), object.clone());
        object
    }

    /// Removes an object at once.
    pub fn remove(&mut self, resource: &Gvr, key: &ObjectKey) {
        if let Some(mut object) = self.objects.remove(&(resource.clone(), key.clone())) {
            self.revision += 1;
            object["metadata"]["resourceVersion"] = self.revision.to_string().into();
            self.news.entry(resource.clone()).or_default().push((true, object));
        }
    }

    /// The next unread news of a kind.
    pub fn read(&mut self, resource: &Gvr) -> Option<Input> {
        let news = self.news.get_mut(resource)?;
        let (gone, object) = if news.is_empty() { return None } else { news.remove(0) };
        if news.is_empty() {
            self.news.remove(resource);
        }
        Some(input(resource, gone, object))
    }
}

fn input(resource: &Gvr, gone: bool, object: Value) -> Input {
    fn event<T: serde::de::DeserializeOwned>(gone: bool, object: Value) -> Event<T> {
        let object = serde_json::from_value(object.clone()).unwrap_or_else(|e| panic!("{e}: {object}"));
        let object = std::sync::Arc::new(object);
        if gone { Event::Delete(object) } else { Event::Apply(object) }
    }
    macro_rules! typed {
        ($($variant:ident $type:ty,)*) => {
            $(if *resource == Gvr::of::<$type>() {
                return Input::$variant(event(gone, object));
            })*
        };
    }
    use portway_api::types::{apps, coordination, core, discovery, node, pod, service};
    typed! {
        Service service::Service, Endpoints core::Endpoints, Slice discovery::EndpointSlice, Pod pod::Pod,
        Node node::Node, Namespace core::Namespace, Deployment apps::Deployment, ReplicaSet apps::ReplicaSet,
        ServiceAccount core::ServiceAccount, Lease coordination::Lease,
    }
    Input::Other(resource.clone(), event(gone, object))
}

/// Tells a snapshot that all kinds have been listed, empty.
pub fn synced(others: &[Gvr]) -> Vec<Input> {
    let mut inputs = Vec::new();
    macro_rules! done {
        ($($variant:ident)*) => {$(inputs.push(Input::$variant(Event::InitDone));)*};
    }
    done!(Service Endpoints Slice Pod Node Namespace Deployment ReplicaSet ServiceAccount RootCa Lease);
    inputs.extend(others.iter().map(|resource| Input::Other(resource.clone(), Event::InitDone)));
    inputs
}

/// The kinds that are not known by type, with their names.
pub fn others() -> Vec<(Gvr, String, bool)> {
    let known = Snapshot::default();
    let rows =
        kinds::all().iter().filter(|k| k.kind != "Event").map(|k| (gvr(k), k.kind.to_owned(), k.namespaced));
    rows.filter(|(resource, _, _)| !known.watches(resource)).collect()
}

/// Cluster addresses, as the server allocates them.
fn allocate(service: &mut Value, n: u64) {
    let spec = &mut service["spec"];
    if spec["type"] == "ExternalName" {
        return;
    }
    let single = matches!(spec["ipFamilyPolicy"].as_str(), None | Some("SingleStack"));
    let mut families: Vec<Value> = spec["ipFamilies"].as_array().cloned().unwrap_or_default();
    if families.is_empty() {
        families.push("IPv4".into());
    }
    if single {
        families.truncate(1);
    } else if families.len() == 1 {
        families.push(if families[0] == "IPv4" { "IPv6" } else { "IPv4" }.into());
    }
    spec["ipFamilyPolicy"] = spec["ipFamilyPolicy"].as_str().unwrap_or("SingleStack").into();
    if spec["clusterIP"] == "None" {
        spec["clusterIPs"] = json!(["None"]);
    } else {
        let mut ips = spec["clusterIPs"].as_array().cloned().unwrap_or_default();
        ips.truncate(families.len());
        for family in &families[ips.len()..] {
            ips.push(match family.as_str() {
                Some("IPv4") => format!("10.96.{}.{}", n / 250 % 250, n % 250 + 1).into(),
                _ => format!("fd00:10:96::{:x}", n % 60000 + 1).into(),
            });
        }
        spec["clusterIP"] = ips[0].clone();
        spec["clusterIPs"] = ips.into();
    }
    spec["ipFamilies"] = families.into();
}
