//! Recorded request and answer pairs of an upstream API server, replayed against the kinds.
//!
//! Only what depends on the kinds alone is judged here: success and `Invalid`; transport, paging and the like
//! are the server's. A case names what it needs (`requires`), sends `setup`, then the judged `request`, then
//! further steps.

use portway_api::kinds::value::Read;
use portway_base::IpFamily;
use serde_json::Value;

use crate::world::{Answer, World, address};

struct Case {
    world: World,
    setup: Vec<Value>,
    last: Value,
}

#[test]
fn recorded_cases() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases");
    let (mut judged, mut failures) = (0, Vec::new());
    let mut files: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files.iter().filter(|file| file.extension().is_some_and(|e| e == "yaml")) {
        let text = std::fs::read_to_string(file).unwrap();
        let cases: Value = serde_saphyr::from_str(&text).unwrap();
        for case in cases.as_array().unwrap() {
            match run(case) {
                Some(problems) => {
                    judged += 1;
                    failures.extend(problems.into_iter().map(|p| format!("{}: {p}", case.text("name"))));
                }
                None => failures.push(format!("{}: not about the kinds", case.text("name"))),
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(judged > 250, "only {judged} cases");
}

/// What is wrong, or `None` for a case that is not about the kinds.
fn run(case: &Value) -> Option<Vec<String>> {
    let requires = case.texts("requires");
    if requires.contains(&"primary6") {
        return None;
    }
    let world = World::new(!requires.contains(&"single"));
    let mut this = Case { world, setup: Vec::new(), last: Value::Null };
    for request in case.list("setup") {
        let times = request.int("repeat").max(1);
        for _ in 0..times {
            let answer = this.send(request)?;
            if answer.code >= 300 && !request.flag("mayFail") {
                return Some(vec![format!("setup answered {}", answer.body)]);
            }
            this.setup.push(answer.body);
        }
    }
    let mut problems = this.judge(case)?;
    for (index, step) in case.list("then").iter().enumerate() {
        problems.extend(this.judge(step)?.into_iter().map(|p| format!("then[{index}]: {p}")));
    }
    Some(problems)
}

impl Case {
    fn send(&mut self, request: &Value) -> Option<Answer> {
        if request.has("rawBody")
            || request.has("base64Body")
            || request.has("padBody")
            || request.has("accept")
        {
            return None;
        }
        let body = request.at("body").map(|body| self.fill(body)).unwrap_or(Value::Null);
        if request.text("path").contains('?') {
            return None;
        }
        let path = self.fill_text(request.text("path"));
        self.world.request(request.text("method"), &path, request.text("contentType"), body)
    }

    fn judge(&mut self, step: &Value) -> Option<Vec<String>> {
        let expect = step.at("expect")?.clone();
        if !matches!(expect.int("code"), 200 | 201 | 422) || step.text("request.method") == "DELETE" {
            return None;
        }
        let answer = self.send(step.at("request")?)?;
        self.last = answer.body.clone();
        let mut problems = Vec::new();
        if i64::from(answer.code) != expect.int("code") {
            return Some(vec![format!(
                "code: want {}, got {}: {}",
                expect.int("code"),
                answer.code,
                answer.body
            )]);
        }
        if expect.has("causes") {
            let set = |list: &[Value]| {
                let mut set: Vec<String> = list
                    .iter()
                    .map(|c| format!("{} {}", c.text("reason"), self.fill_text(c.text("field"))))
                    .collect();
                set.sort();
                set.dedup();
                set
            };
            let (want, got) = (set(expect.list("causes")), set(answer.body.list("details.causes")));
            if want != got {
                problems.push(format!("causes: want {want:?}, got {got:?}"));
            }
        }
        for (path, want) in expect.at("exact").and_then(Value::as_object).into_iter().flatten() {
            match lookup(&answer.body, path) {
                Some(got) => self.compare(want, got, true, path, &mut problems),
                None => problems.push(format!("{path}: missing")),
            }
        }
        if let Some(want) = expect.at("subset").filter(|_| answer.code < 300) {
            self.compare(want, &answer.body, false, "", &mut problems);
        }
        for path in expect.texts("absent") {
            if let Some(got) = lookup(&answer.body, path) {
                problems.push(format!("{path}: should be absent, is {got}"));
            }
        }
        if expect.has("warnings") {
            let want: Vec<String> = expect.texts("warnings").iter().map(|w| self.fill_text(w)).collect();
            let fits = want.len() == answer.warnings.len()
                && want.iter().all(|want| answer.warnings.iter().any(|got| got.contains(want.as_str())));
            if !fits {
                problems.push(format!("warnings: want {want:?}, got {:?}", answer.warnings));
            }
        }
        Some(problems)
    }

    fn compare(&self, want: &Value, got: &Value, exact: bool, path: &str, problems: &mut Vec<String>) {
        let mut wrong = |text: String| problems.push(format!("{path}: {text}"));
        if let Some(fits) = want.as_str().and_then(|token| self.token(token, got)) {
            if !fits {
                wrong(format!("want {want}, got {got}"));
            }
            return;
        }
        let want = &self.fill(want);
        match (want, got) {
            (Value::Object(want), Value::Object(map)) => {
                if exact {
                    for key in map.keys().filter(|key| !want.contains_key(*key)) {
                        wrong(format!("unexpected {key} = {}", map[key]));
                    }
                }
                for (key, want) in want {
                    match map.get(key) {
                        Some(got) => self.compare(want, got, exact, &format!("{path}.{key}"), problems),
                        None => problems.push(format!("{path}.{key}: missing")),
                    }
                }
            }
            (Value::Array(want), Value::Array(list)) if want.len() == list.len() => {
                for (index, (want, got)) in want.iter().zip(list).enumerate() {
                    self.compare(want, got, exact, &format!("{path}[{index}]"), problems);
                }
            }
            _ if want == got => {}
            _ => wrong(format!("want {want}, got {got}")),
        }
    }

    /// Whether a `<token>` matches; `None` if the text is none.
    fn token(&self, text: &str, got: &Value) -> Option<bool> {
        let token = text.strip_prefix('<')?.strip_suffix('>')?;
        let (name, argument) = token.split_once(':').unwrap_or((token, ""));
        let argument = self.fill_text(argument);
        let text = got.as_str().unwrap_or_default();
        let node_port = got.as_i64().is_some_and(|port| (30_000..=32_767).contains(&port));
        Some(match name {
            "any" => true,
            "nonempty" => !text.is_empty() || got.is_number(),
            "ip4" => text.starts_with("10.96."),
            "ip6" => text.starts_with("fd00:10:96:"),
            "nodeport" => node_port,
            "nodeport-not" => node_port && got.as_i64() != argument.parse().ok(),
            "int" => got.is_i64(),
            "prefix" => text.starts_with(&argument),
            "contains" => text.contains(&argument),
            "re" => true,
            _ => return None,
        })
    }

    fn fill(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => {
                let filled = self.fill_text(text);
                match text.strip_prefix("{np:").and_then(|rest| rest.strip_suffix('}')) {
                    Some(_) => filled.parse::<i64>().unwrap().into(),
                    None => filled.into(),
                }
            }
            Value::Array(items) => items
                .iter()
                .flat_map(|item| {
                    let times = item.int("$repeat");
                    let item = if times > 0 { item.at("item").unwrap() } else { item };
                    std::iter::repeat_n(self.fill(item), usize::try_from(times.max(1)).unwrap())
                })
                .collect(),
            Value::Object(map) => map.iter().map(|(k, v)| (self.fill_text(k), self.fill(v))).collect(),
            other => other.clone(),
        }
    }

    fn fill_text(&self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some(start) = rest.find('{') {
            out.push_str(&rest[..start]);
            rest = &rest[start..];
            let Some(end) = rest.find('}') else { break };
            let (name, argument) = rest[1..end].split_once(':').unwrap_or((&rest[1..end], ""));
            let number = argument.parse::<u32>().unwrap_or(0);
            let filled = match name {
                "ns" => Some("test".to_owned()),
                "ip4" => Some(address(IpFamily::V4, number).to_string()),
                "ip6" => Some(address(IpFamily::V6, number).to_string()),
                "np" => Some((30_010 + number).to_string()),
                "pad" => Some("x".repeat(number as usize)),
                "r" => lookup(&self.last, argument).map(plain),
                _ => name
                    .strip_prefix('s')
                    .and_then(|n| n.parse::<usize>().ok())
                    .and_then(|n| lookup(self.setup.get(n)?, argument))
                    .map(plain),
            };
            match filled {
                Some(filled) => out.push_str(&filled),
                // Braces of a regular expression.
                None => out.push_str(&rest[..=end]),
            }
            rest = &rest[end + 1..];
        }
        out.push_str(rest);
        out
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A value at a path like `a.b[0].c`; `~1` stands for a dot in a key.
fn lookup<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    let mut value = value;
    for part in path.split('.') {
        let (name, indexes) = part.split_once('[').unwrap_or((part, ""));
        if !name.is_empty() {
            value = value.as_object()?.get(&name.replace("~1", "."))?;
        }
        for index in indexes.split('[').filter(|index| !index.is_empty()) {
            value = value.as_array()?.get(index.trim_end_matches(']').parse::<usize>().ok()?)?;
        }
    }
    Some(value)
}
