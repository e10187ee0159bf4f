//! What the controllers know of the cluster: a copy of its objects, with indexes for the questions they ask.
//!
//! Must not know who asks, or what follows from a change.

mod index;
mod select;

use std::collections::BTreeMap;
use std::sync::Arc;

use portway_api::types::apps::{Deployment, ReplicaSet};
use portway_api::types::coordination::Lease;
use portway_api::types::core::{ConfigMap, Endpoints, Namespace, ServiceAccount};
use portway_api::types::discovery::{EndpointSlice, LABEL_SERVICE_NAME};
use portway_api::types::node::Node;
use portway_api::types::pod::Pod;
use portway_api::types::service::Service;
use portway_api::{Object, ObjectMeta};
use portway_base::ObjectKey;
use portway_client::{Cache, Change, Event, Gvr, Partial, Watched};

pub use index::{Index, LabelPair, ObjectRef};
pub use select::selects;

macro_rules! kinds {
    ($($(#[$doc:meta])* $field:ident $variant:ident: $type:ty,)*) => {
        /// The objects of the cluster.
        #[derive(Debug, Default)]
        pub struct Snapshot {
            $($(#[$doc])* pub $field: Cache<$type>,)*
            /// Metadata of all other kinds that can be owned or stand in namespaces.
            pub others: BTreeMap<Gvr, Cache<Partial>>,
            indexes: Indexes,
        }

        /// News of one kind.
        #[derive(Debug)]
        pub enum Input {
            $($(#[$doc])* $variant(Event<$type>),)*
            /// Of a kind that is known by its metadata alone.
            Other(Gvr, Event<Partial>),
        }

        /// One object that changed, as it was and as it is.
        #[derive(Debug)]
        pub enum Changed {
            $($(#[$doc])* $variant(Change<$type>),)*
            /// Of a kind that is known by its metadata alone.
            Other(Gvr, Change<Partial>),
        }

        impl Snapshot {
            /// Takes news in; tells what changed by them. The indexes are up to date afterwards.
            pub fn apply(&mut self, input: Input) -> Vec<Changed> {
                let changes: Vec<Changed> = match input {
                    $(Input::$variant(event) => self.$field.apply(event).into_iter().map(Changed::$variant).collect(),)*
                    Input::Other(resource, event) => {
                        let cache = self.others.entry(resource.clone()).or_default();
                        cache.apply(event).into_iter().map(|c| Changed::Other(resource.clone(), c)).collect()
                    }
                };
                for change in &changes {
                    self.indexes.update(change);
                }
                changes
            }

            /// Every kind has been listed once.
            pub fn is_synced(&self) -> bool {
                $(self.$field.is_synced() &&)* self.others.values().all(Cache::is_synced)
            }

            /// Metadata of an object of any kind.
            pub fn meta(&self, resource: &Gvr, key: &ObjectKey) -> Option<&ObjectMeta> {
                $(if *resource == Gvr::of::<$type>() && stringify!($field) != "root_cas" {
                    return self.$field.get(key).map(|object| object.meta());
                })*
                self.others.get(resource)?.get(key).map(|object| object.meta())
            }

            /// Whether objects of this kind are seen here.
            pub fn watches(&self, resource: &Gvr) -> bool {
                $((*resource == Gvr::of::<$type>() && stringify!($field) != "root_cas") ||)*
                self.others.contains_key(resource)
            }

            /// Everything in `namespace`, by kind.
            pub fn metas_in<'a>(&'a self, namespace: &'a str) -> Vec<(Gvr, &'a ObjectMeta)> {
                let mut found = Vec::new();
                $(if stringify!($field) != "root_cas" && <$type>::NAMESPACED {
                    found.extend(self.$field.in_namespace(namespace).map(|o| (Gvr::of::<$type>(), o.meta())));
                })*
                for (resource, cache) in &self.others {
                    found.extend(cache.in_namespace(namespace).map(|o| (resource.clone(), o.meta())));
                }
                found
            }

            /// All namespaced kinds that are known by type.
            pub fn typed_namespaced() -> Vec<Gvr> {
                let mut found = Vec::new();
                $(if stringify!($field) != "root_cas" && <$type>::NAMESPACED {
                    found.push(Gvr::of::<$type>());
                })*
                found
            }

            /// All kinds that are known by type, as owner references name them, and whether they are namespaced.
            pub fn typed_kinds() -> Vec<(String, &'static str, Gvr, bool)> {
                vec![$((<$type>::api_version(), <$type>::KIND, Gvr::of::<$type>(), <$type>::NAMESPACED),)*]
            }
        }

        impl Changed {
            /// The kind of the object.
            pub fn resource(&self) -> Gvr {
                match self {
                    $(Self::$variant(_) => Gvr::of::<$type>(),)*
                    Self::Other(resource, _) => resource.clone(),
                }
            }

            /// Namespace and name.
            pub const fn key(&self) -> &ObjectKey {
                match self {
                    $(Self::$variant(change) => &change.key,)*
                    Self::Other(_, change) => &change.key,
                }
            }

            /// Metadata before and after.
            pub fn metas(&self) -> (Option<&ObjectMeta>, Option<&ObjectMeta>) {
                match self {
                    $(Self::$variant(c) => (c.before.as_ref().map(|o| o.meta()), c.now.as_ref().map(|o| o.meta())),)*
                    Self::Other(_, c) => (c.before.as_ref().map(|o| o.meta()), c.now.as_ref().map(|o| o.meta())),
                }
            }
        }
    };
}

kinds! {
    /// Services.
    services Service: Service,
    /// Endpoints.
    endpoints Endpoints: Endpoints,
    /// EndpointSlices.
    slices Slice: EndpointSlice,
    /// Pods.
    pods Pod: Pod,
    /// Nodes.
    nodes Node: Node,
    /// Namespaces.
    namespaces Namespace: Namespace,
    /// Deployments.
    deployments Deployment: Deployment,
    /// ReplicaSets.
    replica_sets ReplicaSet: ReplicaSet,
    /// ServiceAccounts.
    service_accounts ServiceAccount: ServiceAccount,
    /// The ConfigMaps with the cluster's CA, one a namespace (the metadata of all ConfigMaps is in `others`).
    root_cas RootCa: ConfigMap,
    /// Leases.
    leases Lease: Lease,
}

#[derive(Debug, Default)]
struct Indexes {
    pods_by_label: Index<LabelPair, String>,
    pods_by_node: Index<String, ObjectKey>,
    services_by_selector: Index<LabelPair, String>,
    slices_by_service: Index<ObjectKey, String>,
    by_uid: BTreeMap<String, ObjectRef>,
    by_owner: Index<String, ObjectRef>,
}

impl Indexes {
    fn update(&mut self, change: &Changed) {
        match change {
            Changed::Pod(c) => {
                self.pod(c.before.as_deref(), false);
                self.pod(c.now.as_deref(), true);
            }
            Changed::Service(c) => {
                if let Some(pair) = c.before.as_deref().and_then(selector_pair) {
                    self.services_by_selector.remove(&pair, &c.key.name);
                }
                if let Some(pair) = c.now.as_deref().and_then(selector_pair) {
                    self.services_by_selector.insert(pair, c.key.name.clone());
                }
            }
            Changed::Slice(c) => {
                if let Some(service) = c.before.as_deref().and_then(service_of) {
                    self.slices_by_service.remove(&service, &c.key.name);
                }
                if let Some(service) = c.now.as_deref().and_then(service_of) {
                    self.slices_by_service.insert(service, c.key.name.clone());
                }
            }
            // Seen a second time, in `others`.
            Changed::RootCa(_) => return,
            _ => {}
        }
        self.owners(change);
    }

    fn pod(&mut self, pod: Option<&Pod>, add: bool) {
        let Some(pod) = pod else { return };
        let meta = &pod.metadata;
        for (key, value) in &meta.labels {
            let pair = LabelPair::new(&meta.namespace, key, value);
            if add {
                self.pods_by_label.insert(pair, meta.name.clone());
            } else {
                self.pods_by_label.remove(&pair, &meta.name);
            }
        }
        if add {
            self.pods_by_node.insert(pod.spec.node_name.clone(), pod.key());
        } else {
            self.pods_by_node.remove(&pod.spec.node_name, &pod.key());
        }
    }

    fn owners(&mut self, change: &Changed) {
        let object = ObjectRef { resource: change.resource(), key: change.key().clone() };
        let (before, now) = change.metas();
        if let Some(meta) = before {
            if self.by_uid.get(&meta.uid) == Some(&object) {
                self.by_uid.remove(&meta.uid);
            }
            for owner in &meta.owner_references {
                self.by_owner.remove(&owner.uid, &object);
            }
        }
        if let Some(meta) = now {
            for owner in &meta.owner_references {
                self.by_owner.insert(owner.uid.clone(), object.clone());
            }
            self.by_uid.insert(meta.uid.clone(), object);
        }
    }
}

/// One pair that every Pod of the Service has: the last of its selector, which tends to be the most particular
/// (`app.kubernetes.io/name` comes before `version` and `component` before `instance`).
fn selector_pair(service: &Service) -> Option<LabelPair> {
    let (key, value) = service.spec.selector.as_ref()?.last_key_value()?;
    Some(LabelPair::new(&service.metadata.namespace, key, value))
}

fn service_of(slice: &EndpointSlice) -> Option<ObjectKey> {
    let name = slice.metadata.labels.get(LABEL_SERVICE_NAME)?;
    Some(ObjectKey::new(&slice.metadata.namespace, name))
}

impl Snapshot {
    /// Empty, and to hold the metadata of these kinds besides the typed ones.
    pub fn with_others(others: impl IntoIterator<Item = Gvr>) -> Self {
        Self {
            others: others.into_iter().map(|resource| (resource, Cache::new())).collect(),
            ..Self::default()
        }
    }

    /// The Pods with all of these labels, by name.
    pub fn pods_with(&self, namespace: &str, labels: &BTreeMap<String, String>) -> Vec<&Arc<Pod>> {
        let pairs = labels.iter().map(|(k, v)| LabelPair::new(namespace, k, v));
        let Some(fewest) = pairs.min_by_key(|pair| self.indexes.pods_by_label.count(pair)) else {
            return self.pods.in_namespace(namespace).collect();
        };
        let names = self.indexes.pods_by_label.get(&fewest);
        let pods = names.filter_map(|name| self.pods.get(&ObjectKey::new(namespace, name)));
        pods.filter(|pod| selects(labels, &pod.metadata.labels)).collect()
    }

    /// The Pods placed on a node; the empty name stands for Pods without a place.
    pub fn pods_on(&self, node: &str) -> impl Iterator<Item = &Arc<Pod>> {
        self.indexes.pods_by_node.get(node).filter_map(|key| self.pods.get(key))
    }

    /// The Services whose selector matches these labels.
    pub fn services_selecting<'a>(
        &'a self,
        namespace: &'a str,
        labels: &'a BTreeMap<String, String>,
    ) -> impl Iterator<Item = &'a Arc<Service>> + 'a {
        let pairs = labels.iter().map(move |(k, v)| LabelPair::new(namespace, k, v));
        let names = pairs.flat_map(|pair| self.indexes.services_by_selector.get(&pair));
        let services = names.filter_map(move |name| self.services.get(&ObjectKey::new(namespace, name)));
        services.filter(move |s| s.spec.selector.as_ref().is_some_and(|selector| selects(selector, labels)))
    }

    /// The slices that say they belong to this Service, by name.
    pub fn slices_of(&self, service: &ObjectKey) -> impl Iterator<Item = &Arc<EndpointSlice>> {
        let names = self.indexes.slices_by_service.get(service);
        names.filter_map(|name| self.slices.get(&ObjectKey::new(&service.namespace, name)))
    }

    /// The object with this UID.
    pub fn with_uid(&self, uid: &str) -> Option<&ObjectRef> {
        self.indexes.by_uid.get(uid)
    }

    /// The objects that name an owner with this UID.
    pub fn dependents(&self, uid: &str) -> impl Iterator<Item = &ObjectRef> {
        self.indexes.by_owner.get(uid)
    }
}
