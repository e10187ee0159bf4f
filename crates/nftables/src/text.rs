//! The canonical text of images and patches: for people, golden tests and the debug endpoint.

use std::fmt::{self, Display, Formatter};
use std::net::{Ipv4Addr, Ipv6Addr};

use portway_base::IpFamily;

use crate::{
    Base, Chain, ChainKind, CtKey, Data, DynOp, Entry, Expr, Field, Hook, Image, Key, MetaKey, Op, Patch,
    PayloadBase, Reg, Set, SetSpec, TABLE, Table, Target, Value, Verdict,
};

impl Display for Image {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for family in IpFamily::ALL {
            if let Some(table) = self.table(family) {
                writeln!(f, "table {} {TABLE}", family_name(family))?;
                write!(f, "{table}")?;
            }
        }
        Ok(())
    }
}

/// nft's name of a family.
pub(crate) fn family_name(family: IpFamily) -> &'static str {
    match family {
        IpFamily::V4 => "ip",
        IpFamily::V6 => "ip6",
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (name, set) in &self.sets {
            writeln!(f, "  set {name} {}", set.spec)?;
            write!(f, "{set}")?;
        }
        for (name, chain) in &self.chains {
            writeln!(f, "  chain {name}{chain}")?;
            for rule in &chain.rules {
                write!(f, "    ")?;
                write_exprs(f, &rule.exprs)?;
                writeln!(f, " # {}", rule.comment)?;
            }
        }
        Ok(())
    }
}

fn write_exprs(f: &mut Formatter<'_>, exprs: &[Expr]) -> fmt::Result {
    for (i, expr) in exprs.iter().enumerate() {
        write!(f, "{}{expr}", if i == 0 { "" } else { "; " })?;
    }
    Ok(())
}

impl Display for Chain {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.base.map_or(Ok(()), |base| write!(f, " {base}"))
    }
}

impl Display for Base {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            ChainKind::Filter => "filter",
            ChainKind::Nat => "nat",
        };
        let hook = match self.hook {
            Hook::Prerouting => "prerouting",
            Hook::Input => "input",
            Hook::Forward => "forward",
            Hook::Output => "output",
            Hook::Postrouting => "postrouting",
        };
        write!(f, "{kind} {hook} {}", self.priority)
    }
}

impl Display for SetSpec {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_types(f, &self.key)?;
        match &self.data {
            None => {}
            Some(Data::Verdict) => f.write_str(" : verdict")?,
            Some(Data::Fields(fields)) => {
                f.write_str(" : ")?;
                write_types(f, fields)?;
            }
        }
        if self.interval {
            f.write_str(" ranges")?;
        }
        self.dynamic.map_or(Ok(()), |size| write!(f, " dynamic {size}"))
    }
}

fn write_types(f: &mut Formatter<'_>, fields: &[Field]) -> fmt::Result {
    for (i, field) in fields.iter().enumerate() {
        let name = match field {
            Field::Ipv4 => "ipv4",
            Field::Ipv6 => "ipv6",
            Field::Protocol => "protocol",
            Field::Port => "port",
            Field::Number => "number",
        };
        write!(f, "{}{name}", if i == 0 { "" } else { " . " })?;
    }
    Ok(())
}

impl Display for Set {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (key, entry) in &self.elements {
            f.write_str("    ")?;
            write_key(f, &self.spec, key)?;
            write_entry(f, &self.spec, entry)?;
            writeln!(f)?;
        }
        Ok(())
    }
}

fn write_key(f: &mut Formatter<'_>, spec: &SetSpec, key: &Key) -> fmt::Result {
    write_fields(f, &spec.key, &key.start)?;
    match &key.end {
        None => Ok(()),
        Some(end) => {
            f.write_str(" to ")?;
            write_fields(f, &spec.key, end)
        }
    }
}

fn write_entry(f: &mut Formatter<'_>, spec: &SetSpec, entry: &Entry) -> fmt::Result {
    match (&entry.value, &spec.data) {
        (None, _) => {}
        (Some(Value::Verdict(verdict)), _) => write!(f, " : {verdict}")?,
        (Some(Value::Data(data)), Some(Data::Fields(fields))) => {
            f.write_str(" : ")?;
            write_fields(f, fields, data)?;
        }
        (Some(Value::Data(data)), _) => write!(f, " : {data:02x?}")?,
    }
    if entry.comment.is_empty() { Ok(()) } else { write!(f, " # {}", entry.comment) }
}

