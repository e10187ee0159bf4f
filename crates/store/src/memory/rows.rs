//! The four tables as ordered maps.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use portway_base::Revision;

use crate::history::{Keys, LogRow, Meta, PastRow, Pick, Rows, RowsMut};
use crate::{Entry, Error};

#[derive(Default)]
pub(super) struct Tables {
    meta: Meta,
    current: BTreeMap<Arc<str>, Entry>,
    past: BTreeMap<Arc<str>, BTreeMap<Revision, PastRow>>,
    log: BTreeMap<(Revision, u32), LogRow>,
}

impl Rows for Tables {
    fn meta(&self) -> Result<Meta, Error> {
        Ok(self.meta)
    }

    fn current(&self, key: &str) -> Result<Option<Entry>, Error> {
        Ok(self.current.get(key).cloned())
    }

    fn scan_current(
        &self,
        keys: Keys<'_>,
        pick: &mut dyn FnMut(&str, Revision) -> Pick,
    ) -> Result<Vec<Entry>, Error> {
        let rows = self.current.range::<str, _>((keys.start(), Bound::Unbounded)).map(|(_, entry)| entry);
        let rows = rows.take_while(|entry| entry.key.starts_with(keys.prefix));
        Ok(rows.filter(|entry| pick(&entry.key, entry.modified) == Pick::Take).cloned().collect())
    }

    fn scan_past(&self, keys: Keys<'_>, see: &mut dyn FnMut(&str, Revision, PastRow)) -> Result<(), Error> {
        let rows = self.past.range::<str, _>((keys.start(), Bound::Unbounded));
        for (key, rows) in rows.take_while(|(key, _)| key.starts_with(keys.prefix)) {
            for (superseded, row) in rows {
                see(key, *superseded, *row);
            }
        }
        Ok(())
    }

    fn next_past(&self, key: &str, after: Revision) -> Result<Option<(Revision, PastRow)>, Error> {
        let rows = self.past.get(key);
        let next = rows.and_then(|rows| rows.range((Bound::Excluded(after), Bound::Unbounded)).next());
        Ok(next.map(|(superseded, row)| (*superseded, *row)))
    }

    fn log(&self, revision: Revision, index: u32) -> Result<Option<LogRow>, Error> {
        Ok(self.log.get(&(revision, index)).cloned())
    }

    fn scan_log(
        &self,
        after: Revision,
        prefix: &str,
        see: &mut dyn FnMut(Revision, Option<LogRow>) -> bool,
    ) -> Result<(), Error> {
        for ((revision, _), row) in self.log.range((after.next(), 0)..) {
            if !see(*revision, row.key.starts_with(prefix).then(|| row.clone())) {
                break;
            }
        }
        Ok(())
    }
}

impl RowsMut for Tables {
    fn set_meta(&mut self, meta: Meta) -> Result<(), Error> {
        self.meta = meta;
        Ok(())
    }

    fn put_current(&mut self, entry: &Entry) -> Result<(), Error> {
        self.current.insert(entry.key.clone(), entry.clone());
        Ok(())
    }

    fn remove_current(&mut self, key: &str) -> Result<(), Error> {
        self.current.remove(key);
        Ok(())
    }

    fn add_log(&mut self, revision: Revision, index: u32, row: &LogRow) -> Result<(), Error> {
        self.log.insert((revision, index), row.clone());
        Ok(())
    }

    fn add_past(&mut self, key: &Arc<str>, superseded: Revision, row: PastRow) -> Result<(), Error> {
        self.past.entry(key.clone()).or_default().insert(superseded, row);
        Ok(())
    }

    fn trim(&mut self, through: Revision, max: usize) -> Result<usize, Error> {
        let mut removed = 0;
        while removed < max
            && let Some(row) = self.log.first_entry()
            && row.key().0 <= through
        {
            let ((revision, _), row) = row.remove_entry();
            if let Some(rows) = self.past.get_mut(&row.key) {
                rows.remove(&revision);
                if rows.is_empty() {
                    self.past.remove(&row.key);
                }
            }
            removed += 1;
        }
        Ok(removed)
    }
}
