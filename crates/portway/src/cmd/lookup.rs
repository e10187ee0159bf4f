//! `portway lookup`: asks the DNS server of resolv.conf for any record type, with its search list.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use portway_dns::wire::{Edns, Header, Message, Name, Question, Rcode, Rtype};

use super::say;

/// Arguments of `portway lookup`.
#[derive(clap::Args)]
pub struct Args {
    /// The name; a short one is completed by the search list, an address is turned round for PTR
    name: String,
    /// Record type: A, AAAA, SRV, PTR, CNAME, TXT, ...
    #[arg(default_value = "A")]
    kind: Rtype,
    /// Server to ask [default: the first of /etc/resolv.conf]
    #[arg(long, value_name = "ADDR")]
    server: Option<IpAddr>,
    /// Port of the server
    #[arg(long, default_value_t = 53)]
    port: u16,
    /// Ask over TCP from the start
    #[arg(long)]
    tcp: bool,
    /// Milliseconds an answer may take
    #[arg(long, default_value_t = 2000, value_name = "MS")]
    timeout: u64,
}

/// What resolv.conf says.
#[derive(Debug, PartialEq, Eq)]
struct Resolver {
    server: Option<IpAddr>,
    search: Vec<String>,
    ndots: usize,
}

impl Resolver {
    fn parse(text: &str) -> Self {
        let mut resolver = Self { server: None, search: Vec::new(), ndots: 1 };
        for line in text.lines() {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") if resolver.server.is_none() => {
                    resolver.server = words.next().and_then(|w| w.parse().ok());
                }
                Some("search" | "domain") => resolver.search = words.map(str::to_owned).collect(),
                Some("options") => {
                    if let Some(n) = words.find_map(|w| w.strip_prefix("ndots:")).and_then(|n| n.parse().ok())
                    {
                        resolver.ndots = n;
                    }
                }
                _ => {}
            }
        }
        resolver
    }

    /// The names to try, in order, as the system's resolver does.
    fn candidates(&self, name: &str) -> Vec<String> {
        if name.ends_with('.') {
            return vec![name.to_owned()];
        }
        let mut all: Vec<String> = self.search.iter().map(|suffix| format!("{name}.{suffix}")).collect();
        let dots = name.bytes().filter(|b| *b == b'.').count();
        all.insert(if dots >= self.ndots { 0 } else { all.len() }, name.to_owned());
        all
    }
}

/// Prints the records; exit code 3 when there are none.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let resolver = Resolver::parse(&std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default());
    let server = args
        .server
        .or(resolver.server)
        .context("no server: give --server, or a nameserver in /etc/resolv.conf")?;
    let server = SocketAddr::new(server, args.port);
    let names = match args.name.parse::<IpAddr>() {
        Ok(address) if args.kind == Rtype::PTR => vec![reverse(address)],
        _ => resolver.candidates(&args.name),
    };
    let mut last = Rcode::NXDOMAIN;
    for name in names {
        let question = Question::new(
            name.parse::<Name>().with_context(|| format!("{name:?} is not a name"))?,
            args.kind,
        );
        let answer = ask(args, server, question).with_context(|| format!("no answer from {server}"))?;
        last = answer.header.rcode;
        if !answer.answers.is_empty() {
            for record in &answer.answers {
                say(record);
            }
            return Ok(ExitCode::SUCCESS);
        }
        if ![Rcode::NXDOMAIN, Rcode::NOERROR].contains(&last) {
            break;
        }
    }
    say(format_args!("; no {} record of {} ({last})", args.kind, args.name));
    Ok(ExitCode::from(3))
}

/// Name of the PTR record of an address.
fn reverse(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa.")
        }
        IpAddr::V6(v6) => {
            let digits: Vec<String> =
                format!("{:032x}", v6.to_bits()).chars().rev().map(String::from).collect();
            format!("{}.ip6.arpa.", digits.join("."))
        }
    }
}

fn ask(args: &Args, server: SocketAddr, question: Question) -> anyhow::Result<Message> {
    let id = fastrand::u16(..);
    let query = Message {
        header: Header::query(id),
        question: Some(question),
        answers: Vec::new(),
        authority: Vec::new(),
        additional: Vec::new(),
        edns: Some(Edns::new(1232, false)),
    };
    let mut packet = Vec::new();
    query.encode(usize::from(u16::MAX), &mut packet);
    let timeout = Duration::from_millis(args.timeout.max(1));
    if !args.tcp {
        let answer = over_udp(server, &packet, id, timeout)?;
        if !answer.header.truncated {
            return Ok(answer);
        }
    }
    over_tcp(server, &packet, id, timeout)
}

fn over_udp(server: SocketAddr, packet: &[u8], id: u16, timeout: Duration) -> anyhow::Result<Message> {
    let local: SocketAddr = if server.is_ipv4() { ([0; 4], 0).into() } else { ([0u16; 8], 0).into() };
    let socket = UdpSocket::bind(local)?;
    socket.connect(server)?;
    socket.send(packet)?;
    let deadline = Instant::now() + timeout;
    let mut buffer = [0u8; 4096];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            bail!("timed out after {} ms", timeout.as_millis());
        }
        socket.set_read_timeout(Some(left))?;
        let length = socket.recv(&mut buffer)?;
        // Anything but the answer to this question is not for us.
        if let Ok(message) = Message::decode(&buffer[..length])
            && message.header.response
            && message.header.id == id
        {
            return Ok(message);
        }
    }
}

fn over_tcp(server: SocketAddr, packet: &[u8], id: u16, timeout: Duration) -> anyhow::Result<Message> {
    let mut stream = TcpStream::connect_timeout(&server, timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    let length = u16::try_from(packet.len()).context("the question is too long")?;
    stream.write_all(&[&length.to_be_bytes(), packet].concat())?;
    let mut length = [0u8; 2];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0u8; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut answer)?;
    let message = Message::decode(&answer).map_err(|e| anyhow::anyhow!("a malformed answer: {e}"))?;
    anyhow::ensure!(message.header.id == id, "an answer to another question");
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn search_lists_work_as_the_systems_resolver() {
        let resolver = Resolver::parse(
            "nameserver 10.96.0.10\nnameserver 1.1.1.1\nsearch a.svc b\noptions timeout:1 ndots:5\n",
        );
        assert_eq!(resolver.server, Some([10, 96, 0, 10].into()));
        assert_eq!(resolver.candidates("web"), ["web.a.svc", "web.b", "web"]);
        assert_eq!(resolver.candidates("web."), ["web."]);
        let plain = Resolver { ndots: 1, ..resolver };
        assert_eq!(plain.candidates("web.x"), ["web.x", "web.x.a.svc", "web.x.b"]);
    }

    #[test]
    fn addresses_are_turned_round() {
        assert_eq!(reverse([10, 96, 0, 1].into()), "1.0.96.10.in-addr.arpa.");
        assert!(reverse("fd00::1".parse().unwrap()).starts_with("1.0.0.0."));
        assert!(reverse("fd00::1".parse().unwrap()).ends_with(".0.0.d.f.ip6.arpa."));
    }
}
