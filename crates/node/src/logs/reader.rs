//! One log file: the last lines, the lines since a time, what is written meanwhile.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::LogOptions;
use crate::supervisor::parse_line;

/// Reads a log file from a place on; remembers the place.
pub(crate) struct Reader {
    path: PathBuf,
    file: BufReader<File>,
    options: LogOptions,
    left: Option<u64>,
    /// A record of which only a part is there yet.
    rest: Vec<u8>,
    /// The last piece was partial: the next one begins no line.
    inside: bool,
}

impl Reader {
    /// Opens a log; the first [`Reader::more`] gives what is there.
    pub fn open(path: &Path, options: LogOptions) -> io::Result<Self> {
        let mut file = BufReader::new(File::open(path)?);
        if let Some(lines) = options.tail_lines {
            skip_to_tail(&mut file, lines)?;
        }
        let left = options.limit_bytes;
        Ok(Self { path: path.to_owned(), file, options, left, rest: Vec::new(), inside: false })
    }

    /// What has been written since the last call, up to some 64 KiB; empty when there is nothing new.
    pub fn more(&mut self) -> io::Result<Bytes> {
        let mut out = Vec::new();
        while out.len() < 64 * 1024 && self.left != Some(0) {
            if self.file.by_ref().take(1 << 20).read_until(b'\n', &mut self.rest)? == 0 {
                // Put aside and begun anew? Then go on with the new file.
                if self.rest.is_empty() && self.reopen()? {
                    continue;
                }
                break;
            }
            if self.rest.last() != Some(&b'\n') {
                break;
            }
            let record = std::mem::take(&mut self.rest);
            self.render(&record[..record.len() - 1], &mut out);
        }
        if let Some(left) = &mut self.left {
            out.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= out.len() as u64;
        }
        Ok(out.into())
    }

    /// The byte limit is reached.
    pub fn is_full(&self) -> bool {
        self.left == Some(0)
    }

    fn render(&mut self, record: &[u8], out: &mut Vec<u8>) {
        let Some(line) = parse_line(record) else { return };
        if self.options.since.is_some_and(|since| line.time < since) {
            return;
        }
        if self.options.timestamps && !self.inside {
            out.extend_from_slice(format!("{:.9} ", line.time).as_bytes());
        }
        out.extend_from_slice(line.text);
        if !line.partial {
            out.push(b'\n');
        }
        self.inside = line.partial;
    }

    fn reopen(&mut self) -> io::Result<bool> {
        use std::os::unix::fs::MetadataExt;
        let (Ok(there), here) = (std::fs::metadata(&self.path), self.file.get_ref().metadata()?) else {
            return Ok(false);
        };
        if there.ino() == here.ino() {
            return Ok(false);
        }
        self.file = BufReader::new(File::open(&self.path)?);
        Ok(true)
    }
}

/// Moves to where the last `lines` lines begin, reading backwards in blocks.
fn skip_to_tail(file: &mut BufReader<File>, lines: u64) -> io::Result<()> {
    const BLOCK: u64 = 32 * 1024;
    let mut at = file.seek(SeekFrom::End(0))?;
    let (mut found, mut buffer) = (0, Vec::new());
    while at > 0 {
        let start = at.saturating_sub(BLOCK);
        file.seek(SeekFrom::Start(start))?;
        buffer.resize((at - start) as usize, 0);
        file.read_exact(&mut buffer)?;
        for (index, _) in buffer.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n') {
            let after = start + index as u64 + 1;
            if found == lines {
                file.seek(SeekFrom::Start(after))?;
                return Ok(());
            }
            found += 1;
        }
        at = start;
    }
    file.seek(SeekFrom::Start(0)).map(drop)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::io::Write;

    fn log(lines: usize) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("0.log");
        let text: String = (0..lines)
            .map(|i| format!("2026-01-02T03:04:{:02}.000000000Z stdout F line {i}\n", i % 60))
            .collect();
        std::fs::write(&path, text).unwrap();
        (dir, path)
    }

    fn read(path: &Path, options: LogOptions) -> String {
        let mut reader = Reader::open(path, options).unwrap();
        let mut all = Vec::new();
        loop {
            let more = reader.more().unwrap();
            if more.is_empty() {
                return String::from_utf8(all).unwrap();
            }
            all.extend_from_slice(&more);
        }
    }

    #[test]
    fn parts() {
        let (_dir, path) = log(4);
        let check = |options: LogOptions, expect: &str| {
            assert_eq!(read(&path, options.clone()), expect, "{options:?}")
        };
        let all = LogOptions::default;
        check(all(), "line 0\nline 1\nline 2\nline 3\n");
        check(LogOptions { tail_lines: Some(2), ..all() }, "line 2\nline 3\n");
        check(LogOptions { tail_lines: Some(0), ..all() }, "");
        check(LogOptions { tail_lines: Some(4), ..all() }, "line 0\nline 1\nline 2\nline 3\n");
        check(LogOptions { tail_lines: Some(9), ..all() }, "line 0\nline 1\nline 2\nline 3\n");
        check(LogOptions { limit_bytes: Some(9), ..all() }, "line 0\nli");
        let since = Some("2026-01-02T03:04:02Z".parse().unwrap());
        check(LogOptions { since, ..all() }, "line 2\nline 3\n");
        check(
            LogOptions { timestamps: true, tail_lines: Some(1), ..all() },
            "2026-01-02T03:04:03.000000000Z line 3\n",
        );
    }

    #[test]
    fn long_logs_have_tails_too() {
        let (_dir, path) = log(5000);
        let text = read(&path, LogOptions { tail_lines: Some(1500), ..LogOptions::default() });
        assert!(text.starts_with("line 3500\n") && text.ends_with("line 4999\n"));
        assert_eq!(read(&path, LogOptions::default()).lines().count(), 5000);
    }

    #[test]
    fn what_is_written_later_follows() {
        let (dir, path) = log(1);
        let mut reader = Reader::open(&path, LogOptions::default()).unwrap();
        assert_eq!(reader.more().unwrap(), "line 0\n");
        assert_eq!(reader.more().unwrap(), "");
        let mut file = File::options().append(true).open(&path).unwrap();
        file.write_all(b"2026-01-02T03:04:00Z stdout P ha").unwrap();
        assert_eq!(reader.more().unwrap(), "", "half a record is none");
        file.write_all(b"lf\n2026-01-02T03:04:00Z stdout F  done\n").unwrap();
        assert_eq!(reader.more().unwrap(), "half done\n");
        std::fs::rename(&path, dir.path().join("0.log.1")).unwrap();
        std::fs::write(&path, "2026-01-02T03:04:00Z stderr F anew\n").unwrap();
        assert_eq!(reader.more().unwrap(), "anew\n");
    }
}
