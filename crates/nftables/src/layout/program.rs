//! Pieces of rules, and where values stand in registers.
//!
//! nft lists rules by following what it knows of each register, and versions in wide use abort when the result
//! of one lookup is (the start of) the key of another. So every map whose values are used in that way starts
//! them with a word that nobody reads, and the registers of the rest are loaded before the lookup with
//! something of the right length: nft believes in that, the kernel overwrites it.

use std::marker::PhantomData;

use portway_intent::{Address, Cidr, Locality};

use super::{AFFINITY, ENDPOINTS, MEMBERS, STICKY, Via};
use crate::{CtKey, DynOp, Expr, MetaKey, PayloadBase, Reg, Rule, Target, Verdict};

/// A key made of the packet, at most six words.
const KEY: Reg = Reg(0);
/// What a front map says: an unread word, the class, the pool.
const FRONT: Reg = Reg(6);
const CLASS: Reg = Reg(7);
const POOL: Reg = Reg(9);
/// Behind the pool: an index, or the client's address.
const BEHIND: Reg = Reg(11);
/// What a map of endpoints says; with affinity an unread word and the pool come first.
const TARGET: Reg = Reg(0);
const STICKY_POOL: Reg = Reg(1);
const STICKY_TARGET: Reg = Reg(3);

/// A rule in the making.
pub(crate) struct Program<A> {
    exprs: Vec<Expr>,
    family: PhantomData<A>,
}

impl<A: Address> Program<A> {
    const WORDS: u8 = A::BITS / 32;
    const BYTES: u32 = A::BITS as u32 / 8;
    /// Offsets of the source address in the IP header; the destination follows it.
    const SOURCE: u32 = if A::BITS == 32 { 12 } else { 8 };

    pub(crate) fn new() -> Self {
        Self { exprs: Vec::new(), family: PhantomData }
    }

    pub(crate) fn rule(self, comment: &str) -> Rule {
        Rule { exprs: self.exprs, comment: comment.to_owned() }
    }

    fn push(mut self, expr: Expr) -> Self {
        self.exprs.push(expr);
        self
    }

    fn cmp(self, equal: bool, value: Vec<u8>) -> Self {
        self.push(Expr::Cmp { from: KEY, equal, value })
    }

    fn source(self, to: Reg) -> Self {
        let base = PayloadBase::Network;
        self.push(Expr::Payload { base, offset: Self::SOURCE, len: Self::BYTES, to })
    }

    fn destination(self, to: Reg) -> Self {
        let base = PayloadBase::Network;
        self.push(Expr::Payload { base, offset: Self::SOURCE + Self::BYTES, len: Self::BYTES, to })
    }

    /// Protocol and port, behind an address if there is one.
    fn protocol_and_port(self, to: Reg) -> Self {
        self.push(Expr::Meta { key: MetaKey::L4Proto, to }).push(Expr::Payload {
            base: PayloadBase::Transport,
            offset: 2,
            len: 2,
            to: to.after(1),
        })
    }

    fn key(self, via: Via) -> Self {
        if via.is_node_port() {
            self.protocol_and_port(KEY)
        } else {
            self.destination(KEY).protocol_and_port(KEY.after(Self::WORDS))
        }
    }

    fn lookup(self, set: &str, from: Reg, to: Target, invert: bool) -> Self {
        self.push(Expr::Lookup { set: set.to_owned(), from, to, invert })
    }

    /// Goes where the map leads from the class of the destination.
    pub(crate) fn dispatch(self, via: Via, map: &str) -> Self {
        self.key(via).protocol_and_port(CLASS).lookup(via.map(), KEY, Target::Data(FRONT), false).lookup(
            map,
            CLASS,
            Target::Verdict,
            false,
        )
    }

    /// Reads the pool of the destination.
    fn pool(self, via: Via) -> Self {
        self.key(via).protocol_and_port(POOL).lookup(via.map(), KEY, Target::Data(FRONT), false)
    }

    /// Only connections that are not new.
    pub(crate) fn not_new(self) -> Self {
        self.push(Expr::Ct { key: CtKey::State, to: KEY }).bits(8).cmp(true, vec![0; 4])
    }

    /// Only connections whose destination was translated.
    pub(crate) fn translated(self) -> Self {
        self.push(Expr::Ct { key: CtKey::Status, to: KEY }).bits(32).cmp(false, vec![0; 4])
    }

    /// Keeps these bits of the number in the first register.
    fn bits(self, bits: u32) -> Self {
        let mask = bits.to_ne_bytes().to_vec();
        self.push(Expr::Bitwise { from: KEY, to: KEY, mask, xor: vec![0; 4] })
    }

    /// Only packets with (or without) the mark.
    pub(crate) fn marked(self, bit: u8) -> Self {
        self.push(Expr::Meta { key: MetaKey::Mark, to: KEY }).bits(1 << bit).cmp(false, vec![0; 4])
    }

    /// Sets or clears our bit of the mark.
    pub(crate) fn set_mark(self, bit: u8, on: bool) -> Self {
        let mine = 1u32 << bit;
        let xor = if on { mine } else { 0 };
        self.push(Expr::Meta { key: MetaKey::Mark, to: KEY })
            .push(Expr::Bitwise {
                from: KEY,
                to: KEY,
                mask: (!mine).to_ne_bytes().to_vec(),
                xor: xor.to_ne_bytes().to_vec(),
            })
            .push(Expr::SetMark { from: KEY })
    }

