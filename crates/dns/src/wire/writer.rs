//! Writes a message: fields, names with compression, and an undo for records that do not fit.
//!
//! Compression keeps case: a name is replaced by a pointer only to bytes equal to it.

use super::name::Name;

/// Pointers reach the first 16 KiB of a message.
const REACH: usize = 0x4000;
/// How many tails of names are remembered; later ones are only pointed from. What repeats most comes first.
const TAILS: usize = 96;

/// Appends one message to a buffer.
pub struct Writer<'b> {
    buffer: &'b mut Vec<u8>,
    /// Where the message starts in the buffer.
    base: usize,
    /// The question's name, at a fixed place: the owner of most records.
    question: Option<Name>,
    /// The name written last and where: record sets repeat their owner.
    last: Option<(Name, u16)>,
    seen: Seen,
}

/// Where the question's name stands in every message that has one.
const QUESTION_AT: u16 = 12;

impl<'b> Writer<'b> {
    /// Starts a message at the end of `buffer`.
    pub fn new(buffer: &'b mut Vec<u8>) -> Self {
        let base = buffer.len();
        Self { buffer, base, question: None, last: None, seen: Seen { tails: [(0, 0); TAILS], used: 0 } }
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
        if let Some((_, at)) = self.last.as_ref().filter(|(last, _)| last.eq_exact(name)) {
            return self.u16(0xc000 | at);
        }
        if self.seen.used == 0
            && let Some(question) = &self.question
        {
            for start in starts(question.as_wire()) {
                self.seen.insert(question.as_wire().len() - start, usize::from(QUESTION_AT) + start);
            }
        }
        let wire = name.as_wire();
        let begun = self.len();
        for start in starts(wire) {
            let tail = &wire[start..];
            if let Some(at) = self.seen.find(tail.len(), |at| same(&self.buffer[self.base..], at, tail)) {
                self.remember(name, if start == 0 { usize::from(at) } else { begun });
                return self.u16(0xc000 | at);
            }
            self.seen.insert(tail.len(), self.len());
            self.bytes(&tail[..1 + usize::from(tail[0])]);
        }
        self.remember(name, begun);
        self.u8(0);
    }

    fn remember(&mut self, name: &Name, at: usize) {
        if at < REACH && !name.is_root() {
            self.last = Some((name.clone(), at as u16));
        }
    }
}

/// Where the labels of a name start, the root left out.
fn starts(wire: &[u8]) -> impl Iterator<Item = usize> {
    let mut next = 0;
    std::iter::from_fn(move || {
        let at = next;
        let len = wire.get(at).filter(|&&len| len != 0)?;
        next += 1 + usize::from(*len);
        Some(at)
    })
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

/// The tails of names written so far: length in full, and offset.
struct Seen {
    tails: [(u8, u16); TAILS],
    used: usize,
}

impl Seen {
    fn find(&self, len: usize, same: impl Fn(u16) -> bool) -> Option<u16> {
        let candidates = self.tails[..self.used].iter().filter(|(have, _)| usize::from(*have) == len);
        candidates.map(|&(_, at)| at).find(|&at| same(at))
    }

    fn insert(&mut self, len: usize, at: usize) {
        if let Some(slot) = self.tails.get_mut(self.used).filter(|_| at < REACH) {
            *slot = (len as u8, at as u16);
            self.used += 1;
        }
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
