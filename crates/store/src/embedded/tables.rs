//! The four tables in the database file. Knows redb, and nothing of threads or locks.

use std::ops::Bound;
use std::sync::Arc;

use portway_base::Revision;
use redb::{
    Database, ReadOnlyTable, ReadableDatabase as _, ReadableTable, Table, TableDefinition, WriteTransaction,
};

use super::codec;
use crate::history::{Keys, LogRow, Meta, PastRow, Pick, Rows, RowsMut};
use crate::{Entry, Error};

type LogKey = (u64, u32);
type PastKey = (&'static str, u64);

const CURRENT: TableDefinition<'_, &'static str, &'static [u8]> = TableDefinition::new("current");
const LOG: TableDefinition<'_, LogKey, &'static [u8]> = TableDefinition::new("log");
const PAST: TableDefinition<'_, PastKey, LogKey> = TableDefinition::new("past");
const META: TableDefinition<'_, &'static str, u64> = TableDefinition::new("meta");

/// The layout described in `history` and `codec`. A file with another number is not for this program.
const FORMAT: u64 = 1;

/// Sorts a storage error by what can be done about it.
pub(super) fn storage(error: impl Into<redb::Error>) -> Error {
    match error.into() {
        redb::Error::DatabaseAlreadyOpen => Error::InUse("another process has the file open".to_owned()),
        error @ (redb::Error::Corrupted(_)
        | redb::Error::UpgradeRequired(_)
        | redb::Error::TableDoesNotExist(_)
        | redb::Error::TableTypeMismatch { .. }
        | redb::Error::TypeDefinitionChanged { .. }
        | redb::Error::TableIsMultimap(_)) => Error::Corrupt(error.to_string()),
        error => Error::Unavailable(error.to_string()),
    }
}

/// As [`storage`], for opening: there, bytes that make no sense mean damage.
pub(super) fn opening(error: redb::DatabaseError) -> Error {
    match redb::Error::from(error) {
        redb::Error::Io(error)
            if matches!(
                error.kind(),
                std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof
            ) =>
        {
            Error::Corrupt(error.to_string())
        }
        error => storage(error),
    }
}

/// Creates the tables of a new file; refuses another program's.
pub(super) fn prepare(database: &Database) -> Result<(), Error> {
    let read = database.begin_read().map_err(storage)?;
    match read.list_tables().map_err(storage)?.count() {
        0 => {
            let txn = database.begin_write().map_err(storage)?;
            Writing::open(&txn)?;
            txn.open_table(META).map_err(storage)?.insert("format", FORMAT).map_err(storage)?;
            txn.commit().map_err(storage)
        }
        _ => {
            let format = read.open_table(META).map_err(storage)?.get("format").map_err(storage)?;
            match format.map(|format| format.value()) {
                Some(FORMAT) => Ok(()),
                Some(other) => Err(Error::Corrupt(format!("format {other} is not known to this version"))),
                None => Err(Error::Corrupt("the file belongs to another program".to_owned())),
            }
        }
    }
}

/// The state of the last commit, for reading.
pub(super) struct Snapshot {
    current: ReadOnlyTable<&'static str, &'static [u8]>,
    log: ReadOnlyTable<LogKey, &'static [u8]>,
    past: ReadOnlyTable<PastKey, LogKey>,
    meta: Meta,
}

impl Snapshot {
    pub fn new(database: &Database) -> Result<Self, Error> {
        let txn = database.begin_read().map_err(storage)?;
        let meta = read_meta(&txn.open_table(META).map_err(storage)?)?;
        Ok(Self {
            current: txn.open_table(CURRENT).map_err(storage)?,
            log: txn.open_table(LOG).map_err(storage)?,
            past: txn.open_table(PAST).map_err(storage)?,
            meta,
        })
    }
}

fn read_meta(table: &impl ReadableTable<&'static str, u64>) -> Result<Meta, Error> {
    let number = |name| {
        let found = table.get(name).map_err(storage)?;
        Ok(Revision(found.map_or(0, |number| number.value())))
    };
    Ok(Meta { revision: number("revision")?, oldest: number("oldest")? })
}

/// The tables within a write transaction.
pub(super) struct Writing<'txn> {
    current: Table<'txn, &'static str, &'static [u8]>,
    log: Table<'txn, LogKey, &'static [u8]>,
    past: Table<'txn, PastKey, LogKey>,
    meta_table: Table<'txn, &'static str, u64>,
    meta: Meta,
    buffer: Vec<u8>,
}

impl<'txn> Writing<'txn> {
    pub fn open(txn: &'txn WriteTransaction) -> Result<Self, Error> {
        let meta_table = txn.open_table(META).map_err(storage)?;
        Ok(Self {
            current: txn.open_table(CURRENT).map_err(storage)?,
            log: txn.open_table(LOG).map_err(storage)?,
            past: txn.open_table(PAST).map_err(storage)?,
            meta: read_meta(&meta_table)?,
            meta_table,
            buffer: Vec::new(),
        })
    }

    /// Writes what is kept in memory for the length of the transaction.
    pub fn finish(mut self) -> Result<Meta, Error> {
        self.meta_table.insert("revision", self.meta.revision.0).map_err(storage)?;
        self.meta_table.insert("oldest", self.meta.oldest.0).map_err(storage)?;
        Ok(self.meta)
    }
}

