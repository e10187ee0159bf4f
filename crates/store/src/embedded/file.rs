//! Where the database file is, and how it comes into being.
//!
//! Knows files, permissions, locks and the disk's free space; not what is in the database.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use redb::backends::FileBackend;
use redb::{Builder, Database};
use rustix::fs::Advice;

use super::tables::opening;
use crate::Error;

/// Under the database: the seam at which tests let the disk fail.
pub(crate) trait Medium: Send + Sync {
    /// Opens the database; again after every failure.
    fn open(&self, builder: &Builder) -> Result<Database, Error>;

    /// Bytes that can still be written, as far as that is known.
    fn free(&self) -> u64 {
        u64::MAX
    }

    /// Lets others open it.
    fn release(&self) {}
}

/// A directory held by this process, with the database file in it.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    /// Locked. A lock on the directory spans the moments in which a failed database is opened again.
    lock: Mutex<Option<File>>,
    /// Whether the database was opened before, so that this time it is after a failure.
    opened: AtomicBool,
}

const FILE: &str = "store.redb";
/// A file that is being created. Only a complete one gets the other name.
const NEW: &str = "store.redb.new";

/// A lock just given up may be held for a moment longer by a child that was forked meanwhile and has not run its
/// own program yet.
const LOCK_TRIES: u32 = 25;
const LOCK_PAUSE: std::time::Duration = std::time::Duration::from_millis(10);

impl Directory {
    /// Creates the directory if need be and locks it.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let cannot =
            |error: io::Error| Error::Unavailable(format!("data directory {}: {error}", path.display()));
        create_directory(path).map_err(cannot)?;
        let directory = File::open(path).map_err(cannot)?;
        let mut locked = directory.try_lock();
        for _ in 0..LOCK_TRIES {
            if !matches!(locked, Err(TryLockError::WouldBlock)) {
                break;
            }
            std::thread::sleep(LOCK_PAUSE);
            locked = directory.try_lock();
        }
        match locked {
            Ok(()) => {
                let lock = Mutex::new(Some(directory));
                Ok(Self { path: path.to_owned(), lock, opened: AtomicBool::new(false) })
            }
            Err(TryLockError::WouldBlock) => {
                Err(Error::InUse(format!("another process has data directory {} open", path.display())))
            }
            Err(TryLockError::Error(error)) => Err(cannot(error)),
        }
    }

    fn create(&self, builder: &Builder) -> Result<(), Error> {
        let cannot =
            |error: io::Error| Error::Unavailable(format!("{}: {error}", self.path.join(NEW).display()));
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(self.path.join(NEW))
            .map_err(cannot)?;
        let durable = file.try_clone().map_err(cannot)?;
        let backend = FileBackend::new(file).map_err(opening)?;
        builder.create_with_backend(backend).and_then(Database::close).map_err(opening)?;
        durable.sync_all().map_err(cannot)?;
        fs::rename(self.path.join(NEW), self.path.join(FILE)).map_err(cannot)?;
        sync_directory(&self.path).map_err(cannot)
    }
}

impl Medium for Directory {
    fn open(&self, builder: &Builder) -> Result<Database, Error> {
        let path = self.path.join(FILE);
        let named = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        if !path.try_exists().map_err(|error| Error::Unavailable(named(&error)))? {
            self.create(builder)?;
        }
        let file = OpenOptions::new().read(true).write(true).open(&path);
        let file = file.map_err(|error| Error::Unavailable(named(&error)))?;
        // After a failed fsync the kernel may hold pages that never reached the disk and call them clean.
        // Without them in the cache we see what is really there.
        if self.opened.swap(true, Ordering::Relaxed)
            && let Err(error) = rustix::fs::fadvise(&file, 0, None, Advice::DontNeed)
        {
            tracing::debug!(%error, "the page cache was not dropped");
        }
        let database = FileBackend::new(file).and_then(|backend| builder.create_with_backend(backend));
        database.map_err(opening).map_err(|error| match error {
            Error::Corrupt(text) => Error::Corrupt(named(&text)),
            Error::Unavailable(text) => Error::Unavailable(named(&text)),
            Error::InUse(text) => Error::InUse(named(&text)),
            other => other,
        })
    }

    fn free(&self) -> u64 {
        rustix::fs::statvfs(&self.path).map_or(u64::MAX, |fs| fs.f_bavail.saturating_mul(fs.f_frsize))
    }

    fn release(&self) {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// Creates a directory and those above it, each durably.
fn create_directory(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    create_directory(parent)?;
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
        created => created?,
    }
    sync_directory(parent)
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
