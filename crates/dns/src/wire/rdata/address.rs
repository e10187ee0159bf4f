//! A and AAAA.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::super::reader::{DecodeError, Reader};
use super::super::writer::Writer;
use super::{Data, Rdata};

impl Data for Ipv4Addr {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.u32().map(Self::from_bits)
    }

    fn encode(&self, writer: &mut Writer<'_>) {
        writer.bytes(&self.octets());
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Data for Ipv6Addr {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let octets: [u8; 16] = reader.bytes(16)?.try_into().map_err(|_| DecodeError::Cut)?;
        Ok(Self::from(octets))
    }

    fn encode(&self, writer: &mut Writer<'_>) {
        writer.bytes(&self.octets());
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<IpAddr> for Rdata {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => Self::A(v4),
            IpAddr::V6(v6) => Self::Aaaa(v6),
        }
    }
}
