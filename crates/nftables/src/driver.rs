//! The I/O half: what is in the kernel, and how to change it.

use std::net::{Ipv4Addr, Ipv6Addr};

use portway_base::IpFamily;
use portway_intent::{Delta, Driver, FamilyIntent, Intent, Trouble};
use rustix::io::Errno;
use thiserror::Error;

use crate::codec::wire::Writer;
use crate::codec::{self, Decoded, kind};
use crate::netlink::{self, Socket, errno};
use crate::{Classes, Image, Op, Patch, Set, TABLE, Table};

/// Our tables in the kernel of one network namespace.
#[derive(Debug)]
pub struct Nftables {
    socket: Socket,
    /// Generation after our last look or change.
    generation: Option<u32>,
    /// Handles of our tables at the last look: a table that was deleted and made again has another.
    handles: [Option<u64>; 2],
    classes: Classes,
}

/// The backend, as a type.
#[derive(Debug)]
pub enum Backend {}

impl portway_intent::Backend for Backend {
    type Image = Image;
    type Patch = Patch;

    fn render(intent: &Intent) -> Image {
        crate::render(intent)
    }

    fn diff(have: &Image, want: &Image) -> Patch {
        crate::diff(have, want)
    }

    fn size(patch: &Patch) -> usize {
        patch.len()
    }
}

impl Driver for Nftables {
    type Backend = Backend;

    fn load(&mut self) -> Result<Image, Trouble> {
        let image = Self::load(self).map_err(|error| Trouble::Unavailable(error.to_string()))?;
        self.classes = Classes::of(&image);
        Ok(image)
    }

    fn follow(
        &mut self,
        delta: &Delta,
        now: (&FamilyIntent<Ipv4Addr>, &FamilyIntent<Ipv6Addr>),
    ) -> Option<Patch> {
        crate::patch(delta, now, &self.classes)
    }

    fn commit(&mut self, patch: &Patch) -> Result<(), Trouble> {
        for _ in 0..8 {
            match Self::commit(self, patch) {
                Ok(()) => {
                    self.classes.follow(patch);
                    return Ok(());
                }
                // Others may change their own tables as they like.
                Err(CommitError::Changed) if self.still_ours() => {}
                Err(error @ CommitError::Netlink(_)) => return Err(Trouble::Unavailable(error.to_string())),
                Err(error) => return Err(Trouble::Stale(error.to_string())),
            }
        }
        Err(Trouble::Stale(CommitError::Changed.to_string()))
    }

    fn cleanup(&mut self) -> Result<(), Trouble> {
        Self::cleanup(self).map_err(|error| Trouble::Unavailable(error.to_string()))
    }
}

/// Why a patch did not land.
#[derive(Debug, Error)]
pub enum CommitError {
    /// Someone else changed the ruleset since the last [`Nftables::load`] or commit: look, then try again.
    #[error("the ruleset was changed by somebody else")]
    Changed,
    /// The kernel refused an operation: what is in the kernel is not what was thought. Load and compare.
    #[error("{errno} at: {op}")]
    Refused {
        /// Text of the operation.
        op: String,
        /// Why.
        errno: Errno,
    },
    /// The socket failed: try again later.
    #[error(transparent)]
    Netlink(#[from] netlink::Error),
}

impl Nftables {
    /// Works in the network namespace in which the socket was opened.
    pub fn new(socket: Socket) -> Self {
        Self { socket, generation: None, handles: [None; 2], classes: Classes::default() }
    }

    /// By which notifications name our changes.
    pub fn port(&self) -> u32 {
        self.socket.port()
    }

    /// The generation of the ruleset.
    ///
    /// # Errors
    /// The kernel refuses, or the socket fails.
    pub fn generation(&mut self) -> Result<u32, netlink::Error> {
        let request = codec::get_generation(self.socket.sequence());
        let mut generation = 0;
        self.socket.request(&request, |message| {
            generation = codec::decode_generation(message).unwrap_or(generation);
        })?;
        Ok(generation)
    }

