//! Watches: what they show, when they end, and that they agree with lists.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use portway_store::memory::MemoryStore;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::lab::{Lab, config_map, service};
use crate::{ApiServer, Body, Config};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

/// A watch being read.
struct Watch {
    body: Body,
    /// Read, but not yet a whole line.
    rest: Vec<u8>,
}

impl Watch {
    async fn open(lab: &Lab, path: &str, accept: &str) -> Self {
        let request =
            Request::builder().uri(path).header("accept", accept).body(Full::<Bytes>::default()).unwrap();
        let response = lab.open(request).await;
        assert_eq!(response.status(), 200, "{path}");
        Self { body: response.into_body(), rest: Vec::new() }
    }

    /// The next event; `None` at the end of the stream, or if nothing comes for a while.
    async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.rest.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                return Some(serde_json::from_slice(&line).unwrap());
            }
            let frame = tokio::time::timeout(Duration::from_secs(5), self.body.frame()).await.ok()??.unwrap();
            self.rest.extend_from_slice(&frame.into_data().unwrap());
        }
    }

    /// The next event as `TYPE NAME`.
    async fn line(&mut self) -> String {
        let Some(event) = self.next().await else { return "end".to_owned() };
        let name = event["object"]["metadata"]["name"].as_str().unwrap_or_default();
        format!("{} {name}", event["type"].as_str().unwrap()).trim_end().to_owned()
    }
}

