//! CNAME: ExternalName Services, and where they lead.

use portway_base::IpFamily;

use super::super::locate::Found;
use super::{Answer, Ask, Sections, address};
use crate::wire::{Name, Rcode, Rdata, Record, Rtype};

/// Longest chain of aliases inside the zone.
const HOPS: usize = 10;

pub(super) fn records(ask: &Ask<'_>, found: &Found<'_, '_>, sections: &mut Sections) {
    if let Found::Alias(target) = found {
        sections.answers.push(ask.own(Rdata::Cname((*target).clone())));
    }
}

/// The address of an alias: inside the zone it is followed here, and a chain that ends without an address, or not
/// at all, counts as no data.
pub(super) fn follow(ask: &Ask<'_>, first: &Name) -> Answer {
    let family = if ask.question.rtype == Rtype::A { IpFamily::V4 } else { IpFamily::V6 };
    let mut records = vec![ask.own(Rdata::Cname(first.clone()))];
    let mut target = first.clone();
    for _ in 0..HOPS {
        let name = target.fold();
        let Some(above) = name.labels_above(&ask.site.folded) else {
            return Answer::Follow { records, target };
        };
        let found = ask.zone.locate(ask.site, &name, above);
        if let Found::Alias(next) = found {
            records.push(Record::new(target, ask.ttl(), Rdata::Cname(next.clone())));
            target = next.clone();
            continue;
        }
        let chain = records.len();
        address::each(ask, &found, family, |address| {
            records.push(Record::new(target.clone(), ask.ttl(), address))
        });
        if records.len() == chain {
            break;
        }
        return Answer::Reply(Rcode::NOERROR, Sections { answers: records, ..Sections::default() });
    }
    ask.negative(Rcode::NOERROR)
}
