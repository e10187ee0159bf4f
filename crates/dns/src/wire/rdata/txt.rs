//! TXT: one or more character strings.

use std::fmt;

use super::super::reader::{DecodeError, Reader};
use super::super::writer::Writer;
use super::{Data, Rdata, show_string};

/// Data of a TXT record, in wire form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Txt(Box<[u8]>);

impl Txt {
    /// Strings, each cut at 255 bytes.
    pub fn new<'t>(strings: impl IntoIterator<Item = &'t [u8]>) -> Self {
        let mut wire = Vec::new();
        let mut writer = Writer::new(&mut wire);
        for string in strings {
            writer.string(string);
        }
        Self(wire.into())
    }

    /// The strings.
    pub fn strings(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = Reader::new(&self.0);
        std::iter::from_fn(move || rest.string().ok())
    }
}

impl Data for Txt {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut walk = reader.clone();
        loop {
            walk.string()?;
            if walk.remaining() == 0 {
                return Ok(Self(reader.bytes(reader.remaining())?.into()));
            }
        }
    }

    fn encode(&self, writer: &mut Writer<'_>) {
        writer.bytes(&self.0);
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, string) in self.strings().enumerate() {
            if i > 0 {
                f.write_str(" ")?;
            }
            show_string(f, string)?;
        }
        Ok(())
    }
}

impl From<Txt> for Rdata {
    fn from(txt: Txt) -> Self {
        Self::Txt(txt)
    }
}