    /// Only packets whose source does (not) count as a Pod of this node.
    pub(crate) fn pod(self, locality: &Locality<A>, wanted: bool) -> Self {
        match locality {
            Locality::Off => self,
            Locality::Source(range) => self.source(KEY).within(*range, wanted),
            Locality::Interface(name) => {
                let mut value = name.clone().into_bytes();
                value.resize(16, 0);
                self.push(Expr::Meta { key: MetaKey::IifName, to: KEY }).cmp(wanted, value)
            }
            Locality::InterfacePrefix(prefix) => self
                .push(Expr::Meta { key: MetaKey::IifName, to: KEY })
                .cmp(wanted, prefix.clone().into_bytes()),
        }
    }

    fn within(self, range: Cidr<A>, wanted: bool) -> Self {
        use super::elements::bytes;
        let mask = bytes(range.mask());
        let xor = vec![0; mask.len()];
        self.push(Expr::Bitwise { from: KEY, to: KEY, mask, xor }).cmp(wanted, bytes(range.first()))
    }

    /// Only packets to this range (or not to it).
    pub(crate) fn in_range(self, range: Cidr<A>, wanted: bool) -> Self {
        self.destination(KEY).within(range, wanted)
    }

    /// Only packets whose source (destination) is (not) an address of this node.
    pub(crate) fn of_node(self, source: bool, wanted: bool) -> Self {
        self.push(Expr::AddressType { source, to: KEY }).cmp(wanted, 2u32.to_ne_bytes().to_vec())
    }

    /// Only packets to an address of the set.
    pub(crate) fn towards(self, set: &str) -> Self {
        self.destination(KEY).lookup(set, KEY, Target::None, false)
    }

    /// Only packets from and to the same address of the set.
    pub(crate) fn back_to_itself(self, set: &str) -> Self {
        self.source(KEY).destination(KEY.after(Self::WORDS)).lookup(set, KEY, Target::None, false)
    }

    /// Only packets to a guarded front from a source that is not allowed there.
    pub(crate) fn forbidden(self, guarded: &str, allowed: &str) -> Self {
        self.key(Via::Front)
            .lookup(guarded, KEY, Target::None, false)
            .source(KEY.after(Self::WORDS + 2))
            .lookup(allowed, KEY, Target::None, true)
    }

    pub(crate) fn verdict(self, verdict: Verdict) -> Self {
        self.push(Expr::Verdict(verdict))
    }

    pub(crate) fn masquerade(self) -> Self {
        self.push(Expr::Masquerade)
    }

    /// ICMP port unreachable.
    pub(crate) fn reject(self) -> Self {
        self.push(Expr::Reject { code: if A::BITS == 32 { 3 } else { 4 } })
    }

    /// Translates to the address at a register and the port behind it.
    fn dnat(self, address: Reg) -> Self {
        let port = address.after(Self::WORDS);
        self.push(Expr::Dnat { family: A::FAMILY, address, port })
    }

    /// Any endpoint of the pool.
    pub(crate) fn balance(self, via: Via, endpoints: u16) -> Self {
        self.pool(via).random(endpoints).lookup(ENDPOINTS, POOL, Target::Data(TARGET), false).dnat(TARGET)
    }

    /// The first endpoint of the pool.
    pub(crate) fn first(self, via: Via) -> Self {
        // A draw of one is always 0; nft cannot list a constant there.
        self.pool(via).random(1).lookup(ENDPOINTS, POOL, Target::Data(TARGET), false).dnat(TARGET)
    }

    /// The endpoint the client had, if that still is one of the pool.
    pub(crate) fn remembered(self, via: Via, seconds: u32) -> Self {
        self.pool(via)
            .source(BEHIND)
            .sticky(AFFINITY)
            .lookup(MEMBERS, STICKY_POOL, Target::None, false)
            .dynset(DynOp::Update, Some(seconds))
            .dnat(STICKY_TARGET)
    }

    /// Any endpoint of the pool, and remembers it.
    pub(crate) fn remember(self, via: Via, endpoints: u16, seconds: u32) -> Self {
        // A memory that no longer holds must go: "update" would renew it with its old value.
        self.pool(via)
            .random(endpoints)
            .sticky(STICKY)
            .source(BEHIND)
            .dynset(DynOp::Delete, None)
            .dynset(DynOp::Add, Some(seconds))
            .dnat(STICKY_TARGET)
    }

    fn random(self, endpoints: u16) -> Self {
        self.push(Expr::Random { to: BEHIND, modulus: u32::from(endpoints) })
    }

    /// Looks up, by pool and what is behind it, a pool and a target.
    fn sticky(self, map: &str) -> Self {
        let base = PayloadBase::Transport;
        self.protocol_and_port(STICKY_POOL)
            .destination(STICKY_TARGET)
            .push(Expr::Payload { base, offset: 2, len: 2, to: STICKY_TARGET.after(Self::WORDS) })
            .lookup(map, POOL, Target::Data(TARGET), false)
            .push(Expr::Load { to: TARGET, value: vec![0; 4] })
    }

    fn dynset(self, op: DynOp, timeout: Option<u32>) -> Self {
        self.push(Expr::Dynset { set: AFFINITY.to_owned(), op, key: POOL, data: Some(TARGET), timeout })
    }
}
