//! The expressions that rules are made of.

use portway_base::IpFamily;

use crate::Verdict;

/// A register, by the number of its first 32-bit word: 0 to 15. Values of several words take the words after
/// it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reg(pub u8);

impl Reg {
    /// The register `words` further on.
    #[must_use]
    pub const fn after(self, words: u8) -> Self {
        Self(self.0 + words)
    }
}

/// One step of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expr {
    /// Reads bytes of the packet.
    Payload {
        /// From which header.
        base: PayloadBase,
        /// Bytes into the header.
        offset: u32,
        /// Bytes.
        len: u32,
        /// Where to.
        to: Reg,
    },
    /// Reads what goes along with the packet.
    Meta {
        /// What.
        key: MetaKey,
        /// Where to.
        to: Reg,
    },
    /// Writes the packet mark.
    SetMark {
        /// Where from.
        from: Reg,
    },
    /// Reads the connection.
    Ct {
        /// What.
        key: CtKey,
        /// Where to.
        to: Reg,
    },
    /// Goes on only if the value is (not) this.
    Cmp {
        /// The value.
        from: Reg,
        /// It must be equal, or must differ.
        equal: bool,
        /// What to compare with.
        value: Vec<u8>,
    },
    /// `(from & mask) ^ xor`.
    Bitwise {
        /// Where from.
        from: Reg,
        /// Where to.
        to: Reg,
        /// As long as `xor`.
        mask: Vec<u8>,
        /// As long as `mask`.
        xor: Vec<u8>,
    },
    /// Goes on only if the key is (not) in the set; reads the value in a map.
    Lookup {
        /// The set or map.
        set: String,
        /// The key.
        from: Reg,
        /// Where the value goes.
        to: Target,
        /// The key must be missing.
        invert: bool,
    },
    /// Writes a constant.
    Load {
        /// Where to.
        to: Reg,
        /// The constant.
        value: Vec<u8>,
    },
    /// Ends the rule.
    Verdict(Verdict),
    /// Draws a number below `modulus`, each equally likely.
    Random {
        /// Where to.
        to: Reg,
        /// Never 0.
        modulus: u32,
    },
    /// Looks up the type of an address: 2 is an address of this machine.
    AddressType {
        /// The source address, not the destination.
        source: bool,
        /// Where to.
        to: Reg,
    },
    /// Changes a dynamic set; goes on only if that was possible.
    Dynset {
        /// The set or map.
        set: String,
        /// How.
        op: DynOp,
        /// The key.
        key: Reg,
        /// The value, in a map.
        data: Option<Reg>,
        /// Seconds until it expires.
        timeout: Option<u32>,
    },
    /// Translates the destination, and accepts.
    Dnat {
        /// Family of the address.
        family: IpFamily,
        /// The address.
        address: Reg,
        /// The port.
        port: Reg,
    },
    /// Translates the source to an address of the outgoing interface and a random port, and accepts.
    Masquerade,
    /// Refuses with an ICMP(v6) error of this code, type "unreachable".
    Reject {
        /// The code.
        code: u8,
    },
    /// Something that is none of ours.
    Other(String),
}

/// Which header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadBase {
    /// IP.
    Network,
    /// TCP, UDP, SCTP.
    Transport,
}

/// What goes along with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetaKey {
    /// The packet mark.
    Mark,
    /// Transport protocol number.
    L4Proto,
    /// Name of the interface it arrived through, 16 bytes; empty for packets of this machine.
    IifName,
}

/// What is known of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CtKey {
    /// Bits: 8 is "new".
    State,
    /// Bits: 32 is "destination translated".
    Status,
}

/// Where the value of a lookup goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Nowhere.
    None,
    /// To a register.
    Data(Reg),
    /// It is the verdict.
    Verdict,
}

/// How a dynamic set is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DynOp {
    /// Adds, unless it is there.
    Add,
    /// Adds, or renews the time of what is there (and not its value).
    Update,
    /// Removes.
    Delete,
}
