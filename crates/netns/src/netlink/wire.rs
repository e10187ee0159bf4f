//! The bytes of netlink messages: header, attributes, acknowledgements. Numbers are those of `linux/*.h`.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Failure;

pub(super) const SOL_NETLINK: i32 = 270;
pub(super) const NETLINK_EXT_ACK: i32 = 11;
pub(super) const NETLINK_GET_STRICT_CHK: i32 = 12;

/// Message types.
pub(super) mod message {
    pub const NOOP: u16 = 1;
    pub const ERROR: u16 = 2;
    pub const DONE: u16 = 3;
    pub const NEW_LINK: u16 = 16;
    pub const DEL_LINK: u16 = 17;
    pub const GET_LINK: u16 = 18;
    pub const SET_LINK: u16 = 19;
    pub const NEW_ADDRESS: u16 = 20;
    pub const DEL_ADDRESS: u16 = 21;
    pub const GET_ADDRESS: u16 = 22;
    pub const NEW_ROUTE: u16 = 24;
    pub const DEL_ROUTE: u16 = 25;
    pub const GET_ROUTE: u16 = 26;
    pub const NEW_NEIGHBOUR: u16 = 28;
    pub const DEL_NEIGHBOUR: u16 = 29;
    pub const GET_NEIGHBOUR: u16 = 30;
}

/// Header flags.
pub(super) mod flags {
    pub const REQUEST: u16 = 0x1;
    pub const ACK: u16 = 0x4;
    pub const DUMP: u16 = 0x300;
    pub const REPLACE: u16 = 0x100;
    pub const EXCLUSIVE: u16 = 0x200;
    pub const CREATE: u16 = 0x400;
    /// On an answer: attributes follow the echoed request header.
    pub const ACK_TLVS: u16 = 0x200;
    /// On an answer: the request's payload is not echoed.
    pub const CAPPED: u16 = 0x100;
}

pub(super) const AF_UNSPEC: u8 = 0;
pub(super) const AF_INET: u8 = 2;
pub(super) const AF_INET6: u8 = 10;

const HEADER: usize = 16;
const NESTED: u16 = 0x8000;
const TYPE_MASK: u16 = 0x3fff;

/// A request being built.
pub(super) struct Message {
    bytes: Vec<u8>,
    kind: u16,
    flags: u16,
}

impl Message {
    /// Starts a message with its family header (`ifinfomsg`, `rtmsg`, ...).
    pub fn new(kind: u16, flags: u16, family_header: &[u8]) -> Self {
        let mut bytes = vec![0; HEADER];
        bytes.extend_from_slice(family_header);
        Self { bytes, kind, flags }
    }

