//! HINFO: two character strings; today only used to say that ANY is not answered.

use std::fmt;

use super::super::reader::{DecodeError, Reader};
use super::super::writer::Writer;
use super::{Data, show_string};

/// Data of a HINFO record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hinfo {
    /// Machine; at most 255 bytes.
    pub cpu: Box<[u8]>,
    /// System; at most 255 bytes.
    pub os: Box<[u8]>,
}

impl Data for Hinfo {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { cpu: reader.string()?.into(), os: reader.string()?.into() })
    }

    fn encode(&self, writer: &mut Writer<'_>) {
        writer.string(&self.cpu);
        writer.string(&self.os);
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show_string(f, &self.cpu)?;
        f.write_str(" ")?;
        show_string(f, &self.os)
    }
}
