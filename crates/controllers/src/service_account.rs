//! What every namespace has: the ServiceAccount `default` and the cluster's CA.

use jiff::Timestamp;
use portway_api::types::core::{ConfigMap, ServiceAccount};
use portway_base::ObjectKey;
use portway_client::{Action, Write};
use serde_json::json;

use crate::controller::{Controller, Dirty};
use crate::plan::Plan;
use crate::snapshot::{Changed, Snapshot};

/// Name of the ConfigMap with the cluster's CA.
pub const ROOT_CA: &str = "kube-root-ca.crt";
const DEFAULT: &str = "default";

/// The controller; its keys are names of namespaces.
#[derive(Debug)]
pub struct NamespaceFurniture {
    /// PEM; without one there is no ConfigMap.
    pub root_ca: Option<String>,
}

impl Controller for NamespaceFurniture {
    fn name(&self) -> &'static str {
        "service-account-controller"
    }

    fn touched(&self, change: &Changed, _snapshot: &Snapshot, dirty: &mut Dirty) {
        match change {
            Changed::Namespace(c) => dirty.now(c.key.clone()),
            Changed::ServiceAccount(c) if c.key.name == DEFAULT && c.now.is_none() => {
                dirty.now(ObjectKey::cluster(&c.key.namespace));
            }
            Changed::RootCa(c) => dirty.now(ObjectKey::cluster(&c.key.namespace)),
            _ => {}
        }
    }

    fn reconcile(&mut self, snapshot: &Snapshot, key: &ObjectKey, _now: Timestamp) -> Plan {
        let alive = snapshot.namespaces.get(key).filter(|n| n.metadata.deletion_timestamp.is_none());
        if alive.is_none() {
            return Plan::nothing();
        }
        let mut writes = Vec::new();
        let account = ObjectKey::new(&key.name, DEFAULT);
        if snapshot.service_accounts.get(&account).is_none() {
            let body = json!({"apiVersion": "v1", "kind": "ServiceAccount",
                "metadata": {"namespace": key.name, "name": DEFAULT}});
            writes.push(Write::of::<ServiceAccount>(account, Action::Create(body)));
        }
        if let Some(pem) = &self.root_ca {
            let map = ObjectKey::new(&key.name, ROOT_CA);
            let data = json!({"ca.crt": pem});
            match snapshot.root_cas.get(&map) {
                None => {
                    let about = "the certificate authority to verify the API server by";
                    let body = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": data,
                        "metadata": {"namespace": key.name, "name": ROOT_CA,
                            "annotations": {"kubernetes.io/description": about}}});
                    writes.push(Write::of::<ConfigMap>(map, Action::Create(body)));
                }
                Some(old) if old.data.get("ca.crt") != Some(pem) => {
                    writes.push(Write::of::<ConfigMap>(map, Action::MergePatch(json!({"data": data}))));
                }
                Some(_) => {}
            }
        }
        Plan::writes(writes)
    }
}