async fn version(lab: &Lab) -> String {
    lab.get(MAPS).await["metadata"]["resourceVersion"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn current_state_then_changes() {
    let lab = Lab::new().await;
    lab.send(&format!("POST {MAPS}"), &config_map("a", json!({}))).await;
    let mut watch = Watch::open(&lab, &format!("{MAPS}?watch=1"), "").await;
    assert_eq!(watch.line().await, "ADDED a");
    let (_, made) = lab.send(&format!("POST {MAPS}"), &config_map("b", json!({}))).await;
    let event = watch.next().await.unwrap();
    assert_eq!((&event["type"], &event["object"]), (&json!("ADDED"), &made));
    lab.patch("merge-patch", &format!("{MAPS}/b"), &json!({"data": {"k": "v"}})).await;
    assert_eq!(watch.line().await, "MODIFIED b");
    lab.send(&format!("DELETE {MAPS}/b"), &json!({})).await;
    let event = watch.next().await.unwrap();
    assert_eq!(event["type"], "DELETED");
    // The deletion has a revision of its own, and shows the last state.
    assert_eq!(event["object"]["metadata"]["resourceVersion"].as_str().unwrap(), version(&lab).await);
    assert_eq!(event["object"]["data"]["k"], "v");
}

#[tokio::test]
async fn selectors_turn_changes_into_comings_and_goings() {
    let lab = Lab::new().await;
    let from = version(&lab).await;
    let path = |query: &str| format!("{MAPS}?watch=1&resourceVersion={from}&{query}");
    let mut labelled = Watch::open(&lab, &path("labelSelector=tier%3Dx"), "").await;
    let mut named = Watch::open(&lab, &path("fieldSelector=metadata.name%3Db"), "").await;
    let set = async |name: &str, tier: Value| {
        let body = json!({"metadata": {"labels": {"tier": tier}}});
        lab.patch("merge-patch", &format!("{MAPS}/{name}"), &body).await
    };
    for name in ["a", "b"] {
        lab.send(&format!("POST {MAPS}"), &config_map(name, json!({}))).await;
    }
    set("a", json!("x")).await;
    set("a", json!("y")).await;
    set("b", json!("x")).await;
    lab.send(&format!("DELETE {MAPS}/b"), &json!({})).await;
    for expect in ["ADDED a", "DELETED a", "ADDED b", "DELETED b"] {
        assert_eq!(labelled.line().await, expect);
    }
    for expect in ["ADDED b", "MODIFIED b", "DELETED b"] {
        assert_eq!(named.line().await, expect);
    }
}

#[tokio::test]
async fn field_selectors_of_a_kind() {
    let lab = Lab::new().await;
    let services = "/api/v1/namespaces/default/services";
    let mut headless = service("quiet");
    headless["spec"]["clusterIP"] = "None".into();
    lab.send(&format!("POST {services}"), &headless).await;
    lab.send(&format!("POST {services}"), &service("loud")).await;
    let names = async |query: &str| -> Vec<String> {
        let list = lab.get(&format!("/api/v1/services?fieldSelector={query}")).await;
        list["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|s| s["metadata"]["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names("spec.clusterIP%3DNone").await, ["quiet"]);
    assert_eq!(names("spec.clusterIP!%3DNone,metadata.namespace%3Ddefault").await, ["kubernetes", "loud"]);
    let path = "/api/v1/services?watch=1&fieldSelector=spec.clusterIP!%3DNone";
    let mut watch = Watch::open(&lab, path, "").await;
    assert_eq!([watch.line().await, watch.line().await], ["ADDED kubernetes", "ADDED loud"]);
}

#[tokio::test]
async fn initial_events_end_with_a_bookmark() {
    let lab = Lab::new().await;
    lab.send(&format!("POST {MAPS}"), &config_map("a", json!({}))).await;
    let query = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let mut watch = Watch::open(&lab, &format!("{MAPS}?{query}"), "").await;
    assert_eq!(watch.line().await, "ADDED a");
    let mark = watch.next().await.unwrap();
    assert_eq!(mark["type"], "BOOKMARK");
    assert_eq!(mark["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
    assert_eq!(mark["object"]["metadata"]["resourceVersion"].as_str().unwrap(), version(&lab).await);
}

#[tokio::test(start_paused = true)]
async fn bookmarks_and_the_end() {
    let lab = Lab::new().await;
    let query = "watch=1&allowWatchBookmarks=true&timeoutSeconds=200&resourceVersion=1";
    let mut watch = Watch::open(&lab, &format!("{MAPS}?{query}"), "").await;
    // Writes to other resources move the bookmark.
    lab.send("POST /api/v1/namespaces", &json!({"metadata": {"name": "other"}})).await;
    let mut marks = 0;
    loop {
        let next = tokio::time::timeout(Duration::from_secs(1000), watch.body.frame()).await.unwrap();
        let Some(frame) = next else { break };
        let event: Value = serde_json::from_slice(&frame.unwrap().into_data().unwrap()).unwrap();
        assert_eq!(event["type"], "BOOKMARK");
        assert_eq!(event["object"]["metadata"]["resourceVersion"].as_str().unwrap(), version(&lab).await);
        marks += 1;
    }
    assert_eq!(marks, 4, "three minutes, and one before the end");
}

#[tokio::test]
async fn tables_tell_their_columns_once() {
    let lab = Lab::new().await;
    lab.send(&format!("POST {MAPS}"), &config_map("a", json!({}))).await;
    let accept = "application/json;as=Table;v=v1;g=meta.k8s.io";
    let mut watch = Watch::open(&lab, &format!("{MAPS}?watch=1"), accept).await;
    let first = watch.next().await.unwrap();
    assert_eq!(first["object"]["rows"][0]["cells"][0], "a", "{first}");
    assert_eq!(first["object"]["columnDefinitions"].as_array().unwrap().len(), 3);
    lab.send(&format!("DELETE {MAPS}/a"), &json!({})).await;
    let second = watch.next().await.unwrap();
    assert_eq!((&second["type"], &second["object"]["columnDefinitions"]), (&json!("DELETED"), &json!([])));
}

#[tokio::test]
async fn a_past_that_is_gone_is_an_error_event() {
    let store = Arc::new(MemoryStore::new());
    let lab = Lab { server: ApiServer::open(Config::default(), store.clone()).await.unwrap() };
    lab.send(&format!("POST {MAPS}"), &config_map("a", json!({}))).await;
    drop(lab);
    // A new server knows no history from before it opened.
    let lab = Lab { server: ApiServer::open(Config::default(), store).await.unwrap() };
    let mut watch = Watch::open(&lab, &format!("{MAPS}?watch=1&resourceVersion=2"), "").await;
    let event = watch.next().await.unwrap();
    assert_eq!((&event["type"], &event["object"]["code"]), (&json!("ERROR"), &json!(410)), "{event}");
    assert_eq!(watch.line().await, "end");
    let reply = lab.raw(&format!("GET {MAPS}?watch=1&resourceVersion=999999"), &[], "").await;
    assert_eq!(reply.code, 504);
}

#[tokio::test]
async fn a_slow_watch_is_cut_off() {
    let lab = Lab::new().await;
    let from = version(&lab).await;
    let mut watch = Watch::open(&lab, &format!("{MAPS}?watch=1&resourceVersion={from}"), "").await;
    lab.send(&format!("POST {MAPS}"), &config_map("a", json!({}))).await;
    assert_eq!(watch.line().await, "ADDED a");
    // More bytes of old states than the log keeps, and nobody reads.
    for round in 0..200 {
        let body = json!({"data": {"k": format!("{round}{}", "x".repeat(40_000))}});
        assert_eq!(lab.patch("merge-patch", &format!("{MAPS}/a"), &body).await.0, 200);
    }
    let event = watch.next().await.unwrap();
    assert_eq!((&event["type"], &event["object"]["code"]), (&json!("ERROR"), &json!(410)));
    assert_eq!(watch.line().await, "end");
}

#[tokio::test]
async fn closing_ends_watches() {
    let lab = Lab::new().await;
    let mut watch = Watch::open(&lab, &format!("{MAPS}?watch=1&resourceVersion=1"), "").await;
    lab.server.close();
    assert_eq!(watch.line().await, "end");
    assert_eq!(lab.raw("GET /readyz", &[], "").await.code, 500);
    assert_eq!(lab.raw("GET /livez", &[], "").await.code, 200);
}

#[derive(Clone, Debug)]
enum Step {
    Put(u8, u8),
    Delete(u8),
    DeleteMatching(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0u8..5, 0u8..3).prop_map(|(name, label)| Step::Put(name, label)),
        2 => (0u8..5).prop_map(Step::Delete),
        1 => (0u8..3).prop_map(Step::DeleteMatching),
    ]
}

async fn take(lab: &Lab, step: &Step) {
    match step {
        Step::Put(name, label) => {
            let mut object = config_map(&format!("m{name}"), json!({"at": fastrand::u32(..).to_string()}));
            object["metadata"]["labels"] = json!({"l": label.to_string()});
            let (code, _) = lab.send(&format!("POST {MAPS}"), &object).await;
            if code == 409 {
                lab.send(&format!("PUT {MAPS}/m{name}"), &object).await;
            }
        }
        Step::Delete(name) => {
            lab.send(&format!("DELETE {MAPS}/m{name}"), &json!({})).await;
        }
        Step::DeleteMatching(label) => {
            lab.send(&format!("DELETE {MAPS}?labelSelector=l%3D{label}"), &json!({})).await;
        }
    }
}

/// What a list shows: the bodies by name.
fn state(list: &Value) -> BTreeMap<String, Value> {
    let bare =
        |item: &Value| (item["metadata"]["name"].as_str().unwrap().to_owned(), item["metadata"].clone());
    list["items"].as_array().unwrap().iter().map(bare).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// A watch from a list's revision turns that list into every later one, with and without a selector.
    #[test]
    fn replaying_a_watch_gives_the_list(
        steps in prop::collection::vec(step(), 1..30), start in 0usize..30, selector in prop::option::of(0u8..3),
    ) {
        let query = selector.map(|l| format!("labelSelector=l%3D{l}")).unwrap_or_default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let lab = Lab::new().await;
            let start = start.min(steps.len());
            for step in &steps[..start] {
                take(&lab, step).await;
            }
            let list = lab.get(&format!("{MAPS}?{query}")).await;
            let mut known = state(&list);
            let from = list["metadata"]["resourceVersion"].as_str().unwrap();
            let mut watch = Watch::open(&lab, &format!("{MAPS}?watch=1&resourceVersion={from}&{query}"), "").await;
            for step in &steps[start..] {
                take(&lab, step).await;
            }
            lab.send(&format!("POST {MAPS}"), &{
                let mut last = config_map("last", json!({}));
                last["metadata"]["labels"] = json!({"l": selector.unwrap_or(0).to_string()});
                last
            }).await;
            let mut seen = 0;
            loop {
                let event = watch.next().await.unwrap();
                let metadata = event["object"]["metadata"].clone();
                let revision: u64 = metadata["resourceVersion"].as_str().unwrap().parse().unwrap();
                assert!(revision > seen, "revisions rise");
                seen = revision;
                let name = metadata["name"].as_str().unwrap().to_owned();
                let was = if event["type"] == "DELETED" {
                    known.remove(&name)
                } else {
                    known.insert(name.clone(), metadata)
                };
                assert_eq!(was.is_none(), event["type"] == "ADDED", "{event}");
                if name == "last" {
                    break;
                }
            }
            assert_eq!(known, state(&lab.get(&format!("{MAPS}?{query}")).await));
        });
    }

    /// Pages of a list are the list, as of the first page, whatever is written in between.
    #[test]
    fn pages_are_one_snapshot(
        before in prop::collection::vec(step(), 1..12), between in prop::collection::vec(step(), 0..6),
        limit in 1usize..4, selector in prop::option::of(0u8..3),
    ) {
        let query = selector.map(|l| format!("labelSelector=l%3D{l}")).unwrap_or_default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let lab = Lab::new().await;
            for step in &before {
                take(&lab, step).await;
            }
            let whole = lab.get(&format!("{MAPS}?{query}")).await;
            let (mut token, mut pages, mut count) = (String::new(), BTreeMap::new(), 0);
            loop {
                let page = lab.get(&format!("{MAPS}?{query}&limit={limit}&continue={token}")).await;
                assert_eq!(page["metadata"]["resourceVersion"], whole["metadata"]["resourceVersion"]);
                count += page["items"].as_array().unwrap().len();
                pages.extend(state(&page));
                let Some(next) = page["metadata"]["continue"].as_str() else { break };
                token = next.to_owned();
                for step in &between {
                    take(&lab, step).await;
                }
            }
            assert_eq!(pages, state(&whole));
            assert_eq!(count, pages.len());
        });
    }
}