fn write_fields(f: &mut Formatter<'_>, fields: &[Field], mut bytes: &[u8]) -> fmt::Result {
    for (i, field) in fields.iter().enumerate() {
        if i > 0 {
            f.write_str(" . ")?;
        }
        let Some((head, rest)) = bytes.split_at_checked(field.padded()) else {
            return f.write_str("(short)");
        };
        bytes = rest;
        match (field, head) {
            (Field::Ipv4, &[a, b, c, d]) => write!(f, "{}", Ipv4Addr::new(a, b, c, d))?,
            (Field::Ipv6, head) => match <[u8; 16]>::try_from(head) {
                Ok(octets) => write!(f, "{}", Ipv6Addr::from(octets))?,
                Err(_) => f.write_str("(short)")?,
            },
            (Field::Protocol, &[6, ..]) => f.write_str("tcp")?,
            (Field::Protocol, &[17, ..]) => f.write_str("udp")?,
            (Field::Protocol, &[132, ..]) => f.write_str("sctp")?,
            (Field::Protocol, &[other, ..]) => write!(f, "{other}")?,
            (Field::Port, &[a, b, ..]) => write!(f, "{}", u16::from_be_bytes([a, b]))?,
            (Field::Number, &[a, b, c, d]) => write!(f, "{:#x}", u32::from_ne_bytes([a, b, c, d]))?,
            _ => f.write_str("(short)")?,
        }
    }
    Ok(())
}

impl Display for Verdict {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accept => f.write_str("accept"),
            Self::Drop => f.write_str("drop"),
            Self::Goto(chain) => write!(f, "goto {chain}"),
            Self::Jump(chain) => write!(f, "jump {chain}"),
            Self::Return => f.write_str("return"),
        }
    }
}

impl Display for Reg {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "r{}", self.0)
    }
}

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Payload { base, offset, len, to } => {
                let base = match base {
                    PayloadBase::Network => "network",
                    PayloadBase::Transport => "transport",
                };
                write!(f, "{to} = {base} {offset}+{len}")
            }
            Self::Meta { key: MetaKey::Mark, to } => write!(f, "{to} = mark"),
            Self::Meta { key: MetaKey::L4Proto, to } => write!(f, "{to} = l4proto"),
            Self::Meta { key: MetaKey::IifName, to } => write!(f, "{to} = iifname"),
            Self::SetMark { from } => write!(f, "mark = {from}"),
            Self::Ct { key: CtKey::State, to } => write!(f, "{to} = ct state"),
            Self::Ct { key: CtKey::Status, to } => write!(f, "{to} = ct status"),
            Self::Cmp { from, equal, value } => {
                write!(f, "{from} {} {}", if *equal { "==" } else { "!=" }, Hex(value))
            }
            Self::Bitwise { from, to, mask, xor } => {
                write!(f, "{to} = {from} & {} ^ {}", Hex(mask), Hex(xor))
            }
            Self::Lookup { set, from, to, invert } => {
                match to {
                    Target::None => {}
                    Target::Data(to) => write!(f, "{to} = ")?,
                    Target::Verdict => f.write_str("verdict = ")?,
                }
                write!(f, "{from} {} @{set}", if *invert { "not in" } else { "in" })
            }
            Self::Load { to, value } => write!(f, "{to} = {}", Hex(value)),
            Self::Verdict(verdict) => write!(f, "{verdict}"),
            Self::Random { to, modulus } => write!(f, "{to} = random mod {modulus}"),
            Self::AddressType { source, to } => {
                write!(f, "{to} = type of {}", if *source { "source" } else { "destination" })
            }
            Self::Dynset { set, op, key, data, timeout } => {
                let op = match op {
                    DynOp::Add => "add",
                    DynOp::Update => "update",
                    DynOp::Delete => "delete",
                };
                write!(f, "{op} @{set} {key}")?;
                data.map_or(Ok(()), |data| write!(f, " : {data}"))?;
                timeout.map_or(Ok(()), |timeout| write!(f, " for {timeout}s"))
            }
            Self::Dnat { address, port, .. } => write!(f, "dnat {address} {port}"),
            Self::Masquerade => f.write_str("masquerade fully-random"),
            Self::Reject { code } => write!(f, "reject {code}"),
            Self::Other(name) => write!(f, "({name})"),
        }
    }
}

struct Hex<'a>(&'a [u8]);

impl Display for Hex<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("0x")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Display for Patch {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.ops.iter().try_for_each(|(family, op)| writeln!(f, "{} {op}", family_name(*family)))
    }
}

impl Display for Op {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddTable => f.write_str("add table"),
            Self::DeleteTable => f.write_str("delete table"),
            Self::AddSet { name, spec } => write!(f, "add set {name} {spec}"),
            Self::DeleteSet { name } => write!(f, "delete set {name}"),
            Self::AddChain { name, base } => {
                write!(f, "add chain {name}")?;
                base.map_or(Ok(()), |base| write!(f, " {base}"))
            }
            Self::FlushChain { name } => write!(f, "flush chain {name}"),
            Self::DeleteChain { name } => write!(f, "delete chain {name}"),
            Self::AddRule { chain, rule } => {
                write!(f, "add rule {chain} ")?;
                write_exprs(f, &rule.exprs)
            }
            Self::AddElements { set, spec, elements } => {
                write!(f, "add to {set}")?;
                for (key, entry) in elements {
                    f.write_str(", ")?;
                    write_key(f, spec, key)?;
                    write_entry(f, spec, entry)?;
                }
                Ok(())
            }
            Self::DeleteElements { set, spec, elements } => {
                write!(f, "delete from {set}")?;
                for key in elements {
                    f.write_str(", ")?;
                    write_key(f, spec, key)?;
                }
                Ok(())
            }
        }
    }
}