    pub fn attribute(&mut self, kind: u16, value: &[u8]) {
        // Callers pass names, addresses and small numbers only: far below the 16 bits of the length.
        self.bytes.extend_from_slice(&((4 + value.len()) as u16).to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(value);
        self.pad();
    }

    pub fn number(&mut self, kind: u16, value: u32) {
        self.attribute(kind, &value.to_ne_bytes());
    }

    /// A text with its ending zero.
    pub fn text(&mut self, kind: u16, value: &str) {
        let mut bytes = value.as_bytes().to_vec();
        bytes.push(0);
        self.attribute(kind, &bytes);
    }

    pub fn address(&mut self, kind: u16, value: IpAddr) {
        match value {
            IpAddr::V4(v4) => self.attribute(kind, &v4.octets()),
            IpAddr::V6(v6) => self.attribute(kind, &v6.octets()),
        }
    }

    /// An attribute that holds what `fill` adds.
    pub fn nested(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) {
        let start = self.bytes.len();
        self.attribute(kind | NESTED, &[]);
        fill(self);
        let length = (self.bytes.len() - start) as u16;
        self.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
    }

    /// Plain bytes inside a nested attribute (the inner `ifinfomsg` of a veth peer).
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    /// The finished message.
    pub fn finish(mut self, flags: u16, sequence: u32) -> Vec<u8> {
        let length = self.bytes.len() as u32;
        self.bytes[0..4].copy_from_slice(&length.to_ne_bytes());
        self.bytes[4..6].copy_from_slice(&self.kind.to_ne_bytes());
        self.bytes[6..8].copy_from_slice(&(self.flags | flags | flags::REQUEST).to_ne_bytes());
        self.bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
        self.bytes
    }
}

/// Header of an answer.
pub(super) struct Header {
    pub kind: u16,
    pub flags: u16,
    pub sequence: u32,
}

/// The messages of a datagram; stops at the first one that is cut short.
pub(super) fn messages(mut bytes: &[u8]) -> impl Iterator<Item = (Header, &[u8])> {
    std::iter::from_fn(move || {
        let length = u32_at(bytes, 0)? as usize;
        let payload = bytes.get(HEADER..length)?;
        let header =
            Header { kind: u16_at(bytes, 4)?, flags: u16_at(bytes, 6)?, sequence: u32_at(bytes, 8)? };
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((header, payload))
    })
}

/// The attributes of a payload; stops at the first one that is cut short.
pub(super) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(bytes, 0)?);
        let value = bytes.get(4..length)?;
        let kind = u16_at(bytes, 2)? & TYPE_MASK;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// Reads an acknowledgement (`nlmsgerr`) or the end of a dump: the kernel's error and, where given, its sentence.
pub(super) fn acknowledgement(header_flags: u16, payload: &[u8]) -> Result<(), Failure> {
    /// `NLMSGERR_ATTR_MSG`.
    const SENTENCE: u16 = 1;
    let code = u32_at(payload, 0).map_or(0, |code| code as i32);
    if code >= 0 {
        return Ok(());
    }
    let mut explanation = String::new();
    if header_flags & flags::ACK_TLVS != 0 {
        let echoed =
            if header_flags & flags::CAPPED != 0 { HEADER } else { u32_at(payload, 4).unwrap_or(0) as usize };
        let rest = payload.get(4 + echoed.next_multiple_of(4)..).unwrap_or_default();
        if let Some((_, text)) = attributes(rest).find(|(kind, _)| *kind == SENTENCE) {
            explanation = text_of(text);
        }
    }
    Err(Failure { error: io::Error::from_raw_os_error(-code), explanation })
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// Text up to its ending zero.
pub(super) fn text_of(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

pub(super) fn address_of(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(v4).into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(|v6| Ipv6Addr::from(v6).into())
}

pub(super) const fn family_of(address: &IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => AF_INET,
        IpAddr::V6(_) => AF_INET6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_round_trip() {
        let mut message = Message::new(message::NEW_LINK, flags::CREATE, &[0; 16]);
        message.text(3, "eth0");
        message.nested(18, |m| m.number(1, 7));
        let bytes = message.finish(flags::ACK, 9);
        let all: Vec<_> = messages(&bytes).collect();
        let [(header, payload)] = all.as_slice() else { panic!("one message, got {}", all.len()) };
        assert_eq!((header.kind, header.flags, header.sequence), (16, 0x405, 9));
        let mut found = attributes(&payload[16..]);
        assert_eq!(found.next(), Some((3, b"eth0\0".as_slice())));
        let (kind, inner) = found.next().unwrap_or_default();
        assert_eq!(kind, 18);
        assert_eq!(attributes(inner).collect::<Vec<_>>(), [(1, 7u32.to_ne_bytes().as_slice())]);
        assert!(found.next().is_none());
    }

    /// Whatever bytes arrive, reading ends and stays inside them.
    #[test]
    fn cut_and_wild_bytes_end() {
        let mut state = 1u32;
        for length in 0..400usize {
            let bytes: Vec<u8> = (0..length)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (state >> 29) as u8 * 8
                })
                .collect();
            assert!(messages(&bytes).count() <= length);
            assert!(attributes(&bytes).count() <= length);
            acknowledgement(0xffff, &bytes).ok();
        }
    }
}
