//! Sandboxes that run: where they are noted, and how another process steps into one.
//!
//! A sandbox is a process with private namespaces. Its note is a small directory outside of them, readable by
//! its user only, so that `portway sandbox exec` and kubectl find it. The note of a dead process counts for nothing.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

/// What is noted of a running sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Process that holds the namespaces.
    pub pid: u32,
    /// Start time of that process in clock ticks since boot: a recycled pid has another.
    pub started: u64,
    /// Names of the namespaces one can step into: nodes and `outside`.
    pub hosts: Vec<String>,
    /// Kubeconfig that works from outside the sandbox.
    pub kubeconfig: PathBuf,
}

/// The directory of sandbox `name`; made with mode 0700.
pub fn directory(name: &str) -> anyhow::Result<PathBuf> {
    if name.is_empty()
        || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        || name.starts_with('.')
    {
        bail!("{name:?} cannot name a sandbox: use letters, digits, '-', '_' and '.'");
    }
    let uid = rustix::process::getuid().as_raw();
    let base = std::env::temp_dir().join(format!("portway-{uid}"));
    let directory = base.join(name);
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&directory)
        .with_context(|| format!("cannot create {}", directory.display()))?;
    let owner = fs::symlink_metadata(&base).with_context(|| format!("cannot read {}", base.display()))?;
    if !owner.is_dir() || owner.uid() != uid || owner.mode() & 0o077 != 0 {
        bail!("{} must be a directory of your own with mode 0700", base.display());
    }
    Ok(directory)
}

impl Note {
    /// Notes the calling process as sandbox `name`.
    pub fn write(&self, directory: &Path) -> anyhow::Result<()> {
        let path = directory.join("sandbox.json");
        let temporary = directory.join("sandbox.json.new");
        fs::write(&temporary, serde_json::to_vec_pretty(self)?)
            .and_then(|()| fs::rename(&temporary, &path))
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// The sandbox of that name, if it runs.
    pub fn read(directory: &Path) -> Option<Self> {
        let note: Self = serde_json::from_slice(&fs::read(directory.join("sandbox.json")).ok()?).ok()?;
        (start_time(note.pid) == Some(note.started)).then_some(note)
    }

    /// All that run, by name.
    pub fn all() -> anyhow::Result<Vec<(String, Self)>> {
        let base = directory("default")?;
        let base = base.parent().map(Path::to_owned).unwrap_or(base);
        let mut found = Vec::new();
        for entry in fs::read_dir(&base).with_context(|| format!("cannot read {}", base.display()))?.flatten()
        {
            if let (Ok(name), Some(note)) = (entry.file_name().into_string(), Self::read(&entry.path())) {
                found.push((name, note));
            }
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(found)
    }
}

/// When this process started; it may have another number in its own `/proc` than outside.
pub fn own_start_time() -> Option<u64> {
    started(&fs::read_to_string("/proc/self/stat").ok()?)
}

/// When a process started, in clock ticks since boot; `None` when there is no such process.
pub fn start_time(pid: u32) -> Option<u64> {
    started(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn started(stat: &str) -> Option<u64> {
    // The command name stands in parentheses and may contain anything; the fields are counted after it.
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_leave_the_directory_are_refused() {
        for name in ["", "..", ".x", "a/b", "a b"] {
            assert!(directory(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_note_counts_only_while_its_process_runs() {
        let directory = tempfile::tempdir().unwrap();
        let pid = std::process::id();
        let note = Note {
            pid,
            started: start_time(pid).unwrap(),
            hosts: vec!["outside".into()],
            kubeconfig: "k".into(),
        };
        note.write(directory.path()).unwrap();
        assert_eq!(Note::read(directory.path()), Some(note.clone()));
        Note { started: note.started + 1, ..note }.write(directory.path()).unwrap();
        assert_eq!(Note::read(directory.path()), None);
    }
}
