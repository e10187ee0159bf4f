//! The I/O half against the running kernel, in namespaces of the test's own.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use portway_base::{IpFamily, ObjectKey, Protocol, ServicePortId};
use portway_intent::*;
use portway_netns::{Namespace, sandbox};
use portway_nftables::netlink::Socket;
use portway_nftables::{Classes, CommitError, Image, Nftables, Op, Patch, diff, patch, render};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    if let Err(error) = sandbox::enter() {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    let trials = vec![
        Trial::test("what_is_written_is_read_back", what_is_written_is_read_back),
        Trial::test("nft_reads_our_tables", nft_reads_our_tables),
        Trial::test("changes_are_incremental", changes_are_incremental),
        Trial::test("many_services_load", many_services_load),
        Trial::test("others_are_noticed", others_are_noticed),
        Trial::test("refusals_name_the_operation", refusals_name_the_operation),
        Trial::test("generations_are_heard_of", generations_are_heard_of),
        Trial::test("other_tables_stay", other_tables_stay),
    ];
    libtest_mimic::run(&arguments, trials).exit_code()
}

type Outcome = Result<(), Failed>;

fn open(namespace: &Namespace) -> Nftables {
    Nftables::new(namespace.run(Socket::open).unwrap().unwrap())
}

fn id(n: u32) -> ServicePortId {
    ServicePortId {
        service: ObjectKey::new("default", format!("service-{n}")),
        port: "http".into(),
        protocol: Protocol::Tcp,
    }
}

/// `count` Services, each with a ClusterIP, some with node ports, affinity, the Local policy or no endpoints.
fn family<A: Address>(count: u32, generation: u16) -> FamilyIntent<A> {
    let address = |block: u128, n: u32| {
        let base: u128 = if A::BITS == 32 { 10 << 24 } else { 0xfd << 120 };
        A::from_bits(base | block << 20 | u128::from(n))
    };
    let mut intent = FamilyIntent {
        locality: Locality::Source(Cidr::new(address(1, 0), A::BITS - 20).unwrap()),
        node_addresses: NodeAddresses::Only(BTreeSet::from([address(2, 1)])),
        service_cidrs: BTreeSet::from([Cidr::new(address(4, 0), A::BITS - 20).unwrap()]),
        ..FamilyIntent::default()
    };
    for n in 0..count {
        let pool = |scope| PoolId { port: id(n), scope };
        let to = |scope, snat| Action::Balance { pool: pool(scope), snat };
        let endpoints: Vec<Endpoint<A>> =
            (0..3).map(|i| Endpoint { address: address(1, n * 3 + i), port: 8080 + generation }).collect();
        let affinity = (n % 5 == 1).then_some(10_800);
        if n % 7 != 6 {
            intent.pools.insert(pool(Scope::Cluster), Pool { endpoints: endpoints.clone(), affinity });
            intent.pools.insert(pool(Scope::Local), Pool { endpoints: endpoints[..1].to_vec(), affinity });
        }
        intent.hairpin.insert(endpoints[0].address);
        let cluster = match n % 7 {
            6 => Sources::all(Action::Reject),
            _ => Sources { pod: to(Scope::Cluster, false), ..Sources::all(to(Scope::Cluster, true)) },
        };
        let rule = |kind, sources| Rule { owner: id(n), kind, allow_from: None, sources };
        let vip = |ip| Front { at: At::Vip(ip), protocol: Protocol::Tcp, port: 80 };
        intent.fronts.insert(vip(address(4, n)), rule(FrontKind::ClusterIp, cluster));
        intent.cluster_ips.insert(address(4, n), id(n).service);
        if n % 7 == 3 {
            let node_port =
                Front { at: At::NodePort, protocol: Protocol::Tcp, port: 30000 + (n % 2000) as u16 };
            let sources = Sources {
                pod: to(Scope::Cluster, false),
                node: to(Scope::Cluster, true),
                outside: to(Scope::Local, false),
            };
            intent.fronts.insert(node_port, rule(FrontKind::NodePort, sources.clone()));
            let ranges = [Cidr::host(address(5, n)), Cidr::new(address(6, 0), A::BITS - 8).unwrap()];
            let rule =
                Rule { allow_from: Some(BTreeSet::from(ranges)), ..rule(FrontKind::LoadBalancer, sources) };
            intent.fronts.insert(vip(address(7, n)), rule);
        }
    }
    intent
}

