//! The bookkeeping: which objects there are, which Services to resolve again.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use portway_api::Object;
use portway_api::types::discovery::{EndpointSlice, LABEL_SERVICE_NAME};
use portway_api::types::service::Service;
use portway_base::ObjectKey;
use portway_intent::{Address, Delta, FamilyDelta, FamilyIntent, Intent};

use crate::endpoints::merge;
use crate::ledger::Ledger;
use crate::rules::{Resolved, UdpFlows, resolve};
use crate::service::ServiceView;
use crate::{Diagnostic, NodeFacts, Reason, Settings};

/// Label of slices that belong to a headless Service.
const LABEL_HEADLESS: &str = "service.kubernetes.io/headless";

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// A Service is there, or changed.
    Service(Arc<Service>),
    /// A Service is gone.
    ServiceGone(ObjectKey),
    /// A slice is there, or changed.
    Slice(Arc<EndpointSlice>),
    /// A slice is gone.
    SliceGone(ObjectKey),
    /// The node changed.
    Facts(NodeFacts),
    /// The configuration changed.
    Settings(Settings),
}

/// What came of the inputs since the last call of [`Resolver::commit`].
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// What changed in the intent.
    pub delta: Delta,
    /// UDP flows of which some may have become stale.
    pub udp_v4: Vec<UdpFlows<Ipv4Addr>>,
    /// The same for IPv6.
    pub udp_v6: Vec<UdpFlows<Ipv6Addr>>,
    /// What was ignored in the Services that changed.
    pub diagnostics: BTreeSet<Diagnostic>,
}

/// Turns API objects into the intent of one node.
#[derive(Debug)]
pub struct Resolver {
    settings: Settings,
    facts: NodeFacts,
    services: BTreeMap<ObjectKey, Arc<Service>>,
    slices: BTreeMap<ObjectKey, BTreeMap<String, Arc<EndpointSlice>>>,
    /// Service of each slice, for slices that change or lose their label.
    slice_owner: BTreeMap<ObjectKey, ObjectKey>,
    v4: Ledger<Ipv4Addr>,
    v6: Ledger<Ipv6Addr>,
    dirty: BTreeSet<ObjectKey>,
    configured: bool,
    diagnostics: BTreeSet<Diagnostic>,
}

impl Resolver {
    /// Knows no objects yet.
    pub fn new(settings: Settings, facts: NodeFacts) -> Self {
        Self {
            settings,
            facts,
            services: BTreeMap::new(),
            slices: BTreeMap::new(),
            slice_owner: BTreeMap::new(),
            v4: Ledger::new(),
            v6: Ledger::new(),
            dirty: BTreeSet::new(),
            configured: false,
            diagnostics: BTreeSet::new(),
        }
    }

    /// Takes note of what happened; [`Self::commit`] draws the conclusions.
    pub fn apply(&mut self, input: Input) {
        match input {
            Input::Service(service) => {
                let key = service.key();
                self.dirty.insert(key.clone());
                self.services.insert(key, service);
            }
            Input::ServiceGone(key) => {
                self.services.remove(&key);
                self.dirty.insert(key);
            }
            Input::Slice(slice) => self.slice(slice),
            Input::SliceGone(key) => self.slice_gone(&key),
            Input::Facts(facts) => {
                if self.facts != facts {
                    self.facts = facts;
                    self.all_dirty();
                }
            }
            Input::Settings(settings) => {
                if self.settings != settings {
                    self.settings = settings;
                    self.all_dirty();
                }
            }
        }
    }

    /// Something was told that [`Self::commit`] has not looked at.
    pub fn is_pending(&self) -> bool {
        !self.dirty.is_empty() || !self.configured
    }

