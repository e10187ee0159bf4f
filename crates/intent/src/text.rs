//! The canonical text form: one line a fact, in order, equal exactly when the intents are equal.

use std::fmt::{self, Display, Formatter};

use portway_base::IpFamily;

use crate::{
    Action, Address, At, Endpoint, FamilyIntent, Front, FrontKind, Intent, Locality, NodeAddresses, PoolId,
    Scope,
};

impl Display for Intent {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.v4, self.v6)
    }
}

impl<A: Address> Display for FamilyIntent<A> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "family {}", A::FAMILY)?;
        writeln!(f, "  masquerade bit {}", self.masquerade.bit)?;
        writeln!(f, "  local pods {}", self.locality)?;
        match &self.node_addresses {
            NodeAddresses::All => writeln!(f, "  node ports on all addresses")?,
            NodeAddresses::Only(addresses) => {
                for address in addresses {
                    writeln!(f, "  node ports on {address}")?;
                }
            }
        }
        for cidr in &self.service_cidrs {
            writeln!(f, "  service range {cidr}")?;
        }
        for (address, owner) in &self.cluster_ips {
            writeln!(f, "  cluster ip {address} of {owner}")?;
        }
        for address in &self.hairpin {
            writeln!(f, "  hairpin {address}")?;
        }
        for (port, check) in &self.health_ports {
            writeln!(f, "  health port {port} of {}: {} local", check.service, check.local_endpoints)?;
        }
        for (front, rule) in &self.fronts {
            write!(f, "  front {front} {} of {}", rule.kind, rule.owner)?;
            for range in rule.allow_from.iter().flatten() {
                write!(f, " from {range}")?;
            }
            let sources = &rule.sources;
            if sources.pod == sources.outside && sources.node == sources.outside {
                writeln!(f, ": {}", sources.outside)?;
            } else {
                let (pod, node, outside) = (&sources.pod, &sources.node, &sources.outside);
                writeln!(f, ": pod {pod}, node {node}, outside {outside}")?;
            }
        }
        for (id, pool) in &self.pools {
            write!(f, "  pool {id}")?;
            if let Some(seconds) = pool.affinity {
                write!(f, " affinity {seconds}s")?;
            }
            for (i, endpoint) in pool.endpoints.iter().enumerate() {
                write!(f, "{} {endpoint}", if i == 0 { ":" } else { "," })?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

impl<A: Address> Display for Front<A> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.at {
            At::Vip(address) => write_socket(f, address, self.port)?,
            At::NodePort => write!(f, "node:{}", self.port)?,
        }
        write!(f, "/{}", self.protocol)
    }
}

impl<A: Address> Display for Endpoint<A> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_socket(f, self.address, self.port)
    }
}

fn write_socket<A: Address>(f: &mut Formatter<'_>, address: A, port: u16) -> fmt::Result {
    match A::FAMILY {
        IpFamily::V4 => write!(f, "{address}:{port}"),
        IpFamily::V6 => write!(f, "[{address}]:{port}"),
    }
}

impl Display for FrontKind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ClusterIp => "cluster-ip",
            Self::ExternalIp => "external-ip",
            Self::LoadBalancer => "load-balancer",
            Self::NodePort => "node-port",
        })
    }
}

impl Display for Action {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Balance { pool, snat } => {
                write!(f, "{}{}", pool.scope, if *snat { " masqueraded" } else { "" })
            }
            Self::Reject => f.write_str("reject"),
            Self::Drop => f.write_str("drop"),
        }
    }
}

/// `namespace/name/PROTOCOL/port/scope`: unambiguous, because none of the parts may contain a slash.
impl Display for PoolId {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}/{}", self.port.service, self.port.protocol, self.port.port, self.scope)
    }
}

impl Display for Scope {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cluster => "cluster",
            Self::Local => "local",
        })
    }
}

impl<A: Address> Display for Locality<A> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Source(range) => write!(f, "from {range}"),
            Self::Interface(name) => write!(f, "through {name}"),
            Self::InterfacePrefix(prefix) => write!(f, "through {prefix}*"),
        }
    }
}
