//! Asks a whole server, over UDP and TCP on loopback ports of its own, with canned upstreams behind it.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use portway_base::ObjectKey;
use portway_dns::wire::{Class, Edns, Header, Message, Question};
use portway_dns::{DnsConfig, DnsHandle, DnsServer, Listeners};
use tokio::runtime::Runtime;

use super::case::{Case, Query, Step};
use super::compare::{compare, text};
use super::objects::{Cluster, feed};
use super::upstream::Upstream;
use super::{later, profiles};

/// How long any one answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

struct Server {
    udp: SocketAddr,
    tcp: SocketAddr,
    handle: DnsHandle,
}

struct Lab {
    servers: BTreeMap<String, Server>,
    upstreams: BTreeMap<&'static str, Upstream>,
    _runtime: Runtime,
}

impl Lab {
    fn start(case: &Case) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let upstreams: BTreeMap<_, _> = ["default", "stub"].map(|name| (name, Upstream::start())).into();
        for (name, upstream) in &upstreams {
            upstream.load(case.upstream.get(*name).unwrap_or(&serde_json::json!([])));
        }
        let mut wanted: Vec<&str> = vec![&case.profile];
        wanted.extend(case.steps.iter().filter_map(|step| match step {
            Step::Query(query) => query.profile.as_deref(),
            _ => None,
        }));
        wanted.sort_unstable();
        wanted.dedup();
        let servers = wanted.into_iter().map(|profile| {
            let server = serve(&runtime, profiles::server(profile, upstreams["default"].address));
            (profile.to_owned(), server)
        });
        Self { servers: servers.collect(), upstreams, _runtime: runtime }
    }

    fn feed(&self, id: &(String, ObjectKey), object: Option<&serde_json::Value>) {
        for server in self.servers.values() {
            server.handle.update(|zone| feed(zone, id, object));
        }
    }

    fn check(&self, case: &Case, query: &Query) -> Option<String> {
        let server = &self.servers[query.profile.as_ref().unwrap_or(&case.profile)];
        let (message, size) = ask(server, query, query.tcp);
        if let Some(problem) = compare(query, &message) {
            return Some(problem);
        }
        if query.truncated {
            let limit = query.edns.map_or(512, |(payload, ..)| usize::from(payload).max(512));
            let (full, _) = ask(server, query, true);
            let full: Vec<String> = full.answers.iter().map(|r| text(r, true)).collect();
            if size > limit {
                return Some(format!("{size} bytes exceed {limit}"));
            }
            if !message.answers.iter().all(|r| full.contains(&text(r, true))) {
                return Some("the truncated answer holds records the full one lacks".to_owned());
            }
        }
        let mut firsts: Vec<String> = Vec::new();
        for _ in 0..if query.distinct_first > 0 { 60 } else { 0 } {
            firsts.push(text(&ask(server, query, query.tcp).0.answers[0], true));
        }
        firsts.sort();
        firsts.dedup();
        (firsts.len() < query.distinct_first).then(|| "the first record never varied".to_owned())
    }
}

fn serve(runtime: &Runtime, config: DnsConfig) -> Server {
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let (udp_at, tcp_at) = (udp.local_addr().unwrap(), tcp.local_addr().unwrap());
    let server = DnsServer::new(config, Listeners { udp: vec![udp], tcp: vec![tcp] });
    let handle = server.handle();
    handle.update(portway_dns::zone::Zone::set_synced);
    runtime.spawn(server.run(std::future::pending()));
    Server { udp: udp_at, tcp: tcp_at, handle }
}

pub fn run(case: &Case) -> Result<(), Vec<String>> {
    let lab = Lab::start(case);
    let mut failures = Vec::new();
    let mut cluster = Cluster::start(case, &mut |id, object| lab.feed(id, object));
    for step in &case.steps {
        let mut take = |id: &_, object: Option<&_>| lab.feed(id, object);
        let id = |kind: &str, namespace: &str, name: &str| (kind.to_owned(), ObjectKey::new(namespace, name));
        let (label, problem) = match step {
            Step::Apply(objects) => {
                objects.iter().for_each(|object| cluster.apply(object, &mut take));
                continue;
            }
            Step::Patch { kind, namespace, name, body } => {
                cluster.patch(id(kind, namespace, name), body, &mut take);
                continue;
            }
            Step::Delete { kind, namespace, name } => {
                cluster.delete(id(kind, namespace, name), &mut take);
                continue;
            }
            Step::Sleep(seconds) => {
                std::thread::sleep(Duration::from_secs_f64(*seconds));
                continue;
            }
            Step::Upstream(rules) => {
                rules.iter().for_each(|(name, rules)| lab.upstreams[name.as_str()].load(rules));
                continue;
            }
            Step::Query(query) => (format!("{} {}", query.name, query.rtype), lab.check(case, query)),
            Step::Count { server, query, min, max } => {
                let got = lab.upstreams[server.as_str()].count(query);
                let fits = (*min..=*max).contains(&got);
                (
                    query.clone(),
                    (!fits).then(|| format!("the upstream saw {got} queries, not {min} to {max}")),
                )
            }
        };
        if let Some(problem) = problem.filter(|_| later(&case.name, &label).is_none()) {
            failures.push(format!("{label}: {problem}"));
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(failures) }
}

/// The answer and its size in bytes.
fn ask(server: &Server, query: &Query, tcp: bool) -> (Message, usize) {
    let flag = |name: &str| query.set_flags.iter().any(|flag| flag == name);
    let header = Header {
        recursion_desired: query.recursion_desired,
        authentic_data: flag("ad"),
        checking_disabled: flag("cd"),
        opcode: query.opcode.parse().unwrap(),
        ..Header::query(fastrand::u16(..))
    };
    let class: Class = query.class.parse().unwrap();
    let question = Question { name: query.name.parse().unwrap(), rtype: query.rtype.parse().unwrap(), class };
    let request = Message {
        header,
        question: Some(question),
        answers: Vec::new(),
        authority: Vec::new(),
        additional: Vec::new(),
        edns: query
            .edns
            .map(|(payload, version, dnssec_ok)| Edns { version, ..Edns::new(payload, dnssec_ok) }),
    };
    let mut bytes = Vec::new();
    request.encode(65535, &mut bytes);
    let answer = if tcp {
        let mut stream = TcpStream::connect(server.tcp).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(&[&(bytes.len() as u16).to_be_bytes()[..], &bytes].concat()).unwrap();
        let mut len = [0; 2];
        stream.read_exact(&mut len).unwrap();
        let mut answer = vec![0; usize::from(u16::from_be_bytes(len))];
        stream.read_exact(&mut answer).unwrap();
        answer
    } else {
        let from = query.source.as_deref().unwrap_or("127.0.0.1");
        let socket = UdpSocket::bind((from, 0)).unwrap();
        socket.connect(server.udp).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.send(&bytes).unwrap();
        let mut answer = vec![0; 65535];
        let len = socket.recv(&mut answer).unwrap();
        answer.truncate(len);
        answer
    };
    let message = Message::decode(&answer).unwrap();
    assert_eq!(message.header.id, header.id);
    if let (Some(asked), Some(echoed)) = (&request.question, &message.question) {
        assert!(asked == echoed && asked.name.eq_exact(&echoed.name), "the question comes back as it was");
    }
    (message, answer.len())
}