    /// Brings the intent up to date and says what changed.
    pub fn commit(&mut self) -> Outcome {
        let mut outcome =
            Outcome { diagnostics: std::mem::take(&mut self.diagnostics), ..Outcome::default() };
        let (mut v4, mut v6) = (FamilyDelta::default(), FamilyDelta::default());
        if !self.configured {
            self.v4.configure(&self.settings, &self.facts, &mut v4);
            self.v6.configure(&self.settings, &self.facts, &mut v6);
            self.configured = true;
        }
        let dirty = std::mem::take(&mut self.dirty);
        for key in &dirty {
            let resolved = self.resolve(key, &mut outcome.diagnostics);
            outcome.udp_v4.extend(self.v4.replace(key, resolved, &mut v4));
            let resolved = self.resolve(key, &mut outcome.diagnostics);
            outcome.udp_v6.extend(self.v6.replace(key, resolved, &mut v6));
        }
        for key in &dirty {
            self.v4.lost(key, &mut outcome.diagnostics);
            self.v6.lost(key, &mut outcome.diagnostics);
        }
        outcome.delta = Delta { v4: self.v4.finish(v4), v6: self.v6.finish(v6) };
        outcome
    }

    /// The intent as of the last [`Self::commit`].
    pub fn intent(&self) -> Intent {
        Intent { v4: self.v4.intent.clone(), v6: self.v6.intent.clone() }
    }

    /// The IPv4 intent as of the last [`Self::commit`].
    pub fn v4(&self) -> &FamilyIntent<Ipv4Addr> {
        &self.v4.intent
    }

    /// The IPv6 intent as of the last [`Self::commit`].
    pub fn v6(&self) -> &FamilyIntent<Ipv6Addr> {
        &self.v6.intent
    }

    /// UDP flows of all Services.
    pub fn udp_flows(&self) -> (Vec<UdpFlows<Ipv4Addr>>, Vec<UdpFlows<Ipv6Addr>>) {
        (
            self.v4.services().flat_map(|r| r.udp.iter().cloned()).collect(),
            self.v6.services().flat_map(|r| r.udp.iter().cloned()).collect(),
        )
    }

    fn all_dirty(&mut self) {
        self.configured = false;
        self.dirty.extend(self.services.keys().cloned());
    }

    fn slice(&mut self, slice: Arc<EndpointSlice>) {
        let key = slice.key();
        let labels = &slice.metadata.labels;
        let mut ignore = |reason| {
            self.diagnostics.insert(Diagnostic { object: key.clone(), reason });
        };
        let owner = match labels.get(LABEL_SERVICE_NAME).filter(|name| !name.is_empty()) {
            _ if labels.contains_key(LABEL_HEADLESS) => None,
            None => {
                ignore(Reason::NoServiceLabel);
                None
            }
            Some(_) if !matches!(slice.address_type.as_str(), "IPv4" | "IPv6") => {
                ignore(Reason::AddressType(slice.address_type.clone()));
                None
            }
            Some(name) => Some(ObjectKey::new(&key.namespace, name)),
        };
        if self.slice_owner.get(&key) != owner.as_ref() {
            self.slice_gone(&key);
        }
        if let Some(owner) = owner {
            self.slices.entry(owner.clone()).or_default().insert(key.name.clone(), slice);
            self.dirty.insert(owner.clone());
            self.slice_owner.insert(key, owner);
        }
    }

    fn slice_gone(&mut self, key: &ObjectKey) {
        let Some(owner) = self.slice_owner.remove(key) else { return };
        if let Some(slices) = self.slices.get_mut(&owner) {
            slices.remove(&key.name);
            if slices.is_empty() {
                self.slices.remove(&owner);
            }
        }
        self.dirty.insert(owner);
    }

    fn resolve<A: Address>(
        &self,
        key: &ObjectKey,
        diagnostics: &mut BTreeSet<Diagnostic>,
    ) -> Option<Resolved<A>> {
        let service = self.services.get(key)?;
        let view = ServiceView::<A>::read(service, key, &self.settings, &self.facts, diagnostics)?;
        let slices = self.slices.get(key).into_iter().flat_map(BTreeMap::values);
        let endpoints = merge(slices, key, &self.facts, diagnostics);
        Some(resolve(&view, &endpoints, &self.settings, &self.facts))
    }
}

/// The intent of a whole set of objects at once.
pub fn resolve_all(
    settings: Settings,
    facts: NodeFacts,
    objects: impl IntoIterator<Item = Input>,
) -> (Intent, Vec<Diagnostic>) {
    let mut resolver = Resolver::new(settings, facts);
    objects.into_iter().for_each(|object| resolver.apply(object));
    let outcome = resolver.commit();
    (resolver.intent(), outcome.diagnostics.into_iter().collect())
}
