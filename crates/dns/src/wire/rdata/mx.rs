//! MX: who takes mail for a name.

use std::fmt;

use super::super::name::Name;
use super::super::reader::{DecodeError, Reader};
use super::super::writer::Writer;
use super::Data;

/// Data of an MX record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mx {
    /// Lower is tried first.
    pub preference: u16,
    /// Host that takes the mail.
    pub exchange: Name,
}

impl Data for Mx {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { preference: reader.u16()?, exchange: reader.name()? })
    }

    fn encode(&self, writer: &mut Writer<'_>) {
        writer.u16(self.preference);
        writer.name(&self.exchange);
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.preference, self.exchange)
    }
}