fn intent(count: u32, generation: u16) -> Intent {
    let intent =
        Intent { v4: family::<Ipv4Addr>(count, generation), v6: family::<Ipv6Addr>(count, generation) };
    intent.check().unwrap();
    intent
}

fn first_lines(patch: &Patch) -> String {
    patch.to_string().lines().take(5).map(|line| line.chars().take(300).collect::<String>() + "\n").collect()
}

fn same(got: &Image, want: &Image) {
    for family in IpFamily::ALL {
        let (got, want) = (got.table(family).unwrap(), want.table(family).unwrap());
        for (name, set) in &want.sets {
            assert_eq!(got.sets.get(name).map(|set| set.spec.clone()), Some(set.spec.clone()), "{name}");
        }
        for (name, chain) in &want.chains {
            assert_eq!(got.chains.get(name), Some(chain), "{name}");
        }
    }
    if got != want {
        panic!("they differ");
    }
}

fn what_is_written_is_read_back() -> Outcome {
    let namespace = Namespace::anonymous()?;
    let mut kernel = open(&namespace);
    assert_eq!(kernel.load()?, Image::default());
    for (count, locality) in [(40, None), (20, Some("cni0")), (60, None), (0, None)] {
        let mut want = intent(count, 0);
        if let Some(name) = locality {
            want.v4.locality = Locality::Interface(name.into());
            want.v6.locality = Locality::InterfacePrefix(name.into());
            want.v4.node_addresses = NodeAddresses::All;
            want.v6.node_addresses = NodeAddresses::All;
        }
        let want = render(&want);
        let have = kernel.load()?;
        kernel.commit(&diff(&have, &want))?;
        let got = kernel.load()?;
        same(&got, &want);
    }
    kernel.cleanup()?;
    kernel.cleanup()?;
    assert_eq!(kernel.load()?, Image::default());
    Ok(())
}

fn nft_reads_our_tables() -> Outcome {
    let namespace = Namespace::anonymous()?;
    open(&namespace).commit(&diff(&Image::default(), &render(&intent(8, 0))))?;
    let output = namespace
        .command("nft")
        .args(["list", "ruleset"])
        .output()
        .map_err(|error| format!("nft: {error}"))?;
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if std::env::var_os("SHOW").is_some() {
        eprintln!("{text}");
    }
    assert!(output.status.success(), "{errors}");
    assert_eq!(errors, "");
    // Without /etc/protocols nft prints the number.
    assert!(text.contains("10.64.0.2 . tcp . 80") || text.contains("10.64.0.2 . 6 . 80"), "{text}");
    assert!(text.contains("default/service-2"), "{text}");
    Ok(())
}

fn changes_are_incremental() -> Outcome {
    let namespace = Namespace::anonymous()?;
    let mut kernel = open(&namespace);
    let mut have = intent(30, 0);
    kernel.commit(&diff(&Image::default(), &render(&have)))?;
    let mut classes = Classes::of(&render(&have));
    for (count, generation) in [(30, 1), (35, 1), (10, 2), (30, 0)] {
        let want = intent(count, generation);
        let patch = patch(&Delta::between(&have, &want), (&want.v4, &want.v6), &classes).unwrap();
        classes.follow(&patch);
        kernel.commit(&patch)?;
        let got = kernel.load()?;
        assert_eq!(Classes::of(&got), classes);
        let left = diff(&got, &render(&want));
        let classes_only = |op: &Op| match op {
            Op::DeleteElements { set, .. } => set.contains("classes") || set == "refusals",
            op => matches!(op, Op::FlushChain { .. } | Op::DeleteChain { .. }),
        };
        assert!(left.ops.iter().all(|(_, op)| classes_only(op)), "{}", first_lines(&left));
        have = want;
    }
    Ok(())
}

