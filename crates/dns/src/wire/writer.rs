//! Writes a message: fields, names with compression, and an undo for records that do not fit.
//!
//! Compression keeps case: a name is replaced by a pointer only to bytes equal to it.

use super::name::{MAX_NAME, Name};

/// Pointers reach the first 16 KiB of a message.
const REACH: usize = 0x4000;

/// Appends one message to a buffer.
pub struct Writer<'b> {
    buffer: &'b mut Vec<u8>,
    /// Where the message starts in the buffer.
    base: usize,
    /// The question's name, at a fixed place: the owner of most records.
    question: Option<Name>,
    seen: Seen,
}

/// Where the question's name stands in every message that has one.
const QUESTION_AT: u16 = 12;

impl<'b> Writer<'b> {
    /// Starts a message at the end of `buffer`.
    pub fn new(buffer: &'b mut Vec<u8>) -> Self {
        let base = buffer.len();
        Self { buffer, base, question: None, seen: Seen::default() }
    }

    /// Bytes of the message so far.
    pub fn len(&self) -> usize {
        self.buffer.len() - self.base
    }

    /// Whether nothing was written yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets all but the first `len` bytes. Names written after them must not be pointed to any more, so
    /// nothing with a compressed name may follow.
    pub fn rewind(&mut self, len: usize) {
        self.buffer.truncate(self.base + len);
    }

    /// One byte.
    pub fn u8(&mut self, value: u8) {
        self.buffer.push(value);
    }

    /// Two bytes, network order.
    pub fn u16(&mut self, value: u16) {
        self.bytes(&value.to_be_bytes());
    }

    /// Four bytes, network order.
    pub fn u32(&mut self, value: u32) {
        self.bytes(&value.to_be_bytes());
    }

    /// Bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// A character string; what exceeds 255 bytes is cut off.
    pub fn string(&mut self, text: &[u8]) {
        let text = &text[..text.len().min(255)];
        self.u8(text.len() as u8);
        self.bytes(text);
    }

    /// Replaces bytes written before, at an offset within the message.
    pub fn patch(&mut self, at: usize, bytes: &[u8]) {
        if let Some(place) = self.buffer.get_mut(self.base + at..self.base + at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }

    /// The question's name, written in full; it must be the first name of the message.
    pub fn question_name(&mut self, name: &Name) {
        if self.len() == usize::from(QUESTION_AT) {
            self.question = Some(name.clone());
        }
        self.bytes(name.as_wire());
    }

    /// A name that may not be compressed (SRV targets, RFC 2782).
    pub fn plain_name(&mut self, name: &Name) {
        self.bytes(name.as_wire());
    }

    /// A name, compressed where its tail stands in the message already.
    pub fn name(&mut self, name: &Name) {
        if self.question.as_ref().is_some_and(|question| !question.is_root() && question.eq_exact(name)) {
            return self.u16(0xc000 | QUESTION_AT);
        }
        if self.seen.is_unused()
            && let Some(question) = self.question.clone()
        {
            let tails = Tails::of(question.as_wire());
            for (start, hash) in tails.iter() {
                self.seen.insert(hash, usize::from(QUESTION_AT) + start);
            }
        }
        let wire = name.as_wire();
        let tails = Tails::of(wire);
        for (start, hash) in tails.iter() {
            let message = &self.buffer[self.base..];
            if let Some(at) = self.seen.find(hash, |at| same(message, at, &wire[start..])) {
                return self.u16(0xc000 | at);
            }
            self.seen.insert(hash, self.len());
            self.bytes(&wire[start..start + 1 + usize::from(wire[start])]);
        }
        self.u8(0);
    }
}

/// Whether the name at `at` of our own message is `tail` (wire form), byte for byte.
fn same(message: &[u8], at: u16, mut tail: &[u8]) -> bool {
    let mut at = usize::from(at);
    loop {
        match (message.get(at), message.get(at + 1)) {
            (Some(&high), Some(&low)) if high >= 0xc0 => {
                at = usize::from(high & 0x3f) << 8 | usize::from(low)
            }
            (Some(0), _) => return tail == [0],
            (Some(&len), _) => {
                let span = 1 + usize::from(len);
                let (Some(have), Some((want, rest))) =
                    (message.get(at..at + span), tail.split_at_checked(span))
                else {
                    return false;
                };
                if have != want {
                    return false;
                }
                at += span;
                tail = rest;
            }
            (None, _) => return false,
        }
    }
}

/// Every tail of a name but the root: where it starts, and a hash of it.
struct Tails {
    tails: [(u8, u32); MAX_NAME / 2 + 1],
    count: usize,
}

impl Tails {
    fn of(wire: &[u8]) -> Self {
        let mut tails = [(0u8, 0u32); MAX_NAME / 2 + 1];
        let (mut at, mut count) = (0, 0);
        while let Some(&len) = wire.get(at).filter(|&&len| len != 0) {
            tails[count].0 = at as u8;
            count += 1;
            at += 1 + usize::from(len);
        }
        // From the right, so that each hash extends that of the shorter tail (FNV-1a).
        let mut hash = 0x811c_9dc5u32;
        let mut end = at;
        for tail in tails[..count].iter_mut().rev() {
            for &byte in &wire[usize::from(tail.0)..end] {
                hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
            }
            tail.1 = hash;
            end = usize::from(tail.0);
        }
        Self { tails, count }
    }

