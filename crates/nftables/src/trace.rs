//! What an image does to a packet: an interpreter of the rules, hook by hook, that follows every draw.

use std::collections::BTreeMap;

use portway_intent::{Address, Endpoint, Origin, Packet, Verdict as Outcome};

use crate::{
    Base, Chain, CtKey, DynOp, Expr, Hook, Key, MetaKey, PayloadBase, Reg, Table, Target, Value, Verdict,
};

/// What packets have left in dynamic maps: by map and key, the value.
pub type Memory = BTreeMap<(String, Vec<u8>), Vec<u8>>;

/// What the table does to the packet, as the first of its connection.
///
/// `memory` is what packets before it left; it is not changed.
pub fn trace<A: Address>(table: &Table, packet: &Packet<A>, memory: &Memory) -> Outcome<A> {
    let mut to = BTreeMap::new();
    let mut draw = 0;
    loop {
        let mut walk = Walk::new(table, packet, memory.clone(), draw);
        match walk.way() {
            Outcome::Deliver { to: one, affinity } => {
                to.extend(one);
                draw += 1;
                if draw >= walk.outcomes {
                    return Outcome::Deliver { to, affinity };
                }
            }
            other => return other,
        }
    }
}

/// What the table remembers after the packet drew this number.
#[cfg(test)]
pub(crate) fn remember<A: Address>(table: &Table, packet: &Packet<A>, memory: &Memory, draw: u32) -> Memory {
    let mut walk = Walk::new(table, packet, memory.clone(), draw);
    walk.way();
    walk.memory
}

struct Walk<'t, A> {
    table: &'t Table,
    packet: &'t Packet<A>,
    memory: Memory,
    draw: u32,
    /// Numbers that could have been drawn.
    outcomes: u32,
    registers: [u8; 64],
    mark: u32,
    target: Option<Endpoint<A>>,
    masqueraded: bool,
    affinity: Option<u32>,
}

enum Step {
    Next,
    Break,
    End(End),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum End {
    Accept,
    Drop,
    Reject,
}

impl<'t, A: Address> Walk<'t, A> {
    fn new(table: &'t Table, packet: &'t Packet<A>, memory: Memory, draw: u32) -> Self {
        Self {
            table,
            packet,
            memory,
            draw,
            outcomes: 1,
            registers: [0; 64],
            mark: 0,
            target: None,
            masqueraded: false,
            affinity: None,
        }
    }

    /// The way of the packet through the hooks. Translated packets are taken to leave the node.
    fn way(&mut self) -> Outcome<A> {
        let local = self.packet.destination_is_local;
        let first: &[Hook] = match self.packet.origin {
            Origin::Node => &[Hook::Output],
            Origin::Interface(_) => &[Hook::Prerouting],
        };
        let mut stopped = self.hooks(first);
        if stopped == End::Accept {
            let rest: &[Hook] = match (&self.packet.origin, local && self.target.is_none()) {
                (Origin::Node, false) => &[Hook::Postrouting],
                (Origin::Node, true) => &[Hook::Postrouting, Hook::Input],
                (Origin::Interface(_), false) => &[Hook::Forward, Hook::Postrouting],
                (Origin::Interface(_), true) => &[Hook::Input],
            };
            stopped = self.hooks(rest);
        }
        match (stopped, self.target) {
            (End::Drop, _) => Outcome::Drop,
            (End::Reject, _) => Outcome::Reject,
            (End::Accept, None) => Outcome::Pass,
            (End::Accept, Some(target)) => {
                Outcome::Deliver { to: BTreeMap::from([(target, self.masqueraded)]), affinity: self.affinity }
            }
        }
    }

    fn hooks(&mut self, hooks: &[Hook]) -> End {
        for hook in hooks {
            let at = |chain: &&Chain| chain.base.is_some_and(|base| base.hook == *hook);
            let mut chains: Vec<&Chain> = self.table.chains.values().filter(at).collect();
            chains.sort_by_key(|chain| chain.base.map(|Base { priority, .. }| priority));
            for chain in chains {
                match self.chain(chain, 0) {
                    End::Accept => {}
                    end => return end,
                }
            }
        }
        End::Accept
    }

