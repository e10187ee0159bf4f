//! The layout does what the intent says, and patches lead where they should.

use portway_intent::{Delta, Verdict as Outcome};

use super::intents::{family, packet};
use super::*;

fn follows_the_oracle<A: Address>(intent: &FamilyIntent<A>, packets: &[portway_intent::Packet<A>]) {
    let table = render_family(intent);
    for packet in packets {
        let expect = intent.oracle(packet);
        assert_eq!(
            trace(&table, packet, &Memory::new()),
            expect,
            "{packet:?}\n{intent}\n{}",
            Image { v4: Some(table.clone()), v6: None }
        );
        let Outcome::Deliver { to, affinity: Some(_) } = expect else { continue };
        // Whoever answered once answers again, and only as long as it is there.
        for draw in 0..to.len() as u32 {
            let memory = remember(&table, packet, &Memory::new(), draw);
            let Outcome::Deliver { to: again, .. } = trace(&table, packet, &memory) else { panic!() };
            assert_eq!(again.len(), 1, "{packet:?}");
            let stale: Memory = memory
                .iter()
                .map(|(key, value)| (key.clone(), value.iter().map(|byte| byte ^ 0x55).collect()))
                .collect();
            let Outcome::Deliver { to: anew, .. } = trace(&table, packet, &stale) else { panic!() };
            assert_eq!(anew, to, "{packet:?}");
        }
    }
}

proptest! {
    #[test]
    fn v4_follows_the_oracle(intent in family::<Ipv4Addr>(), packets in prop::collection::vec(packet(), 24)) {
        follows_the_oracle(&intent, &packets);
    }

    #[test]
    fn v6_follows_the_oracle(intent in family::<Ipv6Addr>(), packets in prop::collection::vec(packet(), 24)) {
        follows_the_oracle(&intent, &packets);
    }

    #[test]
    fn diff_leads_from_any_image_to_any_other(a in intent(), b in intent()) {
        let (a, b) = (render(&a), render(&b));
        let mut kernel = Fake::default();
        kernel.commit(&diff(&Image::default(), &a)).unwrap();
        prop_assert_eq!(&kernel.image, &a);
        kernel.commit(&diff(&a, &b)).unwrap();
        prop_assert_eq!(&kernel.image, &b);
        prop_assert!(diff(&b, &b).is_empty());
        kernel.commit(&diff(&b, &Image::default())).unwrap();
        prop_assert_eq!(&kernel.image, &Image::default());
    }

    #[test]
    fn patch_is_diff_without_leaving_classes(a in intent(), mut b in intent()) {
        // Settings are not changed incrementally.
        b.v4.locality = a.v4.locality.clone();
        b.v4.node_addresses = a.v4.node_addresses.clone();
        b.v4.service_cidrs = a.v4.service_cidrs.clone();
        b.v4.masquerade = a.v4.masquerade;
        b.v6 = a.v6.clone();
        let mut kernel = Fake::default();
        kernel.commit(&diff(&Image::default(), &render(&a))).unwrap();
        let mut classes = Classes::of(&kernel.image);
        let patch = patch(&Delta::between(&a, &b), (&b.v4, &b.v6), &classes).unwrap();
        classes.follow(&patch);
        kernel.commit(&patch).unwrap();
        prop_assert_eq!(&classes, &Classes::of(&kernel.image));
        // All that is left to do is to remove classes that nobody uses any more.
        let want = render(&b);
        for (_, op) in diff(&kernel.image, &want).ops {
            let unused = match &op {
                Op::DeleteElements { set, .. } => set.contains("classes") || set == "refusals",
                Op::FlushChain { name } | Op::DeleteChain { name } => !want.v4.as_ref().unwrap().chains.contains_key(name),
                _ => false,
            };
            prop_assert!(unused, "{op}");
        }
    }

    #[test]
    fn text_of_equal_images_is_equal(a in intent(), b in intent()) {
        let (a, b) = (render(&a), render(&b));
        prop_assert_eq!(a == b, a.to_string() == b.to_string());
    }
}

#[test]
fn settings_take_a_full_diff() {
    let a = Intent::default();
    let mut b = a.clone();
    b.v4.masquerade.bit = 3;
    assert_eq!(patch(&Delta::between(&a, &b), (&b.v4, &b.v6), &Classes::default()), None);
}

#[test]
fn the_fake_is_strict() {
    let v4 = portway_base::IpFamily::V4;
    let check = |op: Op, reason: &str| {
        let mut kernel = Fake::default();
        kernel.commit(&diff(&Image::default(), &render(&Intent::default()))).unwrap();
        let before = kernel.image.clone();
        let refused = kernel.commit(&Patch { ops: vec![(v4, op)] }).unwrap_err();
        assert_eq!(refused.reason, reason);
        assert_eq!(kernel.image, before);
    };
    check(Op::DeleteSet { name: "fronts".into() }, "set is in use");
    check(Op::DeleteSet { name: "none".into() }, "no such set");
    check(Op::DeleteChain { name: "reject".into() }, "chain is in use");
    check(Op::DeleteChain { name: "none".into() }, "no such chain");
    check(Op::AddChain { name: "reject".into(), base: None }, "chain exists");
    let rule = |chain: &str, exprs| Op::AddRule {
        chain: chain.into(),
        rule: Rule { exprs, comment: String::new() },
    };
    check(rule("filter-input", vec![Expr::Masquerade]), "no masquerade there");
    check(rule("nat-prerouting", vec![Expr::Reject { code: 3 }]), "no reject there");
    let to = |chain: &str| vec![Expr::Verdict(Verdict::Goto(chain.into()))];
    check(rule("filter-input", to("none")), "no such chain");
    let mut loops = rule("reject", to("reject"));
    if let Op::AddRule { rule, .. } = &mut loops {
        rule.comment = "round and round".into();
    }
    let mut kernel = Fake::default();
    let reject = Op::AddRule {
        chain: "filter-input".into(),
        rule: Rule { exprs: to("reject"), comment: String::new() },
    };
    kernel.commit(&diff(&Image::default(), &render(&Intent::default()))).unwrap();
    let refused = kernel.commit(&Patch { ops: vec![(v4, reject), (v4, loops)] }).unwrap_err();
    assert_eq!(refused.reason, "too many levels");
}
