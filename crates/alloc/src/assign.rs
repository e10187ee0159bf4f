//! What one Service asks for, all or nothing: the addresses of its families, the node ports of its ports.
//!
//! The rules of sharing numbers between ports are upstream's. Knows a Service only as the numbers it names.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use portway_base::{IpFamily, Protocol};

use crate::{AddressAllocator, AddressError, PortAllocator, PortError};

/// Addresses could not be assigned; nothing is held. The text is what API users know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressRefused {
    /// The address asked for; `None` if any would have done.
    pub at: Option<IpAddr>,
    /// Why.
    pub error: AddressError,
}

impl fmt::Display for AddressRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Some(at) => write!(f, "failed to allocate IP {at}: {}", self.error),
            None => write!(f, "failed to allocate a serviceIP: {}", self.error),
        }
    }
}

impl std::error::Error for AddressRefused {}

/// Takes one address a family: the given one, or any. Answers them in the order asked.
pub fn assign_addresses<O: Clone>(
    pool: &mut AddressAllocator<O>,
    wanted: &[(IpFamily, Option<IpAddr>)],
    owner: &O,
    mut random: impl FnMut() -> u64,
) -> Result<Vec<IpAddr>, AddressRefused> {
    let mut taken = Vec::new();
    for (family, at) in wanted {
        let got = match at {
            Some(at) => pool.allocate(*at, owner.clone()).map(|()| *at),
            None => pool.allocate_next(*family, random(), owner.clone()),
        };
        match got {
            Ok(at) => taken.push(at),
            Err(error) => {
                for at in taken {
                    pool.release(at);
                }
                return Err(AddressRefused { at: *at, error });
            }
        }
    }
    Ok(taken)
}

/// One port of a Service, with numbers as the API has them (unchecked).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRequest {
    /// `port`.
    pub port: i64,
    /// `protocol`.
    pub protocol: Protocol,
    /// `nodePort`; 0 if not given.
    pub node_port: i64,
}

/// A node port could not be assigned; nothing is held.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PortRefused {
    /// The explicit node port of this port is out of range or taken.
    #[error("{error}")]
    Explicit {
        /// Index within the Service's ports.
        index: usize,
        /// The node port asked for.
        port: i64,
        /// Why.
        error: PortError,
    },
    /// No port is left for one that may have any.
    #[error("failed to allocate a nodePort: {0}")]
    Dynamic(PortError),
    /// An update names a node port twice for one protocol.
    #[error("duplicate nodePort: {{{0} {1}}}")]
    Repeated(Protocol, i64),
}

/// The node ports of a Service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AssignedPorts {
    /// The node port of each port, 0 for none.
    pub node_ports: Vec<i64>,
    /// What was taken for this request: release it if the write fails.
    pub taken: Vec<u16>,
    /// What the old Service held and the new one does not: release it after the write.
    pub dropped: Vec<u16>,
}

/// How node ports are assigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRules {
    /// Ports without an explicit node port get one: false for a LoadBalancer that does not want them.
    pub allocate: bool,
    /// Nothing is held: explicit ports are only checked for being taken, the others get numbers that are
    /// outside the default range.
    pub dry_run: bool,
}

impl PortRules {
    /// Allocates for real.
    pub const NORMAL: Self = Self { allocate: true, dry_run: false };
}

/// Takes ports for one request and gives them back unless it is finished.
struct Request<'a, O: Clone, R> {
    pool: &'a mut PortAllocator<O>,
    owner: &'a O,
    random: R,
    dry_run: bool,
    taken: Vec<u16>,
    placeholder: i64,
}

impl<'a, O: Clone, R: FnMut() -> u64> Request<'a, O, R> {
    fn new(pool: &'a mut PortAllocator<O>, owner: &'a O, random: R, dry_run: bool) -> Self {
        // Upstream's first placeholder; clients may have learnt that it means nothing.
        Self { pool, owner, random, dry_run, taken: Vec::new(), placeholder: 32769 }
    }