/// Inside a sandbox the socket's buffer is small: the load takes several transactions.
fn many_services_load() -> Outcome {
    let namespace = Namespace::anonymous()?;
    let mut kernel = open(&namespace);
    let want = render(&intent(3000, 0));
    kernel.commit(&diff(&Image::default(), &want))?;
    let got = kernel.load()?;
    same(&got, &want);
    Ok(())
}

fn others_are_noticed() -> Outcome {
    let namespace = Namespace::anonymous()?;
    let (mut ours, mut theirs) = (open(&namespace), open(&namespace));
    let want = render(&intent(5, 0));
    let have = ours.load()?;
    theirs.commit(&Patch { ops: vec![(IpFamily::V4, Op::AddTable)] })?;
    let refused = ours.commit(&diff(&have, &want));
    assert!(matches!(refused, Err(CommitError::Changed)), "{refused:?}");
    let have = ours.load()?;
    ours.commit(&diff(&have, &want))?;
    ours.commit(&diff(&want, &render(&intent(6, 0))))?;
    theirs.cleanup()?;
    let refused = ours.commit(&diff(&render(&intent(6, 0)), &want));
    assert!(matches!(refused, Err(CommitError::Changed)), "{refused:?}");
    assert_eq!(ours.load()?, Image::default());
    Ok(())
}

fn refusals_name_the_operation() -> Outcome {
    let namespace = Namespace::anonymous()?;
    let mut kernel = open(&namespace);
    kernel.commit(&diff(&Image::default(), &render(&intent(8, 0))))?;
    let before = kernel.load()?;
    let ops = vec![
        (IpFamily::V4, Op::AddChain { name: "new".into(), base: None }),
        (IpFamily::V4, Op::DeleteChain { name: "reject".into() }),
        (IpFamily::V4, Op::DeleteSet { name: "none".into() }),
    ];
    match kernel.commit(&Patch { ops }) {
        Err(CommitError::Refused { op, errno }) => {
            assert_eq!(op, "delete chain reject");
            assert_eq!(errno, rustix::io::Errno::BUSY);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(kernel.load()?, before);
    Ok(())
}

fn generations_are_heard_of() -> Outcome {
    let namespace = Namespace::anonymous()?;
    let mut ears = namespace.run(Socket::open)??;
    ears.subscribe_generations()?;
    let mut kernel = open(&namespace);
    kernel.commit(&diff(&Image::default(), &render(&intent(200, 0))))?;
    let mut heard = BTreeMap::new();
    while ears.receive(false, |message| {
        assert_eq!(message.kind, 0x0a0f);
        heard.insert(message.port, portway_nftables::codec::decode_generation(message));
    })? {}
    assert_eq!(heard, BTreeMap::from([(kernel.port(), Some(kernel.generation()?))]));
    Ok(())
}

fn other_tables_stay() -> Outcome {
    let namespace = Namespace::anonymous()?;
    let nft = |arguments: &[&str]| namespace.command("nft").args(arguments).output();
    let theirs = "table inet theirs { chain c { type filter hook input priority 0; policy accept; } ; }";
    match nft(&[theirs]) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        output => assert!(output?.status.success()),
    }
    let before = nft(&["list", "ruleset"])?.stdout;
    let mut kernel = open(&namespace);
    let have = kernel.load()?;
    assert_eq!(have, Image::default());
    kernel.commit(&diff(&have, &render(&intent(5, 0))))?;
    kernel.cleanup()?;
    assert_eq!(nft(&["list", "ruleset"])?.stdout, before);
    Ok(())
}
