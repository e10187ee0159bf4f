//! NS, CNAME, PTR: data that is one name, compressed where possible.

use std::fmt;

use super::super::name::Name;
use super::super::reader::{DecodeError, Reader};
use super::super::writer::Writer;
use super::Data;

impl Data for Name {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.name()
    }

    fn encode(&self, writer: &mut Writer<'_>) {
        writer.name(self);
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
