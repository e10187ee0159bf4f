//! Asks the zone alone: objects and a question in, an answer out. Questions that need other sources are left to the
//! whole server.

use std::net::{IpAddr, Ipv4Addr};

use portway_dns::wire::{Class, Header, Message, Question, Rcode};
use portway_dns::zone::{Answer, Origin, Zone, answer};

use super::case::{Case, Query, Step};
use super::compare::compare;
use super::objects::{Cluster, feed};
use super::{later, profiles};

pub fn run(case: &Case) -> Result<(), Vec<String>> {
    let mut failures = Vec::new();
    let mut zone = Zone::new(profiles::zone(&case.profile));
    zone.set_synced();
    let mut cluster = Cluster::start(case, &mut |id, object| feed(&mut zone, id, object));
    for step in &case.steps {
        let mut take = |id: &_, object: Option<&_>| feed(&mut zone, id, object);
        let id = |kind: &str, namespace: &str, name: &str| {
            (kind.to_owned(), portway_base::ObjectKey::new(namespace, name))
        };
        match step {
            Step::Apply(objects) => objects.iter().for_each(|object| cluster.apply(object, &mut take)),
            Step::Patch { kind, namespace, name, body } => {
                cluster.patch(id(kind, namespace, name), body, &mut take);
            }
            Step::Delete { kind, namespace, name } => cluster.delete(id(kind, namespace, name), &mut take),
            Step::Query(query) => {
                let problem = ask(&zone, query).and_then(|message| compare(query, &message));
                let label = format!("{} {}", query.name, query.rtype);
                if let Some(problem) = problem.filter(|_| later(&case.name, &label).is_none()) {
                    failures.push(format!("{label}: {problem}"));
                }
            }
            Step::Sleep(_) | Step::Upstream(_) | Step::Count { .. } => {}
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(failures) }
}

/// The zone's own answer; `None` if the question is about the protocol or goes on to other sources.
fn ask(zone: &Zone, query: &Query) -> Option<Message> {
    if query.class != "IN" || query.opcode != "QUERY" || query.truncated || query.edns.is_some() {
        return None;
    }
    let question =
        Question { name: query.name.parse().unwrap(), rtype: query.rtype.parse().unwrap(), class: Class::IN };
    let from = Origin { client: IpAddr::V4(Ipv4Addr::LOCALHOST), local: None };
    let Answer::Reply(rcode, sections) = answer(zone, &question, &from) else { return None };
    let header = Header {
        recursion_desired: query.recursion_desired,
        checking_disabled: query.set_flags.iter().any(|flag| flag == "cd"),
        authoritative: rcode != Rcode::SERVFAIL,
        ..Header::query(0).reply(rcode)
    };
    Some(Message {
        header: Header { recursion_desired: query.recursion_desired, ..header },
        question: Some(question),
        answers: sections.answers,
        authority: sections.authority,
        additional: sections.additional,
        edns: None,
    })
}
