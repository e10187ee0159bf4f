//! The semantics every engine shares: lists at a revision, replay, transactions, compaction, written once
//! over four tables that an engine provides.
//!
//! - `current`: key → entry
//! - `log`: (revision, index within the transaction) → key, and the entry that was superseded
//! - `past`: (key, revision that superseded it) → where in the log the superseded entry is
//! - `meta`: the last revision and the oldest one kept
//!
//! A superseded value is written once more, sequentially, into the log; the index by key is small. The log
//! is also the list of what a compaction may remove. Knows neither storage nor locks nor waiting.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use portway_base::Revision;

use crate::{Change, Entry, Error, Op, Page, Txn};

/// The store's place in history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Meta {
    /// Of the last commit.
    pub revision: Revision,
    /// The oldest revision that can be listed and watched from.
    pub oldest: Revision,
}

impl Meta {
    /// Whether the history after `revision` is complete.
    pub fn check(self, revision: Revision) -> Result<(), Error> {
        if revision < self.oldest {
            Err(Error::Compacted { oldest: self.oldest })
        } else if revision > self.revision {
            Err(Error::FutureRevision { current: self.revision })
        } else {
            Ok(())
        }
    }
}

/// One change in the log.
#[derive(Clone, Debug)]
pub(crate) struct LogRow {
    pub key: Arc<str>,
    /// The key was deleted, so no entry of this revision exists.
    pub deleted: bool,
    pub before: Option<Entry>,
}

/// Where a superseded entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PastRow {
    /// The entry's own revision.
    pub modified: Revision,
    /// Its index within the log rows of the revision that superseded it.
    pub index: u32,
}

/// The keys that start with `prefix` and come behind `after`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keys<'a> {
    pub prefix: &'a str,
    pub after: Option<&'a str>,
}

impl<'a> Keys<'a> {
    /// Where a scan begins. It ends at the first key that does not start with the prefix.
    pub fn start(self) -> Bound<&'a str> {
        match self.after {
            Some(after) if after >= self.prefix => Bound::Excluded(after),
            _ => Bound::Included(self.prefix),
        }
    }
}

/// Whether a scan wants the row it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pick {
    Take,
    Skip,
}

