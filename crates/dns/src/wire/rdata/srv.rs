//! SRV: host and port of a service, RFC 2782.

use std::fmt;

use super::super::name::Name;
use super::super::reader::{DecodeError, Reader};
use super::super::writer::Writer;
use super::{Data, Rdata};

/// Data of an SRV record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Srv {
    /// Lower is tried first.
    pub priority: u16,
    /// Share among equal priorities.
    pub weight: u16,
    /// Port on the target.
    pub port: u16,
    /// Host.
    pub target: Name,
}

impl Data for Srv {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            priority: reader.u16()?,
            weight: reader.u16()?,
            port: reader.u16()?,
            target: reader.name()?,
        })
    }

    fn encode(&self, writer: &mut Writer<'_>) {
        writer.u16(self.priority);
        writer.u16(self.weight);
        writer.u16(self.port);
        // Some resolvers reject a compressed target, as RFC 2782 tells them to.
        writer.plain_name(&self.target);
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.priority, self.weight, self.port, self.target)
    }
}

impl From<Srv> for Rdata {
    fn from(srv: Srv) -> Self {
        Self::Srv(srv)
    }
}
