//! Record data, one file a type. A new type is a file that implements [`Data`] and a line in the table below.

mod address;
mod hinfo;
mod mx;
mod name;
mod soa;
mod srv;
mod txt;

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::code::Rtype;
use super::name::Name;
use super::reader::{DecodeError, Reader};
use super::writer::Writer;

pub use hinfo::Hinfo;
pub use mx::Mx;
pub use soa::Soa;
pub use srv::Srv;
pub use txt::Txt;

/// Data of one record type.
pub trait Data: Sized {
    /// Reads all that is left of the reader, which ends where the data ends.
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError>;
    /// Writes it, without the length in front.
    fn encode(&self, writer: &mut Writer<'_>);
    /// Zone-file form.
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

macro_rules! table {
    ($($(#[$attr:meta])* $variant:ident($ty:ty) = $rtype:ident;)*) => {
        /// Type and data of a record.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Rdata {
            $($(#[$attr])* $variant($ty),)*
            /// A type without a file here: bytes as they came (RFC 3597).
            Other(Rtype, Box<[u8]>),
        }

        impl Rdata {
            /// Its type.
            pub fn rtype(&self) -> Rtype {
                match self {
                    $(Self::$variant(_) => Rtype::$rtype,)*
                    Self::Other(rtype, _) => *rtype,
                }
            }

            /// Reads the data of a record of this type.
            pub(super) fn decode(rtype: Rtype, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                match rtype {
                    $(Rtype::$rtype => Data::decode(reader).map(Self::$variant),)*
                    other => Ok(Self::Other(other, reader.bytes(reader.remaining())?.into())),
                }
            }

            pub(super) fn encode(&self, writer: &mut Writer<'_>) {
                match self {
                    $(Self::$variant(data) => data.encode(writer),)*
                    Self::Other(_, bytes) => writer.bytes(bytes),
                }
            }
        }

        impl fmt::Display for Rdata {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$variant(data) => data.show(f),)*
                    Self::Other(_, bytes) => {
                        write!(f, "\\# {}", bytes.len())?;
                        bytes.chunks(1).enumerate().try_for_each(|(i, byte)| {
                            write!(f, "{}{:02x}", if i == 0 { " " } else { "" }, byte[0])
                        })
                    }
                }
            }
        }
    };
}

table! {
    /// An IPv4 address.
    A(Ipv4Addr) = A;
    /// An IPv6 address.
    Aaaa(Ipv6Addr) = AAAA;
    /// A name server of a zone.
    Ns(Name) = NS;
    /// The real name behind an alias.
    Cname(Name) = CNAME;
    /// The name of an address.
    Ptr(Name) = PTR;
    /// The start of a zone.
    Soa(Box<Soa>) = SOA;
    /// Where a service is.
    Srv(Srv) = SRV;
    /// Text.
    Txt(Txt) = TXT;
    /// Who takes mail.
    Mx(Mx) = MX;
    /// Machine and system, or a note that ANY is not answered (RFC 8482).
    Hinfo(Hinfo) = HINFO;
}

/// Quoted character string of zone files.
fn show_string(f: &mut fmt::Formatter<'_>, text: &[u8]) -> fmt::Result {
    f.write_str("\"")?;
    for &byte in text {
        match byte {
            b'"' | b'\\' => write!(f, "\\{}", char::from(byte))?,
            0x20..=0x7e => write!(f, "{}", char::from(byte))?,
            _ => write!(f, "\\{byte:03}")?,
        }
    }
    f.write_str("\"")
}