    /// Reads our tables.
    ///
    /// # Errors
    /// The kernel refuses, the socket fails, or others change the ruleset all the time.
    pub fn load(&mut self) -> Result<Image, netlink::Error> {
        for _ in 0..8 {
            let before = self.generation()?;
            let image = self.read();
            let after = self.generation()?;
            match image {
                Ok(image) if before == after => {
                    self.generation = Some(after);
                    self.handles = self.table_handles()?;
                    return Ok(image);
                }
                Ok(_) | Err(netlink::Error::Interrupted) => {}
                Err(error) => return Err(error),
            }
        }
        Err(netlink::Error::Interrupted)
    }

    /// Executes the patch in one transaction, or in several if the socket has no room for one.
    ///
    /// # Errors
    /// Nothing of the current transaction was done.
    pub fn commit(&mut self, patch: &Patch) -> Result<(), CommitError> {
        let mut rest = patch.ops.as_slice();
        while !rest.is_empty() {
            let (count, batch) = self.batch(rest);
            self.transact(&rest[..count], &batch)?;
            rest = &rest[count..];
        }
        if patch.ops.iter().any(|(_, op)| matches!(op, Op::AddTable | Op::DeleteTable)) {
            self.handles = self.table_handles()?;
        }
        Ok(())
    }

    /// Deletes our tables.
    ///
    /// # Errors
    /// The kernel refuses, or the socket fails.
    pub fn cleanup(&mut self) -> Result<(), CommitError> {
        for family in IpFamily::ALL {
            // A table that is not there is created first, so that deleting it cannot fail.
            let patch = Patch { ops: vec![(family, Op::AddTable), (family, Op::DeleteTable)] };
            self.generation = None;
            self.commit(&patch)?;
        }
        Ok(())
    }

    /// Takes note of the present generation, if our tables are those of the last look or commit.
    fn still_ours(&mut self) -> bool {
        let (Ok(generation), Ok(handles)) = (self.generation(), self.table_handles()) else { return false };
        self.generation = Some(generation);
        handles == self.handles && handles.iter().all(Option::is_some)
    }

