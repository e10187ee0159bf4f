//! Neighbours: which hardware address an IP address on a link has.

use std::net::IpAddr;

use super::Netlink;
use super::link::Mac;
use super::wire::{AF_UNSPEC, Message, address_of, attributes, family_of, flags, message, u16_at, u32_at};
use crate::error::Result;

mod attribute {
    pub const DESTINATION: u16 = 1;
    pub const LINK_ADDRESS: u16 = 2;
}

const PERMANENT: u16 = 0x80;

/// An entry as the kernel lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Index of its link.
    pub link: u32,
    /// IP address.
    pub address: IpAddr,
    /// Hardware address, once known.
    pub mac: Option<Mac>,
    /// Set by hand: never asked for, never forgotten.
    pub permanent: bool,
}

impl Netlink {
    /// Makes `address` known at `mac` on the link, for good: no ARP or neighbour discovery is needed.
    ///
    /// # Errors
    /// `NotFound` without the link.
    pub fn set_neighbour(&self, link: &str, address: IpAddr, mac: Mac) -> Result<()> {
        let mut m =
            request(message::NEW_NEIGHBOUR, flags::CREATE | flags::REPLACE, self.index(link)?, address);
        m.attribute(attribute::LINK_ADDRESS, &mac.0);
        self.change(m, || format!("set neighbour {address} at {mac} on {link}"))
    }

    /// Forgets a neighbour.
    ///
    /// # Errors
    /// `NotFound` without the link or the entry.
    pub fn delete_neighbour(&self, link: &str, address: IpAddr) -> Result<()> {
        let m = request(message::DEL_NEIGHBOUR, 0, self.index(link)?, address);
        self.change(m, || format!("delete neighbour {address} on {link}"))
    }

    /// All neighbours of the namespace, in the kernel's order.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn neighbours(&self) -> Result<Vec<Neighbour>> {
        let mut found = Vec::new();
        let m = Message::new(message::GET_NEIGHBOUR, 0, &[AF_UNSPEC, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let mut each = |kind: u16, payload: &[u8]| found.extend(read(kind, payload));
        self.dump(m, flags::DUMP, &mut each, || "list neighbours".into())?;
        Ok(found)
    }
}

fn request(kind: u16, extra: u16, index: u32, address: IpAddr) -> Message {
    // `ndmsg`: family, padding, index, state, flags, type.
    let mut header = [0; 12];
    header[0] = family_of(&address);
    header[4..8].copy_from_slice(&index.to_ne_bytes());
    header[8..10].copy_from_slice(&PERMANENT.to_ne_bytes());
    let mut m = Message::new(kind, extra, &header);
    m.address(attribute::DESTINATION, address);
    m
}

fn read(kind: u16, payload: &[u8]) -> Option<Neighbour> {
    if kind != message::NEW_NEIGHBOUR {
        return None;
    }
    let (mut address, mut mac) = (None, None);
    for (kind, value) in attributes(payload.get(12..)?) {
        match kind {
            attribute::DESTINATION => address = address_of(value),
            attribute::LINK_ADDRESS => mac = value.try_into().ok().map(Mac),
            _ => {}
        }
    }
    let permanent = u16_at(payload, 8)? & PERMANENT != 0;
    Some(Neighbour { link: u32_at(payload, 4)?, address: address?, mac, permanent })
}
