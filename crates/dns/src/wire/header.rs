//! The fixed twelve bytes in front of every message.

use super::code::{Opcode, Rcode};
use super::reader::{DecodeError, Reader};

/// Identifier, flags and codes of a message; the record counts belong to the codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Chosen by the asker, echoed by the answerer.
    pub id: u16,
    /// QR: this is an answer.
    pub response: bool,
    /// What is asked for.
    pub opcode: Opcode,
    /// AA: the answerer owns the data.
    pub authoritative: bool,
    /// TC: records were left out.
    pub truncated: bool,
    /// RD: please ask others.
    pub recursion_desired: bool,
    /// RA: others can be asked.
    pub recursion_available: bool,
    /// AD: signatures were checked.
    pub authentic_data: bool,
    /// CD: do not check signatures.
    pub checking_disabled: bool,
    /// The lower four bits of the response code.
    pub rcode: Rcode,
}

impl Header {
    /// Length in bytes.
    pub const LEN: usize = 12;

    /// The header of a query.
    pub fn query(id: u16) -> Self {
        Self {
            id,
            response: false,
            opcode: Opcode::QUERY,
            authoritative: false,
            truncated: false,
            recursion_desired: true,
            recursion_available: false,
            authentic_data: false,
            checking_disabled: false,
            rcode: Rcode::NOERROR,
        }
    }

    /// The header of the answer to this query: id, opcode, RD and CD are copied.
    #[must_use]
    pub fn reply(&self, rcode: Rcode) -> Self {
        Self {
            response: true,
            opcode: self.opcode,
            recursion_desired: self.recursion_desired,
            checking_disabled: self.checking_disabled,
            rcode,
            ..Self::query(self.id)
        }
    }

    /// The two flag bytes.
    pub(super) fn flags(&self) -> [u8; 2] {
        let bit = |set: bool, at: u8| u8::from(set) << at;
        [
            bit(self.response, 7)
                | (self.opcode.0 & 15) << 3
                | bit(self.authoritative, 2)
                | bit(self.truncated, 1)
                | bit(self.recursion_desired, 0),
            bit(self.recursion_available, 7)
                | bit(self.authentic_data, 5)
                | bit(self.checking_disabled, 4)
                | (self.rcode.0 & 15) as u8,
        ]
    }

    /// Reads header and the four section counts.
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<(Self, [u16; 4]), DecodeError> {
        let id = reader.u16()?;
        let (high, low) = (reader.u8()?, reader.u8()?);
        let header = Self {
            id,
            response: high & 0x80 != 0,
            opcode: Opcode(high >> 3 & 15),
            authoritative: high & 4 != 0,
            truncated: high & 2 != 0,
            recursion_desired: high & 1 != 0,
            recursion_available: low & 0x80 != 0,
            authentic_data: low & 0x20 != 0,
            checking_disabled: low & 0x10 != 0,
            rcode: Rcode(u16::from(low & 15)),
        };
        Ok((header, [reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?]))
    }
}
