//! Answers to questions. What a record type means for each thing a name can stand for is one file; a new type is
//! a file and a line in the table below.

mod address;
mod alias;
mod apex;
mod ptr;
mod srv;
mod text;

use std::net::IpAddr;

use super::Zone;
use super::config::Site;
use super::locate::Found;
use crate::wire::{Folded, Name, Question, Rcode, Record, Rtype};

/// How the zone answers a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// With this.
    Reply(Rcode, Sections),
    /// With these records (a chain of CNAMEs) and whatever `target` resolves to, asked of every source.
    Follow {
        /// The chain so far.
        records: Vec<Record>,
        /// Where it leads.
        target: Name,
    },
    /// Not at all: the name is outside the zones, or missing and passed on. The next source may know it.
    Elsewhere,
}

/// The records of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sections {
    /// What was asked for.
    pub answers: Vec<Record>,
    /// The zone's SOA, when there is nothing to answer.
    pub authority: Vec<Record>,
    /// Addresses of the names in `answers`.
    pub additional: Vec<Record>,
}

/// Between whom a question travelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The asker.
    pub client: IpAddr,
    /// The address it asked; `None` if only a wildcard address is known.
    pub local: Option<IpAddr>,
}

/// Adds the records of one type for what was found.
type Producer = fn(&Ask<'_>, &Found<'_, '_>, &mut Sections);

/// The record types the zone has.
const PRODUCERS: [(Rtype, Producer); 8] = [
    (Rtype::A, address::v4),
    (Rtype::AAAA, address::v6),
    (Rtype::SRV, srv::records),
    (Rtype::PTR, ptr::records),
    (Rtype::CNAME, alias::records),
    (Rtype::TXT, text::records),
    (Rtype::NS, apex::ns),
    (Rtype::SOA, apex::soa),
];

/// A question in the light of the zone it falls into.
struct Ask<'a> {
    zone: &'a Zone,
    site: &'a Site,
    question: &'a Question,
    from: &'a Origin,
    /// The zone's name in the case the question has it, wire form.
    suffix: &'a [u8],
}

impl Ask<'_> {
    fn ttl(&self) -> u32 {
        self.zone.config.ttl
    }

    /// A record with the question's name as its owner.
    fn own(&self, data: impl Into<crate::wire::Rdata>) -> Record {
        Record::new(self.question.name.clone(), self.ttl(), data)
    }

    /// `[HOST.]SERVICE.NAMESPACE.svc.ZONE` in the zone asked.
    fn service_name(&self, host: Option<&[u8]>, key: &[u8]) -> Option<Name> {
        self.zone.service_name(host, key, self.suffix)
    }

    /// No data of the type, or no such name.
    fn negative(&self, rcode: Rcode) -> Answer {
        let soa = self.site.soa(self.ttl(), self.zone.serial);
        Answer::Reply(rcode, Sections { authority: vec![soa], ..Sections::default() })
    }
}

/// Answers a question of class IN from the zone's data alone.
pub fn answer(zone: &Zone, question: &Question, from: &Origin) -> Answer {
    let name: Folded = question.name.fold();
    let Some((site, above)) = zone.site_of(&name, question.rtype == Rtype::DS) else {
        return Answer::Elsewhere;
    };
    if !zone.synced {
        return Answer::Reply(Rcode::SERVFAIL, Sections::default());
    }
    let suffix = &question.name.as_wire()[name.start(above)..];
    let ask = Ask { zone, site, question, from, suffix };
    let found = zone.locate(site, &name, above);
    match &found {
        Found::Missing if zone.config.fall_through.iter().any(|zone| question.name.is_within(zone)) => {
            return Answer::Elsewhere;
        }
        Found::Missing => return ask.negative(Rcode::NXDOMAIN),
        Found::Alias(target) if matches!(question.rtype, Rtype::A | Rtype::AAAA) => {
            return alias::follow(&ask, target);
        }
        _ => {}
    }
    let mut sections = Sections::default();
    if let Some((_, produce)) = PRODUCERS.iter().find(|(rtype, _)| *rtype == question.rtype) {
        produce(&ask, &found, &mut sections);
    }
    if sections.answers.is_empty() {
        return ask.negative(Rcode::NOERROR);
    }
    Answer::Reply(Rcode::NOERROR, sections)
}
