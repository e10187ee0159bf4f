//! One query, start to finish: judged, answered from the zone, from the cache, or from other servers.
//!
//! Knows no sockets; the listeners give it packets and send what it returns.

use std::net::IpAddr;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Instant;

use super::DnsConfig;
use super::order::shuffle;
use crate::forward::{Cache, Cached, ForwardError, Forwarder, Query};
use crate::wire::{Edns, Header, Message, Question, Rcode, Record, Reject, Reply, Request, Rtype};
use crate::zone::{Answer, Origin, Sections, Zone, answer};

/// UDP payload the server can take, as its OPT records say: what fits an Ethernet frame over IPv6.
const PAYLOAD: u16 = 1232;
/// Longest chain of aliases followed across sources.
const HOPS: usize = 10;

/// How a query came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// UDP: small answers only.
    Udp,
    /// TCP: answers up to 64 KiB.
    Tcp,
}

/// What became of a query at once.
#[derive(Debug)]
pub enum Begun {
    /// Nothing is to be sent.
    Dropped,
    /// The answer stands in the buffer.
    Answered,
    /// Other servers are to be asked: see [`Engine::finish`].
    Pending(Pending),
}

/// A query that waits for other servers.
#[derive(Debug)]
pub struct Pending {
    request: Request,
    transport: Transport,
    from: Origin,
    /// The alias chain so far and where it leads; `None` if the question itself is for others.
    follow: Option<(Vec<Record>, crate::wire::Name)>,
}

/// Zone, forwarder and cache.
pub struct Engine {
    zone: RwLock<Zone>,
    forwarder: Option<Forwarder>,
    cache: Option<Cache>,
    shuffle: bool,
}

/// Where an answer came from decides its flags.
struct Outcome {
    rcode: Rcode,
    authoritative: bool,
    recursion_available: bool,
    authentic_data: bool,
    truncated: bool,
    sections: Sections,
}

impl Outcome {
    fn own(rcode: Rcode, sections: Sections) -> Self {
        Self {
            rcode,
            authoritative: matches!(rcode, Rcode::NOERROR | Rcode::NXDOMAIN),
            recursion_available: false,
            authentic_data: false,
            truncated: false,
            sections,
        }
    }
}

impl Engine {
    /// An engine with an empty zone.
    pub fn new(config: DnsConfig) -> Self {
        Self {
            zone: RwLock::new(Zone::new(config.zone)),
            forwarder: config.forward.map(Forwarder::new),
            cache: config.cache.map(Cache::new),
            shuffle: config.shuffle,
        }
    }

    fn zone(&self) -> RwLockReadGuard<'_, Zone> {
        // A writer that panicked left a zone that is at worst incomplete.
        self.zone.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The zone, for a change.
    pub fn zone_mut(&self) -> RwLockWriteGuard<'_, Zone> {
        self.zone.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers a packet as far as that needs no other server; an answer is appended to `out`.
    pub fn begin(&self, packet: &[u8], transport: Transport, from: Origin, out: &mut Vec<u8>) -> Begun {
        let request = match Request::decode(packet) {
            Ok(request) => request,
            Err(Reject::Drop) => return Begun::Dropped,
            Err(Reject::Header(header)) => {
                let reply = Reply {
                    header,
                    question: None,
                    answers: &[],
                    authority: &[],
                    additional: &[],
                    edns: None,
                };
                reply.encode(512, out);
                return Begun::Answered;
            }
            Err(Reject::Code(rcode, request)) => return self.error(&request, rcode, transport, out),
        };
        let question = &request.question;
        // Zone transfers are given to nobody.
        if matches!(question.rtype, Rtype::AXFR | Rtype::IXFR) {
            return self.error(&request, Rcode::REFUSED, transport, out);
        }
        let follow = match answer(&self.zone(), question, &from) {
            Answer::Reply(rcode, sections) => {
                return self.reply(&request, Outcome::own(rcode, sections), transport, out);
            }
            Answer::Follow { records, target } => Some((records, target)),
            Answer::Elsewhere if self.forwarder.is_none() => {
                return self.error(&request, Rcode::REFUSED, transport, out);
            }
            Answer::Elsewhere => match self.cached(question, &request) {
                Some(outcome) => return self.reply(&request, outcome, transport, out),
                None => None,
            },
        };
        Begun::Pending(Pending { request, transport, from, follow })
    }

    /// Asks other servers; the answer is appended to `out`.
    pub async fn finish(&self, pending: Pending, out: &mut Vec<u8>) {
        let Pending { request, transport, from, follow } = pending;
        let outcome = match follow {
            Some((records, target)) => self.follow(&request, transport, from, records, target).await,
            None => match self.forward(&request.question, &request, transport).await {
                Ok(outcome) => outcome,
                Err(error) => Outcome::own(rcode_of(error), Sections::default()),
            },
        };
        self.reply(&request, outcome, transport, out);
    }