    fn chain(&mut self, chain: &Chain, depth: usize) -> End {
        for rule in &chain.rules {
            for expr in &rule.exprs {
                match self.step(expr, depth) {
                    Step::Next => {}
                    Step::Break => break,
                    Step::End(end) => return end,
                }
            }
        }
        End::Accept
    }

    fn step(&mut self, expr: &Expr, depth: usize) -> Step {
        let (go, stop) = (Step::Next, Step::Break);
        let when = |holds| if holds { Step::Next } else { Step::Break };
        match expr {
            Expr::Payload { base, offset, len, to } => {
                let Some(bytes) = self.payload(*base, *offset, *len) else { return stop };
                self.put(*to, &bytes);
                go
            }
            Expr::Meta { key, to } => {
                let bytes = match key {
                    MetaKey::Mark => self.mark.to_ne_bytes().to_vec(),
                    MetaKey::L4Proto => vec![self.packet.protocol.number()],
                    MetaKey::IifName => {
                        let mut name = match &self.packet.origin {
                            Origin::Node => Vec::new(),
                            Origin::Interface(name) => name.clone().into_bytes(),
                        };
                        name.resize(16, 0);
                        name
                    }
                };
                self.put(*to, &bytes);
                go
            }
            Expr::SetMark { from } => {
                self.mark = self.number(*from);
                go
            }
            Expr::Ct { key, to } => {
                let bits: u32 = match key {
                    CtKey::State => 8,
                    CtKey::Status => u32::from(self.target.is_some()) << 5,
                };
                self.put(*to, &bits.to_ne_bytes());
                go
            }
            Expr::Cmp { from, equal, value } => when((self.get(*from, value.len()) == *value) == *equal),
            Expr::Bitwise { from, to, mask, xor } => {
                let bytes = self.get(*from, mask.len());
                let bytes: Vec<u8> =
                    bytes.iter().zip(mask.iter().zip(xor)).map(|(b, (mask, xor))| b & mask ^ xor).collect();
                self.put(*to, &bytes);
                go
            }
            Expr::Lookup { set, from, to, invert } => self.lookup(set, *from, *to, *invert, depth),
            Expr::Load { to, value } => {
                self.put(*to, value);
                go
            }
            Expr::Verdict(verdict) => self.verdict(verdict, depth),
            Expr::Random { to, modulus } => {
                self.outcomes = *modulus;
                self.put(*to, &(self.draw % modulus).to_ne_bytes());
                go
            }
            Expr::AddressType { source, to } => {
                let local =
                    if *source { self.packet.source_is_local } else { self.packet.destination_is_local };
                self.put(*to, &(if local { 2u32 } else { 1 }).to_ne_bytes());
                go
            }
            Expr::Dynset { set, op, key, data, timeout } => self.dynset(set, *op, *key, *data, *timeout),
            Expr::Dnat { address, port, .. } => {
                let bytes = self.get(*address, usize::from(A::BITS / 8));
                let bits = bytes.iter().fold(0, |bits, byte| bits << 8 | u128::from(*byte));
                let port = self.get(*port, 2).iter().fold(0, |port, byte| port << 8 | u16::from(*byte));
                self.target = Some(Endpoint { address: A::from_bits(bits), port });
                Step::End(End::Accept)
            }
            Expr::Masquerade => {
                self.masqueraded = true;
                Step::End(End::Accept)
            }
            Expr::Reject { .. } => Step::End(End::Reject),
            Expr::Other(_) => stop,
        }
    }

    fn verdict(&mut self, verdict: &Verdict, depth: usize) -> Step {
        Step::End(match verdict {
            Verdict::Accept | Verdict::Return => End::Accept,
            Verdict::Drop => End::Drop,
            // We only ever go, never jump; the kernel allows 16 levels.
            Verdict::Goto(name) | Verdict::Jump(name) => match self.table.chains.get(name) {
                Some(chain) if depth < 16 => self.chain(chain, depth + 1),
                _ => End::Drop,
            },
        })
    }

