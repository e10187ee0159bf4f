//! Addresses of links.

use std::net::IpAddr;

use ipnet::IpNet;

use super::Netlink;
use super::wire::{AF_UNSPEC, Message, address_of, attributes, family_of, flags, message, u32_at};
use crate::error::Result;

mod attribute {
    pub const ADDRESS: u16 = 1;
    pub const LOCAL: u16 = 2;
    pub const FLAGS: u16 = 8;
}

/// No duplicate address detection: a v6 address works at once.
const NO_DAD: u32 = 0x02;

/// An address as the kernel lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Index of its link.
    pub link: u32,
    /// Address and prefix length.
    pub net: IpNet,
    /// Still being checked for duplicates: not usable yet.
    pub tentative: bool,
}

impl Netlink {
    /// Gives a link an address, usable at once (v6 without duplicate detection).
    ///
    /// # Errors
    /// `Exists` when the link has it, `NotFound` without the link.
    pub fn add_address(&self, link: &str, net: IpNet) -> Result<()> {
        let index = self.index(link)?;
        let m = request(message::NEW_ADDRESS, flags::CREATE | flags::EXCLUSIVE, index, net);
        self.change(m, || format!("add address {net} to {link}"))
    }

    /// Gives a link an address unless it has it already.
    ///
    /// # Errors
    /// `NotFound` without the link.
    pub fn ensure_address(&self, link: &str, net: IpNet) -> Result<()> {
        let index = self.index(link)?;
        let m = request(message::NEW_ADDRESS, flags::CREATE | flags::REPLACE, index, net);
        self.change(m, || format!("set address {net} on {link}"))
    }

    /// Takes an address from a link.
    ///
    /// # Errors
    /// `NotFound` without the link or the address.
    pub fn delete_address(&self, link: &str, net: IpNet) -> Result<()> {
        let m = request(message::DEL_ADDRESS, 0, self.index(link)?, net);
        self.change(m, || format!("delete address {net} from {link}"))
    }

    /// All addresses of the namespace, in the kernel's order.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn addresses(&self) -> Result<Vec<Address>> {
        let mut found = Vec::new();
        let m = Message::new(message::GET_ADDRESS, 0, &[AF_UNSPEC, 0, 0, 0, 0, 0, 0, 0]);
        self.dump(m, flags::DUMP, &mut |kind, payload| found.extend(read(kind, payload)), || {
            "list addresses".into()
        })?;
        Ok(found)
    }
}

fn request(kind: u16, extra: u16, index: u32, net: IpNet) -> Message {
    let address = net.addr();
    // `ifaddrmsg`: family, prefix length, flags (8 bits, the rest is an attribute), scope, index.
    let mut header = [0; 8];
    header[0] = family_of(&address);
    header[1] = net.prefix_len();
    header[4..8].copy_from_slice(&index.to_ne_bytes());
    let mut m = Message::new(kind, extra, &header);
    m.address(attribute::LOCAL, address);
    m.address(attribute::ADDRESS, address);
    if address.is_ipv6() && kind == message::NEW_ADDRESS {
        m.number(attribute::FLAGS, NO_DAD);
    }
    m
}

fn read(kind: u16, payload: &[u8]) -> Option<Address> {
    const TENTATIVE: u32 = 0x40;
    if kind != message::NEW_ADDRESS {
        return None;
    }
    let prefix = *payload.get(1)?;
    let mut flags = u32::from(*payload.get(2)?);
    let (mut local, mut address): (Option<IpAddr>, Option<IpAddr>) = (None, None);
    for (kind, value) in attributes(payload.get(8..)?) {
        match kind {
            attribute::LOCAL => local = address_of(value),
            attribute::ADDRESS => address = address_of(value),
            attribute::FLAGS => flags = u32_at(value, 0)?,
            _ => {}
        }
    }
    // On a point-to-point link ADDRESS is the peer's; v6 has no LOCAL otherwise.
    let net = IpNet::new(local.or(address)?, prefix).ok()?;
    Some(Address { link: u32_at(payload, 4)?, net, tentative: flags & TENTATIVE != 0 })
}
