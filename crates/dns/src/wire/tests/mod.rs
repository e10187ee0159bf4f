//! The codec against an independent one (hickory-proto), and against bytes from nowhere.
#![allow(clippy::unwrap_used)]

mod generate;

use proptest::prelude::*;

use super::*;
use generate::message;

/// Messages equal but for the case of names inside record data, which the other codec may fold.
fn through_oracle(bytes: &[u8]) -> Vec<u8> {
    hickory_proto::op::Message::from_vec(bytes).unwrap().to_vec().unwrap()
}

fn encode(message: &Message, limit: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.encode(limit, &mut bytes);
    bytes
}

proptest! {
    /// Ours → theirs → ours: they read what we write, we read what they write, and nothing is lost.
    #[test]
    fn the_oracle_agrees(message in message()) {
        let bytes = encode(&message, 65535);
        prop_assert_eq!(&Message::decode(&bytes).unwrap(), &message);
        prop_assert_eq!(Message::decode(&through_oracle(&bytes)).unwrap(), message);
    }

    #[test]
    fn truncation_keeps_whole_records_in_order(message in message(), limit in 0usize..700) {
        let bytes = encode(&message, limit);
        let got = Message::decode(&bytes).unwrap();
        let all = |m: &Message| [&m.answers[..], &m.authority, &m.additional].concat();
        prop_assert!(all(&message).starts_with(&all(&got)));
        prop_assert_eq!(got.header.truncated, message.header.truncated || all(&got).len() < all(&message).len());
        prop_assert_eq!(&got.edns, &message.edns);
        if !all(&got).is_empty() {
            prop_assert!(bytes.len() <= limit);
        }
    }

    /// Whatever decodes can be written and read again.
    #[test]
    fn noise_is_safe(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        settle(&bytes);
    }

    /// Damaged messages reach deeper than noise.
    #[test]
    fn damage_is_safe(message in message(), cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut bytes = encode(&message, 65535);
        for (at, value) in cuts {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        settle(&bytes);
        if let (Ok(ours), Ok(theirs)) = (Message::decode(&bytes), hickory_proto::op::Message::from_vec(&bytes)) {
            prop_assert_eq!(ours.header.id, theirs.metadata.id);
            if let (Some(q), Some(t)) = (&ours.question, theirs.queries.first()) {
                prop_assert_eq!(q.rtype.0, u16::from(t.query_type()));
            }
        }
    }
}

fn settle(bytes: &[u8]) {
    let _ = Request::decode(bytes);
    if let Ok(mut message) = Message::decode(bytes) {
        message.edns = message.edns.map(|edns| Edns { rcode_high: 0, ..edns });
        message.header.rcode.0 &= 15;
        let again = encode(&message, 65535);
        let again = Message::decode(&again).unwrap();
        if !again.header.truncated || message.header.truncated {
            assert_eq!(again.answers, message.answers);
            assert_eq!(again.question, message.question);
        }
    }
}

fn packet(flags: u16, counts: [u16; 4], body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x12, 0x34];
    bytes.extend(flags.to_be_bytes());
    bytes.extend(counts.iter().flat_map(|c| c.to_be_bytes()));
    bytes.extend(body);
    bytes
}

#[test]
fn requests_are_judged_by_the_rules() {
    const QUESTION: &[u8] = b"\x01a\x00\x00\x01\x00\x01";
    const CHAOS: &[u8] = b"\x01a\x00\x00\x01\x00\x03";
    const OPT: &[u8] = b"\x00\x00\x29\x04\xd0\x00\x00\x80\x00\x00\x00";
    const OPT_V1: &[u8] = b"\x00\x00\x29\x04\xd0\x00\x01\x00\x00\x00\x00";
    let check = |flags: u16, counts: [u16; 4], body: &[&[u8]], expect: &str| {
        let got = match Request::decode(&packet(flags, counts, &body.concat())) {
            Ok(request) => {
                format!(
                    "answer {} do={} limit={}",
                    request.question.name,
                    request.dnssec_ok(),
                    request.udp_limit()
                )
            }
            Err(Reject::Drop) => "drop".to_owned(),
            Err(Reject::Header(header)) => format!("bare {} rd={}", header.rcode, header.recursion_desired),
            Err(Reject::Code(rcode, _)) => format!("code {rcode}"),
        };
        assert_eq!(got, expect, "{flags:x} {counts:?}");
    };
    check(0x0100, [1, 0, 0, 0], &[QUESTION], "answer a. do=false limit=512");
    check(0x0100, [1, 0, 0, 1], &[QUESTION, OPT], "answer a. do=true limit=1232");
    check(0x2100, [1, 0, 0, 0], &[QUESTION], "answer a. do=false limit=512");
    check(0x8100, [1, 0, 0, 0], &[QUESTION], "drop");
    check(0x1100, [1, 0, 0, 0], &[QUESTION], "bare NOTIMP rd=true");
    check(0x2800, [1, 0, 0, 0], &[QUESTION], "bare NOTIMP rd=false");
    check(0x0000, [0, 0, 0, 0], &[], "bare FORMERR rd=false");
    check(0x0000, [2, 0, 0, 0], &[QUESTION, QUESTION], "bare FORMERR rd=false");
    check(0x0000, [1, 2, 0, 0], &[QUESTION], "bare FORMERR rd=false");
    check(0x0000, [1, 0, 2, 0], &[QUESTION], "bare FORMERR rd=false");
    check(0x0000, [1, 0, 0, 3], &[QUESTION], "bare FORMERR rd=false");
    check(0x0000, [1, 0, 0, 1], &[QUESTION], "bare FORMERR rd=false");
    check(0x0000, [1, 0, 0, 2], &[QUESTION, OPT, OPT], "bare FORMERR rd=false");
    check(0x0000, [1, 0, 0, 0], &[&QUESTION[..4]], "bare FORMERR rd=false");
    check(0x0000, [1, 0, 0, 1], &[QUESTION, OPT_V1], "code BADVERS");
    check(0x0000, [1, 0, 0, 0], &[CHAOS], "code REFUSED");
    assert_eq!(Request::decode(&[0; 11]), Err(Reject::Drop));
}
