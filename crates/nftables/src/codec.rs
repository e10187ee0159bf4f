//! The netlink form of our objects. Pure: bytes in, bytes out; any bytes are read without panic.
//!
//! Numbers follow `linux/netfilter/nf_tables.h`. Integers on the wire are big-endian.

mod element;
mod expr;
mod object;
pub mod wire;

pub use element::{decode_elements, encode_add, encode_delete};
pub use expr::{decode_expr, encode_expr};
pub use object::{
    Decoded, batch_begin, batch_end, decode, decode_generation, dump, encode, get_generation, get_table,
};

/// Messages of nf_tables.
pub mod kind {
    #![allow(missing_docs)]
    pub const NEWTABLE: u8 = 0;
    pub const GETTABLE: u8 = 1;
    pub const DELTABLE: u8 = 2;
    pub const NEWCHAIN: u8 = 3;
    pub const GETCHAIN: u8 = 4;
    pub const DELCHAIN: u8 = 5;
    pub const NEWRULE: u8 = 6;
    pub const GETRULE: u8 = 7;
    pub const DELRULE: u8 = 8;
    pub const NEWSET: u8 = 9;
    pub const GETSET: u8 = 10;
    pub const DELSET: u8 = 11;
    pub const NEWSETELEM: u8 = 12;
    pub const GETSETELEM: u8 = 13;
    pub const DELSETELEM: u8 = 14;
    pub const NEWGEN: u8 = 15;
    pub const GETGEN: u8 = 16;
}

/// Number of nf_tables among the subsystems of nfnetlink.
pub const SUBSYSTEM: u16 = 10;

/// The kernel's number of a family.
pub(crate) fn family_number(family: portway_base::IpFamily) -> u8 {
    match family {
        portway_base::IpFamily::V4 => 2,
        portway_base::IpFamily::V6 => 10,
    }
}

/// A comment in the form libnftnl gives it: type 0, length, text, NUL.
pub(crate) fn comment(text: &str) -> Vec<u8> {
    let mut end = text.len().min(200);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut out = vec![0, end as u8 + 1];
    out.extend(&text.as_bytes()[..end]);
    out.push(0);
    out
}

/// The comment in user data, or nothing.
pub(crate) fn read_comment(mut data: &[u8]) -> String {
    while let [kind, len, rest @ ..] = data {
        let Some((value, next)) = rest.split_at_checked(usize::from(*len)) else { break };
        if *kind == 0 {
            return wire::text(value).unwrap_or_default();
        }
        data = next;
    }
    String::new()
}
