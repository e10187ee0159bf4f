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
    /// Takes the flows of some Services in; what was known of the same destinations is outdated.
    pub fn put<A: Address>(&mut self, flows: &[UdpFlows<A>]) {
        for flow in flows {
            let serving = || {
                let all = flow.serving.iter();
                all.map(|endpoint| (endpoint.address.into(), endpoint.port)).collect::<BTreeSet<_>>()
            };
            for front in &flow.fronts {
                match front.at {
                    At::Vip(ip) => self.addresses.insert((ip.into(), front.port), serving()),
                    At::NodePort => self.node_ports.insert((A::BITS == 32, front.port), serving()),
                };
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
        for filter in self.filters() {
            let request = dump(filter, socket.sequence());
            let done = socket.request(&request, |message| {
                if let Some(flow) = decode(message).filter(|flow| self.is_stale(flow)) {
                    stale.push((filter.family, flow));
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

/// Which connections to list; the kernel sorts the others out faster than it tells them.
#[derive(Clone, Copy, Debug)]
struct Filter {
    family: u8,
    address: Option<IpAddr>,
    port: Option<u16>,
}

impl Serving {
    /// One filter for each destination, or for all if there are many.
    fn filters(&self) -> Vec<Filter> {
        const V4: u8 = 2;
        const V6: u8 = 10;
        if self.addresses.len() + self.node_ports.len() > 16 {
            return [V4, V6].map(|family| Filter { family, address: None, port: None }).to_vec();
        }
        let family = |is_v4| if is_v4 { V4 } else { V6 };
        let addresses = self.addresses.keys().map(|(ip, port)| Filter {
            family: family(ip.is_ipv4()),
            address: Some(*ip),
            port: Some(*port),
        });
        let node_ports = self.node_ports.keys().map(|(is_v4, port)| Filter {
            family: family(*is_v4),
            address: None,
            port: Some(*port),
        });
        addresses.chain(node_ports).collect()
    }
}

fn dump(filter: Filter, sequence: u32) -> Vec<u8> {
    // Bits of the fields that count.
    const DESTINATION: u32 = 1 << 1;
    const PROTOCOL: u32 = 1 << 3;
    const DESTINATION_PORT: u32 = 1 << 5;
    let mut flags = PROTOCOL;
    let mut w = Writer::new();
    let head = Head { kind: GET, flags: DUMP, sequence, family: filter.family, resource: 0 };
    w.message(head, |w| {
        w.nest(1, |w| {
            w.nest(1, |w| match filter.address {
                None => {}
                Some(IpAddr::V4(ip)) => {
                    flags |= DESTINATION;
                    w.bytes(2, &ip.octets());
                }
                // Kernels compare IPv6 addresses the wrong way round; the port has to do.
                Some(IpAddr::V6(_)) => {}
            });
            w.nest(2, |w| {
                w.bytes(1, &[UDP]);
                if let Some(port) = filter.port {
                    flags |= DESTINATION_PORT;
                    w.bytes(3, &port.to_be_bytes());
                }
            });
        });
        w.nest(25, |w| w.bytes(1, &flags.to_ne_bytes()));
    });
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use portway_base::Protocol;
    use portway_intent::{Endpoint, Front};
    use portway_nftables::codec::wire::messages;

    use super::*;

    /// An entry as the kernel tells it.
    fn entry(protocol: u8, destination: &str, port: u16, answers: &str) -> Vec<u8> {
        let octets = |ip: &str| ip.parse::<Ipv4Addr>().unwrap().octets();
        let tuple = |w: &mut Writer, kind, from: &str, to: &str, ports: [u16; 2]| {
            w.nest(kind, |w| {
                w.nest(1, |w| {
                    w.bytes(1, &octets(from));
                    w.bytes(2, &octets(to));
                });
                w.nest(2, |w| {
                    w.bytes(1, &[protocol]);
                    w.bytes(2, &ports[0].to_be_bytes());
                    w.bytes(3, &ports[1].to_be_bytes());
                });
            });
        };
        let mut w = Writer::new();
        w.message(Head { kind: NEW, family: 2, ..Head::default() }, |w| {
            tuple(w, 1, "10.0.0.1", destination, [4000, port]);
            tuple(w, 2, answers, "10.0.0.1", [53, 4000]);
            w.u32(12, 7);
        });
        w.into_bytes()
    }

    #[test]
    fn only_flows_of_known_destinations_are_stale() {
        let front = |at, port| Front { at, protocol: Protocol::Udp, port };
        let flows = UdpFlows {
            fronts: vec![front(At::Vip(Ipv4Addr::new(10, 96, 0, 10)), 53), front(At::NodePort, 30053)],
            serving: BTreeSet::from([Endpoint { address: Ipv4Addr::new(10, 244, 1, 2), port: 53 }]),
        };
        let mut serving = Serving::default();
        serving.put(&[flows]);
        let check = |protocol, destination, port, answers, expect: Option<bool>| {
            let bytes = entry(protocol, destination, port, answers);
            let flow = messages(&bytes).next().and_then(|message| decode(&message));
            assert_eq!(flow.map(|flow| serving.is_stale(&flow)), expect, "{destination}:{port} {answers}");
        };
        check(UDP, "10.96.0.10", 53, "10.244.1.2", Some(false));
        check(UDP, "10.96.0.10", 53, "10.244.1.3", Some(true));
        // Never translated: it was refused, and shall be balanced now.
        check(UDP, "10.96.0.10", 53, "10.96.0.10", Some(true));
        check(UDP, "10.96.0.10", 54, "10.244.1.3", Some(false));
        check(UDP, "192.0.2.1", 30053, "10.244.1.3", Some(true));
        check(UDP, "192.0.2.1", 53, "10.244.1.3", Some(false));
        check(6, "10.96.0.10", 53, "10.244.1.3", None);
    }

    #[test]
    fn anything_can_be_read() {
        let good = entry(UDP, "10.96.0.10", 53, "10.244.1.2");
        for at in 0..good.len() {
            for byte in [0, 1, 3, 4, 0x7f, 0xff] {
                let mut bytes = good.clone();
                bytes[at] = byte;
                messages(&bytes).for_each(|message| drop(decode(&message)));
            }
            messages(&good[..at]).for_each(|message| drop(decode(&message)));
        }
    }
}