    /// Completes a chain of aliases that left the zone. What its end resolves to is added, if anything.
    async fn follow(
        &self,
        request: &Request,
        transport: Transport,
        from: Origin,
        mut records: Vec<Record>,
        mut target: crate::wire::Name,
    ) -> Outcome {
        for _ in 0..HOPS {
            let question = Question { name: target.clone(), ..request.question.clone() };
            let step = answer(&self.zone(), &question, &from);
            match step {
                Answer::Reply(_, sections) => records.extend(sections.answers),
                Answer::Follow { records: more, target: next } => {
                    records.extend(more);
                    target = next;
                    continue;
                }
                Answer::Elsewhere => {
                    let found = match self.cached(&question, request) {
                        Some(outcome) => Ok(outcome),
                        None => self.forward(&question, request, transport).await,
                    };
                    records.extend(found.map(|outcome| outcome.sections.answers).unwrap_or_default());
                }
            }
            break;
        }
        Outcome::own(Rcode::NOERROR, Sections { answers: records, ..Sections::default() })
    }

    fn cached(&self, question: &Question, request: &Request) -> Option<Outcome> {
        let cache = self.cache.as_ref()?;
        let Cached { rcode, recursion_available, authentic_data, sections } =
            cache.get(question, request.dnssec_ok(), request.header.checking_disabled, Instant::now())?;
        let [answers, authority, additional] = sections;
        Some(Outcome {
            rcode,
            authoritative: false,
            recursion_available,
            authentic_data: authentic_data && (request.dnssec_ok() || request.header.authentic_data),
            truncated: false,
            sections: Sections { answers, authority, additional },
        })
    }

    async fn forward(
        &self,
        question: &Question,
        request: &Request,
        transport: Transport,
    ) -> Result<Outcome, ForwardError> {
        let forwarder = self.forwarder.as_ref().ok_or(ForwardError::Unusable)?;
        let query = Query {
            question: question.clone(),
            header: request.header,
            edns: request.edns.clone(),
            tcp: transport == Transport::Tcp,
        };
        let mut message: Message = forwarder.ask(&query).await?;
        if let Some(cache) = &self.cache {
            let now = Instant::now();
            cache.put(&mut message, request.dnssec_ok(), request.header.checking_disabled, now);
        }
        let Message { header, answers, authority, additional, .. } = message;
        Ok(Outcome {
            rcode: header.rcode,
            authoritative: header.authoritative,
            recursion_available: header.recursion_available,
            authentic_data: header.authentic_data,
            truncated: header.truncated,
            sections: Sections { answers, authority, additional },
        })
    }

    fn error(&self, request: &Request, rcode: Rcode, transport: Transport, out: &mut Vec<u8>) -> Begun {
        let outcome = Outcome { authoritative: false, ..Outcome::own(rcode, Sections::default()) };
        self.reply(request, outcome, transport, out)
    }

    /// Writes the answer to a request.
    fn reply(&self, request: &Request, outcome: Outcome, transport: Transport, out: &mut Vec<u8>) -> Begun {
        let Outcome { rcode, sections: Sections { mut answers, mut authority, mut additional }, .. } =
            outcome;
        if self.shuffle {
            shuffle(&mut answers);
            shuffle(&mut authority);
            shuffle(&mut additional);
        }
        let header = Header {
            authoritative: outcome.authoritative,
            recursion_available: outcome.recursion_available,
            authentic_data: outcome.authentic_data,
            truncated: outcome.truncated,
            ..request.header.reply(rcode)
        };
        let limit = match transport {
            Transport::Udp => request.udp_limit(),
            Transport::Tcp => usize::from(u16::MAX),
        };
        let edns = request.edns.as_ref().map(|edns| Edns::new(PAYLOAD, edns.dnssec_ok));
        let reply = Reply {
            header,
            question: Some(&request.question),
            answers: &answers,
            authority: &authority,
            additional: &additional,
            edns: edns.as_ref(),
        };
        reply.encode(limit, out);
        Begun::Answered
    }
}

/// What a client is told when forwarding failed.
fn rcode_of(error: ForwardError) -> Rcode {
    match error {
        ForwardError::Unusable => Rcode::SERVFAIL,
        ForwardError::Overloaded => Rcode::REFUSED,
        ForwardError::Mismatch => Rcode::FORMERR,
    }
}

/// Between whom a packet travelled; `local` is `None` for what is no single address.
pub(super) fn origin(client: IpAddr, local: Option<IpAddr>) -> Origin {
    Origin { client, local: local.filter(|local| !local.is_unspecified()) }
}
