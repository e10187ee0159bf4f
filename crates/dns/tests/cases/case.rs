//! Reads case files: objects, canned upstream answers, and steps of queries and changes.

use std::path::Path;

use serde_json::{Map, Value};

/// One file.
#[derive(Clone, Debug)]
pub struct Case {
    pub name: String,
    /// Which server is asked, unless a query says otherwise.
    pub profile: String,
    /// Namespaces to create besides those of the objects.
    pub namespaces: Vec<String>,
    pub objects: Vec<Value>,
    /// Answers of each upstream, as rules.
    pub upstream: Map<String, Value>,
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub enum Step {
    Query(Box<Query>),
    Apply(Vec<Value>),
    Patch {
        kind: String,
        namespace: String,
        name: String,
        body: Value,
    },
    Delete {
        kind: String,
        namespace: String,
        name: String,
    },
    Sleep(f64),
    /// New rules for some upstreams; `"down"` silences one.
    Upstream(Map<String, Value>),
    /// How many times an upstream was asked a question.
    Count {
        server: String,
        query: String,
        min: u64,
        max: u64,
    },
}

#[derive(Clone, Debug, Default)]
pub struct Query {
    pub name: String,
    pub rtype: String,
    pub class: String,
    pub opcode: String,
    pub profile: Option<String>,
    pub tcp: bool,
    pub recursion_desired: bool,
    pub set_flags: Vec<String>,
    /// Payload, version and DO of the OPT record.
    pub edns: Option<(u16, u8, bool)>,
    pub source: Option<String>,
    pub exact_case: bool,
    pub truncated: bool,
    pub distinct_first: usize,
    pub ttl_any: bool,
    pub rcode_any: Vec<String>,
    pub ignore_flags: Vec<String>,
    pub ignore_sections: Vec<String>,
    pub expect: Value,
}

/// All cases of a folder, by file name.
pub fn load(folder: &Path) -> Vec<Case> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "yaml"))
        .collect();
    files.sort();
    files.iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> Case {
    let text = std::fs::read_to_string(path).unwrap();
    // Fresh labels, so that caches start cold.
    let text = text.replace("{{RAND}}", &format!("r{:08x}", fastrand::u32(..)));
    let text = text.replace("{{LOCAL_IP}}", super::profiles::LOCAL);
    let value: Value =
        serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut steps: Vec<Step> = list(&value["steps"]).iter().map(step).collect();
    steps.extend(list(&value["queries"]).iter().map(|q| Step::Query(Box::new(query(q)))));
    Case {
        name: text_of(&value["name"]),
        profile: value["profile"].as_str().unwrap_or("default").to_owned(),
        namespaces: texts(&value["namespaces"]),
        objects: list(&value["objects"]),
        upstream: value["upstream"].as_object().cloned().unwrap_or_default(),
        steps,
    }
}

fn step(value: &Value) -> Step {
    let (kind, body) = value.as_object().and_then(|map| map.iter().next()).expect("a step has one key");
    let field = |name: &str| text_of(&body[name]);
    match kind.as_str() {
        "query" => Step::Query(Box::new(query(body))),
        "apply" => Step::Apply(list(body)),
        "patch" => Step::Patch {
            kind: field("kind"),
            namespace: field("namespace"),
            name: field("name"),
            body: body["body"].clone(),
        },
        "delete" => Step::Delete { kind: field("kind"), namespace: field("namespace"), name: field("name") },
        "sleep" => Step::Sleep(body.as_f64().unwrap()),
        "upstream" => Step::Upstream(body.as_object().unwrap().clone()),
        "upstreamCount" => {
            let bound = |name: &str| body[name].as_u64().or_else(|| body["count"].as_u64());
            Step::Count {
                server: body["server"].as_str().unwrap_or("default").to_owned(),
                query: field("query"),
                min: bound("min").unwrap_or(0),
                max: bound("max").unwrap_or(u64::MAX),
            }
        }
        other => panic!("unknown step {other}"),
    }
}

fn query(value: &Value) -> Query {
    let flag = |name: &str| value[name].as_bool().unwrap_or(false);
    let edns = &value["edns"];
    Query {
        name: text_of(&value["name"]),
        rtype: text_of(&value["type"]),
        class: value["class"].as_str().unwrap_or("IN").to_owned(),
        opcode: value["opcode"].as_str().unwrap_or("QUERY").to_owned(),
        profile: value["profile"].as_str().map(str::to_owned),
        tcp: value["transport"] == "tcp",
        recursion_desired: value["rd"].as_bool().unwrap_or(true),
        set_flags: texts(&value["setFlags"]),
        edns: edns.is_object().then(|| {
            let number = |name: &str, default: u64| edns[name].as_u64().unwrap_or(default);
            (number("payload", 1232) as u16, number("version", 0) as u8, edns["do"] == true)
        }),
        source: value["source"].as_str().map(str::to_owned),
        exact_case: flag("exactCase"),
        truncated: flag("truncated"),
        distinct_first: value["distinctFirst"].as_u64().unwrap_or(0) as usize,
        ttl_any: flag("ttlAny"),
        rcode_any: texts(&value["rcodeAny"]),
        ignore_flags: texts(&value["ignoreFlags"]),
        ignore_sections: texts(&value["ignoreSections"]),
        expect: value["expect"].clone(),
    }
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

pub fn texts(value: &Value) -> Vec<String> {
    list(value).iter().map(text_of).collect()
}

pub fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a text, not {value}")).to_owned()
}
