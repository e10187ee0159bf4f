//! How sources look.

use std::fs;
use std::path::{Path, PathBuf};

use crate::layers::PURE;
use crate::{report, root};

/// Crates that make system calls of their own; each `unsafe` there has a SAFETY sentence.
const SYSCALL_CRATES: &[&str] = &["netns", "nftables", "proxy", "node"];

/// Pure code that hashes all the same: it looks keys up and never iterates, which its own head says.
const LOOKUP_ONLY: &[&str] = &["crates/dns/src/zone/mod.rs", "crates/dns/src/zone/pods.rs"];

/// No file is longer; most stay under 400.
const MAX_LINES: usize = 500;

struct Source {
    krate: String,
    path: PathBuf,
    text: String,
}

impl Source {
    /// The part before the first test module: what ships.
    fn shipped(&self) -> &str {
        let in_tests = self
            .path
            .components()
            .any(|c| ["tests", "benches", "tests.rs"].contains(&&*c.as_os_str().to_string_lossy()));
        if in_tests { "" } else { self.text.split("#[cfg(test)]\nmod ").next().unwrap_or("") }
    }

    fn is_pure(&self) -> bool {
        let path = self.path.to_string_lossy();
        PURE.contains(&self.krate.as_str())
            || path.contains("crates/dns/src/zone")
            || ["render", "diff", "trace"]
                .iter()
                .any(|part| path.contains(&format!("crates/nftables/src/{part}")))
    }

    fn shown(&self) -> String {
        self.path.strip_prefix(root()).unwrap().display().to_string()
    }
}

fn collect(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

fn sources() -> Vec<Source> {
    let crates = root().join("crates");
    let mut paths = Vec::new();
    collect(&crates, &mut paths);
    paths.sort();
    paths
        .into_iter()
        .map(|path| Source {
            krate: path.strip_prefix(&crates).unwrap().iter().next().unwrap().to_string_lossy().into_owned(),
            text: fs::read_to_string(&path).unwrap(),
            path,
        })
        .collect()
}

/// Every line of shipped code that holds one of `words`, unless it is a comment.
fn lines_with(source: &Source, words: &[&str]) -> Vec<String> {
    source
        .shipped()
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .flat_map(|(i, line)| words.iter().filter(move |w| line.contains(**w)).map(move |w| (i, w)))
        .map(|(i, word)| format!("{}:{}: {word}", source.shown(), i + 1))
        .collect()
}

#[test]
fn pure_code_stays_pure() {
    let words = [
        "tokio::",
        "std::net::Tcp",
        "std::net::Udp",
        "UdpSocket",
        "TcpStream",
        "TcpListener",
        "std::fs",
        "std::process",
        "SystemTime",
        "Instant::now",
        "Timestamp::now",
        "Zoned::now",
        "fastrand::",
        "async fn",
        "std::env",
    ];
    let violations = sources().iter().filter(|s| s.is_pure()).flat_map(|s| lines_with(s, &words)).collect();
    report("pure code uses no async, socket, file, process, clock or rng", violations);
}

#[test]
fn pure_code_iterates_in_a_fixed_order() {
    let violations = sources()
        .iter()
        .filter(|s| s.is_pure() && !LOOKUP_ONLY.contains(&s.shown().as_str()))
        .flat_map(|s| lines_with(s, &["HashMap", "HashSet"]))
        .collect();
    report("iteration order may not reach an output: use BTreeMap", violations);
}

#[test]
fn every_file_says_what_it_is_for() {
    let violations = sources().iter().filter(|s| !s.text.starts_with("//!")).map(|s| s.shown()).collect();
    report("a file starts with a `//!` head", violations);
}

#[test]
fn files_stay_small() {
    let violations = sources()
        .iter()
        .map(|s| (s, s.text.lines().count()))
        .filter(|(_, lines)| *lines > MAX_LINES)
        .map(|(s, lines)| format!("{}: {lines} lines", s.shown()))
        .collect();
    report("a file is too long: split it by variant", violations);
}

#[test]
fn unsafe_is_named_and_explained() {
    let mut violations = Vec::new();
    // This file names the words it looks for.
    for source in sources().into_iter().filter(|s| s.krate != "tidy") {
        let is_root =
            ["lib.rs", "main.rs"].iter().any(|f| source.path.ends_with(format!("{}/src/{f}", source.krate)));
        let syscalls = SYSCALL_CRATES.contains(&source.krate.as_str());
        if is_root && !syscalls && !source.text.contains("#![forbid(unsafe_code)]") {
            violations.push(format!("{}: no forbid(unsafe_code)", source.shown()));
        }
        let lines: Vec<&str> = source.text.lines().collect();
        for (i, line) in lines.iter().enumerate() {
            let code = line.trim_start();
            let is_unsafe = code.contains("unsafe {") || code.starts_with("unsafe ");
            if code.starts_with("//") || !is_unsafe {
                continue;
            }
            if !lines[i.saturating_sub(6)..i].iter().any(|l| l.contains("SAFETY:")) {
                violations.push(format!("{}:{}: unsafe without a SAFETY sentence", source.shown(), i + 1));
            }
        }
    }
    report("unsafe code", violations);
}

#[test]
fn nothing_is_left_half_done() {
    // Split so that this file does not find itself.
    let words: Vec<String> =
        [("todo", "!("), ("unimplemented", "!("), ("#[ign", "ore"), ("FIX", "ME"), ("XX", "X")]
            .iter()
            .map(|(a, b)| format!("{a}{b}"))
            .collect();
    let violations = sources()
        .iter()
        .flat_map(|s| s.text.lines().enumerate().map(move |(i, l)| (s, i, l)))
        .filter(|(_, _, line)| words.iter().any(|w| line.contains(w.as_str())))
        .map(|(s, i, line)| format!("{}:{}: {}", s.shown(), i + 1, line.trim()))
        .collect();
    report("a stub, an ignored test or a marker", violations);
}

#[test]
fn names_say_what_things_do() {
    let vague = ["Manager", "Helper", "Util"];
    let mut violations = Vec::new();
    for source in sources() {
        for (i, line) in source.text.lines().enumerate() {
            let code = line.trim_start().trim_start_matches("pub ").trim_start_matches("pub(crate) ");
            let defines =
                ["struct ", "enum ", "trait ", "mod ", "fn "].iter().find_map(|k| code.strip_prefix(k));
            if let Some(name) =
                defines.and_then(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next())
                && vague.iter().any(|v| name.contains(v) || name == v.to_lowercase())
            {
                violations.push(format!("{}:{}: {name}", source.shown(), i + 1));
            }
        }
    }
    report("Manager, Helper and Util say nothing", violations);
}
