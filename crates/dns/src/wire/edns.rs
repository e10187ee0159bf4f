//! The OPT pseudo-record of EDNS(0), RFC 6891, as a value of its own.

use super::code::Rtype;
use super::reader::{DecodeError, Reader};
use super::writer::Writer;

/// What OPT says about one side of the exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edns {
    /// Largest UDP message the sender can take, bytes.
    pub payload: u16,
    /// Upper eight bits of the response code.
    pub rcode_high: u8,
    /// Protocol version; only 0 exists.
    pub version: u8,
    /// DO: signatures are wanted.
    pub dnssec_ok: bool,
    /// Options as they came: code, length, data, one after the other.
    pub options: Box<[u8]>,
}

impl Edns {
    /// Bytes an OPT record without options takes.
    pub const LEN: usize = 11;

    /// Version 0, no options.
    pub fn new(payload: u16, dnssec_ok: bool) -> Self {
        Self { payload, rcode_high: 0, version: 0, dnssec_ok, options: Box::default() }
    }

    /// Reads class, TTL and data of an OPT record whose name and type were read.
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let payload = reader.u16()?;
        let (rcode_high, version, flags) = (reader.u8()?, reader.u8()?, reader.u16()?);
        let len = usize::from(reader.u16()?);
        let options = reader.scoped(len, |data| {
            let mut walk = data.clone();
            while walk.remaining() > 0 {
                walk.u16()?;
                let len = walk.u16()?;
                walk.bytes(len.into())?;
            }
            data.bytes(len)
        })?;
        Ok(Self { payload, rcode_high, version, dnssec_ok: flags & 0x8000 != 0, options: options.into() })
    }

    /// Bytes on the wire.
    pub fn encoded_len(&self) -> usize {
        Self::LEN + self.options.len()
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) {
        writer.u8(0);
        writer.u16(Rtype::OPT.0);
        writer.u16(self.payload);
        writer.u8(self.rcode_high);
        writer.u8(self.version);
        writer.u16(u16::from(self.dnssec_ok) << 15);
        writer.u16(self.options.len() as u16);
        writer.bytes(&self.options);
    }
}
