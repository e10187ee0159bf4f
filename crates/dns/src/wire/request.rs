//! A query as a server meets it: what to answer, what to reject and how, what to drop.

use super::code::{Class, Opcode, Rcode, Rtype};
use super::edns::Edns;
use super::header::Header;
use super::message::{Question, record};
use super::reader::Reader;

/// A query worth answering.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Header of the query.
    pub header: Header,
    /// Its one question.
    pub question: Question,
    /// What the asker can take.
    pub edns: Option<Edns>,
}

/// Why a packet is not answered with data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reject {
    /// Not a query: an answer, or shorter than a header. Say nothing.
    Drop,
    /// Answer with this header and nothing else.
    Header(Header),
    /// Answer with this code, the question and an OPT record if there was one.
    Code(Rcode, Request),
}

impl Request {
    /// Judges a packet by the rules for incoming queries.
    ///
    /// Counts that no query has (several questions, many records) and bytes that do not parse are FORMERR;
    /// opcodes but QUERY and NOTIFY are NOTIMP; an EDNS version above 0 is BADVERS; classes but IN are REFUSED.
    pub fn decode(packet: &[u8]) -> Result<Self, Reject> {
        let mut reader = Reader::new(packet);
        let (header, [questions, answers, authority, additional]) =
            Header::decode(&mut reader).map_err(|_| Reject::Drop)?;
        if header.response {
            return Err(Reject::Drop);
        }
        if !matches!(header.opcode, Opcode::QUERY | Opcode::NOTIFY) {
            return Err(Reject::Header(header.reply(Rcode::NOTIMP)));
        }
        let malformed = || Reject::Header(header.reply(Rcode::FORMERR));
        if questions != 1 || answers > 1 || authority > 1 || additional > 2 {
            return Err(malformed());
        }
        let question = Question::decode(&mut reader).map_err(|_| malformed())?;
        let mut edns = None;
        for _ in 0..answers + authority + additional {
            record(&mut reader, &mut edns).map_err(|_| malformed())?;
        }
        let request = Self { header, question, edns };
        if request.edns.as_ref().is_some_and(|edns| edns.version > 0) {
            return Err(Reject::Code(Rcode::BADVERS, request));
        }
        // OPT is no type that can be asked for.
        if request.question.rtype == Rtype::OPT {
            return Err(malformed());
        }
        if request.question.class != Class::IN {
            return Err(Reject::Code(Rcode::REFUSED, request));
        }
        Ok(request)
    }

    /// Largest UDP answer the asker takes, bytes.
    pub fn udp_limit(&self) -> usize {
        self.edns.as_ref().map_or(512, |edns| usize::from(edns.payload).max(512))
    }

    /// Signatures are wanted.
    pub fn dnssec_ok(&self) -> bool {
        self.edns.as_ref().is_some_and(|edns| edns.dnssec_ok)
    }
}
