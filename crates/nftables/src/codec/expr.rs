//! Expressions on the wire.

use portway_base::IpFamily;

use super::family_number;
use super::wire::{Attributes, Writer};
use crate::{CtKey, DynOp, Expr, MetaKey, PayloadBase, Reg, Target, Verdict};

const VERDICT_REGISTER: u32 = 0;
const DATA_VALUE: u16 = 1;
const DATA_VERDICT: u16 = 2;
/// `NF_NAT_RANGE_PROTO_RANDOM_FULLY`.
const FULLY_RANDOM: u32 = 1 << 4;

/// Adds an expression: its name and its attributes.
pub fn encode_expr(w: &mut Writer, expr: &Expr) {
    let mut named = |name: &str, fill: &dyn Fn(&mut Writer)| {
        w.text(1, name);
        w.nest(2, |w| fill(w));
    };
    match expr {
        Expr::Payload { base, offset, len, to } => named("payload", &|w| {
            w.u32(1, register(*to));
            w.u32(
                2,
                match base {
                    PayloadBase::Network => 1,
                    PayloadBase::Transport => 2,
                },
            );
            w.u32(3, *offset);
            w.u32(4, *len);
        }),
        Expr::Meta { key, to } => named("meta", &|w| {
            w.u32(1, register(*to));
            w.u32(
                2,
                match key {
                    MetaKey::Mark => 3,
                    MetaKey::IifName => 6,
                    MetaKey::L4Proto => 16,
                },
            );
        }),
        Expr::SetMark { from } => named("meta", &|w| {
            w.u32(2, 3);
            w.u32(3, register(*from));
        }),
        Expr::Ct { key, to } => named("ct", &|w| {
            w.u32(1, register(*to));
            w.u32(
                2,
                match key {
                    CtKey::State => 0,
                    CtKey::Status => 2,
                },
            );
        }),
        Expr::Cmp { from, equal, value } => named("cmp", &|w| {
            w.u32(1, register(*from));
            w.u32(2, u32::from(!*equal));
            w.nest(3, |w| w.bytes(DATA_VALUE, value));
        }),
        Expr::Bitwise { from, to, mask, xor } => named("bitwise", &|w| {
            w.u32(1, register(*from));
            w.u32(2, register(*to));
            w.u32(3, mask.len() as u32);
            w.nest(4, |w| w.bytes(DATA_VALUE, mask));
            w.nest(5, |w| w.bytes(DATA_VALUE, xor));
        }),
        Expr::Lookup { set, from, to, invert } => named("lookup", &|w| {
            w.text(1, set);
            w.u32(2, register(*from));
            match to {
                Target::None => {}
                Target::Data(to) => w.u32(3, register(*to)),
                Target::Verdict => w.u32(3, VERDICT_REGISTER),
            }
            if *invert {
                w.u32(5, 1);
            }
        }),
        Expr::Load { to, value } => named("immediate", &|w| {
            w.u32(1, register(*to));
            w.nest(2, |w| w.bytes(DATA_VALUE, value));
        }),
        Expr::Verdict(verdict) => named("immediate", &|w| {
            w.u32(1, VERDICT_REGISTER);
            w.nest(2, |w| encode_verdict(w, verdict));
        }),
        Expr::Random { to, modulus } => named("numgen", &|w| {
            w.u32(1, register(*to));
            w.u32(2, *modulus);
            w.u32(3, 1);
            w.u32(4, 0);
        }),
        Expr::AddressType { source, to } => named("fib", &|w| {
            w.u32(1, register(*to));
            w.u32(2, 3);
            w.u32(3, if *source { 1 } else { 2 });
        }),
        Expr::Dynset { set, op, key, data, timeout } => named("dynset", &|w| {
            w.text(1, set);
            w.u32(
                3,
                match op {
                    DynOp::Add => 0,
                    DynOp::Update => 1,
                    DynOp::Delete => 2,
                },
            );
            w.u32(4, register(*key));
            if let Some(data) = data {
                w.u32(5, register(*data));
            }
            if let Some(timeout) = timeout {
                w.u64(6, u64::from(*timeout) * 1000);
            }
        }),
        Expr::Dnat { family, address, port } => named("nat", &|w| {
            w.u32(1, 1);
            w.u32(2, u32::from(family_number(*family)));
            w.u32(3, register(*address));
            w.u32(5, register(*port));
        }),
        Expr::Masquerade => named("masq", &|w| w.u32(1, FULLY_RANDOM)),
        Expr::Reject { code } => named("reject", &|w| {
            w.u32(1, 0);
            w.bytes(2, &[*code]);
        }),
        Expr::Other(name) => named(name, &|_| {}),
    }
}

/// Reads an expression; what is none of ours becomes [`Expr::Other`].
pub fn decode_expr(expr: Attributes<'_>) -> Expr {
    let name = expr.text(1).unwrap_or_default();
    let data = expr.nested(2).unwrap_or(Attributes(&[]));
    known(&name, data).unwrap_or(Expr::Other(name))
}

