//! Links: veth pairs, bridges, and what they are set to.

use std::fmt;
use std::os::fd::{AsFd, AsRawFd};

use super::Netlink;
use super::wire::{self, AF_UNSPEC, Message, attributes, flags, message, text_of, u32_at};
use crate::error::{Error, Result};
use crate::namespace::Namespace;

mod attribute {
    pub const ADDRESS: u16 = 1;
    pub const NAME: u16 = 3;
    pub const MTU: u16 = 4;
    pub const MASTER: u16 = 10;
    pub const LINK_INFO: u16 = 18;
    pub const NAMESPACE_FD: u16 = 28;
    pub const INFO_KIND: u16 = 1;
    pub const INFO_DATA: u16 = 2;
    pub const VETH_PEER: u16 = 1;
}

const IFF_UP: u32 = 1;

/// A hardware address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// A link as the kernel lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Interface index.
    pub index: u32,
    /// Name.
    pub name: String,
    /// `veth`, `bridge`, ...; empty for `lo` and hardware.
    pub kind: String,
    /// Set up (it may still lack a carrier).
    pub up: bool,
    /// Bytes.
    pub mtu: u32,
    /// Index of the bridge it is attached to.
    pub master: Option<u32>,
    /// Hardware address.
    pub mac: Option<Mac>,
}

/// A veth pair to make: this end in the namespace of the socket, and up; the peer end wherever it is wanted, and
/// down (the kernel cannot raise it before the pair is whole: [`Netlink::set_up`] does, from its namespace).
#[derive(Clone, Debug)]
pub struct Veth<'a> {
    /// Name of this end, at most 15 bytes.
    pub name: &'a str,
    /// Hardware address of this end; the kernel picks one otherwise.
    pub mac: Option<Mac>,
    /// Bridge to attach this end to.
    pub bridge: Option<&'a str>,
    /// Name of the peer end.
    pub peer: &'a str,
    /// Hardware address of the peer end.
    pub peer_mac: Option<Mac>,
    /// Namespace of the peer end; the same one otherwise.
    pub peer_namespace: Option<&'a Namespace>,
    /// Bytes; 1500 otherwise.
    pub mtu: Option<u32>,
}

impl<'a> Veth<'a> {
    /// A pair of plain ends.
    pub fn new(name: &'a str, peer: &'a str) -> Self {
        Self { name, mac: None, bridge: None, peer, peer_mac: None, peer_namespace: None, mtu: None }
    }
}

impl Netlink {
    /// Makes a veth pair, each end where it belongs, in one step. The peer end is still to be set up.
    ///
    /// # Errors
    /// `Exists` when either name is taken, `NotFound` for the bridge.
    pub fn add_veth(&self, veth: &Veth<'_>) -> Result<()> {
        let master = veth.bridge.map(|bridge| self.index(bridge)).transpose()?;
        let mut m = new_link(0, IFF_UP);
        let end = |m: &mut Message, name: &str, mac: Option<Mac>| {
            m.text(attribute::NAME, name);
            if let Some(mac) = mac {
                m.attribute(attribute::ADDRESS, &mac.0);
            }
            if let Some(mtu) = veth.mtu {
                m.number(attribute::MTU, mtu);
            }
        };
        end(&mut m, veth.name, veth.mac);
        if let Some(master) = master {
            m.number(attribute::MASTER, master);
        }
        m.nested(attribute::LINK_INFO, |m| {
            m.text(attribute::INFO_KIND, "veth");
            m.nested(attribute::INFO_DATA, |m| {
                m.nested(attribute::VETH_PEER, |m| {
                    m.raw(&header(0, 0, 0));
                    end(m, veth.peer, veth.peer_mac);
                    if let Some(namespace) = veth.peer_namespace {
                        m.number(attribute::NAMESPACE_FD, namespace.as_fd().as_raw_fd() as u32);
                    }
                });
            });
        });
        self.change(m, || format!("add veth {} with peer {}", veth.name, veth.peer))
    }

    /// Makes a bridge and sets it up. It forwards at once: no spanning tree.
    ///
    /// # Errors
    /// `Exists` when the name is taken.
    pub fn add_bridge(&self, name: &str, mac: Option<Mac>) -> Result<()> {
        let mut m = new_link(0, IFF_UP);
        m.text(attribute::NAME, name);
        if let Some(mac) = mac {
            m.attribute(attribute::ADDRESS, &mac.0);
        }
        m.nested(attribute::LINK_INFO, |m| m.text(attribute::INFO_KIND, "bridge"));
        self.change(m, || format!("add bridge {name}"))
    }

