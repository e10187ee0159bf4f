//! SOA: the start of a zone, and how long its negative answers may be kept.

use std::fmt;

use super::super::name::Name;
use super::super::reader::{DecodeError, Reader};
use super::super::writer::Writer;
use super::{Data, Rdata};

/// Data of a SOA record; all times in seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Soa {
    /// Primary name server.
    pub primary: Name,
    /// Mailbox of the person in charge, `@` written as a dot.
    pub mailbox: Name,
    /// Version of the zone.
    pub serial: u32,
    /// How often secondaries look for a newer serial.
    pub refresh: u32,
    /// How soon they look again after a failure.
    pub retry: u32,
    /// When they give up.
    pub expire: u32,
    /// How long "there is no such thing" may be kept.
    pub minimum: u32,
}

impl Data for Box<Soa> {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self::new(Soa {
            primary: reader.name()?,
            mailbox: reader.name()?,
            serial: reader.u32()?,
            refresh: reader.u32()?,
            retry: reader.u32()?,
            expire: reader.u32()?,
            minimum: reader.u32()?,
        }))
    }

    fn encode(&self, writer: &mut Writer<'_>) {
        writer.name(&self.primary);
        writer.name(&self.mailbox);
        for value in [self.serial, self.refresh, self.retry, self.expire, self.minimum] {
            writer.u32(value);
        }
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Soa { primary, mailbox, serial, refresh, retry, expire, minimum } = &**self;
        write!(f, "{primary} {mailbox} {serial} {refresh} {retry} {expire} {minimum}")
    }
}

impl From<Soa> for Rdata {
    fn from(soa: Soa) -> Self {
        Self::Soa(Box::new(soa))
    }
}
