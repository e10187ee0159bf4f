//! The log file: each line with its time and stream, in the form container runtimes use.
//!
//! `2026-01-02T03:04:05.678901234Z stdout F text`; `P` instead of `F` for a piece of a line too long to hold.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

/// Longest piece of a line, in bytes.
const PIECE: usize = 16 * 1024;
/// Size at which the file is put aside, in bytes; one old file is kept.
const ROTATE: u64 = 10 * 1024 * 1024;

/// A line of the log.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line<'a> {
    /// When it was written.
    pub time: Timestamp,
    /// `stdout` or `stderr`.
    pub stream: &'a str,
    /// The line goes on in the next record.
    pub partial: bool,
    /// What was written, without the line's end.
    pub text: &'a [u8],
}

/// Reads one record, given without its line end; `None` if it is none.
pub(crate) fn parse_line(record: &[u8]) -> Option<Line<'_>> {
    let mut parts = record.splitn(4, |b| *b == b' ');
    let time = std::str::from_utf8(parts.next()?).ok()?.parse().ok()?;
    let stream = std::str::from_utf8(parts.next()?).ok()?;
    let partial = match parts.next()? {
        b"F" => false,
        b"P" => true,
        _ => return None,
    };
    Some(Line { time, stream, partial, text: parts.next()? })
}

/// Appends the output of one run to its file.
pub(super) struct LogFile {
    path: PathBuf,
    file: File,
    size: u64,
}

impl LogFile {
    pub fn open(path: &Path) -> std::io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let size = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), file, size })
    }

    /// Writes records. A full disk loses output, but must not stop the container.
    fn write(&mut self, records: &[u8]) {
        if self.size > ROTATE {
            let mut old = self.path.clone().into_os_string();
            old.push(".1");
            std::fs::rename(&self.path, old).ok();
            if let Ok(fresh) = Self::open(&self.path) {
                *self = fresh;
            }
        }
        self.size += records.len() as u64;
        self.file.write_all(records).ok();
    }
}

/// Cuts one stream's bytes into lines.
pub(super) struct Lines {
    stream: &'static str,
    rest: Vec<u8>,
}

impl Lines {
    pub fn new(stream: &'static str) -> Self {
        Self { stream, rest: Vec::new() }
    }

    /// Takes bytes as they were read; whole lines go to the log.
    pub fn take(&mut self, bytes: &[u8], now: Timestamp, log: &mut LogFile) {
        self.rest.extend_from_slice(bytes);
        let mut records = Vec::with_capacity(self.rest.len() + 64);
        let mut start = 0;
        loop {
            let rest = &self.rest[start..];
            match rest.iter().take(PIECE).position(|b| *b == b'\n') {
                Some(end) => {
                    self.record(&mut records, now, 'F', &rest[..end]);
                    start += end + 1;
                }
                None if rest.len() >= PIECE => {
                    self.record(&mut records, now, 'P', &rest[..PIECE]);
                    start += PIECE;
                }
                None => break,
            }
        }
        self.rest.drain(..start);
        log.write(&records);
    }

    /// The stream has ended: a last line without its end is a line all the same.
    pub fn end(&mut self, now: Timestamp, log: &mut LogFile) {
        if !self.rest.is_empty() {
            let mut records = Vec::new();
            let rest = std::mem::take(&mut self.rest);
            self.record(&mut records, now, 'F', &rest);
            log.write(&records);
        }
    }

    fn record(&self, to: &mut Vec<u8>, now: Timestamp, tag: char, text: &[u8]) {
        to.extend_from_slice(format!("{now:.9} {} {tag} ", self.stream).as_bytes());
        to.extend_from_slice(text);
        to.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn lines_come_back_as_they_were_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let now: Timestamp = "2026-01-02T03:04:05.6Z".parse().unwrap();
        let mut log = LogFile::open(&path).unwrap();
        let (mut out, mut err) = (Lines::new("stdout"), Lines::new("stderr"));
        out.take(b"one\ntw", now, &mut log);
        err.take(b"oops\n", now, &mut log);
        out.take(b"o\n\n", now, &mut log);
        out.take(&vec![b'x'; PIECE + 5], now, &mut log);
        out.end(now, &mut log);
        let bytes = std::fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(text.starts_with("2026-01-02T03:04:05.600000000Z stdout F one\n"), "{text}");
        let lines: Vec<Line> = bytes.split(|b| *b == b'\n').filter_map(parse_line).collect();
        let seen: Vec<_> = lines.iter().map(|l| (l.stream, l.partial, l.text.len())).collect();
        let expect = [
            ("stdout", false, 3),
            ("stderr", false, 4),
            ("stdout", false, 3),
            ("stdout", false, 0),
            ("stdout", true, PIECE),
            ("stdout", false, 5),
        ];
        assert_eq!(seen, expect);
        assert!(lines.iter().all(|l| l.time == now));
    }

    #[test]
    fn other_texts_are_no_lines() {
        for bad in [
            "",
            "x",
            "2026-01-02T03:04:05Z",
            "2026-01-02T03:04:05Z stdout",
            "2026-01-02T03:04:05Z stdout Q x",
        ] {
            assert_eq!(parse_line(bad.as_bytes()), None, "{bad}");
        }
    }
}
