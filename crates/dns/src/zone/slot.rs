//! What is known of one Service name: the Service, if there is one, and the slices labelled with it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use portway_api::types::discovery::EndpointSlice;
use portway_api::types::service::{Service, ServicePort};
use portway_base::Protocol;

use super::config::ZoneConfig;
use super::label::{dashed, label};
use crate::wire::{MAX_LABEL, Name};

/// A Service and its slices; either may come before the other.
#[derive(Default)]
pub(super) struct Slot {
    pub front: Option<Front>,
    pub slices: BTreeMap<Box<str>, Slice>,
}

/// What a Service puts behind its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Front {
    /// Its cluster IPs.
    Cluster { addresses: Box<[IpAddr]>, ports: Box<[Port]> },
    /// Its endpoints.
    Headless,
    /// Another name.
    Alias(Name),
    /// Nothing DNS can express: an ExternalName that is an address, or no name at all.
    Nothing,
}

/// A port that SRV records tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Port {
    /// Lower case; empty for an unnamed port.
    pub name: Box<[u8]>,
    pub protocol: Protocol,
    pub number: u16,
}

/// The ready endpoints of one EndpointSlice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Slice {
    pub ports: Box<[Port]>,
    pub endpoints: Box<[Endpoint]>,
}

/// One address of one endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub address: IpAddr,
    /// Lower case; `None` if it is named after its address.
    hostname: Option<Box<[u8]>>,
}

/// Which ports a query means.
#[derive(Clone, Copy)]
pub(super) struct PortQuery<'q> {
    name: &'q [u8],
    protocol: &'q [u8],
}

impl Slot {
    /// Nothing is known of the name any more.
    pub fn is_vacant(&self) -> bool {
        self.front.is_none() && self.slices.is_empty()
    }

    /// Every ready endpoint with its slice, in the order of slice names.
    pub fn endpoints(&self) -> impl Iterator<Item = (&Slice, &Endpoint)> {
        self.slices.values().flat_map(|slice| slice.endpoints.iter().map(move |endpoint| (slice, endpoint)))
    }

    /// Whether there is a ready endpoint.
    pub fn has_endpoints(&self) -> bool {
        self.slices.values().any(|slice| !slice.endpoints.is_empty())
    }
}

impl Front {
    /// Reads a Service.
    pub fn of(service: &Service) -> Self {
        let spec = &service.spec;
        if spec.kind == "ExternalName" {
            return match spec.external_name.parse::<Name>() {
                Ok(name) if !name.is_root() && spec.external_name.parse::<IpAddr>().is_err() => {
                    Self::Alias(name)
                }
                _ => Self::Nothing,
            };
        }
        if spec.cluster_ip == "None" || spec.cluster_ips.first().is_some_and(|ip| ip == "None") {
            return Self::Headless;
        }
        let listed = std::slice::from_ref(&spec.cluster_ip);
        let addresses = if spec.cluster_ips.is_empty() { listed } else { &spec.cluster_ips };
        Self::Cluster {
            addresses: addresses.iter().filter_map(|ip| ip.parse().ok()).collect(),
            ports: spec.ports.iter().filter_map(Port::of_service).collect(),
        }
    }

    /// Cluster IPs.
    pub fn addresses(&self) -> &[IpAddr] {
        match self {
            Self::Cluster { addresses, .. } => addresses,
            _ => &[],
        }
    }
}

impl Port {
    fn of_service(port: &ServicePort) -> Option<Self> {
        Self::new(&port.name, Some(&port.protocol), Some(port.port))
    }

    fn new(name: &str, protocol: Option<&str>, number: Option<i32>) -> Option<Self> {
        Some(Self {
            name: name.to_ascii_lowercase().into_bytes().into(),
            protocol: match protocol {
                None | Some("") => Protocol::Tcp,
                Some(text) => text.parse().ok()?,
            },
            number: number.and_then(|number| u16::try_from(number).ok())?,
        })
    }
}

impl<'q> PortQuery<'q> {
    /// From the labels `_PORT` and `_PROTOCOL` in lower case; one underscore in front of each is optional.
    pub fn new(name: &'q [u8], protocol: &'q [u8]) -> Self {
        let strip = |label: &'q [u8]| label.strip_prefix(b"_").unwrap_or(label);
        Self { name: strip(name), protocol: strip(protocol) }
    }

    /// Whether the port is meant; an unnamed port never is.
    pub fn matches(&self, port: &Port) -> bool {
        let protocol = match port.protocol {
            Protocol::Tcp => b"tcp".as_slice(),
            Protocol::Udp => b"udp",
            Protocol::Sctp => b"sctp",
        };
        !port.name.is_empty() && *port.name == *self.name && protocol == self.protocol
    }
}

impl Slice {
    /// Reads the ready endpoints of a slice; addresses that are no IP addresses are left out.
    pub fn of(slice: &EndpointSlice, config: &ZoneConfig) -> Self {
        let mut endpoints = Vec::with_capacity(slice.endpoints.len());
        for endpoint in slice.endpoints.iter().filter(|e| e.conditions.ready.unwrap_or(true)) {
            let named = endpoint.hostname.as_deref().filter(|name| !name.is_empty()).and_then(label);
            let hostname = named.or_else(|| {
                let target = endpoint.target_ref.as_ref().filter(|_| config.endpoint_pod_names)?;
                label(&target.name).filter(|name| name.len() <= MAX_LABEL)
            });
            endpoints.extend(
                endpoint
                    .addresses
                    .iter()
                    .filter_map(|address| address.parse().ok())
                    .map(|address| Endpoint { address, hostname: hostname.clone() }),
            );
        }
        let port = |port: &portway_api::types::discovery::EndpointPort| {
            Port::new(port.name.as_deref().unwrap_or_default(), port.protocol.as_deref(), port.port)
        };
        Self { ports: slice.ports.iter().filter_map(port).collect(), endpoints: endpoints.into() }
    }
}

impl Endpoint {
    /// Its label below the Service's name.
    pub fn label(&self) -> Box<[u8]> {
        self.hostname.clone().unwrap_or_else(|| dashed(self.address))
    }

    /// Whether `label` (lower case) is its label; `spelled` is the address that `label` spells, if any.
    pub fn is_named(&self, label: &[u8], spelled: Option<IpAddr>) -> bool {
        match &self.hostname {
            Some(hostname) => **hostname == *label,
            // Other spellings of the address do not count.
            None => spelled == Some(self.address) && *dashed(self.address) == *label,
        }
    }
}
