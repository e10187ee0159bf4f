//! Tables, chains, rules and sets on the wire; batches and requests.

use portway_base::IpFamily;

use super::expr::{decode_expr, encode_expr};
use super::wire::{APPEND, Attributes, CREATE, DUMP, Head, Message, Writer};
use super::{
    SUBSYSTEM, comment, decode_elements, encode_add, encode_delete, family_number, kind, read_comment,
};
use crate::{Base, Chain, ChainKind, Data, Entry, Field, Hook, Key, Op, Rule, SetSpec, TABLE};

const INTERVAL: u32 = 0x4;
const MAP: u32 = 0x8;
const TIMEOUT: u32 = 0x10;
const EVAL: u32 = 0x20;
const CONCAT: u32 = 0x80;
const VERDICT_TYPE: u32 = 0xffff_ff00;

/// Opens a batch; with a generation, it is refused (`ERESTART`) if the ruleset has moved on.
pub fn batch_begin(w: &mut Writer, sequence: u32, generation: Option<u32>) {
    w.message(Head { kind: 0x10, sequence, resource: SUBSYSTEM, ..Head::default() }, |w| {
        if let Some(generation) = generation {
            w.u32(1, generation);
        }
    });
}

/// Closes a batch.
pub fn batch_end(w: &mut Writer, sequence: u32) {
    w.message(Head { kind: 0x11, sequence, resource: SUBSYSTEM, ..Head::default() }, |_| {});
}

/// The messages of one operation; all carry its sequence number.
pub fn encode(w: &mut Writer, family: IpFamily, op: &Op, sequence: u32) {
    let head = |kind: u8, more| Head {
        kind: message(kind),
        flags: more,
        sequence,
        family: family_number(family),
        resource: 0,
    };
    match op {
        Op::AddTable => w.message(head(kind::NEWTABLE, CREATE), |w| {
            w.text(1, TABLE);
            w.u32(2, 0);
            w.bytes(6, &comment("Kubernetes Services, kept by Portway"));
        }),
        Op::DeleteTable => w.message(head(kind::DELTABLE, 0), |w| w.text(1, TABLE)),
        Op::AddSet { name, spec } => {
            w.message(head(kind::NEWSET, CREATE), |w| encode_set(w, name, spec, sequence));
        }
        Op::DeleteSet { name } => w.message(head(kind::DELSET, 0), |w| {
            w.text(1, TABLE);
            w.text(2, name);
        }),
        Op::AddChain { name, base } => w.message(head(kind::NEWCHAIN, CREATE), |w| {
            w.text(1, TABLE);
            w.text(3, name);
            if let Some(base) = base {
                w.nest(4, |w| {
                    w.u32(1, hook_number(base.hook));
                    w.bytes(2, &base.priority.to_be_bytes());
                });
                w.u32(5, 1);
                w.text(
                    7,
                    match base.kind {
                        ChainKind::Filter => "filter",
                        ChainKind::Nat => "nat",
                    },
                );
            }
        }),
        Op::FlushChain { name } => w.message(head(kind::DELRULE, 0), |w| {
            w.text(1, TABLE);
            w.text(2, name);
        }),
        Op::DeleteChain { name } => w.message(head(kind::DELCHAIN, 0), |w| {
            w.text(1, TABLE);
            w.text(3, name);
        }),
        Op::AddRule { chain, rule } => w.message(head(kind::NEWRULE, CREATE | APPEND), |w| {
            w.text(1, TABLE);
            w.text(2, chain);
            w.nest(4, |w| {
                for expr in &rule.exprs {
                    w.nest(1, |w| encode_expr(w, expr));
                }
            });
            if !rule.comment.is_empty() {
                w.bytes(7, &comment(&rule.comment));
            }
        }),
        Op::AddElements { set, elements, .. } => encode_add(w, head(0, CREATE), set, elements),
        Op::DeleteElements { set, elements, .. } => encode_delete(w, head(0, 0), set, elements),
    }
}

fn encode_set(w: &mut Writer, name: &str, spec: &SetSpec, sequence: u32) {
    let mut flags = 0;
    if spec.interval {
        flags |= INTERVAL;
        if spec.key.len() > 1 {
            flags |= CONCAT;
        }
    }
    if spec.data.is_some() {
        flags |= MAP;
    }
    if spec.dynamic.is_some() {
        flags |= TIMEOUT | EVAL;
    }
    w.text(1, TABLE);
    w.text(2, name);
    w.u32(3, flags);
    w.u32(4, type_number(&spec.key));
    w.u32(5, Field::total(&spec.key) as u32);
    match &spec.data {
        None => {}
        Some(Data::Verdict) => {
            w.u32(6, VERDICT_TYPE);
        }
        Some(Data::Fields(fields)) => {
            w.u32(6, type_number(fields));
            w.u32(7, Field::total(fields) as u32);
        }
    }
    w.nest(9, |w| {
        if let Some(size) = spec.dynamic {
            w.u32(1, size);
        }
        if spec.interval {
            w.nest(2, |w| {
                for field in &spec.key {
                    w.nest(1, |w| w.u32(1, field.bytes() as u32));
                }
            });
        }
    });
    w.u32(10, sequence);
}

/// A request for the generation of the ruleset.
pub fn get_generation(sequence: u32) -> Vec<u8> {
    let mut w = Writer::new();
    w.message(Head { kind: message(kind::GETGEN), sequence, ..Head::default() }, |_| {});
    w.into_bytes()
}

