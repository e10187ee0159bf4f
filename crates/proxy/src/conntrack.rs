//! Forgets UDP connections whose endpoint is gone, so that their next packet is balanced anew.
//!
//! Own small encoder for the three messages of ctnetlink that takes. TCP is left alone: its connections end by
//! themselves, and may outlive their endpoint's place in a Service.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use portway_intent::{Address, At};
use portway_nftables::codec::wire::{ACK, Attributes, DUMP, Head, Message, Writer};
use portway_nftables::netlink::{Error, Socket};
use portway_resolve::UdpFlows;

const SUBSYSTEM: u16 = 1 << 8;
const NEW: u16 = SUBSYSTEM;
const GET: u16 = SUBSYSTEM | 1;
const DELETE: u16 = SUBSYSTEM | 2;
const UDP: u8 = 17;

/// Who may answer at which destination.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Serving {
    addresses: BTreeMap<(IpAddr, u16), BTreeSet<(IpAddr, u16)>>,
    node_ports: BTreeMap<(bool, u16), BTreeSet<(IpAddr, u16)>>,
}

/// A UDP connection, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Where the client sent to.
    pub destination: (IpAddr, u16),
    /// Who answers.
    pub answers: (IpAddr, u16),
    /// The original tuple as the kernel wrote it, by which the connection is named.
    pub tuple: Vec<u8>,
    /// Its identity, so that no younger connection with the same tuple is meant.
    pub id: u32,
}

impl Serving {
    /// Takes the flows of some Services in.
    pub fn add<A: Address>(&mut self, flows: &[UdpFlows<A>]) {
        for flow in flows {
            let serving = || flow.serving.iter().map(|endpoint| (endpoint.address.into(), endpoint.port));
            for front in &flow.fronts {
                match front.at {
                    At::Vip(ip) => {
                        self.addresses.entry((ip.into(), front.port)).or_default().extend(serving())
                    }
                    At::NodePort => {
                        self.node_ports.entry((A::BITS == 32, front.port)).or_default().extend(serving());
                    }
                }
            }
        }
    }

    /// Nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.addresses.is_empty() && self.node_ports.is_empty()
    }

    /// The flow goes to one of the destinations and is answered by none that serves there.
    pub fn is_stale(&self, flow: &Flow) -> bool {
        let (ip, port) = flow.destination;
        let serving = self.addresses.get(&(ip, port)).or_else(|| self.node_ports.get(&(ip.is_ipv4(), port)));
        serving.is_some_and(|serving| !serving.contains(&flow.answers))
    }

    /// Deletes stale connections and returns how many there were.
    ///
    /// # Errors
    /// The kernel cannot be asked. Connections that end meanwhile are no error.
    pub fn clean(&self, socket: &mut Socket) -> Result<u64, Error> {
        if self.is_empty() {
            return Ok(0);
        }
        let mut stale = Vec::new();
        for family in [2u8, 10] {
            let request = dump(family, socket.sequence());
            let done = socket.request(&request, |message| {
                if let Some(flow) = decode(message).filter(|flow| self.is_stale(flow)) {
                    stale.push((family, flow));
                }
            });
            match done {
                // As far as it got is good enough: what is missing has just changed.
                Ok(()) | Err(Error::Interrupted) => {}
                Err(error) => return Err(error),
            }
        }
        let mut deleted = 0;
        for (family, flow) in stale {
            let request = delete(family, &flow, socket.sequence());
            match socket.request(&request, |_| {}) {
                Ok(()) => deleted += 1,
                Err(Error::Refused(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(deleted)
    }
}

fn dump(family: u8, sequence: u32) -> Vec<u8> {
    let mut w = Writer::new();
    w.message(Head { kind: GET, flags: DUMP, sequence, family, resource: 0 }, |_| {});
    w.into_bytes()
}

fn delete(family: u8, flow: &Flow, sequence: u32) -> Vec<u8> {
    let mut w = Writer::new();
    w.message(Head { kind: DELETE, flags: ACK, sequence, family, resource: 0 }, |w| {
        w.bytes(1 | 0x8000, &flow.tuple);
        w.u32(12, flow.id);
    });
    w.into_bytes()
}

/// Reads a UDP connection; `None` for anything else.
pub fn decode(message: &Message<'_>) -> Option<Flow> {
    if message.kind != NEW {
        return None;
    }
    let attributes = message.attributes();
    let original = attributes.find(1)?;
    let (_, destination) = read_tuple(Attributes(original))?;
    let (answers, _) = read_tuple(attributes.nested(2)?)?;
    Some(Flow { destination, answers, tuple: original.to_vec(), id: attributes.u32(12)? })
}

type Side = (IpAddr, u16);

/// Source and destination of a UDP tuple.
fn read_tuple(tuple: Attributes<'_>) -> Option<(Side, Side)> {
    let (ip, protocol) = (tuple.nested(1)?, tuple.nested(2)?);
    if protocol.find(1)? != [UDP] {
        return None;
    }
    let v4 = |kind| Some(Ipv4Addr::from(<[u8; 4]>::try_from(ip.find(kind)?).ok()?).into());
    let v6 = |kind| Some(Ipv6Addr::from(<[u8; 16]>::try_from(ip.find(kind)?).ok()?).into());
    let port = |kind| protocol.find(kind)?.try_into().ok().map(u16::from_be_bytes);
    let source = v4(1).or_else(|| v6(3))?;
    let destination = v4(2).or_else(|| v6(4))?;
    Some(((source, port(2)?), (destination, port(3)?)))
}
