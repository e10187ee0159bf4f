//! The chains: the ones packets enter, and one for each class.

use std::collections::BTreeMap;

use portway_intent::{Address, Cidr, FamilyIntent, Locality, NodeAddresses, Sources};

use super::program::Program;
use super::{
    ALLOWED, CLASSES, CLUSTER_IPS, Class, GUARDED, HAIRPIN, INNER_CLASSES, Marks, NODE_ADDRESSES, Outside,
    REFUSALS, Via,
};
use crate::{Base, Chain, ChainKind, Hook, Rule, Verdict};

/// The chain that refuses.
pub(crate) const REJECT: &str = "reject";

/// The chains that do not depend on any Service.
pub(crate) fn base<A: Address>(intent: &FamilyIntent<A>) -> BTreeMap<String, Chain> {
    use ChainKind::{Filter, Nat};
    let chain = |kind, hook, priority, rules| Chain { base: Some(Base { kind, hook, priority }), rules };
    let guard = || {
        vec![
            established::<A>(),
            Program::<A>::new().forbidden(GUARDED, ALLOWED).verdict(Verdict::Drop).rule("source ranges"),
        ]
    };
    let services = || {
        let fronts = Program::<A>::new().dispatch(Via::Front, CLASSES);
        let node_ports = to_node(intent).dispatch(Via::NodePort, CLASSES);
        vec![fronts.rule("Service addresses"), node_ports.rule("node ports")]
    };
    let refused = || Program::<A>::new().dispatch(Via::Front, REFUSALS).rule("Services without endpoints");
    let node_ports =
        || to_node(intent).dispatch(Via::NodePort, REFUSALS).rule("node ports without endpoints");
    let unclaimed = || {
        let mut rules = vec![
            established::<A>(),
            refused(),
            Program::<A>::new().towards(CLUSTER_IPS).reject().rule("no such port"),
        ];
        for range in &intent.service_cidrs {
            let program = Program::new().in_range(*range, true).of_node(false, false);
            rules.push(program.verdict(Verdict::Drop).rule("no such Service"));
        }
        rules
    };
    let postrouting = vec![
        Program::<A>::new()
            .marked(intent.masquerade.bit)
            .set_mark(intent.masquerade.bit, false)
            .masquerade()
            .rule("marked on the way"),
        Program::<A>::new().translated().back_to_itself(HAIRPIN).masquerade().rule("a Pod reaching itself"),
    ];
    let reject = Chain { base: None, rules: vec![Program::<A>::new().reject().rule("")] };
    [
        ("guard-prerouting", chain(Filter, Hook::Prerouting, -110, guard())),
        ("guard-output", chain(Filter, Hook::Output, -110, guard())),
        ("nat-prerouting", chain(Nat, Hook::Prerouting, -100, services())),
        ("nat-output", chain(Nat, Hook::Output, -100, services())),
        ("nat-postrouting", chain(Nat, Hook::Postrouting, 100, postrouting)),
        ("filter-input", chain(Filter, Hook::Input, 0, vec![established::<A>(), refused(), node_ports()])),
        ("filter-forward", chain(Filter, Hook::Forward, 0, unclaimed())),
        ("filter-output", chain(Filter, Hook::Output, 0, unclaimed())),
        (REJECT, reject),
    ]
    .into_iter()
    .map(|(name, chain)| (name.to_owned(), chain))
    .collect()
}

/// Everything below it sees new connections only.
fn established<A: Address>() -> Rule {
    Program::<A>::new().not_new().verdict(Verdict::Accept).rule("only new connections")
}

/// Only packets to an address on which node ports are claimed.
fn to_node<A: Address>(intent: &FamilyIntent<A>) -> Program<A> {
    match &intent.node_addresses {
        NodeAddresses::Only(_) => Program::new().towards(NODE_ADDRESSES),
        NodeAddresses::All => {
            let loopback = match A::BITS {
                32 => Cidr::new(A::from_bits(127 << 24), 8),
                _ => Cidr::new(A::from_bits(1), 128),
            };
            let program = Program::new().of_node(false, true);
            match loopback {
                Some(range) => program.in_range(range, false),
                None => program,
            }
        }
    }
}

/// The chain of a class; refusals have none and get an empty one.
pub(crate) fn class<A: Address>(intent: &FamilyIntent<A>, class: &Class) -> Chain {
    let rules = match *class {
        Class::Reject | Class::Drop => Vec::new(),
        Class::Balance { via, endpoints, affinity, marks } => {
            let mut rules = mark(intent, marks);
            rules.extend(balance::<A>(via, endpoints, affinity));
            rules
        }
        Class::Split { via, marks, outside } => split(intent, via, marks, outside),
    };
    Chain { base: None, rules }
}

/// Marks those who are to be masqueraded.
fn mark<A: Address>(intent: &FamilyIntent<A>, marks: Marks) -> Vec<Rule> {
    let bit = intent.masquerade.bit;
    let locality = &intent.locality;
    let no_pods = *locality == Locality::Off;
    let Sources { pod, node, outside } = marks;
    let rule = |program: Program<A>, comment| program.set_mark(bit, true).rule(comment);
    if node && outside && (pod || no_pods) {
        return vec![rule(Program::new(), "masquerade all")];
    }
    let stranger = || Program::new().pod(locality, false);
    let mut rules = Vec::new();
    if pod && !no_pods {
        rules.push(rule(Program::new().pod(locality, true), "masquerade Pods"));
    }
    match (node, outside) {
        (true, true) => rules.push(rule(stranger(), "masquerade all but Pods")),
        (true, false) => rules.push(rule(stranger().of_node(true, true), "masquerade the node")),
        (false, true) => rules.push(rule(stranger().of_node(true, false), "masquerade the outside")),
        (false, false) => {}
    }
    rules
}

fn balance<A: Address>(via: Via, endpoints: u16, affinity: u32) -> Vec<Rule> {
    let mut rules = Vec::new();
    if affinity > 0 {
        rules.push(Program::<A>::new().remembered(via, affinity).rule("the endpoint it had"));
        rules.push(Program::<A>::new().remember(via, endpoints, affinity).rule("any endpoint, remembered"));
    }
    rules.push(Program::<A>::new().balance(via, endpoints).rule("any endpoint"));
    // A packet that is on its way through here while the pool shrinks may draw an index that is gone.
    rules.push(Program::<A>::new().first(via).rule("the first endpoint"));
    rules
}

fn split<A: Address>(intent: &FamilyIntent<A>, via: Via, marks: Marks, outside: Outside) -> Vec<Rule> {
    let bit = intent.masquerade.bit;
    let mut rules = Vec::new();
    let mut inside = |source: &dyn Fn() -> Program<A>, masquerade, comment| {
        if masquerade {
            rules.push(source().set_mark(bit, true).rule(comment));
        }
        rules.push(source().dispatch(via.inner(), INNER_CLASSES).rule(comment));
    };
    if intent.locality != Locality::Off {
        inside(&|| Program::new().pod(&intent.locality, true), marks.pod, "Pods");
    }
    inside(&|| Program::new().of_node(true, true), marks.node, "the node");
    if let Outside::Balance { endpoints, affinity } = outside {
        if marks.outside {
            rules.push(Program::<A>::new().set_mark(bit, true).rule("masquerade the outside"));
        }
        rules.extend(balance::<A>(via, endpoints, affinity));
    }
    rules
}