/// The tables at one instant.
pub(crate) trait Rows {
    fn meta(&self) -> Result<Meta, Error>;
    fn current(&self, key: &str) -> Result<Option<Entry>, Error>;
    /// Shows key and `modified` of current rows in key order, and returns the picked ones.
    fn scan_current(
        &self,
        keys: Keys<'_>,
        pick: &mut dyn FnMut(&str, Revision) -> Pick,
    ) -> Result<Vec<Entry>, Error>;
    /// Shows the superseded rows in the order of key and superseding revision.
    fn scan_past(&self, keys: Keys<'_>, see: &mut dyn FnMut(&str, Revision, PastRow)) -> Result<(), Error>;
    /// The first superseded row of a key whose superseding revision is after `after`.
    fn next_past(&self, key: &str, after: Revision) -> Result<Option<(Revision, PastRow)>, Error>;
    fn log(&self, revision: Revision, index: u32) -> Result<Option<LogRow>, Error>;
    /// Shows the log after a revision, in order, until `see` answers false. Rows of other prefixes are
    /// shown as `None`.
    fn scan_log(
        &self,
        after: Revision,
        prefix: &str,
        see: &mut dyn FnMut(Revision, Option<LogRow>) -> bool,
    ) -> Result<(), Error>;
}

/// The tables, writable.
pub(crate) trait RowsMut: Rows {
    fn set_meta(&mut self, meta: Meta) -> Result<(), Error>;
    fn put_current(&mut self, entry: &Entry) -> Result<(), Error>;
    fn remove_current(&mut self, key: &str) -> Result<(), Error>;
    fn add_log(&mut self, revision: Revision, index: u32, row: &LogRow) -> Result<(), Error>;
    fn add_past(&mut self, key: &Arc<str>, superseded: Revision, row: PastRow) -> Result<(), Error>;
    /// Removes up to `max` of the oldest log rows of revisions up to `through`, each with its past row.
    /// Returns how many.
    fn trim(&mut self, through: Revision, max: usize) -> Result<usize, Error>;
}

/// A list at a revision. See [`crate::Store::list`].
pub(crate) fn list(
    rows: &impl Rows,
    keys: Keys<'_>,
    limit: usize,
    at: Option<Revision>,
) -> Result<Page, Error> {
    let meta = rows.meta()?;
    let at = at.unwrap_or(meta.revision);
    meta.check(at)?;

    // Entries that were alive at `at` but have been superseded since. None of their keys can also show up
    // in the scan below, because the key's current entry, if any, is newer than `at`.
    let mut alive: BTreeMap<Box<str>, (Revision, u32)> = BTreeMap::new();
    if at < meta.revision {
        rows.scan_past(keys, &mut |key, superseded, row| {
            if row.modified <= at && at < superseded {
                alive.insert(key.into(), (superseded, row.index));
            }
        })?;
    }

    let (mut taken, mut remaining) = (0, 0);
    let mut room = || {
        if limit == 0 || taken < limit {
            taken += 1;
            Pick::Take
        } else {
            remaining += 1;
            Pick::Skip
        }
    };
    let mut alive = alive.into_iter().peekable();
    let mut old = Vec::new();
    let mut entries = rows.scan_current(keys, &mut |key, modified| {
        while let Some((_, place)) = alive.next_if(|(other, _)| **other < *key) {
            if room() == Pick::Take {
                old.push(place);
            }
        }
        if modified <= at { room() } else { Pick::Skip }
    })?;
    for (_, place) in alive {
        if room() == Pick::Take {
            old.push(place);
        }
    }
    if !old.is_empty() {
        for (revision, index) in old {
            entries.push(superseded(rows, revision, index)?);
        }
        entries.sort_by(|a, b| a.key.cmp(&b.key));
    }
    Ok(Page { revision: at, entries, more: remaining > 0, remaining })
}

/// The changes after a revision, and how far they reach. At most about `max` changes, but a transaction's
/// changes are never parted.
pub(crate) fn changes(
    rows: &impl Rows,
    prefix: &str,
    after: Revision,
    max: usize,
) -> Result<(Vec<Change>, Revision), Error> {
    /// Bounds the work of one call when few changes match.
    const MAX_ROWS: usize = 50_000;

    let meta = rows.meta()?;
    meta.check(after)?;
    let mut found: Vec<(Revision, LogRow)> = Vec::new();
    let (mut seen, mut last, mut cut) = (0, after, false);
    rows.scan_log(after, prefix, &mut |revision, row| {
        if revision != last && (found.len() >= max || seen >= MAX_ROWS) {
            cut = true;
            return false;
        }
        seen += 1;
        last = revision;
        found.extend(row.map(|row| (revision, row)));
        true
    })?;
    let reached = if cut { last } else { meta.revision };

    let mut changes = Vec::with_capacity(found.len());
    for (revision, row) in found {
        let now = if row.deleted { None } else { Some(written(rows, &row.key, revision)?) };
        changes.push(Change { revision, key: row.key, now, before: row.before });
    }
    Ok((changes, reached))
}

/// The entry a revision wrote, wherever it is now.
fn written(rows: &impl Rows, key: &str, revision: Revision) -> Result<Entry, Error> {
    if let Some(entry) = rows.current(key)?
        && entry.modified == revision
    {
        return Ok(entry);
    }
    match rows.next_past(key, revision)? {
        Some((by, row)) if row.modified == revision => superseded(rows, by, row.index),
        _ => Err(Error::Corrupt(format!("the entry of {key} at revision {revision} is missing"))),
    }
}

/// The entry that a log row superseded.
fn superseded(rows: &impl Rows, revision: Revision, index: u32) -> Result<Entry, Error> {
    rows.log(revision, index)?.and_then(|row| row.before).ok_or_else(|| {
        Error::Corrupt(format!("the log has no entry for change {index} of revision {revision}"))
    })
}

/// What a transaction would do, or did.
pub(crate) enum Applied {
    /// Its changes; none if it changed nothing.
    Changes(Vec<Change>),
    /// A guard did not hold.
    Conflict(Vec<Option<Entry>>),
}

/// Applies a transaction as the revision after the last one.
pub(crate) fn apply(rows: &mut impl RowsMut, txn: &Txn) -> Result<Applied, Error> {
    txn.check()?;
    let current = txn.guards.iter().map(|guard| rows.current(&guard.key)).collect::<Result<Vec<_>, _>>()?;
    let holds = |guard: Revision, entry: &Option<Entry>| {
        entry.as_ref().map_or(Revision::ZERO, |entry| entry.modified) == guard
    };
    if !txn.guards.iter().zip(&current).all(|(guard, entry)| holds(guard.modified, entry)) {
        return Ok(Applied::Conflict(current));
    }

    let meta = rows.meta()?;
    let revision = meta.revision.next();
    let mut changes = Vec::with_capacity(txn.ops.len());
    for op in &txn.ops {
        let before = rows.current(op.key())?;
        let now = match op {
            Op::Put { key, value } => Some(Entry {
                key: key.clone(),
                value: value.clone(),
                created: before.as_ref().map_or(revision, |before| before.created),
                modified: revision,
                version: before.as_ref().map_or(1, |before| before.version + 1),
            }),
            Op::Delete { .. } if before.is_none() => continue,
            Op::Delete { .. } => None,
        };
        let index = changes.len() as u32;
        match &now {
            Some(entry) => rows.put_current(entry)?,
            None => rows.remove_current(op.key())?,
        }
        if let Some(before) = &before {
            rows.add_past(op.key(), revision, PastRow { modified: before.modified, index })?;
        }
        let row = LogRow { key: op.key().clone(), deleted: now.is_none(), before };
        rows.add_log(revision, index, &row)?;
        changes.push(Change { revision, key: row.key, now, before: row.before });
    }
    if !changes.is_empty() {
        rows.set_meta(Meta { revision, ..meta })?;
    }
    Ok(Applied::Changes(changes))
}

/// Moves the oldest kept revision up, so that no one reads what [`RowsMut::trim`] may then remove.
pub(crate) fn forget(rows: &mut impl RowsMut, before: Revision) -> Result<(), Error> {
    let meta = rows.meta()?;
    if before > meta.revision {
        return Err(Error::FutureRevision { current: meta.revision });
    }
    if before > meta.oldest {
        rows.set_meta(Meta { oldest: before, ..meta })?;
    }
    Ok(())
}
