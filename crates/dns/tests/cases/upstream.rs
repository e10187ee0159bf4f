//! A canned upstream server: UDP and TCP on one address, answering from the rules of a case.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use portway_dns::wire::{Class, Message, Mx, Rcode, Rdata, Record, Rtype, Soa, Txt};
use serde_json::Value;

use super::case::texts;

#[derive(Default)]
struct State {
    rules: Vec<Value>,
    down: bool,
    counts: BTreeMap<String, u64>,
}

/// One upstream.
#[derive(Clone)]
pub struct Upstream {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Upstream {
    /// Serves until the test process ends.
    pub fn start() -> Self {
        let (udp, tcp) = std::iter::repeat_with(|| {
            let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
            TcpListener::bind(udp.local_addr().unwrap()).map(|tcp| (udp, tcp))
        })
        .find_map(Result::ok)
        .unwrap();
        let upstream = Self { address: udp.local_addr().unwrap(), state: Arc::default() };
        let server = upstream.clone();
        thread::spawn(move || server.serve_udp(&udp));
        let server = upstream.clone();
        thread::spawn(move || {
            for stream in tcp.incoming().flatten() {
                let server = server.clone();
                thread::spawn(move || server.serve_tcp(stream));
            }
        });
        upstream
    }

    /// Replaces the rules; the text `down` silences the server.
    pub fn load(&self, rules: &Value) {
        let rules = rules.as_array().cloned();
        *self.state.lock().unwrap() =
            State { down: rules.is_none(), rules: rules.unwrap_or_default(), counts: BTreeMap::new() };
    }

    /// How often `NAME TYPE` was asked.
    pub fn count(&self, query: &str) -> u64 {
        self.state.lock().unwrap().counts.get(&query.to_lowercase()).copied().unwrap_or(0)
    }

    fn serve_udp(&self, socket: &UdpSocket) {
        let mut buffer = [0; 4096];
        while let Ok((len, peer)) = socket.recv_from(&mut buffer) {
            if let Some(answer) = self.answer(&buffer[..len], false) {
                socket.send_to(&answer, peer).unwrap();
            }
        }
    }

    fn serve_tcp(&self, mut stream: TcpStream) {
        let mut len = [0; 2];
        while stream.read_exact(&mut len).is_ok() {
            let mut query = vec![0; usize::from(u16::from_be_bytes(len))];
            stream.read_exact(&mut query).unwrap();
            let Some(answer) = self.answer(&query, true) else { return };
            let framed = [&(answer.len() as u16).to_be_bytes()[..], &answer].concat();
            stream.write_all(&framed).unwrap();
        }
    }

    fn answer(&self, query: &[u8], tcp: bool) -> Option<Vec<u8>> {
        let mut message = Message::decode(query).unwrap();
        let question = message.question.clone().unwrap();
        let rule = {
            let mut state = self.state.lock().unwrap();
            if state.down {
                return None;
            }
            let asked = format!("{} {}", question.name, question.rtype).to_lowercase();
            *state.counts.entry(asked).or_default() += 1;
            let fits = |rule: &&Value| {
                rule["name"].as_str().unwrap().parse() == Ok(question.name.clone())
                    && rule["type"].as_str().is_none_or(|rtype| rtype.parse() == Ok(question.rtype))
            };
            state.rules.iter().find(fits).cloned()
        };
        message.header = message.header.reply(Rcode::NOERROR);
        message.header.recursion_available = true;
        if let Some(rule) = rule {
            if rule["drop"] == true {
                return None;
            }
            if let Some(delay) = rule["delay"].as_f64() {
                thread::sleep(Duration::from_secs_f64(delay));
            }
            if rule["truncateUdp"] == true && !tcp {
                message.header.truncated = true;
            } else {
                message.header.rcode = rule["rcode"].as_str().unwrap_or("NOERROR").parse().unwrap();
                let records = |section: &str| texts(&rule[section]).iter().map(|line| record(line)).collect();
                message.answers = records("answer");
                message.authority = records("authority");
                message.additional = records("additional");
            }
        } else {
            message.header.rcode = Rcode::NXDOMAIN;
            message.authority = vec![record(". 60 IN SOA a.root. h.root. 1 7200 900 1209600 60")];
        }
        let mut bytes = Vec::new();
        message.encode(65535, &mut bytes);
        Some(bytes)
    }
}

/// Reads `name ttl IN TYPE data`.
fn record(line: &str) -> Record {
    let mut fields = line.split_whitespace();
    let mut next = || fields.next().unwrap();
    let (name, ttl) = (next().parse().unwrap(), next().parse().unwrap());
    assert_eq!(next(), "IN");
    let rtype: Rtype = next().parse().unwrap();
    let data = match rtype {
        Rtype::A => Rdata::A(next().parse().unwrap()),
        Rtype::AAAA => Rdata::Aaaa(next().parse().unwrap()),
        Rtype::CNAME => Rdata::Cname(next().parse().unwrap()),
        Rtype::PTR => Rdata::Ptr(next().parse().unwrap()),
        Rtype::MX => Rdata::Mx(Mx { preference: next().parse().unwrap(), exchange: next().parse().unwrap() }),
        Rtype::TXT => Txt::new([next().trim_matches('"').as_bytes()]).into(),
        Rtype::SOA => {
            let (primary, mailbox) = (next().parse().unwrap(), next().parse().unwrap());
            let [serial, refresh, retry, expire, minimum] = [(); 5].map(|()| next().parse().unwrap());
            Soa { primary, mailbox, serial, refresh, retry, expire, minimum }.into()
        }
        other => panic!("no reader for {other}"),
    };
    Record { name, class: Class::IN, ttl, data }
}
