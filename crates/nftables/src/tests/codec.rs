//! What is written can be read again; anything can be read.

use std::collections::BTreeMap;

use crate::codec::wire::{Attributes, Writer, messages};
use crate::codec::{Decoded, decode, decode_expr, encode};

use super::*;

/// Reads back what a patch onto nothing creates.
fn read(patch: &Patch) -> Image {
    let mut w = Writer::new();
    for (family, op) in &patch.ops {
        encode(&mut w, *family, op, 1);
    }
    let bytes = w.into_bytes();
    let mut image = Image::default();
    for message in messages(&bytes) {
        let family = match message.family() {
            2 => portway_base::IpFamily::V4,
            _ => portway_base::IpFamily::V6,
        };
        let table = image.table_mut(family).get_or_insert_default();
        match decode(&message).unwrap() {
            Decoded::Table(name) => assert_eq!(name, TABLE),
            Decoded::Chain { name, chain, .. } => drop(table.chains.insert(name, chain)),
            Decoded::Rule { chain, rule, .. } => table.chains.get_mut(&chain).unwrap().rules.push(rule),
            Decoded::Set { name, spec, .. } => {
                table.sets.insert(name, Set { spec: spec.unwrap(), elements: BTreeMap::new() });
            }
            Decoded::Elements { set, elements, .. } => {
                table.sets.get_mut(&set).unwrap().elements.extend(elements);
            }
        }
    }
    image
}

proptest! {
    #[test]
    fn images_round_trip(intent in intent()) {
        let image = render(&intent);
        prop_assert_eq!(read(&diff(&Image::default(), &image)), image);
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for message in messages(&bytes) {
            let _ = decode(&message);
        }
        let _ = decode_expr(Attributes(&bytes));
    }

    #[test]
    fn spoilt_messages_are_read_without_panic(intent in intent(), at in any::<prop::sample::Index>(), byte: u8) {
        let patch = diff(&Image::default(), &render(&intent));
        let mut w = Writer::new();
        for (family, op) in &patch.ops {
            encode(&mut w, *family, op, 1);
        }
        let mut bytes = w.into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        for message in messages(&bytes) {
            let _ = decode(&message);
        }
    }
}

#[test]
fn many_elements_take_several_messages() {
    let spec = SetSpec { key: vec![Field::Ipv4], data: None, interval: false, dynamic: None };
    let entry =
        |n: u32| (Key::exact(n.to_be_bytes().to_vec()), Entry { value: None, comment: "x".repeat(300) });
    let elements: Vec<_> = (0..5000).map(entry).collect();
    let op = Op::AddElements { set: "s".into(), spec: std::sync::Arc::new(spec), elements };
    let mut w = Writer::new();
    encode(&mut w, portway_base::IpFamily::V4, &op, 1);
    let bytes = w.into_bytes();
    assert!(messages(&bytes).all(|message| message.body.len() < 65_000));
    let read: usize = messages(&bytes)
        .map(|message| match decode(&message) {
            Some(Decoded::Elements { elements, .. }) => elements.len(),
            other => panic!("{other:?}"),
        })
        .sum();
    assert_eq!(read, 5000);
}
