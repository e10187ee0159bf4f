//! The bytes of rows. Knows nothing of tables.
//!
//! Entry: created, modified, version (8 bytes each, little-endian), then the value.
//! Log row: flags (1 byte), length of the key (4 bytes), the key, then the superseded entry if there is one.

use std::sync::Arc;

use bytes::Bytes;
use portway_base::Revision;

use crate::history::LogRow;
use crate::{Entry, Error};

const DELETED: u8 = 1;
const BEFORE: u8 = 2;

/// Byte length of an entry's fixed part.
const HEAD: usize = 24;

pub(super) fn entry(entry: &Entry, out: &mut Vec<u8>) {
    for number in [entry.created.0, entry.modified.0, entry.version] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    out.extend_from_slice(&entry.value);
}

pub(super) fn log_row(row: &LogRow, out: &mut Vec<u8>) {
    let deleted = if row.deleted { DELETED } else { 0 };
    out.push(deleted | if row.before.is_some() { BEFORE } else { 0 });
    // Keys are short (`MAX_KEY`).
    out.extend_from_slice(&(row.key.len() as u32).to_le_bytes());
    out.extend_from_slice(row.key.as_bytes());
    if let Some(before) = &row.before {
        entry(before, out);
    }
}

/// The revision that wrote an entry, without decoding the rest.
pub(super) fn modified(row: &[u8]) -> Result<Revision, Error> {
    row.get(8..16).and_then(number).map(Revision).ok_or_else(damaged)
}

pub(super) fn read_entry(key: Arc<str>, row: &[u8]) -> Result<Entry, Error> {
    let (head, value) = row.split_at_checked(HEAD).ok_or_else(damaged)?;
    let part = |at: usize| head.get(at..at + 8).and_then(number).ok_or_else(damaged);
    Ok(Entry {
        key,
        value: Bytes::copy_from_slice(value),
        created: Revision(part(0)?),
        modified: Revision(part(8)?),
        version: part(16)?,
    })
}

/// The key of a log row, without decoding the rest.
pub(super) fn log_key(row: &[u8]) -> Result<&str, Error> {
    split(row).map(|(_, key, _)| key)
}

pub(super) fn read_log_row(row: &[u8]) -> Result<LogRow, Error> {
    let (flags, key, rest) = split(row)?;
    let key: Arc<str> = key.into();
    let before = if flags & BEFORE == 0 { None } else { Some(read_entry(key.clone(), rest)?) };
    Ok(LogRow { key, deleted: flags & DELETED != 0, before })
}

fn split(row: &[u8]) -> Result<(u8, &str, &[u8]), Error> {
    let (flags, rest) = row.split_first().ok_or_else(damaged)?;
    let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(damaged)?;
    let (key, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or_else(damaged)?;
    Ok((*flags, std::str::from_utf8(key).map_err(|_| damaged())?, rest))
}

fn number(bytes: &[u8]) -> Option<u64> {
    bytes.try_into().ok().map(u64::from_le_bytes)
}

fn damaged() -> Error {
    Error::Corrupt("a row is damaged".to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_entry() -> impl Strategy<Value = Entry> {
        (any::<[u64; 3]>(), proptest::collection::vec(any::<u8>(), 0..50)).prop_map(|(numbers, value)| {
            Entry {
                key: "/k".into(),
                value: value.into(),
                created: Revision(numbers[0]),
                modified: Revision(numbers[1]),
                version: numbers[2],
            }
        })
    }

    proptest! {
        #[test]
        fn rows_round_trip(before in proptest::option::of(any_entry()), deleted: bool) {
            let mut bytes = Vec::new();
            if let Some(before) = &before {
                entry(before, &mut bytes);
                prop_assert_eq!(modified(&bytes).unwrap(), before.modified);
                prop_assert_eq!(&read_entry("/k".into(), &bytes).unwrap(), before);
            }
            bytes.clear();
            log_row(&LogRow { key: "/k".into(), deleted, before: before.clone() }, &mut bytes);
            prop_assert_eq!(log_key(&bytes).unwrap(), "/k");
            let row = read_log_row(&bytes).unwrap();
            prop_assert_eq!((&*row.key, row.deleted, row.before), ("/k", deleted, before));
        }

        #[test]
        fn damaged_rows_are_errors(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = (modified(&bytes), read_entry("/k".into(), &bytes), read_log_row(&bytes), log_key(&bytes));
        }
    }
}