    fn table_handles(&mut self) -> Result<[Option<u64>; 2], netlink::Error> {
        let mut handles = [None; 2];
        for (family, handle) in IpFamily::ALL.into_iter().zip(&mut handles) {
            let request = codec::get_table(family, self.socket.sequence());
            match self.socket.request(&request, |message| *handle = message.attributes().u64(4)) {
                Ok(()) | Err(netlink::Error::Refused(Errno::NOENT)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(handles)
    }

    /// As many operations as there is room for (at least one), and their messages.
    fn batch(&mut self, ops: &[(IpFamily, Op)]) -> (usize, Vec<u8>) {
        // Of an operation with elements, about this much; of any other, one message.
        const ELEMENT: usize = 200;
        const MESSAGE: usize = 2048;
        const END: usize = 32;
        let guess = |op: &Op| match op {
            Op::AddElements { elements, .. } => elements.len() * ELEMENT,
            Op::DeleteElements { elements, .. } => elements.len() * ELEMENT,
            _ => 0,
        };
        let wanted = ops.iter().map(|(_, op)| MESSAGE + guess(op)).sum();
        let room = self.socket.room(wanted).saturating_sub(END);
        let first = self.socket.sequence();
        let mut w = Writer::new();
        codec::batch_begin(&mut w, first, self.generation);
        let (mut count, mut last) = (0, 0);
        for (family, op) in ops {
            let end = w.len();
            codec::encode(&mut w, *family, op, self.socket.sequence());
            if w.len() > room && count > 0 {
                w.truncate(end);
                break;
            }
            count += 1;
            last = w.message_start();
        }
        w.acknowledge(last);
        codec::batch_end(&mut w, self.socket.sequence());
        (count, w.into_bytes())
    }

    fn transact(&mut self, ops: &[(IpFamily, Op)], batch: &[u8]) -> Result<(), CommitError> {
        let begin = codec::wire::messages(batch).next().map_or(0, |message| message.sequence);
        self.socket.send(batch).map_err(netlink::Error::Socket)?;
        let mut failed: Option<(u32, Errno)> = None;
        let mut done = false;
        loop {
            let more = self.socket.receive(false, |message| {
                if message.kind != codec::wire::ERROR || message.sequence < begin {
                    return;
                }
                match errno(message) {
                    None => done = true,
                    // Of a transaction's errors that of the first operation is the cause.
                    Some(errno) => {
                        let at = message.sequence - begin;
                        if failed.is_none_or(|(first, _)| at < first) {
                            failed = Some((at, errno));
                        }
                    }
                }
            });
            if !more.map_err(netlink::Error::Socket)? {
                break;
            }
        }
        // ERESTART, which never reaches programs elsewhere.
        const RESTART: i32 = 85;
        match failed {
            None if done => {
                self.generation = self.generation.map(|generation| generation.wrapping_add(1).max(1));
                Ok(())
            }
            None => Err(netlink::Error::Socket(std::io::ErrorKind::UnexpectedEof.into()).into()),
            Some((_, errno)) => {
                self.generation = None;
                if errno.raw_os_error() == RESTART {
                    return Err(CommitError::Changed);
                }
                let index = failed.map_or(0, |(at, _)| at).saturating_sub(1);
                let op = ops.get(index as usize).map_or("commit".to_owned(), |(_, op)| op.to_string());
                let short = op.char_indices().nth(300).map_or(op.as_str(), |(at, _)| &op[..at]);
                Err(CommitError::Refused { op: short.to_owned(), errno })
            }
        }
    }

    fn read(&mut self) -> Result<Image, netlink::Error> {
        let mut image = Image::default();
        for family in IpFamily::ALL {
            *image.table_mut(family) = self.read_table(family)?;
        }
        Ok(image)
    }

    fn read_table(&mut self, family: IpFamily) -> Result<Option<Table>, netlink::Error> {
        let request = codec::get_table(family, self.socket.sequence());
        match self.socket.request(&request, |_| {}) {
            Ok(()) => {}
            Err(netlink::Error::Refused(Errno::NOENT)) => return Ok(None),
            Err(error) => return Err(error),
        }
        let mut table = Table::default();
        let mut strange = Vec::new();
        for kind in [kind::GETCHAIN, kind::GETSET, kind::GETRULE] {
            self.dump(kind, family, None, |object| match object {
                Decoded::Chain { name, chain, .. } => drop(table.chains.insert(name, chain)),
                Decoded::Rule { chain, rule, .. } => {
                    table.chains.entry(chain).or_default().rules.push(rule);
                }
                Decoded::Set { name, spec: Some(spec), .. } => {
                    table.sets.insert(name, Set { spec, elements: Default::default() });
                }
                Decoded::Set { name, spec: None, .. } => strange.push(name),
                Decoded::Table(_) | Decoded::Elements { .. } => {}
            })?;
        }
        for name in strange {
            // Of a type we never make: an impossible one, so that it is replaced or removed.
            let spec = crate::SetSpec { key: Vec::new(), data: None, interval: false, dynamic: None };
            table.sets.insert(name, Set { spec, elements: Default::default() });
        }
        let filled = |set: &Set| set.spec.dynamic.is_none() && !set.spec.key.is_empty();
        let names: Vec<String> =
            table.sets.iter().filter(|(_, set)| filled(set)).map(|(name, _)| name.clone()).collect();
        for name in names {
            self.dump(kind::GETSETELEM, family, Some(&name), |object| {
                if let Decoded::Elements { set, elements, .. } = object
                    && let Some(set) = table.sets.get_mut(&set)
                {
                    set.elements.extend(elements);
                }
            })?;
        }
        Ok(Some(table))
    }

    fn dump(
        &mut self,
        kind: u8,
        family: IpFamily,
        set: Option<&str>,
        mut each: impl FnMut(Decoded),
    ) -> Result<(), netlink::Error> {
        let request = codec::dump(kind, family, set, self.socket.sequence());
        self.socket.request(&request, |message| {
            // The kernel dumps all tables of the family for some kinds.
            let ours = |object: &Decoded| match object {
                Decoded::Table(table)
                | Decoded::Chain { table, .. }
                | Decoded::Rule { table, .. }
                | Decoded::Set { table, .. }
                | Decoded::Elements { table, .. } => table == TABLE,
            };
            if let Some(object) = codec::decode(message).filter(ours) {
                each(object);
            }
        })
    }
}
