//! The objects of nf_tables, as far as Portway uses them.

use std::collections::BTreeMap;

use portway_base::IpFamily;

use crate::Expr;

/// Name of our tables, one in each of the families `ip` and `ip6`.
pub const TABLE: &str = "portway";

/// What the kernel holds, or shall hold, of ours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// Table `ip portway`.
    pub v4: Option<Table>,
    /// Table `ip6 portway`.
    pub v6: Option<Table>,
}

impl Image {
    /// The table of a family.
    pub fn table(&self, family: IpFamily) -> Option<&Table> {
        match family {
            IpFamily::V4 => self.v4.as_ref(),
            IpFamily::V6 => self.v6.as_ref(),
        }
    }

    /// The table of a family.
    pub fn table_mut(&mut self, family: IpFamily) -> &mut Option<Table> {
        match family {
            IpFamily::V4 => &mut self.v4,
            IpFamily::V6 => &mut self.v6,
        }
    }
}

/// One table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// Chains by name.
    pub chains: BTreeMap<String, Chain>,
    /// Sets and maps by name.
    pub sets: BTreeMap<String, Set>,
}

/// A chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    /// Where packets enter it; `None` if only other chains lead to it.
    pub base: Option<Base>,
    /// Rules in order.
    pub rules: Vec<Rule>,
}

/// Where packets enter a chain. The policy is always to accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Base {
    /// What the chain may do.
    pub kind: ChainKind,
    /// At which point of a packet's way.
    pub hook: Hook,
    /// Order among the chains of a hook; lower comes first.
    pub priority: i32,
}

/// What a chain may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainKind {
    /// Sees every packet.
    Filter,
    /// Sees the first packet of a connection and may translate it.
    Nat,
}

/// A point of a packet's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// Arrived.
    Prerouting,
    /// For this machine.
    Input,
    /// For another machine.
    Forward,
    /// From this machine.
    Output,
    /// About to leave.
    Postrouting,
}

/// A rule: expressions until one of them says no, or gives a verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// In order.
    pub exprs: Vec<Expr>,
    /// For people.
    pub comment: String,
}

/// A set or map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    /// Its type.
    pub spec: SetSpec,
    /// Elements; what packets put into a dynamic set is not listed.
    pub elements: BTreeMap<Key, Entry>,
}

/// The type of a set or map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetSpec {
    /// Parts of the key.
    pub key: Vec<Field>,
    /// What keys map to; `None` for a plain set.
    pub data: Option<Data>,
    /// Keys are ranges in each part.
    pub interval: bool,
    /// Filled by packets, up to this many elements, which expire.
    pub dynamic: Option<u32>,
}

/// What keys map to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// Plain values.
    Fields(Vec<Field>),
    /// Verdicts.
    Verdict,
}

/// A part of a key or value; each takes whole 32-bit words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// IPv4 address.
    Ipv4,
    /// IPv6 address.
    Ipv6,
    /// Transport protocol number.
    Protocol,
    /// Port.
    Port,
    /// 32-bit number in the machine's byte order.
    Number,
}

impl Field {
    /// Bytes without padding.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Ipv4 | Self::Number => 4,
            Self::Ipv6 => 16,
            Self::Protocol => 1,
            Self::Port => 2,
        }
    }

    /// Bytes in registers and keys.
    pub const fn padded(self) -> usize {
        self.bytes().next_multiple_of(4)
    }

    /// Bytes of several parts together.
    pub fn total(fields: &[Self]) -> usize {
        fields.iter().map(|field| field.padded()).sum()
    }
}

/// Key of an element, as it stands in registers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The key, or the start of the range.
    pub start: Box<[u8]>,
    /// The end of the range, in interval sets.
    pub end: Option<Box<[u8]>>,
}

impl Key {
    /// The key of an element that is not a range.
    pub fn exact(bytes: Vec<u8>) -> Self {
        Self { start: bytes.into_boxed_slice(), end: None }
    }
}

/// What stands at a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What the key maps to; `None` in plain sets.
    pub value: Option<Value>,
    /// For people.
    pub comment: String,
}

/// What a key maps to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Bytes, as they stand in registers.
    Data(Vec<u8>),
    /// A verdict.
    Verdict(Verdict),
}

/// What becomes of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Goes on to the next base chain.
    Accept,
    /// Is gone.
    Drop,
    /// Goes to that chain and does not come back.
    Goto(String),
    /// Goes to that chain and comes back at its end.
    Jump(String),
    /// Leaves the chain.
    Return,
}

impl Verdict {
    /// The chain it leads to.
    pub fn chain(&self) -> Option<&str> {
        match self {
            Self::Goto(chain) | Self::Jump(chain) => Some(chain),
            _ => None,
        }
    }
}
