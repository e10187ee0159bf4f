//! The values that go into and come out of a store.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use portway_base::Revision;

use crate::Error;

/// Longest key, in bytes.
pub const MAX_KEY: usize = 4096;

/// Longest value, in bytes: well above what the API accepts in one object.
pub const MAX_VALUE: usize = 8 << 20;

/// A key's value with its place in history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: Arc<str>,
    /// The value.
    pub value: Bytes,
    /// The revision that created the key (anew, if it was deleted before).
    pub created: Revision,
    /// The revision that wrote this value.
    pub modified: Revision,
    /// How often the key was written since `created`; 1 for a new key.
    pub version: u64,
}

/// One operation of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Creates or replaces.
    Put {
        /// The key, at most [`MAX_KEY`] bytes and not empty.
        key: Arc<str>,
        /// The value, at most [`MAX_VALUE`] bytes.
        value: Bytes,
    },
    /// Deletes; nothing if the key is absent.
    Delete {
        /// The key.
        key: Arc<str>,
    },
}

impl Op {
    /// The key operated on.
    pub fn key(&self) -> &Arc<str> {
        match self {
            Self::Put { key, .. } | Self::Delete { key } => key,
        }
    }
}

/// A condition of a transaction: the key was last written at exactly this revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// The key.
    pub key: Arc<str>,
    /// The expected [`Entry::modified`]; [`Revision::ZERO`] means that the key must not exist.
    pub modified: Revision,
}

/// Conditions, and the operations to apply if all of them hold. A key may be operated on only once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Txn {
    /// All must hold.
    pub guards: Vec<Guard>,
    /// Applied together, under one revision.
    pub ops: Vec<Op>,
}

impl Txn {
    /// Creates a key that must not exist.
    pub fn create(key: impl Into<Arc<str>>, value: impl Into<Bytes>) -> Self {
        let key = key.into();
        Self {
            guards: vec![Guard { key: key.clone(), modified: Revision::ZERO }],
            ops: vec![Op::Put { key, value: value.into() }],
        }
    }

    /// Replaces a key last written at `modified`.
    pub fn update(key: impl Into<Arc<str>>, modified: Revision, value: impl Into<Bytes>) -> Self {
        let key = key.into();
        Self {
            guards: vec![Guard { key: key.clone(), modified }],
            ops: vec![Op::Put { key, value: value.into() }],
        }
    }

    /// Deletes a key last written at `modified`.
    pub fn delete(key: impl Into<Arc<str>>, modified: Revision) -> Self {
        let key = key.into();
        Self { guards: vec![Guard { key: key.clone(), modified }], ops: vec![Op::Delete { key }] }
    }

    /// Adds the guards and operations of another transaction, so that both happen or neither.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.guards.extend(other.guards);
        self.ops.extend(other.ops);
        self
    }

    /// Refuses what no engine can store.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let mut seen = BTreeSet::new();
        for op in &self.ops {
            let key = op.key();
            if key.is_empty() || key.len() > MAX_KEY {
                return Err(Error::Invalid(format!(
                    "a key must have 1 to {MAX_KEY} bytes, not {}",
                    key.len()
                )));
            }
            if let Op::Put { value, .. } = op
                && value.len() > MAX_VALUE
            {
                return Err(Error::Invalid(format!(
                    "{key}: the value has {} bytes, more than {MAX_VALUE}",
                    value.len()
                )));
            }
            if !seen.insert(key) {
                return Err(Error::Invalid(format!("{key} is operated on twice")));
            }
        }
        Ok(())
    }
}

/// What became of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TxnOutcome {
    /// Applied and durable.
    Committed {
        /// The revision of all its changes, or the current one if it changed nothing.
        revision: Revision,
    },
    /// A guard did not hold; nothing was changed.
    Conflict {
        /// The current entry of each guard's key, in the order of the guards.
        current: Vec<Option<Entry>>,
    },
}

/// One key's change, as a watch delivers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The revision of the transaction.
    pub revision: Revision,
    /// The key.
    pub key: Arc<str>,
    /// The entry from now on; `None` if it was deleted.
    pub now: Option<Entry>,
    /// The entry until now; `None` if it was created.
    pub before: Option<Entry>,
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The revision of the state that the list shows.
    pub revision: Revision,
    /// In key order.
    pub entries: Vec<Entry>,
    /// Whether the limit cut the list.
    pub more: bool,
    /// How many entries follow behind the cut.
    pub remaining: u64,
}
