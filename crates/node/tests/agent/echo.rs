//! The server that Pods of these tests run: this binary again, with the argument `echo PORT [FILE]`.
//!
//! Plain connections get back each line they send, with the client's address before it. `GET` gets status 200, or
//! 503 while FILE exists.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use libtest_mimic::Failed;
use portway_netns::Namespace;

pub fn serve(mut arguments: impl Iterator<Item = String>) {
    let port: u16 = arguments.next().unwrap().parse().unwrap();
    let file = arguments.next();
    let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).unwrap();
    eprintln!("listening on {port}");
    for stream in listener.incoming().flatten() {
        let file = file.clone();
        std::thread::spawn(move || talk(stream, file.as_deref()));
    }
}

fn talk(mut stream: TcpStream, file: Option<&str>) {
    let peer = stream.peer_addr().map(|p| p.ip().to_canonical().to_string()).unwrap_or_default();
    let reader = BufReader::new(stream.try_clone().unwrap());
    for line in reader.lines().map_while(Result::ok) {
        if line.starts_with("GET ") {
            let sick = file.is_some_and(|file| std::path::Path::new(file).exists());
            let answer = if sick { "503 Service Unavailable" } else { "200 OK" };
            write!(stream, "HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").ok();
            return;
        }
        if writeln!(stream, "{peer} {line}").is_err() {
            return;
        }
    }
}

/// One line there and back.
pub fn ask(namespace: &Namespace, at: SocketAddr) -> Result<String, Failed> {
    let mut stream = namespace.tcp_connect(at, Duration::from_secs(10))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    say(&mut stream, "hello")
}

pub fn say(stream: &mut TcpStream, text: &str) -> Result<String, Failed> {
    writeln!(stream, "{text}")?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    Ok(line.trim_end().to_owned())
}
