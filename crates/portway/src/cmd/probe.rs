//! `portway probe`: asks a URL many times, over the system's own resolver and sockets, and counts who answered.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::process::ExitCode;
use std::str::FromStr;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use super::{Output, print_value, say};

/// Arguments of `portway probe`.
#[derive(clap::Args)]
pub struct Args {
    /// `http://HOST:PORT/PATH` or `udp://HOST:PORT`
    url: Target,
    /// How often to ask, each time over a new connection
    #[arg(short = 'n', long, default_value_t = 10)]
    count: u32,
    /// Milliseconds between two questions
    #[arg(long, default_value_t = 0, value_name = "MS")]
    interval: u64,
    /// Ask again, at once, until the first answer comes (for at most 30 s)
    #[arg(long)]
    patient: bool,
    /// Milliseconds an answer may take
    #[arg(long, default_value_t = 2000, value_name = "MS")]
    timeout: u64,
    /// HTTP method
    #[arg(short = 'X', long, default_value = "GET")]
    method: String,
    /// Output format
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

/// How long `--patient` goes on.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the questions brought.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Times each server answered; a server is the first word of its answer.
    pub answers: BTreeMap<String, u32>,
    /// Times each failure occurred.
    pub failures: BTreeMap<String, u32>,
    /// Median time to an answer, microseconds.
    pub p50_us: u64,
    /// 99th percentile of the time to an answer, microseconds.
    pub p99_us: u64,
    /// The last answer, as sent.
    pub last: String,
}

/// Where to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    udp: bool,
    authority: String,
    host_port: String,
    path: String,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let udp = match scheme {
            "http" => false,
            "udp" => true,
            other => return Err(format!("scheme {other:?} is not supported: use http:// or udp://")),
        };
        let (authority, path) = match rest.find('/') {
            Some(at) => (&rest[..at], &rest[at..]),
            None => (rest, "/"),
        };
        let after_host = authority.rsplit_once(']').map_or(authority, |(_, rest)| rest);
        let host_port = match after_host.rsplit_once(':') {
            Some((_, port)) if port.parse::<u16>().is_ok() => authority.to_owned(),
            Some((_, port)) => return Err(format!("port {port:?} is not a number between 0 and 65535")),
            None if udp => return Err("a udp:// target needs a port".to_owned()),
            None => format!("{authority}:80"),
        };
        if host_port.starts_with(':') {
            return Err("the host is missing".to_owned());
        }
        Ok(Self { udp, authority: authority.to_owned(), host_port, path: path.to_owned() })
    }
}

/// Asks and prints the tally; exit code 3 if any question failed.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut tally = Tally::default();
    let mut times = Vec::new();
    for i in 0..args.count {
        if i > 0 && args.interval > 0 {
            std::thread::sleep(Duration::from_millis(args.interval));
        }
        let start = Instant::now();
        let mut answer = ask(args);
        while args.patient && tally.answers.is_empty() && answer.is_err() && start.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(1));
            answer = ask(args);
        }
        match answer {
            Ok(body) => {
                times.push(u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX));
                let server = body.split_whitespace().next().unwrap_or("(empty answer)").to_owned();
                *tally.answers.entry(server).or_default() += 1;
                tally.last = body;
            }
            Err(error) => *tally.failures.entry(format!("{error:#}")).or_default() += 1,
        }
    }
    times.sort_unstable();
    let at =
        |share: usize| times.get((times.len() * share / 100).min(times.len().saturating_sub(1))).copied();
    tally.p50_us = at(50).unwrap_or_default();
    tally.p99_us = at(99).unwrap_or_default();
    match args.output {
        Output::Text => {
            for (server, times) in &tally.answers {
                say(format_args!("{times:>6}  {server}"));
            }
            for (failure, times) in &tally.failures {
                say(format_args!("{times:>6}  failed: {failure}"));
            }
            say(format_args!("p50 {} us, p99 {} us", tally.p50_us, tally.p99_us));
        }
        output => print_value(&serde_json::to_value(&tally)?, output)?,
    }
    Ok(if tally.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(3) })
}

fn ask(args: &Args) -> anyhow::Result<String> {
    let timeout = Duration::from_millis(args.timeout.max(1));
    let mut addresses = args.url.host_port.to_socket_addrs().context("cannot resolve the name")?;
    let address = addresses.next().context("the name has no address")?;
    if args.url.udp { ask_udp(address, timeout) } else { ask_http(args, address, timeout) }
}

fn ask_udp(address: SocketAddr, timeout: Duration) -> anyhow::Result<String> {
    let local: SocketAddr = if address.is_ipv4() { ([0; 4], 0).into() } else { ([0u16; 8], 0).into() };
    let socket = UdpSocket::bind(local)?;
    socket.connect(address)?;
    socket.set_read_timeout(Some(timeout))?;
    socket.send(b"who are you?\n")?;
    let mut buffer = [0u8; 2048];
    let length = socket.recv(&mut buffer).context("no answer")?;
    Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
}

fn ask_http(args: &Args, address: SocketAddr, timeout: Duration) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, timeout).context("cannot connect")?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    write!(
        stream,
        "{} {} HTTP/1.1\r\nHost: {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        args.method, args.url.path, args.url.authority
    )?;
    let mut answer = Vec::new();
    // A server that never stops sending is cut off at 1 MiB.
    stream.take(1 << 20).read_to_end(&mut answer).context("no answer")?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").context("the answer is not HTTP")?;
    let status = head.split_whitespace().nth(1).unwrap_or_default();
    if !status.starts_with('2') {
        bail!("HTTP status {status}: {}", body.trim());
    }
    Ok(body.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets() {
        let check = |text: &str, expect: Result<(&str, &str), &str>| {
            let got = text.parse::<Target>();
            let got = got.as_ref().map(|t| (t.host_port.as_str(), t.path.as_str())).map_err(String::as_str);
            assert_eq!(got, expect, "{text}");
        };
        check("http://my-service:8080/x", Ok(("my-service:8080", "/x")));
        check("my-service", Ok(("my-service:80", "/")));
        check("http://[fd00::1]:81", Ok(("[fd00::1]:81", "/")));
        check("http://[fd00::1]", Ok(("[fd00::1]:80", "/")));
        check("udp://a:53", Ok(("a:53", "/")));
        check("udp://a", Err("a udp:// target needs a port"));
        check("http://a:x", Err("port \"x\" is not a number between 0 and 65535"));
        check("ftp://a", Err("scheme \"ftp\" is not supported: use http:// or udp://"));
        check("http://:80", Err("the host is missing"));
    }
}
