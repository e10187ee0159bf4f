//! What one write holds until its outcome is known.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use portway_store::Txn;

use super::{Books, lock};

/// Addresses and ports of one write. Dropped without [`Grant::keep`], what it took goes back.
#[derive(Default)]
pub(crate) struct Grant {
    books: Option<Arc<Mutex<Books>>>,
    /// Written together with the object.
    pub(super) txn: Txn,
    pub(super) taken_addresses: Vec<IpAddr>,
    pub(super) taken_ports: Vec<u16>,
    pub(super) dropped_addresses: Vec<IpAddr>,
    pub(super) dropped_ports: Vec<u16>,
}

impl Grant {
    pub(super) fn on(books: &Arc<Mutex<Books>>) -> Self {
        let mut grant = Self::default();
        grant.books = Some(Arc::clone(books));
        grant
    }

    /// The object's own transaction with what belongs to it.
    pub(crate) fn with(&mut self, txn: Txn) -> Txn {
        txn.and(std::mem::take(&mut self.txn))
    }

    /// The write happened: what it took is its own, what it gave up is free.
    pub(crate) fn keep(mut self) {
        if let Some(books) = self.books.take() {
            let mut books = lock(&books);
            for ip in &self.dropped_addresses {
                books.addresses.release(*ip);
            }
            for port in &self.dropped_ports {
                books.ports.release(*port);
            }
        }
    }

    /// Nobody knows whether the write happened: what it took stays taken, what it gave up stays held, until
    /// the server reads the store again.
    pub(crate) fn leave(mut self) {
        self.books = None;
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        let Some(books) = self.books.take() else { return };
        if self.taken_addresses.is_empty() && self.taken_ports.is_empty() {
            return;
        }
        let mut books = lock(&books);
        for ip in &self.taken_addresses {
            books.addresses.release(*ip);
        }
        for port in &self.taken_ports {
            books.ports.release(*port);
        }
    }
}
