//! What the agent and a supervisor say to each other.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What to run, and where.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// Directory of the run: [`Order::SOCKET`] and [`Order::RECORD`] appear in it.
    pub dir: PathBuf,
    /// File the output is appended to.
    pub log: PathBuf,
    /// Program and arguments.
    pub argv: Vec<String>,
    /// The whole environment.
    pub env: Vec<(String, String)>,
    /// Directory to start in; `/` otherwise.
    pub cwd: Option<String>,
    /// Directory that becomes `/`.
    pub root: Option<PathBuf>,
    /// Host name.
    pub hostname: String,
    /// Files and directories that appear elsewhere, in this order.
    pub binds: Vec<Bind>,
}

impl Order {
    /// Name of the socket in the run's directory.
    pub const SOCKET: &str = "sock";
    /// Name of the file with the supervisor's process number, as the agent sees it.
    pub const PID: &str = "pid";
    /// Name of the file that is locked as long as a supervisor of the run lives, from before anything else.
    pub const LOCK: &str = "lock";
    /// Name of the [`Record`] in the run's directory.
    pub const RECORD: &str = "record.json";
}

/// One bind mount.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bind {
    /// What appears.
    pub source: PathBuf,
    /// Where, as the container sees it.
    pub target: PathBuf,
    /// Cannot be written there.
    pub read_only: bool,
}

/// What became of a run; written when it starts and again when it ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// When the process started.
    pub started: Timestamp,
    /// When it ended.
    pub finished: Option<Timestamp>,
    /// Exit code; 128 + N after signal N.
    pub code: i32,
    /// Signal that ended it, or 0.
    pub signal: i32,
}

impl Record {
    /// Reads the record of a run; `None` if it never started (or the record cannot be understood).
    pub fn read(dir: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(dir.join(Order::RECORD)).ok()?).ok()
    }

    /// Writes the record, whole or not at all.
    pub(super) fn write(&self, dir: &Path) -> std::io::Result<()> {
        let fresh = dir.join("record.new");
        std::fs::write(&fresh, serde_json::to_vec(self)?)?;
        std::fs::rename(fresh, dir.join(Order::RECORD))
    }
}

/// What the agent asks of a running supervisor: one a connection, as one line of JSON. A connection without a
/// request just tells, by its end, that the supervisor has ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Request {
    /// Send the container's process a signal. No answer.
    Signal(i32),
    /// End everything in the container at once. No answer.
    Kill,
    /// Run a command in the container and [`Answer`] once it has ended. Closing the connection kills it.
    Exec(Vec<String>),
}

/// How a command in the container ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// Exit code; 128 + N after signal N; -1 when it could not be started.
    pub code: i32,
    /// The first 10 KiB it wrote, or why it could not be started.
    pub output: String,
}