    fn iter(&self) -> impl Iterator<Item = (usize, u32)> {
        self.tails[..self.count].iter().map(|&(at, hash)| (usize::from(at), hash))
    }
}

/// Open-addressed table of the tails written so far; offset 0 (inside the header) marks a free slot.
#[derive(Default)]
struct Seen {
    slots: Vec<(u32, u16)>,
    used: usize,
}

impl Seen {
    fn is_unused(&self) -> bool {
        self.used == 0
    }

    fn find(&self, hash: u32, same: impl Fn(u16) -> bool) -> Option<u16> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut slot = hash as usize & mask;
        loop {
            match self.slots[slot] {
                (_, 0) => return None,
                (have, at) if have == hash && same(at) => return Some(at),
                _ => slot = (slot + 1) & mask,
            }
        }
    }

    fn insert(&mut self, hash: u32, at: usize) {
        if at >= REACH {
            return;
        }
        if self.used * 2 >= self.slots.len() {
            let grown = vec![(0, 0); (self.slots.len() * 2).max(32)];
            for (hash, at) in std::mem::replace(&mut self.slots, grown) {
                if at != 0 {
                    self.place(hash, at);
                }
            }
        }
        self.place(hash, at as u16);
        self.used += 1;
    }

    fn place(&mut self, hash: u32, at: u16) {
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        while self.slots[slot].1 != 0 {
            slot = (slot + 1) & mask;
        }
        self.slots[slot] = (hash, at);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::reader::Reader;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tails_are_pointed_to() {
        let mut buffer = Vec::new();
        let mut writer = Writer::new(&mut buffer);
        writer.bytes(&[0; 12]);
        for text in ["web.ns.svc.x", "db.ns.svc.x", "svc.x", "x", "X", "."] {
            writer.name(&text.parse().unwrap());
        }
        assert_eq!(
            buffer[12..],
            *b"\x03web\x02ns\x03svc\x01x\x00\x02db\xc0\x10\xc0\x13\xc0\x17\x01X\x00\x00".as_slice()
        );
    }

    proptest! {
        #[test]
        fn names_come_back(texts in prop::collection::vec("([abAB]{1,3}\\.){0,4}[ab]", 1..40)) {
            let names: Vec<Name> = texts.iter().map(|t| t.parse().unwrap()).collect();
            let mut buffer = vec![9];
            let mut writer = Writer::new(&mut buffer);
            writer.bytes(&[0; 12]);
            writer.question_name(&names[0]);
            for name in &names {
                writer.name(name);
            }
            let mut reader = Reader::new(&buffer[1..]);
            reader.bytes(12).unwrap();
            prop_assert!(reader.name().unwrap().eq_exact(&names[0]));
            for name in &names {
                prop_assert!(reader.name().unwrap().eq_exact(name));
            }
            prop_assert_eq!(reader.remaining(), 0);
        }
    }
}