/// A request for our table of a family.
pub fn get_table(family: IpFamily, sequence: u32) -> Vec<u8> {
    let mut w = Writer::new();
    let head =
        Head { kind: message(kind::GETTABLE), sequence, family: family_number(family), ..Head::default() };
    w.message(head, |w| w.text(1, TABLE));
    w.into_bytes()
}

/// A request for all objects of a kind in our table of a family; elements are asked for set by set.
pub fn dump(kind: u8, family: IpFamily, set: Option<&str>, sequence: u32) -> Vec<u8> {
    let mut w = Writer::new();
    let head =
        Head { kind: message(kind), flags: DUMP, sequence, family: family_number(family), ..Head::default() };
    w.message(head, |w| {
        w.text(1, TABLE);
        if let Some(set) = set {
            w.text(2, set);
        }
    });
    w.into_bytes()
}

/// An object that was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// Table of that name.
    Table(String),
    /// Chain, without rules.
    Chain {
        /// Table.
        table: String,
        /// Name.
        name: String,
        /// The chain.
        chain: Chain,
    },
    /// Rule.
    Rule {
        /// Table.
        table: String,
        /// Chain.
        chain: String,
        /// The rule.
        rule: Rule,
    },
    /// Set, without elements; `None` if it is none of ours.
    Set {
        /// Table.
        table: String,
        /// Name.
        name: String,
        /// Its type.
        spec: Option<SetSpec>,
    },
    /// Elements.
    Elements {
        /// Table.
        table: String,
        /// Set.
        set: String,
        /// The elements.
        elements: Vec<(Key, Entry)>,
    },
}

/// Reads an object; `None` for anything else.
pub fn decode(message: &Message<'_>) -> Option<Decoded> {
    if message.kind >> 8 != SUBSYSTEM {
        return None;
    }
    let a = message.attributes();
    let table = a.text(1)?;
    Some(match message.kind as u8 {
        kind::NEWTABLE => Decoded::Table(table),
        kind::NEWCHAIN => {
            let chain = Chain { base: decode_base(a), rules: Vec::new() };
            Decoded::Chain { table, name: a.text(3)?, chain }
        }
        kind::NEWRULE => {
            let exprs = a.nested(4)?.map(|(_, expr)| decode_expr(Attributes(expr))).collect();
            let comment = a.find(7).map(read_comment).unwrap_or_default();
            Decoded::Rule { table, chain: a.text(2)?, rule: Rule { exprs, comment } }
        }
        kind::NEWSET => Decoded::Set { table, name: a.text(2)?, spec: decode_set(a) },
        kind::NEWSETELEM => {
            let (set, elements) = decode_elements(a)?;
            Decoded::Elements { table, set, elements }
        }
        _ => return None,
    })
}

/// The generation in an answer or a notification.
pub fn decode_generation(message: &Message<'_>) -> Option<u32> {
    (message.kind == self::message(kind::NEWGEN)).then(|| message.attributes().u32(1)).flatten()
}

fn decode_base(a: Attributes<'_>) -> Option<Base> {
    let hook = a.nested(4)?;
    Some(Base {
        kind: match a.text(7)?.as_str() {
            "filter" => ChainKind::Filter,
            "nat" => ChainKind::Nat,
            _ => return None,
        },
        hook: match hook.u32(1)? {
            0 => Hook::Prerouting,
            1 => Hook::Input,
            2 => Hook::Forward,
            3 => Hook::Output,
            4 => Hook::Postrouting,
            _ => return None,
        },
        priority: i32::from_be_bytes(hook.find(2)?.try_into().ok()?),
    })
}

fn decode_set(a: Attributes<'_>) -> Option<SetSpec> {
    // The kernel leaves out what is 0.
    let flags = a.u32(3).unwrap_or(0);
    let data = match (flags & MAP != 0, a.u32(6)) {
        (false, _) => None,
        (true, Some(VERDICT_TYPE)) => Some(Data::Verdict),
        (true, Some(number)) => Some(Data::Fields(read_type(number)?)),
        (true, None) => return None,
    };
    let dynamic = match flags & EVAL != 0 {
        true => Some(a.nested(9).and_then(|desc| desc.u32(1)).unwrap_or(0)),
        false => None,
    };
    Some(SetSpec { key: read_type(a.u32(4)?)?, data, interval: flags & INTERVAL != 0, dynamic })
}

fn message(kind: u8) -> u16 {
    SUBSYSTEM << 8 | u16::from(kind)
}

fn hook_number(hook: Hook) -> u32 {
    match hook {
        Hook::Prerouting => 0,
        Hook::Input => 1,
        Hook::Forward => 2,
        Hook::Output => 3,
        Hook::Postrouting => 4,
    }
}

/// nft's number of a type: six bits for each part.
fn type_number(fields: &[Field]) -> u32 {
    fields.iter().fold(0, |number, field| {
        number << 6
            | match field {
                Field::Ipv4 => 7,
                Field::Ipv6 => 8,
                Field::Protocol => 12,
                Field::Port => 13,
                Field::Number => 19,
            }
    })
}

fn read_type(mut number: u32) -> Option<Vec<Field>> {
    let mut fields = Vec::new();
    while number != 0 {
        fields.push(match number & 0x3f {
            7 => Field::Ipv4,
            8 => Field::Ipv6,
            12 => Field::Protocol,
            13 => Field::Port,
            19 => Field::Number,
            _ => return None,
        });
        number >>= 6;
    }
    fields.reverse();
    Some(fields)
}
