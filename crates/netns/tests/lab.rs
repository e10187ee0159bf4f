//! Namespaces, links and the lab, with real packets, inside a sandbox of the test's own.
//!
//! Run as root it also runs itself again as an ordinary user, which must fare the same.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::zombie_processes)]

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use portway_netns::lab::{Host, Lab, OUTSIDE};
use portway_netns::{Kind, Mac, Namespace, Route, Veth, sandbox};

/// Uid and gid `nobody`, as every Linux has it.
const ORDINARY: u32 = 65534;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("contained") {
        return contained();
    }
    let arguments = Arguments::from_args();
    let root = rustix::process::geteuid().is_root();
    // Before the sandbox: from inside, there is no way to become someone else outside.
    let ordinary = (root && !arguments.list && arguments.filter.is_none()).then(as_ordinary_user);
    if let Err(error) = sandbox::enter() {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    let mut trials = vec![
        Trial::test("namespaces_by_name", namespaces_by_name),
        Trial::test("errors_say_what_and_why", errors_say_what_and_why),
        Trial::test("links", links),
        Trial::test("routes_and_neighbours", routes_and_neighbours),
        Trial::test("sysctls", sysctls),
        Trial::test("child_processes", child_processes),
        Trial::test("anonymous_namespaces_end", anonymous_namespaces_end),
        Trial::test("flat_lab", flat_lab),
        Trial::test("routed_lab", routed_lab),
        Trial::test("sandboxes_nest", sandboxes_nest),
        Trial::test("nothing_survives_containment", nothing_survives_containment),
    ];
    if let Some(outcome) = ordinary {
        trials.push(Trial::test("all_as_an_ordinary_user", move || outcome.map_err(Failed::from)));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// The same binary, same tests, under another uid with no groups and no capabilities.
fn as_ordinary_user() -> Result<(), String> {
    // By descriptor: the directories above the binary may be closed to that user.
    let output = Command::new("/proc/self/exe").uid(ORDINARY).gid(ORDINARY).current_dir("/").output();
    let output = output.map_err(|e| e.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(()) } else { Err(text(&output.stdout) + &text(&output.stderr)) }
}

type Outcome = Result<(), Failed>;

fn namespaces_by_name() -> Outcome {
    let made = Namespace::create("byname")?;
    assert!(Namespace::names()?.contains(&"byname".to_owned()));
    assert_eq!(Namespace::open("byname")?, made);
    assert_ne!(Namespace::current()?, made);
    assert_eq!(made.run(Namespace::current)??, made);
    assert_eq!(Namespace::create("byname").unwrap_err().kind, Kind::Exists);
    Namespace::delete("byname")?;
    assert_eq!(Namespace::open("byname").unwrap_err().kind, Kind::NotFound);
    assert_eq!(Namespace::delete("byname").unwrap_err().kind, Kind::NotFound);
    for bad in ["", ".", "..", "a/b", "../x", "a\0b"] {
        assert!(Namespace::create(bad).is_err(), "{bad:?}");
    }
    Ok(())
}

fn errors_say_what_and_why() -> Outcome {
    let host = Host::anonymous("errors")?;
    let error = host.netlink().add_address("eth7", "10.0.0.1/24".parse()?).unwrap_err();
    assert_eq!(error.kind, Kind::NotFound);
    assert!(error.to_string().starts_with("cannot find link eth7"), "{error}");
    let error =
        host.netlink().add_route(&Route::to("10.1.0.0/16".parse()?).via("10.0.0.1".parse()?)).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("cannot add route 10.1.0.0/16 via 10.0.0.1 in net:["), "{text}");
    assert!(text.contains("gateway"), "the kernel's own sentence is there: {text}");
    host.netlink().add_bridge("br0", None)?;
    assert_eq!(host.netlink().add_bridge("br0", None).unwrap_err().kind, Kind::Exists);
    Ok(())
}

fn links() -> Outcome {
    let (left, right) = (Host::anonymous("left")?, Host::anonymous("right")?);
    let mac = |last| Some(Mac([2, 0, 0, 0, 0, last]));
    left.netlink().add_bridge("br0", mac(9))?;
    left.netlink().add_veth(&Veth {
        mac: mac(1),
        peer_mac: mac(2),
        bridge: Some("br0"),
        peer_namespace: Some(right.namespace()),
        mtu: Some(1400),
        ..Veth::new("port", "eth0")
    })?;
    right.netlink().set_up("eth0")?;
    let port = left.netlink().link("port")?;
    assert_eq!((port.kind.as_str(), port.up, port.mtu, port.mac), ("veth", true, 1400, mac(1)));
    assert_eq!(port.master, Some(left.netlink().index("br0")?));
    let eth0 = right.netlink().link("eth0")?;
    assert_eq!((eth0.up, eth0.mtu, eth0.mac, eth0.master), (true, 1400, mac(2), None));

    right.netlink().set_down("eth0")?;
    right.netlink().rename("eth0", "net1")?;
    right.netlink().set_mtu("net1", 1300)?;
    right.netlink().set_mac("net1", Mac([2, 0, 0, 0, 0, 7]))?;
    let net1 = right.netlink().link("net1")?;
    assert_eq!((net1.up, net1.mtu, net1.mac), (false, 1300, mac(7)));
    left.netlink().set_bridge("port", None)?;
    assert_eq!(left.netlink().link("port")?.master, None);

    right.netlink().move_to("net1", left.namespace())?;
    let names: Vec<_> = left.netlink().links()?.into_iter().map(|link| link.name).collect();
    for name in ["lo", "br0", "port", "net1"] {
        assert!(names.contains(&name.to_owned()), "{name} in {names:?}");
    }
    left.netlink().delete_link("port")?;
    assert_eq!(left.netlink().link("net1").unwrap_err().kind, Kind::NotFound, "both ends are gone");
    Ok(())
}

fn routes_and_neighbours() -> Outcome {
    let (left, right) = (Host::anonymous("left")?, Host::anonymous("right")?);
    left.wire("eth0", &["10.0.0.1/24".parse()?, "fd00::1/64".parse()?], &right, "eth0", &[])?;
    assert!(left.netlink().addresses()?.iter().any(|a| a.net.to_string() == "fd00::1/64" && !a.tentative));
    left.netlink().ensure_address("eth0", "10.0.0.1/24".parse()?)?;
    for text in ["10.0.0.2/24", "fd00::2/64"] {
        left.netlink().add_address("eth0", text.parse()?)?;
        left.netlink().delete_address("eth0", text.parse()?)?;
    }
    let check = |route: Route| -> Outcome {
        let has =
            || left.netlink().routes().map(|all| all.iter().any(|r| r.destination == route.destination));
        left.netlink().add_route(&route)?;
        assert!(has()?, "{route}");
        assert_eq!(left.netlink().add_route(&route).unwrap_err().kind, Kind::Exists, "{route}");
        left.netlink().replace_route(&route)?;
        left.netlink().delete_route(&route)?;
        assert!(!has()?, "{route}");
        Ok(())
    };
    check(Route::default_via("10.0.0.9".parse()?))?;
    check(Route::default_via("fd00::9".parse()?))?;
    check(Route::default_via("10.9.9.9".parse()?).dev("eth0").onlink())?;
    check(Route::default_via("fd99::9".parse()?).dev("eth0").onlink())?;
    check(Route::to("10.1.2.3/32".parse()?).dev("eth0"))?;
    check(Route::to("fd01::3/128".parse()?).dev("eth0").metric(7))?;
    check(Route::to("10.3.0.0/16".parse()?).via("10.0.0.9".parse()?).source("10.0.0.1".parse()?))?;
    check(Route::to("10.2.0.0/16".parse()?).kind(portway_netns::RouteKind::Blackhole))?;

    for text in ["10.0.0.7", "fd00::7"] {
        let address: IpAddr = text.parse()?;
        let mac = Mac([2, 0, 0, 0, 0, 7]);
        left.netlink().set_neighbour("eth0", address, mac)?;
        let entry = left.netlink().neighbours()?.into_iter().find(|n| n.address == address);
        assert!(entry.is_some_and(|n| n.permanent && n.mac == Some(mac)), "{text}");
        left.netlink().delete_neighbour("eth0", address)?;
    }
    // A whole range as local, as a virtual address pool wants it.
    left.netlink().add_route(&Route::local("203.0.113.0/26".parse()?))?;
    left.namespace().tcp_listen(SocketAddr::new(Ipv4Addr::new(203, 0, 113, 5).into(), 0))?;
    Ok(())
}

fn sysctls() -> Outcome {
    let host = Host::anonymous("sysctls")?;
    assert_eq!(host.namespace().read_sysctl("net/ipv4/ip_forward")?, "0");
    host.forward()?;
    assert_eq!(host.namespace().read_sysctl("net/ipv4/ip_forward")?, "1");
    let error = host.namespace().sysctl([("net/ipv4/no_such_key", "1")]).unwrap_err();
    assert_eq!(error.kind, Kind::NotFound);
    assert!(error.operation.contains("net/ipv4/no_such_key"), "{error}");
    Ok(())
}

fn child_processes() -> Outcome {
    let host = Host::anonymous("children")?;
    let output = host.namespace().command("readlink").arg("/proc/self/ns/net").output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(text.trim(), format!("net:[{}]", host.namespace().inode()));
    Ok(())
}

fn anonymous_namespaces_end() -> Outcome {
    let stays = Host::anonymous("stays")?;
    let goes = Host::anonymous("goes")?;
    stays.wire("eth0", &[], &goes, "eth0", &[])?;
    drop(goes);
    // The kernel takes namespaces down in the background; its end of the pair goes with it.
    let gone = (0..500).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        stays.netlink().link("eth0").is_err()
    });
    assert!(gone);
    Ok(())
}

