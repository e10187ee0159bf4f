//! Whole messages: question, records, sections.

use std::fmt;

use super::code::{Class, Rcode, Rtype};
use super::edns::Edns;
use super::header::Header;
use super::name::Name;
use super::rdata::Rdata;
use super::reader::{DecodeError, Reader};
use super::writer::Writer;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    /// The name, in the asker's case.
    pub name: Name,
    /// The type of record.
    pub rtype: Rtype,
    /// IN, nearly always.
    pub class: Class,
}

impl Question {
    /// A question of class IN.
    pub fn new(name: Name, rtype: Rtype) -> Self {
        Self { name, rtype, class: Class::IN }
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { name: reader.name()?, rtype: Rtype(reader.u16()?), class: Class(reader.u16()?) })
    }
}

/// One resource record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Owner name.
    pub name: Name,
    /// IN, nearly always.
    pub class: Class,
    /// How long it may be kept, seconds.
    pub ttl: u32,
    /// Type and data.
    pub data: Rdata,
}

impl Record {
    /// A record of class IN.
    pub fn new(name: Name, ttl: u32, data: impl Into<Rdata>) -> Self {
        Self { name, class: Class::IN, ttl, data: data.into() }
    }

    /// Type of the data.
    pub fn rtype(&self) -> Rtype {
        self.data.rtype()
    }

    fn encode(&self, writer: &mut Writer<'_>) {
        writer.name(&self.name);
        writer.u16(self.rtype().0);
        writer.u16(self.class.0);
        writer.u32(self.ttl);
        let at = writer.len();
        writer.u16(0);
        self.data.encode(writer);
        let len = (writer.len() - at - 2) as u16;
        writer.patch(at, &len.to_be_bytes());
    }
}

/// Zone-file form: `name ttl class type data`.
impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {} {}", self.name, self.ttl, self.class, self.rtype(), self.data)
    }
}

/// A message with at most one question; the OPT record stands apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Flags and codes. `rcode` holds all twelve bits when there is an OPT record.
    pub header: Header,
    /// The question.
    pub question: Option<Question>,
    /// The answer section.
    pub answers: Vec<Record>,
    /// The authority section.
    pub authority: Vec<Record>,
    /// The additional section, without OPT.
    pub additional: Vec<Record>,
    /// The OPT record.
    pub edns: Option<Edns>,
}

impl Message {
    /// Reads a message; bytes after it are ignored, a second question makes it malformed.
    pub fn decode(packet: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(packet);
        let (mut header, [questions, counts @ ..]) = Header::decode(&mut reader)?;
        if questions > 1 {
            return Err(DecodeError::DataLength);
        }
        let question = if questions == 1 { Some(Question::decode(&mut reader)?) } else { None };
        let mut edns = None;
        let mut sections = [const { Vec::new() }; 3];
        for (section, count) in sections.iter_mut().zip(counts) {
            for _ in 0..count {
                section.extend(record(&mut reader, &mut edns)?);
            }
        }
        let [answers, authority, additional] = sections;
        if let Some(edns) = &edns {
            header.rcode.0 |= u16::from(edns.rcode_high) << 4;
        }
        Ok(Self { header, question, answers, authority, additional, edns })
    }

    /// Writes the message in at most `limit` bytes, after what is in `buffer`; see [`Reply::encode`].
    pub fn encode(&self, limit: usize, buffer: &mut Vec<u8>) {
        Reply {
            header: self.header,
            question: self.question.as_ref(),
            answers: &self.answers,
            authority: &self.authority,
            additional: &self.additional,
            edns: self.edns.as_ref(),
        }
        .encode(limit, buffer);
    }
}

/// The next record; OPT goes to `edns` instead.
pub(super) fn record(
    reader: &mut Reader<'_>,
    edns: &mut Option<Edns>,
) -> Result<Option<Record>, DecodeError> {
    let name = reader.name()?;
    let rtype = Rtype(reader.u16()?);
    if rtype == Rtype::OPT {
        if edns.is_some() || !name.is_root() {
            return Err(DecodeError::Opt);
        }
        *edns = Some(Edns::decode(reader)?);
        return Ok(None);
    }
    let class = Class(reader.u16()?);
    let ttl = reader.u32()?;
    let len = usize::from(reader.u16()?);
    let data = reader.scoped(len, |reader| Rdata::decode(rtype, reader))?;
    // RFC 2181, 8: a TTL with the top bit set counts as zero.
    let ttl = if ttl > i32::MAX as u32 { 0 } else { ttl };
    Ok(Some(Record { name, class, ttl, data }))
}

/// A message about to be sent, borrowed from wherever its records live.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'r> {
    /// Flags and codes; the upper bits of `rcode` need `edns`.
    pub header: Header,
    /// The question.
    pub question: Option<&'r Question>,
    /// The answer section.
    pub answers: &'r [Record],
    /// The authority section.
    pub authority: &'r [Record],
    /// The additional section, without OPT.
    pub additional: &'r [Record],
    /// The OPT record.
    pub edns: Option<&'r Edns>,
}

impl Reply<'_> {
    /// Writes the message after what is in `buffer`.
    ///
    /// At the first record that would exceed `limit` (bytes of this message), it and all that follow are left
    /// out and TC is set. OPT always stays; header and question are written even beyond the limit.
    pub fn encode(&self, limit: usize, buffer: &mut Vec<u8>) {
        let mut writer = Writer::new(buffer);
        let mut header = self.header;
        writer.u16(header.id);
        writer.bytes(&[0; 10]);
        if let Some(question) = self.question {
            writer.question_name(&question.name);
            writer.u16(question.rtype.0);
            writer.u16(question.class.0);
        }
        let room = limit.min(usize::from(u16::MAX)).saturating_sub(self.edns.map_or(0, Edns::encoded_len));
        let mut counts = [0u16; 3];
        'sections: for (count, section) in
            counts.iter_mut().zip([self.answers, self.authority, self.additional])
        {
            for record in section {
                let before = writer.len();
                record.encode(&mut writer);
                if writer.len() > room {
                    writer.rewind(before);
                    header.truncated = true;
                    break 'sections;
                }
                *count += 1;
            }
        }
        if let Some(edns) = self.edns {
            let high = (header.rcode.0 >> 4) as u8;
            Edns { rcode_high: high, ..edns.clone() }.encode(&mut writer);
            counts[2] += 1;
        }
        header.rcode = Rcode(header.rcode.0 & 15);
        writer.patch(2, &header.flags());
        writer.patch(4, &u16::from(self.question.is_some()).to_be_bytes());
        for (index, count) in counts.iter().enumerate() {
            writer.patch(6 + 2 * index, &count.to_be_bytes());
        }
    }
}