    /// Deletes a link; of a veth pair, both ends.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub fn delete_link(&self, name: &str) -> Result<()> {
        let mut m = Message::new(message::DEL_LINK, 0, &header(0, 0, 0));
        m.text(attribute::NAME, name);
        self.change(m, || format!("delete link {name}"))
    }

    /// Sets a link up.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub fn set_up(&self, name: &str) -> Result<()> {
        self.set(name, IFF_UP, IFF_UP, |_| {}, "set up")
    }

    /// Sets a link down.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub fn set_down(&self, name: &str) -> Result<()> {
        self.set(name, 0, IFF_UP, |_| {}, "set down")
    }

    /// Sets the largest packet, in bytes.
    ///
    /// # Errors
    /// `NotFound`, or what the kernel says of the number.
    pub fn set_mtu(&self, name: &str, mtu: u32) -> Result<()> {
        self.set(name, 0, 0, |m| m.number(attribute::MTU, mtu), "set the MTU of")
    }

    /// Sets the hardware address.
    ///
    /// # Errors
    /// `NotFound`, or what the kernel says of the address.
    pub fn set_mac(&self, name: &str, mac: Mac) -> Result<()> {
        self.set(name, 0, 0, |m| m.attribute(attribute::ADDRESS, &mac.0), "set the hardware address of")
    }

    /// Attaches a link to a bridge, or detaches it.
    ///
    /// # Errors
    /// `NotFound` for either.
    pub fn set_bridge(&self, name: &str, bridge: Option<&str>) -> Result<()> {
        let master = bridge.map_or(Ok(0), |bridge| self.index(bridge))?;
        self.set(name, 0, 0, |m| m.number(attribute::MASTER, master), "attach to a bridge")
    }

    /// Renames a link.
    ///
    /// # Errors
    /// `NotFound`, or `Exists` for the new name.
    pub fn rename(&self, name: &str, to: &str) -> Result<()> {
        // The kernel would take the name for the one to look for: address the link by its index.
        let mut m = Message::new(message::SET_LINK, 0, &header(self.index(name)?, 0, 0));
        m.text(attribute::NAME, to);
        self.change(m, || format!("rename link {name} to {to}"))
    }

    /// Moves a link into another namespace.
    ///
    /// # Errors
    /// `NotFound`, or `Exists` when the name is taken there.
    pub fn move_to(&self, name: &str, namespace: &Namespace) -> Result<()> {
        let fd = namespace.as_fd().as_raw_fd() as u32;
        self.set(name, 0, 0, |m| m.number(attribute::NAMESPACE_FD, fd), "move to another namespace")
    }

    /// Interface index of a link.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub fn index(&self, name: &str) -> Result<u32> {
        self.link(name).map(|link| link.index)
    }

    /// A link by name.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub fn link(&self, name: &str) -> Result<Link> {
        let mut m = Message::new(message::GET_LINK, 0, &header(0, 0, 0));
        m.text(attribute::NAME, name);
        let mut found = None;
        self.dump(m, 0, &mut |kind, payload| found = read(kind, payload).or(found.take()), || {
            format!("find link {name}")
        })?;
        found.ok_or_else(|| Error::new(format!("find link {name}"), rustix::io::Errno::NODEV))
    }

    /// All links, by index.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn links(&self) -> Result<Vec<Link>> {
        let mut found = Vec::new();
        let m = Message::new(message::GET_LINK, 0, &header(0, 0, 0));
        self.dump(m, flags::DUMP, &mut |kind, payload| found.extend(read(kind, payload)), || {
            "list links".into()
        })?;
        found.sort_by_key(|link: &Link| link.index);
        Ok(found)
    }

    fn set(&self, name: &str, to: u32, mask: u32, fill: impl FnOnce(&mut Message), verb: &str) -> Result<()> {
        let mut m = Message::new(message::SET_LINK, 0, &header(0, to, mask));
        m.text(attribute::NAME, name);
        fill(&mut m);
        self.change(m, || format!("{verb} link {name}"))
    }
}

/// `ifinfomsg`.
fn header(index: u32, to: u32, mask: u32) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[0] = AF_UNSPEC;
    bytes[4..8].copy_from_slice(&index.to_ne_bytes());
    bytes[8..12].copy_from_slice(&to.to_ne_bytes());
    bytes[12..16].copy_from_slice(&mask.to_ne_bytes());
    bytes
}

fn new_link(index: u32, up: u32) -> Message {
    Message::new(message::NEW_LINK, flags::CREATE | flags::EXCLUSIVE, &header(index, up, up))
}

fn read(kind: u16, payload: &[u8]) -> Option<Link> {
    if kind != message::NEW_LINK {
        return None;
    }
    let mut link = Link {
        index: u32_at(payload, 4)?,
        name: String::new(),
        kind: String::new(),
        up: u32_at(payload, 8)? & IFF_UP != 0,
        mtu: 0,
        master: None,
        mac: None,
    };
    for (kind, value) in attributes(payload.get(16..)?) {
        match kind {
            attribute::NAME => link.name = text_of(value),
            attribute::MTU => link.mtu = u32_at(value, 0)?,
            attribute::MASTER => link.master = u32_at(value, 0),
            attribute::ADDRESS => link.mac = value.try_into().ok().map(Mac),
            attribute::LINK_INFO => {
                let info = wire::attributes(value).find(|(kind, _)| *kind == attribute::INFO_KIND);
                link.kind = info.map(|(_, text)| text_of(text)).unwrap_or_default();
            }
            _ => {}
        }
    }
    Some(link)
}
