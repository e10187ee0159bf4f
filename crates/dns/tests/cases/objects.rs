//! The cluster of a case: objects with the defaults an API server would have filled in, applied, patched, deleted.

use std::collections::BTreeMap;

use portway_api::types::core::Namespace;
use portway_api::types::discovery::EndpointSlice;
use portway_api::types::pod::Pod;
use portway_api::types::service::Service;
use portway_base::ObjectKey;
use portway_dns::zone::{Change, Zone};
use serde_json::{Value, json};

use super::case::{Case, text_of};

/// Kind and key.
pub type Id = (String, ObjectKey);

/// Every object by identity.
#[derive(Default)]
pub struct Cluster {
    objects: BTreeMap<Id, Value>,
}

impl Cluster {
    /// What every cluster has, and what the case starts with, all told to `feed`.
    pub fn start(case: &Case, feed: &mut impl FnMut(&Id, Option<&Value>)) -> Self {
        let mut cluster = Self::default();
        for namespace in
            ["default", "kube-system"].into_iter().chain(case.namespaces.iter().map(String::as_str))
        {
            cluster.namespace(namespace, feed);
        }
        let kubernetes = json!({
            "kind": "Service",
            "metadata": { "name": "kubernetes", "namespace": "default" },
            "spec": { "clusterIP": "10.96.0.1", "ports": [{ "name": "https", "port": 443, "protocol": "TCP" }] },
        });
        cluster.apply(&kubernetes, feed);
        for object in &case.objects {
            cluster.apply(object, feed);
        }
        cluster
    }

    fn namespace(&mut self, name: &str, feed: &mut impl FnMut(&Id, Option<&Value>)) {
        let id = ("Namespace".to_owned(), ObjectKey::cluster(name));
        if !self.objects.contains_key(&id) {
            self.put(id, json!({ "metadata": { "name": name } }), feed);
        }
    }

    fn put(&mut self, id: Id, object: Value, feed: &mut impl FnMut(&Id, Option<&Value>)) {
        feed(&id, Some(&object));
        self.objects.insert(id, object);
    }

    /// Creates or replaces an object, and its namespace.
    pub fn apply(&mut self, object: &Value, feed: &mut impl FnMut(&Id, Option<&Value>)) {
        let kind = text_of(&object["kind"]);
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default().to_owned();
        if !namespace.is_empty() {
            self.namespace(&namespace, feed);
        }
        let key = ObjectKey::new(namespace, text_of(&object["metadata"]["name"]));
        let mut object = object.clone();
        default(&kind, &mut object);
        self.put((kind, key), object, feed);
    }

    /// Merge-patches an object.
    pub fn patch(&mut self, id: Id, body: &Value, feed: &mut impl FnMut(&Id, Option<&Value>)) {
        let mut object = self.objects.get(&id).cloned().unwrap_or_else(|| panic!("no {id:?}"));
        merge(&mut object, body);
        default(&id.0, &mut object);
        self.put(id, object, feed);
    }

    /// Deletes an object.
    pub fn delete(&mut self, id: Id, feed: &mut impl FnMut(&Id, Option<&Value>)) {
        feed(&id, None);
        self.objects.remove(&id);
    }
}

fn default(kind: &str, object: &mut Value) {
    if kind != "Service" {
        return;
    }
    let spec = &mut object["spec"];
    if spec["type"].is_null() {
        spec["type"] = json!("ClusterIP");
    }
    if spec["clusterIPs"].is_null() && !spec["clusterIP"].is_null() {
        spec["clusterIPs"] = json!([spec["clusterIP"]]);
    }
}

fn merge(into: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else {
        *into = patch.clone();
        return;
    };
    for (key, value) in patch {
        if value.is_null() {
            into.as_object_mut().map(|map| map.remove(key));
        } else {
            merge(&mut into[key.as_str()], value);
        }
    }
}

/// Takes a change of an object into a zone.
pub fn feed(zone: &mut Zone, id: &Id, object: Option<&Value>) {
    fn typed<T: serde::de::DeserializeOwned>(object: Option<&Value>) -> Option<T> {
        object.map(|object| serde_json::from_value(object.clone()).unwrap())
    }
    let (kind, key) = id;
    match kind.as_str() {
        "Service" => zone.apply(key, Change::Service(typed::<Service>(object).as_ref()), 1),
        "EndpointSlice" => zone.apply(key, Change::Slice(typed::<EndpointSlice>(object).as_ref()), 1),
        "Namespace" => zone.apply(key, Change::Namespace(typed::<Namespace>(object).as_ref()), 1),
        "Pod" => zone.apply(key, Change::Pod(typed::<Pod>(object).as_ref()), 1),
        other => panic!("no zone data in a {other}"),
    };
}
