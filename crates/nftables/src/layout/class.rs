//! Classes: everything about a front but its name and its pool. Few are in use, however many Services there
//! are.

use portway_intent::Sources;

use super::{FRONTS, INNER_FRONTS, INNER_NODE_PORTS, NODE_PORTS};

/// What happens at the fronts of a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// Refused at once.
    Reject,
    /// No answer.
    Drop,
    /// All sources are balanced over one pool.
    Balance {
        /// The map that names the pool.
        via: Via,
        /// Endpoints of the pool.
        endpoints: u16,
        /// Seconds of affinity, 0 for none.
        affinity: u32,
        /// Who is masqueraded.
        marks: Marks,
    },
    /// Clients inside the cluster are balanced over another pool, which an inner map names.
    Split {
        /// The map that names the pool for outsiders.
        via: Via,
        /// Who is masqueraded.
        marks: Marks,
        /// What happens to the others.
        outside: Outside,
    },
}

/// Who is masqueraded.
pub(crate) type Marks = Sources<bool>;

/// What happens to clients outside the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outside {
    /// Refused at once.
    Reject,
    /// No answer.
    Drop,
    /// Balanced.
    Balance {
        /// Endpoints of the pool.
        endpoints: u16,
        /// Seconds of affinity, 0 for none.
        affinity: u32,
    },
}

/// The map through which a front is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Via {
    Front,
    NodePort,
    InnerFront,
    InnerNodePort,
}

impl Via {
    /// Name of the map.
    pub(crate) fn map(self) -> &'static str {
        match self {
            Self::Front => FRONTS,
            Self::NodePort => NODE_PORTS,
            Self::InnerFront => INNER_FRONTS,
            Self::InnerNodePort => INNER_NODE_PORTS,
        }
    }

    /// The key has no address.
    pub(crate) fn is_node_port(self) -> bool {
        matches!(self, Self::NodePort | Self::InnerNodePort)
    }

    /// For clients inside the cluster.
    pub(crate) fn is_inner(self) -> bool {
        matches!(self, Self::InnerFront | Self::InnerNodePort)
    }

    /// The map for clients inside the cluster.
    pub(crate) fn inner(self) -> Self {
        if self.is_node_port() { Self::InnerNodePort } else { Self::InnerFront }
    }
}

impl Class {
    /// The class as a key: flags and number of endpoints, then seconds of affinity.
    pub(crate) fn code(&self) -> [u32; 2] {
        let via = |via: Via| (via as u32) << 2;
        let bits = |marks: Marks| {
            u32::from(marks.pod) << 4 | u32::from(marks.node) << 5 | u32::from(marks.outside) << 6
        };
        match *self {
            Self::Reject => [0, 0],
            Self::Drop => [1, 0],
            Self::Balance { via: v, endpoints, affinity, marks } => {
                [2 | via(v) | bits(marks) | u32::from(endpoints) << 16, affinity]
            }
            Self::Split { via: v, marks, outside } => {
                let flags = 3 | via(v) | bits(marks);
                match outside {
                    Outside::Reject => [flags | 1 << 7, 0],
                    Outside::Drop => [flags | 2 << 7, 0],
                    Outside::Balance { endpoints, affinity } => {
                        [flags | u32::from(endpoints) << 16, affinity]
                    }
                }
            }
        }
    }

    /// Name of the chain that its fronts share; refusals need none.
    pub(crate) fn chain(&self) -> Option<String> {
        let (kind, via, marks) = match self {
            Self::Reject | Self::Drop => return None,
            Self::Balance { via, marks, .. } => ("balance", via, marks),
            Self::Split { via, marks, .. } => ("split", via, marks),
        };
        let mut name = format!("{kind}-{}", via.map());
        match self.outside() {
            Outside::Reject => name.push_str("-reject"),
            Outside::Drop => name.push_str("-drop"),
            Outside::Balance { endpoints, affinity } => {
                name.push_str(&format!("-{endpoints}"));
                if affinity > 0 {
                    name.push_str(&format!("-affinity-{affinity}"));
                }
            }
        }
        let who = [(marks.pod, 'p'), (marks.node, 'n'), (marks.outside, 'o')];
        let who: String = who.into_iter().filter(|(marked, _)| *marked).map(|(_, letter)| letter).collect();
        if !who.is_empty() {
            name.push_str("-masq-");
            name.push_str(&who);
        }
        Some(name)
    }

    /// What happens to clients outside the cluster.
    pub(crate) fn outside(&self) -> Outside {
        match *self {
            Self::Reject => Outside::Reject,
            Self::Drop => Outside::Drop,
            Self::Balance { endpoints, affinity, .. } => Outside::Balance { endpoints, affinity },
            Self::Split { outside, .. } => outside,
        }
    }

    /// Found through an inner map.
    pub(crate) fn is_inner(&self) -> bool {
        matches!(self, Self::Balance { via, .. } if via.is_inner())
    }
}