    fn explicit(&mut self, index: usize, port: i64) -> Result<(), PortRefused> {
        let refused = |error| PortRefused::Explicit { index, port, error };
        if self.dry_run {
            let taken = u16::try_from(port).is_ok_and(|port| self.pool.owner(port).is_some());
            return if taken { Err(refused(PortError::Taken)) } else { Ok(()) };
        }
        self.taken.push(self.pool.allocate(port, self.owner.clone()).map_err(refused)?);
        Ok(())
    }

    fn any(&mut self) -> Result<i64, PortRefused> {
        if self.dry_run {
            self.placeholder += 1;
            return Ok(self.placeholder - 1);
        }
        let port =
            self.pool.allocate_next((self.random)(), self.owner.clone()).map_err(PortRefused::Dynamic)?;
        self.taken.push(port);
        Ok(port.into())
    }

    fn finish(mut self, node_ports: Vec<i64>) -> AssignedPorts {
        AssignedPorts { node_ports, taken: std::mem::take(&mut self.taken), dropped: Vec::new() }
    }
}

impl<O: Clone, R> Drop for Request<'_, O, R> {
    fn drop(&mut self) {
        for port in &self.taken {
            self.pool.release(*port);
        }
    }
}

/// Assigns the node ports of a new Service.
///
/// Ports with the same number (53/TCP and 53/UDP) share one node port unless they name different ones.
pub fn assign_ports<O: Clone>(
    pool: &mut PortAllocator<O>,
    ports: &[PortRequest],
    rules: PortRules,
    owner: &O,
    random: impl FnMut() -> u64,
) -> Result<AssignedPorts, PortRefused> {
    let mut request = Request::new(pool, owner, random, rules.dry_run);
    let mut chosen: BTreeMap<i64, i64> = BTreeMap::new();
    let mut node_ports = Vec::with_capacity(ports.len());
    for (index, port) in ports.iter().enumerate() {
        if port.node_port == 0 && !rules.allocate {
            node_ports.push(0);
            continue;
        }
        let node_port = match chosen.get(&port.port) {
            None => {
                let same = |other: &&PortRequest| other.port == port.port && other.node_port != 0;
                let node_port = match ports.iter().find(same) {
                    Some(same) => {
                        request.explicit(index, same.node_port)?;
                        same.node_port
                    }
                    None => request.any()?,
                };
                chosen.insert(port.port, node_port);
                node_port
            }
            Some(shared) if port.node_port == 0 || port.node_port == *shared => *shared,
            Some(_) => {
                request.explicit(index, port.node_port)?;
                port.node_port
            }
        };
        node_ports.push(node_port);
    }
    Ok(request.finish(node_ports))
}

/// Assigns the node ports of an updated Service that held `old` before.
pub fn reassign_ports<O: Clone>(
    pool: &mut PortAllocator<O>,
    ports: &[PortRequest],
    old: &BTreeSet<u16>,
    rules: PortRules,
    owner: &O,
    random: impl FnMut() -> u64,
) -> Result<AssignedPorts, PortRefused> {
    let was = |port: i64| u16::try_from(port).is_ok_and(|port| old.contains(&port));
    let mut request = Request::new(pool, owner, random, rules.dry_run);
    let mut seen = BTreeSet::new();
    let mut explicit = BTreeSet::new();
    let mut node_ports = Vec::with_capacity(ports.len());
    for (index, port) in ports.iter().enumerate() {
        let node_port = match port.node_port {
            0 if !rules.allocate => 0,
            0 => request.any()?,
            given => {
                if !was(given) && explicit.insert(given) {
                    request.explicit(index, given)?;
                }
                given
            }
        };
        if node_port != 0 && !seen.insert((port.protocol, node_port)) {
            return Err(PortRefused::Repeated(port.protocol, node_port));
        }
        node_ports.push(node_port);
    }
    let mut assigned = request.finish(node_ports);
    if !rules.dry_run {
        let kept = |port: &&u16| assigned.node_ports.contains(&i64::from(**port));
        assigned.dropped = old.iter().filter(|port| !kept(port)).copied().collect();
    }
    Ok(assigned)
}