/// A server on the host that answers each connection with the address it sees, then ends.
fn serve(host: &Host, at: SocketAddr, connections: usize) -> std::thread::JoinHandle<()> {
    let listener = host.namespace().tcp_listen(at).unwrap();
    std::thread::spawn(move || {
        for _ in 0..connections {
            let (mut stream, from) = listener.accept().unwrap();
            stream.write_all(from.ip().to_string().as_bytes()).unwrap();
        }
    })
}

fn ask(host: &Host, at: SocketAddr) -> Result<String, Failed> {
    let mut stream: TcpStream = host.namespace().tcp_connect(at, Duration::from_secs(10))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

fn flat_lab() -> Outcome {
    let lab = Lab::flat("flat-", 3)?;
    let (a1, b1, a2) = (lab.node(1).pod("a")?, lab.node(1).pod("b")?, lab.node(2).pod("a")?);
    assert_eq!(lab.node(1).addresses[0], Ipv4Addr::new(192, 0, 2, 11).to_string().parse::<IpAddr>()?);
    assert_eq!(lab.node(1).addresses[1], "fd00:192:0:2::11".parse::<IpAddr>()?);
    assert_eq!(a1.addresses, ["10.244.1.2".parse::<IpAddr>()?, "fd00:10:244:1::2".parse::<IpAddr>()?]);
    for family in 0..2 {
        let at = |addresses: [IpAddr; 2]| SocketAddr::new(addresses[family], 8080);
        let server = serve(&a1, at(a1.addresses), 4);
        // Same node, another node, a node's own process, and the Pod itself: all keep their own address.
        for (client, address) in [
            (&*b1, b1.addresses[family]),
            (&*a2, a2.addresses[family]),
            (lab.node(3), lab.node(3).addresses[family]),
            (&*a1, a1.addresses[family]),
        ] {
            assert_eq!(ask(client, at(a1.addresses))?, address.to_string());
        }
        server.join().unwrap();
        let server = serve(lab.node(1), at(lab.node(1).addresses), 1);
        ask(&lab.outside, at(lab.node(1).addresses))?;
        server.join().unwrap();
    }
    Ok(())
}

fn routed_lab() -> Outcome {
    let lab = Lab::routed("routed-", 3)?;
    assert!(lab.router.is_some());
    let pod = lab.node(2).pod("a")?;
    for family in 0..2 {
        // The router sends a pool's address to its node; there it is local, as a proxy would make it answer.
        let vip: IpAddr = ["203.0.113.70", "fdab:2::7"][family].parse()?;
        lab.node(2).netlink().add_address("lo", vip.into())?;
        let server = serve(lab.node(2), SocketAddr::new(vip, 8080), 1);
        assert_eq!(ask(&lab.outside, SocketAddr::new(vip, 8080))?, OUTSIDE[0][family].to_string());
        server.join().unwrap();
        let at = SocketAddr::new(pod.addresses[family], 8080);
        let server = serve(&pod, at, 1);
        assert_eq!(ask(lab.node(1), at)?, lab.node(1).addresses[family].to_string());
        server.join().unwrap();
    }
    let second = SocketAddr::new("10.89.0.12".parse()?, 7080);
    let server = serve(lab.node(2), second, 1);
    assert_eq!(ask(&lab.outside, second)?, OUTSIDE[0][0].to_string());
    server.join().unwrap();
    Ok(())
}

/// Entering a sandbox needs a process of one thread: the test binary again, inside this sandbox.
fn sandboxes_nest() -> Outcome {
    let output = Command::new("/proc/self/exe").args(["--exact", "links", "--test-threads=1"]).output()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// What `nothing_survives_containment` runs: a program that leaves a detached process behind.
fn contained() -> ExitCode {
    sandbox::enter().unwrap();
    let outside = sandbox::contain().unwrap();
    assert_eq!(std::process::id(), 2);
    let mut detached = Command::new("sleep");
    // The standard output stays open in it: whoever reads it sees the end only when the process has ended.
    detached.arg("1000").stdin(std::process::Stdio::null()).process_group(0);
    detached.spawn().unwrap();
    println!("{outside}");
    match std::env::args().nth(2).as_deref() {
        Some("wait") => loop {
            std::thread::sleep(Duration::from_secs(1));
        },
        _ => ExitCode::from(7),
    }
}

fn nothing_survives_containment() -> Outcome {
    use std::io::{BufRead, BufReader};
    let output = Command::new("/proc/self/exe").arg("contained").output()?;
    assert_eq!(output.status.code(), Some(7), "{}", String::from_utf8_lossy(&output.stderr));

    for signal in [libc::SIGTERM, libc::SIGKILL] {
        let mut child = Command::new("/proc/self/exe")
            .args(["contained", "wait"])
            .stdout(std::process::Stdio::piped())
            .spawn()?;
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        lines.read_line(&mut line)?;
        let outside: u32 = line.trim().parse()?;
        assert!(
            std::path::Path::new(&format!("/proc/{outside}")).exists(),
            "{outside} is its id from outside"
        );
        let pid = rustix::process::Pid::from_raw(child.id() as i32).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::from_named_raw(signal).unwrap())?;
        assert!(!child.wait()?.success());
        line.clear();
        assert_eq!(lines.read_line(&mut line)?, 0, "everything that held the pipe is gone");
    }
    Ok(())
}