/// The reading half of both, over whatever kind of table they hold.
macro_rules! rows {
    () => {
        fn meta(&self) -> Result<Meta, Error> {
            Ok(self.meta)
        }

        fn current(&self, key: &str) -> Result<Option<Entry>, Error> {
            let row = self.current.get(key).map_err(storage)?;
            row.map(|row| codec::read_entry(key.into(), row.value())).transpose()
        }

        fn scan_current(
            &self,
            keys: Keys<'_>,
            pick: &mut dyn FnMut(&str, Revision) -> Pick,
        ) -> Result<Vec<Entry>, Error> {
            scan_current(&self.current, keys, pick)
        }

        fn scan_past(
            &self,
            keys: Keys<'_>,
            see: &mut dyn FnMut(&str, Revision, PastRow),
        ) -> Result<(), Error> {
            scan_past(&self.past, keys, see)
        }

        fn next_past(&self, key: &str, after: Revision) -> Result<Option<(Revision, PastRow)>, Error> {
            next_past(&self.past, key, after)
        }

        fn log(&self, revision: Revision, index: u32) -> Result<Option<LogRow>, Error> {
            let row = self.log.get((revision.0, index)).map_err(storage)?;
            row.map(|row| codec::read_log_row(row.value())).transpose()
        }

        fn scan_log(
            &self,
            after: Revision,
            prefix: &str,
            see: &mut dyn FnMut(Revision, Option<LogRow>) -> bool,
        ) -> Result<(), Error> {
            scan_log(&self.log, after, prefix, see)
        }
    };
}

impl Rows for Snapshot {
    rows!();
}

impl Rows for Writing<'_> {
    rows!();
}

fn scan_current(
    table: &impl ReadableTable<&'static str, &'static [u8]>,
    keys: Keys<'_>,
    pick: &mut dyn FnMut(&str, Revision) -> Pick,
) -> Result<Vec<Entry>, Error> {
    let mut entries = Vec::new();
    for row in table.range::<&str>((keys.start(), Bound::Unbounded)).map_err(storage)? {
        let (key, row) = row.map_err(storage)?;
        let (key, row) = (key.value(), row.value());
        if !key.starts_with(keys.prefix) {
            break;
        }
        if pick(key, codec::modified(row)?) == Pick::Take {
            entries.push(codec::read_entry(key.into(), row)?);
        }
    }
    Ok(entries)
}

fn scan_past(
    table: &impl ReadableTable<PastKey, LogKey>,
    keys: Keys<'_>,
    see: &mut dyn FnMut(&str, Revision, PastRow),
) -> Result<(), Error> {
    let start = match keys.start() {
        Bound::Included(key) => Bound::Included((key, 0)),
        Bound::Excluded(key) => Bound::Excluded((key, u64::MAX)),
        Bound::Unbounded => Bound::Unbounded,
    };
    for row in table.range::<(&str, u64)>((start, Bound::Unbounded)).map_err(storage)? {
        let (key, row) = row.map_err(storage)?;
        let ((key, superseded), (modified, index)) = (key.value(), row.value());
        if !key.starts_with(keys.prefix) {
            break;
        }
        see(key, Revision(superseded), PastRow { modified: Revision(modified), index });
    }
    Ok(())
}

fn next_past(
    table: &impl ReadableTable<PastKey, LogKey>,
    key: &str,
    after: Revision,
) -> Result<Option<(Revision, PastRow)>, Error> {
    let range = (Bound::Excluded((key, after.0)), Bound::Included((key, u64::MAX)));
    let Some(row) = table.range::<(&str, u64)>(range).map_err(storage)?.next() else { return Ok(None) };
    let (key, row) = row.map_err(storage)?;
    let (modified, index) = row.value();
    Ok(Some((Revision(key.value().1), PastRow { modified: Revision(modified), index })))
}

fn scan_log(
    table: &impl ReadableTable<LogKey, &'static [u8]>,
    after: Revision,
    prefix: &str,
    see: &mut dyn FnMut(Revision, Option<LogRow>) -> bool,
) -> Result<(), Error> {
    for row in table.range((after.0.saturating_add(1), 0)..).map_err(storage)? {
        let (key, row) = row.map_err(storage)?;
        let row = row.value();
        let matching = codec::log_key(row)?.starts_with(prefix);
        let row = if matching { Some(codec::read_log_row(row)?) } else { None };
        if !see(Revision(key.value().0), row) {
            break;
        }
    }
    Ok(())
}

impl RowsMut for Writing<'_> {
    fn set_meta(&mut self, meta: Meta) -> Result<(), Error> {
        self.meta = meta;
        Ok(())
    }

    fn put_current(&mut self, entry: &Entry) -> Result<(), Error> {
        self.buffer.clear();
        codec::entry(entry, &mut self.buffer);
        self.current.insert(&*entry.key, &*self.buffer).map_err(storage)?;
        Ok(())
    }

    fn remove_current(&mut self, key: &str) -> Result<(), Error> {
        self.current.remove(key).map_err(storage)?;
        Ok(())
    }

    fn add_log(&mut self, revision: Revision, index: u32, row: &LogRow) -> Result<(), Error> {
        self.buffer.clear();
        codec::log_row(row, &mut self.buffer);
        self.log.insert((revision.0, index), &*self.buffer).map_err(storage)?;
        Ok(())
    }

    fn add_past(&mut self, key: &Arc<str>, superseded: Revision, row: PastRow) -> Result<(), Error> {
        self.past.insert((&**key, superseded.0), (row.modified.0, row.index)).map_err(storage)?;
        Ok(())
    }

    fn trim(&mut self, through: Revision, max: usize) -> Result<usize, Error> {
        for removed in 0..max {
            match self.log.first().map_err(storage)? {
                Some((key, _)) if key.value().0 <= through.0 => {}
                _ => return Ok(removed),
            }
            if let Some((key, row)) = self.log.pop_first().map_err(storage)? {
                let past = (codec::log_key(row.value())?, key.value().0);
                self.past.remove(past).map_err(storage)?;
            }
        }
        Ok(max)
    }
}
