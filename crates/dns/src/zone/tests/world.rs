//! Objects in few words.

use portway_api::types::core::Namespace;
use portway_api::types::discovery::EndpointSlice;
use portway_api::types::pod::Pod;
use portway_api::types::service::Service;
use portway_base::ObjectKey;
use serde_json::{Value, json};

use super::super::{Change, Zone};

/// One object.
#[derive(Clone, Debug)]
pub(super) enum World {
    Service(ObjectKey, Box<Service>),
    Slice(ObjectKey, EndpointSlice),
    Namespace(ObjectKey, Namespace),
    Pod(ObjectKey, Box<Pod>),
}

impl World {
    pub fn put(&self, zone: &mut Zone, now: u32) {
        match self {
            Self::Service(key, object) => zone.apply(key, Change::Service(Some(object)), now),
            Self::Slice(key, object) => zone.apply(key, Change::Slice(Some(object)), now),
            Self::Namespace(key, object) => zone.apply(key, Change::Namespace(Some(object)), now),
            Self::Pod(key, object) => zone.apply(key, Change::Pod(Some(object)), now),
        };
    }

    pub fn remove(&self, zone: &mut Zone, now: u32) {
        match self {
            Self::Service(key, _) => zone.apply(key, Change::Service(None), now),
            Self::Slice(key, _) => zone.apply(key, Change::Slice(None), now),
            Self::Namespace(key, _) => zone.apply(key, Change::Namespace(None), now),
            Self::Pod(key, _) => zone.apply(key, Change::Pod(None), now),
        };
    }

    /// Kind and key, to tell objects apart.
    pub fn id(&self) -> (u8, ObjectKey) {
        match self {
            Self::Service(key, _) => (0, key.clone()),
            Self::Slice(key, _) => (1, key.clone()),
            Self::Namespace(key, _) => (2, key.clone()),
            Self::Pod(key, _) => (3, key.clone()),
        }
    }
}

fn typed<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn port(text: &&str) -> Value {
    let (name, number) = text.split_once(':').unwrap();
    json!({ "name": name, "port": number.parse::<u16>().unwrap(), "protocol": "TCP" })
}

pub(super) fn namespace(name: &str) -> World {
    World::Namespace(ObjectKey::cluster(name), Namespace::default())
}

/// `NAMESPACE/NAME`, a cluster IP (or two, with a comma), ports as `NAME:NUMBER`.
pub(super) fn service(key: &str, address: &str, ports: &[&str]) -> World {
    let addresses: Vec<&str> = address.split(',').collect();
    let ports: Vec<Value> = ports.iter().map(port).collect();
    let spec =
        json!({ "type": "ClusterIP", "clusterIP": addresses[0], "clusterIPs": addresses, "ports": ports });
    World::Service(key.parse().unwrap(), typed(json!({ "spec": spec })))
}

pub(super) fn alias(key: &str, target: &str) -> World {
    let spec = json!({ "type": "ExternalName", "externalName": target });
    World::Service(key.parse().unwrap(), typed(json!({ "spec": spec })))
}

/// Endpoints as `ADDRESS`, `ADDRESS=HOSTNAME`, or `!ADDRESS` for one that is not ready.
pub(super) fn slice(key: &str, service: &str, ports: &[&str], endpoints: &[&str]) -> World {
    let endpoints: Vec<Value> = endpoints
        .iter()
        .map(|text| {
            let ready = !text.starts_with('!');
            let (address, hostname) = text.trim_start_matches('!').split_once('=').unzip();
            let address = address.unwrap_or(text.trim_start_matches('!'));
            json!({ "addresses": [address], "hostname": hostname, "conditions": { "ready": ready } })
        })
        .collect();
    let ports: Vec<Value> = ports.iter().map(port).collect();
    let metadata = json!({ "labels": { "kubernetes.io/service-name": service } });
    World::Slice(
        key.parse().unwrap(),
        typed(json!({ "metadata": metadata, "ports": ports, "endpoints": endpoints })),
    )
}

pub(super) fn pod(key: &str, address: &str, phase: &str) -> World {
    let status = json!({ "phase": phase, "podIP": address });
    World::Pod(key.parse().unwrap(), typed(json!({ "status": status })))
}

/// The Pod, being deleted.
pub(super) fn ending(pod: World) -> World {
    let World::Pod(key, mut pod) = pod else { panic!("a Pod") };
    pod.metadata.deletion_timestamp = Some("2024-01-01T00:00:00Z".to_owned());
    World::Pod(key, pod)
}
