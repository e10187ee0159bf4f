//! Compares an answer with what a case expects: records as sets, SRV weights and SOA serials left out.

use portway_dns::wire::{Message, Record, Rtype};
use serde_json::Value;

use super::case::{Query, texts};

/// What is wrong with an answer; `None` if it is as expected.
pub fn compare(query: &Query, got: &Message) -> Option<String> {
    let want = &query.expect;
    let rcode = got.header.rcode.to_string();
    if !query.rcode_any.is_empty() {
        let fits = query.rcode_any.contains(&rcode);
        return (!fits).then(|| format!("rcode: want one of {:?}, got {rcode}", query.rcode_any));
    }
    if want["rcode"] != rcode {
        return Some(format!("rcode: want {}, got {rcode}", want["rcode"]));
    }
    let kept = |flags: Vec<String>| -> Vec<String> {
        flags.into_iter().filter(|flag| !query.ignore_flags.contains(flag)).collect()
    };
    let (want_flags, got_flags) = (kept(texts(&want["flags"])), kept(flags(got)));
    if want_flags != got_flags {
        return Some(format!("flags: want {want_flags:?}, got {got_flags:?}"));
    }
    if query.truncated {
        return None;
    }
    for (name, records) in
        [("answer", &got.answers), ("authority", &got.authority), ("additional", &got.additional)]
    {
        if query.ignore_sections.iter().any(|section| section == name) || want[name].is_null() {
            continue;
        }
        let want = texts(&want[name]);
        let got: Vec<String> = records.iter().map(|r| text(r, query.ttl_any)).collect();
        if !same(&want, &got, query.exact_case) {
            return Some(format!("{name}: want {want:#?}, got {got:#?}"));
        }
    }
    if query.edns.is_some() {
        let got = got
            .edns
            .as_ref()
            .map_or(Value::Null, |edns| serde_json::json!({ "version": edns.version, "do": edns.dnssec_ok }));
        if want["edns"] != got {
            return Some(format!("edns: want {}, got {got}", want["edns"]));
        }
    }
    cname_order(got)
}

fn cname_order(got: &Message) -> Option<String> {
    let types: Vec<Rtype> = got.answers.iter().map(Record::rtype).collect();
    let last = types.iter().rposition(|t| *t == Rtype::CNAME)?;
    let early = types[..last].iter().any(|t| matches!(*t, Rtype::A | Rtype::AAAA));
    early.then(|| "an address stands before a CNAME".to_owned())
}

fn flags(message: &Message) -> Vec<String> {
    let h = &message.header;
    [
        ("aa", h.authoritative),
        ("tc", h.truncated),
        ("rd", h.recursion_desired),
        ("ra", h.recursion_available),
        ("ad", h.authentic_data),
        ("cd", h.checking_disabled),
    ]
    .into_iter()
    .filter(|(_, set)| *set)
    .map(|(name, _)| name.to_owned())
    .collect()
}

/// The recorded form of a record.
pub fn text(record: &Record, ttl_any: bool) -> String {
    let mut fields: Vec<String> = record.to_string().splitn(5, ' ').map(str::to_owned).collect();
    let masked = match record.rtype() {
        Rtype::SOA => Some(2),
        Rtype::SRV => Some(1),
        _ => None,
    };
    if let Some(index) = masked {
        let mut data: Vec<&str> = fields[4].split(' ').collect();
        data[index] = "*";
        fields[4] = data.join(" ");
    }
    if ttl_any {
        fields[1] = "*".to_owned();
    }
    fields.join(" ")
}

/// Whether two lists hold the same records; a `*` TTL matches any.
fn same(want: &[String], got: &[String], exact_case: bool) -> bool {
    let fields = |line: &String| -> Vec<String> {
        let line = if exact_case { line.clone() } else { line.to_lowercase() };
        let mut fields = Vec::new();
        let mut rest = line.as_str();
        for _ in 0..4 {
            let (field, tail) = rest.split_once(' ').unwrap_or((rest, ""));
            fields.push(field.to_owned());
            rest = tail.trim_start();
        }
        fields.push(rest.to_owned());
        fields
    };
    let mut left: Vec<Vec<String>> = got.iter().map(fields).collect();
    let mut want: Vec<Vec<String>> = want.iter().map(fields).collect();
    // Those that match anything choose last.
    want.sort_by_key(|fields| fields[1] == "*");
    want.len() == left.len()
        && want.iter().all(|w| {
            let at = left.iter().position(|g| (0..5).all(|i| w[i] == g[i] || (i == 1 && w[i] == "*")));
            at.map(|at| left.remove(at)).is_some()
        })
}
