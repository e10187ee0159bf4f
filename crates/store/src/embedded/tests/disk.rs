//! A disk in memory that does what disks do on bad days, reproducibly.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use redb::{Builder, Database, StorageBackend};

use crate::Error;
use crate::embedded::file::Medium;
use crate::embedded::tables::opening;

/// What goes wrong at the chosen operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It fails and does nothing.
    Fails,
    /// If it is a write, half of it is done; then it fails.
    Short,
    /// From then on nothing works; some of what was not synced is on the disk, some not, some torn.
    PowerCut,
}

#[derive(Debug, Default)]
struct State {
    /// As reads see it.
    cached: Vec<u8>,
    /// As it was at the last sync.
    durable: Vec<u8>,
    /// What happened since.
    pending: Vec<Pending>,
    /// Operations until the fault.
    fault: Option<(u64, Fault)>,
    off: bool,
    /// Bytes that can be in use.
    capacity: Option<usize>,
    /// Blocks that were ever written.
    used: std::collections::BTreeSet<u64>,
}

#[derive(Debug)]
enum Pending {
    Write(u64, Vec<u8>),
    Length(u64),
}

const BLOCK: u64 = 4096;
const SECTOR: usize = 512;

/// Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    state: Arc<Mutex<State>>,
    /// Whether [`Medium::free`] is true to the capacity.
    pub tells_free: bool,
}

impl Disk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Lets a fault happen after so many more operations.
    pub fn fault_after(&self, operations: u64, fault: Fault) {
        self.state().fault = Some((operations, fault));
    }

    /// Whether a fault is still to come.
    pub fn armed(&self) -> bool {
        self.state().fault.is_some()
    }

    pub fn set_capacity(&self, bytes: Option<usize>) {
        self.state().capacity = bytes;
    }

    pub fn used(&self) -> usize {
        self.state().used.len() * BLOCK as usize
    }

    /// The power comes back: what the disk holds now is chance.
    pub fn after_power_cut(&self, rng: &mut fastrand::Rng) -> Self {
        let state = self.state();
        let mut image = state.durable.clone();
        let likely = rng.f64();
        for change in &state.pending {
            if rng.f64() > likely {
                continue;
            }
            match change {
                Pending::Length(length) => image.resize(*length as usize, 0),
                Pending::Write(at, data) => {
                    // A write is torn at a sector, and is lost behind the end.
                    let torn = rng.u8(..4) == 0;
                    let length = if torn { rng.usize(..=data.len() / SECTOR) * SECTOR } else { data.len() };
                    let at = *at as usize;
                    if at + length <= image.len() {
                        image[at..at + length].copy_from_slice(&data[..length]);
                    }
                }
            }
        }
        let new = State { cached: image.clone(), durable: image, ..State::default() };
        Self { state: Arc::new(Mutex::new(new)), tells_free: false }
    }
}

impl State {
    /// Counts an operation; answers what is to go wrong.
    fn operation(&mut self) -> io::Result<Option<Fault>> {
        if self.off {
            return Err(io::Error::other("no power"));
        }
        match &mut self.fault {
            Some((0, fault)) => {
                let fault = *fault;
                self.fault = None;
                self.off = fault == Fault::PowerCut;
                Ok(Some(fault))
            }
            Some((left, _)) => {
                *left -= 1;
                Ok(None)
            }
            None => Ok(None),
        }
    }

    fn checked(&mut self) -> io::Result<()> {
        self.operation()?.map_or(Ok(()), |_| Err(io::Error::other("injected fault")))
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        let mut state = self.state();
        state.checked()?;
        Ok(state.cached.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut state = self.state();
        state.checked()?;
        let at = offset as usize;
        let data = state.cached.get(at..at + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(data);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.state();
        state.checked()?;
        state.cached.resize(len as usize, 0);
        state.pending.push(Pending::Length(len));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.state();
        state.checked()?;
        state.durable = state.cached.clone();
        state.pending.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        let fault = state.operation()?;
        let data = match fault {
            None => data,
            Some(Fault::Short) => &data[..data.len() / 2],
            Some(_) => return Err(io::Error::other("injected fault")),
        };
        let at = offset as usize;
        if let Some(capacity) = state.capacity {
            let new = (offset / BLOCK..(offset + data.len() as u64).div_ceil(BLOCK))
                .filter(|block| !state.used.contains(block))
                .count();
            if (state.used.len() + new) * BLOCK as usize > capacity {
                return Err(io::Error::from(io::ErrorKind::StorageFull));
            }
        }
        state.used.extend(offset / BLOCK..(offset + data.len() as u64).div_ceil(BLOCK));
        let end = at + data.len();
        state.cached.get_mut(at..end).ok_or(io::ErrorKind::UnexpectedEof)?.copy_from_slice(data);
        state.pending.push(Pending::Write(offset, data.to_vec()));
        if fault.is_some() { Err(io::Error::other("injected short write")) } else { Ok(()) }
    }
}

impl Medium for Disk {
    fn open(&self, builder: &Builder) -> Result<Database, Error> {
        builder.create_with_backend(self.clone()).map_err(opening)
    }

    fn free(&self) -> u64 {
        let state = self.state();
        let used = state.used.len() * BLOCK as usize;
        match state.capacity {
            Some(capacity) if self.tells_free => capacity.saturating_sub(used) as u64,
            _ => u64::MAX,
        }
    }
}
