//! Elements of sets and maps on the wire.

use super::expr::{decode_verdict, encode_verdict};
use super::wire::{Attributes, Head, Writer};
use super::{SUBSYSTEM, comment, kind, read_comment};
use crate::{Entry, Key, TABLE, Value};

/// Bytes of elements in one message; the attribute around them must stay below 64 KiB.
const CHUNK: usize = 60_000;

/// Messages that add the elements.
pub fn encode_add(w: &mut Writer, head: Head, set: &str, elements: &[(Key, Entry)]) {
    chunked(w, Head { kind: message(kind::NEWSETELEM), ..head }, set, elements, |w, (key, entry)| {
        put_key(w, key);
        match &entry.value {
            None => {}
            Some(Value::Data(data)) => w.nest(2, |w| w.bytes(1, data)),
            Some(Value::Verdict(verdict)) => w.nest(2, |w| encode_verdict(w, verdict)),
        }
        if !entry.comment.is_empty() {
            w.bytes(6, &comment(&entry.comment));
        }
    });
}

/// Messages that delete the elements.
pub fn encode_delete(w: &mut Writer, head: Head, set: &str, keys: &[Key]) {
    chunked(w, Head { kind: message(kind::DELSETELEM), ..head }, set, keys, put_key);
}

fn message(kind: u8) -> u16 {
    SUBSYSTEM << 8 | u16::from(kind)
}

fn put_key(w: &mut Writer, key: &Key) {
    w.nest(1, |w| w.bytes(1, &key.start));
    if let Some(end) = &key.end {
        w.nest(10, |w| w.bytes(1, end));
    }
}

fn chunked<T>(w: &mut Writer, head: Head, set: &str, all: &[T], put: impl Fn(&mut Writer, &T)) {
    let mut rest = all;
    while !rest.is_empty() {
        w.message(head, |w| {
            w.text(1, TABLE);
            w.text(2, set);
            w.nest(3, |w| {
                while let [element, more @ ..] = rest
                    && w.message_len() < CHUNK
                {
                    w.nest(1, |w| put(w, element));
                    rest = more;
                }
            });
        });
    }
}

/// Reads the elements of a message, and the name of their set; what cannot be read is left out.
pub fn decode_elements(attributes: Attributes<'_>) -> Option<(String, Vec<(Key, Entry)>)> {
    let set = attributes.text(2)?;
    let Some(list) = attributes.nested(3) else { return Some((set, Vec::new())) };
    let elements = list.filter_map(|(_, element)| {
        let element = Attributes(element);
        let bytes = |kind| element.nested(kind).and_then(|data| data.find(1)).map(<[u8]>::to_vec);
        let key = Key { start: bytes(1)?.into_boxed_slice(), end: bytes(10).map(Vec::into_boxed_slice) };
        let data = element.nested(2);
        let verdict = data.and_then(decode_verdict).map(Value::Verdict);
        let value = verdict.or_else(|| bytes(2).map(Value::Data));
        let comment = element.find(6).map(read_comment).unwrap_or_default();
        Some((key, Entry { value, comment }))
    });
    Some((set, elements.collect()))
}
