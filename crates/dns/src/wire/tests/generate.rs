//! Random messages of every record type.

use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::*;

fn name() -> impl Strategy<Value = Name> {
    vec("[a-zA-Z0-9_-]{1,12}", 0..5).prop_map(|labels| {
        Name::join(labels.iter().map(|l| l.as_bytes()), &[0]).unwrap_or_else(|_| Name::root())
    })
}

fn rdata() -> impl Strategy<Value = Rdata> {
    let number = 0..i32::MAX as u32;
    let bytes = |len| vec(any::<u8>(), len);
    prop_oneof![
        any::<u32>().prop_map(|bits| Rdata::A(Ipv4Addr::from_bits(bits))),
        any::<u128>().prop_map(|bits| Rdata::Aaaa(Ipv6Addr::from_bits(bits))),
        name().prop_map(Rdata::Ns),
        name().prop_map(Rdata::Cname),
        name().prop_map(Rdata::Ptr),
        (name(), name(), any::<u32>(), number.clone(), number.clone(), number, any::<u32>()).prop_map(
            |(primary, mailbox, serial, refresh, retry, expire, minimum)| {
                Soa { primary, mailbox, serial, refresh, retry, expire, minimum }.into()
            }
        ),
        (any::<[u16; 3]>(), name())
            .prop_map(|([priority, weight, port], target)| { Srv { priority, weight, port, target }.into() }),
        vec(bytes(0..256), 1..4).prop_map(|strings| Txt::new(strings.iter().map(Vec::as_slice)).into()),
        (any::<u16>(), name()).prop_map(|(preference, exchange)| Rdata::Mx(Mx { preference, exchange })),
        (bytes(0..40), bytes(0..40))
            .prop_map(|(cpu, os)| Rdata::Hinfo(Hinfo { cpu: cpu.into(), os: os.into() })),
        // The other codec takes no empty data.
        bytes(1..40).prop_map(|bytes| Rdata::Other(Rtype(65400), bytes.into())),
    ]
}

fn record() -> impl Strategy<Value = Record> {
    (name(), 0..i32::MAX as u32, rdata()).prop_map(|(name, ttl, data)| Record::new(name, ttl, data))
}

fn header() -> impl Strategy<Value = Header> {
    (any::<u16>(), any::<[bool; 7]>(), 0..6u16).prop_map(|(id, [qr, aa, tc, rd, ra, ad, cd], rcode)| Header {
        response: qr,
        authoritative: aa,
        truncated: tc,
        recursion_desired: rd,
        recursion_available: ra,
        authentic_data: ad,
        checking_disabled: cd,
        rcode: Rcode(rcode),
        ..Header::query(id)
    })
}

/// Any message both codecs should agree on.
pub(super) fn message() -> impl Strategy<Value = Message> {
    let edns = prop::option::of(
        (512..4096u16, any::<bool>()).prop_map(|(payload, dnssec_ok)| Edns::new(payload, dnssec_ok)),
    );
    (header(), name(), any::<u16>(), vec(record(), 0..6), vec(record(), 0..3), vec(record(), 0..3), edns)
        .prop_map(|(header, name, rtype, answers, authority, additional, edns)| Message {
            header,
            question: Some(Question::new(name, Rtype(rtype))),
            answers,
            authority,
            additional,
            edns,
        })
}
