//! The wire form of a watch: one JSON document a line, in chunks that end anywhere.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::partial::{Partial, Watched};
use crate::status::Status;

/// Longest line taken, in bytes; objects are limited to a few MiB by any server.
const MAX_LINE: usize = 64 << 20;

/// Cuts chunks into lines.
#[derive(Debug, Default)]
pub struct Lines {
    buffer: Vec<u8>,
    /// Bytes of `buffer` that were given out.
    taken: usize,
    /// Bytes of `buffer` known to hold no further line end.
    searched: usize,
}

/// A line without end.
#[derive(Debug, PartialEq, Eq)]
pub struct TooLong;

impl Lines {
    /// Adds a chunk.
    ///
    /// # Errors
    /// When the unfinished line gets longer than any object may be.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), TooLong> {
        if self.taken > 0 {
            self.buffer.drain(..self.taken);
            self.searched -= self.taken;
            self.taken = 0;
        }
        self.buffer.extend_from_slice(chunk);
        if self.buffer.len() > MAX_LINE && !self.buffer.contains(&b'\n') { Err(TooLong) } else { Ok(()) }
    }

    /// The next complete, non-empty line.
    pub fn next_line(&mut self) -> Option<&[u8]> {
        loop {
            let Some(offset) = self.buffer[self.searched..].iter().position(|&b| b == b'\n') else {
                self.searched = self.buffer.len();
                return None;
            };
            let (start, end) = (self.taken, self.searched + offset);
            self.taken = end + 1;
            self.searched = end + 1;
            if !self.buffer[start..end].trim_ascii().is_empty() {
                return Some(&self.buffer[start..end]);
            }
        }
    }
}

/// One message of a watch.
#[derive(Debug)]
pub enum Frame<T> {
    /// ADDED or MODIFIED.
    Apply(T),
    /// DELETED.
    Delete(T),
    /// BOOKMARK: all changes up to this revision have been sent.
    Bookmark(String),
    /// ERROR: the watch is over.
    Error(Status),
    /// Something this client cannot read; the text says what.
    Unreadable(String),
}

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    object: &'a RawValue,
}

impl<T: Watched> Frame<T> {
    /// Reads one line.
    pub fn parse(line: &[u8]) -> Self {
        match Self::try_parse(line) {
            Ok(frame) => frame,
            Err(error) => {
                let head = String::from_utf8_lossy(&line[..line.len().min(200)]);
                Self::Unreadable(format!("{error}: {head}"))
            }
        }
    }

    fn try_parse(line: &[u8]) -> Result<Self, serde_json::Error> {
        let raw: Raw<'_> = serde_json::from_slice(line)?;
        let object = raw.object.get();
        Ok(match raw.kind.as_ref() {
            "ADDED" | "MODIFIED" => Self::Apply(serde_json::from_str(object)?),
            "DELETED" => Self::Delete(serde_json::from_str(object)?),
            "BOOKMARK" => Self::Bookmark(serde_json::from_str::<Partial>(object)?.metadata.resource_version),
            "ERROR" => Self::Error(serde_json::from_str(object)?),
            other => Self::Unreadable(format!("unknown watch event {other:?}")),
        })
    }
}