fn known(name: &str, a: Attributes<'_>) -> Option<Expr> {
    let reg = |kind| a.u32(kind).and_then(read_register);
    let value = |kind| a.nested(kind)?.find(DATA_VALUE).map(<[u8]>::to_vec);
    Some(match name {
        "payload" => Expr::Payload {
            base: match a.u32(2)? {
                1 => PayloadBase::Network,
                2 => PayloadBase::Transport,
                _ => return None,
            },
            offset: a.u32(3)?,
            len: a.u32(4)?,
            to: reg(1)?,
        },
        "meta" => match (a.u32(2)?, reg(1), reg(3)) {
            (3, Some(to), None) => Expr::Meta { key: MetaKey::Mark, to },
            (6, Some(to), None) => Expr::Meta { key: MetaKey::IifName, to },
            (16, Some(to), None) => Expr::Meta { key: MetaKey::L4Proto, to },
            (3, None, Some(from)) => Expr::SetMark { from },
            _ => return None,
        },
        "ct" => Expr::Ct {
            key: match a.u32(2)? {
                0 => CtKey::State,
                2 => CtKey::Status,
                _ => return None,
            },
            to: reg(1)?,
        },
        "cmp" => Expr::Cmp {
            from: reg(1)?,
            equal: match a.u32(2)? {
                0 => true,
                1 => false,
                _ => return None,
            },
            value: value(3)?,
        },
        // Newer kernels know other operations; 0 is the one with mask and xor.
        "bitwise" if a.u32(6).unwrap_or(0) == 0 => {
            Expr::Bitwise { from: reg(1)?, to: reg(2)?, mask: value(4)?, xor: value(5)? }
        }
        "lookup" => Expr::Lookup {
            set: a.text(1)?,
            from: reg(2)?,
            to: match a.u32(3) {
                None => Target::None,
                Some(VERDICT_REGISTER) => Target::Verdict,
                Some(number) => Target::Data(read_register(number)?),
            },
            invert: match a.u32(5) {
                None | Some(0) => false,
                Some(1) => true,
                _ => return None,
            },
        },
        "immediate" => match a.u32(1)? {
            VERDICT_REGISTER => Expr::Verdict(decode_verdict(a.nested(2)?)?),
            number => Expr::Load { to: read_register(number)?, value: value(2)? },
        },
        "numgen" if a.u32(3)? == 1 && a.u32(4).unwrap_or(0) == 0 => {
            Expr::Random { to: reg(1)?, modulus: a.u32(2)? }
        }
        "fib" if a.u32(2)? == 3 => Expr::AddressType {
            source: match a.u32(3)? {
                1 => true,
                2 => false,
                _ => return None,
            },
            to: reg(1)?,
        },
        "dynset" => Expr::Dynset {
            set: a.text(1)?,
            op: match a.u32(3)? {
                0 => DynOp::Add,
                1 => DynOp::Update,
                2 => DynOp::Delete,
                _ => return None,
            },
            key: reg(4)?,
            data: reg(5),
            timeout: match a.u64(6) {
                None | Some(0) => None,
                Some(ms) => Some(u32::try_from(ms / 1000).ok()?),
            },
        },
        "nat" if a.u32(1)? == 1 => Expr::Dnat {
            family: match a.u32(2)? {
                2 => IpFamily::V4,
                10 => IpFamily::V6,
                _ => return None,
            },
            address: reg(3)?,
            port: reg(5)?,
        },
        "masq" if a.u32(1)? & FULLY_RANDOM != 0 => Expr::Masquerade,
        "reject" if a.u32(1)? == 0 => Expr::Reject { code: *a.find(2)?.first()? },
        _ => return None,
    })
}

/// Adds the attribute of a verdict.
pub(crate) fn encode_verdict(w: &mut Writer, verdict: &Verdict) {
    let code: i32 = match verdict {
        Verdict::Drop => 0,
        Verdict::Accept => 1,
        Verdict::Jump(_) => -3,
        Verdict::Goto(_) => -4,
        Verdict::Return => -5,
    };
    w.nest(DATA_VERDICT, |w| {
        w.bytes(1, &code.to_be_bytes());
        if let Some(chain) = verdict.chain() {
            w.text(2, chain);
        }
    });
}

/// Reads the attribute of a verdict.
pub(crate) fn decode_verdict(data: Attributes<'_>) -> Option<Verdict> {
    let verdict = data.nested(DATA_VERDICT)?;
    let code = i32::from_be_bytes(verdict.find(1)?.try_into().ok()?);
    Some(match code {
        0 => Verdict::Drop,
        1 => Verdict::Accept,
        -3 => Verdict::Jump(verdict.text(2)?),
        -4 => Verdict::Goto(verdict.text(2)?),
        -5 => Verdict::Return,
        _ => return None,
    })
}

/// 32-bit registers are numbers 8 to 23.
fn register(reg: Reg) -> u32 {
    u32::from(reg.0) + 8
}

/// The kernel prefers to tell the first word of each 128-bit register as numbers 1 to 4.
fn read_register(number: u32) -> Option<Reg> {
    match number {
        1..=4 => Some(Reg((number as u8 - 1) * 4)),
        8..=23 => Some(Reg(number as u8 - 8)),
        _ => None,
    }
}
