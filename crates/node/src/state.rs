//! What the agent keeps on disk of each Pod, so that the next agent finds it.
//!
//! `pods/UID/pod.json`, `pods/UID/etc/*` (files the Pod sees), `pods/UID/containers/NAME/N/` (run N: the
//! supervisor's socket and record) and `.../N.log`.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use portway_api::types::pod::Pod;
use serde::{Deserialize, Serialize};

/// What is kept of a Pod besides its runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub namespace: String,
    pub name: String,
    pub uid: String,
    pub addresses: Vec<IpAddr>,
    /// Name of its network namespace; none for a Pod in the node's network.
    pub network: Option<String>,
    /// The network was made to its end.
    pub connected: bool,
}

/// The directory of one Pod.
#[derive(Clone, Debug)]
pub(crate) struct PodDir(PathBuf);

impl PodDir {
    /// The directory of a Pod, whether it exists or not.
    pub fn of(state: &Path, uid: &str) -> Self {
        Self(state.join("pods").join(uid))
    }

    /// Every Pod that is kept, with its UID.
    pub fn all(state: &Path) -> io::Result<Vec<(String, Self)>> {
        match fs::read_dir(state.join("pods")) {
            Ok(entries) => Ok(entries
                .filter_map(|e| e.ok()?.file_name().into_string().ok())
                .map(|uid| (uid.clone(), Self::of(state, &uid)))
                .collect()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// What is kept; `None` if nothing is (or it cannot be understood).
    pub fn load(&self) -> Option<Kept> {
        serde_json::from_slice(&fs::read(self.0.join("pod.json")).ok()?).ok()
    }

    /// Keeps it, whole or not at all.
    pub fn save(&self, kept: &Kept) -> io::Result<()> {
        fs::create_dir_all(&self.0)?;
        let fresh = self.0.join("pod.new");
        fs::write(&fresh, serde_json::to_vec(kept)?)?;
        fs::rename(fresh, self.0.join("pod.json"))
    }

    /// Forgets the Pod, logs included.
    pub fn remove(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Writes a file that the Pod sees in `/etc`.
    pub fn write_etc(&self, name: &str, text: &str) -> io::Result<PathBuf> {
        let dir = self.0.join("etc");
        fs::create_dir_all(&dir)?;
        let path = dir.join(name);
        // In place: a container that runs has the file itself mounted.
        fs::write(&path, text)?;
        Ok(path)
    }

    /// Directory of a run.
    pub fn run(&self, container: &str, attempt: u32) -> PathBuf {
        self.0.join("containers").join(container).join(attempt.to_string())
    }

    /// Log of a run.
    pub fn log(&self, container: &str, attempt: u32) -> PathBuf {
        self.0.join("containers").join(container).join(format!("{attempt}.log"))
    }

    /// The newest run of a container.
    pub fn newest(&self, container: &str) -> Option<u32> {
        let entries = fs::read_dir(self.0.join("containers").join(container)).ok()?;
        entries.filter_map(|e| e.ok()?.file_name().to_str()?.parse().ok()).max()
    }

    /// Every run there is, for Pods whose object is gone.
    pub fn runs(&self) -> Vec<PathBuf> {
        let list =
            |path: &Path| fs::read_dir(path).into_iter().flatten().filter_map(|e| Some(e.ok()?.path()));
        list(&self.0.join("containers"))
            .flat_map(|dir| list(&dir).collect::<Vec<_>>())
            .filter(|p| p.is_dir())
            .collect()
    }

    /// Makes the directory of a run that begins, and forgets all but the run before it.
    pub fn begin(&self, container: &str, attempt: u32) -> io::Result<PathBuf> {
        let dir = self.run(container, attempt);
        if let Some(old) = attempt.checked_sub(2) {
            fs::remove_dir_all(self.run(container, old)).ok();
            let log = self.log(container, old);
            fs::remove_file(log.with_extension("log.1")).ok();
            fs::remove_file(log).ok();
        }
        fs::create_dir_all(&dir)?;
        Ok(dir)
    }
}

/// Name of a Pod's network namespace under `/run/netns`: `NAMESPACE-NAME-` and the head of its UID.
pub fn namespace_name(pod: &Pod) -> String {
    let meta = &pod.metadata;
    let mut name = format!("{}-{}", meta.namespace, meta.name);
    // A file name holds 255 bytes. API names are ASCII, but nothing here depends on it.
    name.truncate((0..=200.min(name.len())).rev().find(|at| name.is_char_boundary(*at)).unwrap_or(0));
    format!("{name}-{}", head(&meta.uid))
}

/// Name of the node's end of a Pod's cable; at most 15 bytes.
pub(crate) fn link_name(uid: &str) -> String {
    format!("pod{}", uid.chars().filter(char::is_ascii_alphanumeric).take(12).collect::<String>())
}

fn head(uid: &str) -> String {
    uid.chars().filter(char::is_ascii_alphanumeric).take(8).collect()
}