    fn lookup(&mut self, name: &str, from: Reg, to: Target, invert: bool, depth: usize) -> Step {
        let Some(set) = self.table.sets.get(name) else { return Step::Break };
        let bytes = self.get(from, crate::Field::total(&set.spec.key));
        let value = if set.spec.dynamic.is_some() {
            self.memory.get(&(name.to_owned(), bytes)).map(|data| Some(Value::Data(data.clone())))
        } else if set.spec.interval {
            let inside = |key: &Key| {
                key.end.as_ref().is_some_and(|end| in_ranges(&set.spec.key, &bytes, &key.start, end))
            };
            set.elements.iter().find(|(key, _)| inside(key)).map(|(_, entry)| entry.value.clone())
        } else {
            set.elements.get(&Key::exact(bytes)).map(|entry| entry.value.clone())
        };
        match (value, to) {
            (Some(_), _) if invert => Step::Break,
            (None, _) if invert => Step::Next,
            (None, _) => Step::Break,
            (Some(Some(Value::Data(data))), Target::Data(to)) => {
                self.put(to, &data);
                Step::Next
            }
            (Some(Some(Value::Verdict(verdict))), Target::Verdict) => self.verdict(&verdict, depth),
            (Some(_), _) => Step::Next,
        }
    }

    fn dynset(&mut self, name: &str, op: DynOp, key: Reg, data: Option<Reg>, timeout: Option<u32>) -> Step {
        let Some(set) = self.table.sets.get(name) else { return Step::Break };
        let fields = match &set.spec.data {
            Some(crate::Data::Fields(fields)) => fields.as_slice(),
            _ => &[],
        };
        let key = (name.to_owned(), self.get(key, crate::Field::total(&set.spec.key)));
        let value = data.map(|data| self.get(data, crate::Field::total(fields))).unwrap_or_default();
        match op {
            DynOp::Delete => drop(self.memory.remove(&key)),
            DynOp::Add | DynOp::Update => {
                self.affinity = timeout;
                self.memory.entry(key).or_insert(value);
            }
        }
        Step::Next
    }

    fn payload(&self, base: PayloadBase, offset: u32, len: u32) -> Option<Vec<u8>> {
        let mut header = Vec::new();
        match base {
            PayloadBase::Network => {
                header.resize(if A::BITS == 32 { 12 } else { 8 }, 0);
                self.packet.source.put(&mut header);
                self.target.map_or(self.packet.destination, |target| target.address).put(&mut header);
            }
            PayloadBase::Transport => {
                header.extend([0, 0]);
                let port = self.target.map_or(self.packet.port, |target| target.port);
                header.extend(port.to_be_bytes());
            }
        }
        let start = usize::try_from(offset).ok()?;
        header.get(start..start.checked_add(usize::try_from(len).ok()?)?).map(<[u8]>::to_vec)
    }

    fn put(&mut self, to: Reg, bytes: &[u8]) {
        // Whole words are written; what is shorter is padded with zeros.
        let start = usize::from(to.0) * 4;
        for (i, slot) in
            self.registers.iter_mut().skip(start).take(bytes.len().next_multiple_of(4)).enumerate()
        {
            *slot = bytes.get(i).copied().unwrap_or(0);
        }
    }

    fn get(&self, from: Reg, len: usize) -> Vec<u8> {
        self.registers.iter().skip(usize::from(from.0) * 4).take(len).copied().collect()
    }

    fn number(&self, from: Reg) -> u32 {
        self.get(from, 4).try_into().map(u32::from_ne_bytes).unwrap_or_default()
    }
}

/// Every part of the key lies within its range.
fn in_ranges(fields: &[crate::Field], key: &[u8], start: &[u8], end: &[u8]) -> bool {
    let mut at = 0;
    fields.iter().all(|field| {
        let part = at..at + field.padded();
        at = part.end;
        match (key.get(part.clone()), start.get(part.clone()), end.get(part)) {
            (Some(key), Some(start), Some(end)) => start <= key && key <= end,
            _ => false,
        }
    })
}
