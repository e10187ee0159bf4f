//! The watch protocol against scripts: without I/O, and over a scripted service in this process.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Ready, ready};
use futures_util::{StreamExt, stream};
use http::{Request, Response};
use http_body::Frame as BodyFrame;
use http_body_util::{Full, StreamBody};
use proptest::prelude::*;
use serde_json::{Value, json};
use tower_service::Service;

use super::*;
use crate::list::{List, ListMeta, ListOptions};
use crate::{Client, Error, Gvr, Partial, Status};

fn object(name: &str, revision: u32) -> Value {
    json!({"metadata": {"name": name, "resourceVersion": revision.to_string()}})
}

fn partial(name: &str, revision: u32) -> Partial {
    serde_json::from_value(object(name, revision)).unwrap()
}

fn page(names: &[&str], token: &str) -> Input<Partial> {
    let metadata =
        ListMeta { resource_version: "10".into(), continue_token: token.into(), remaining_item_count: None };
    Input::Page(Ok(List { metadata, items: names.iter().map(|n| partial(n, 1)).collect() }))
}

fn status(code: u16) -> Status {
    Status { code, ..Status::default() }
}

fn show(event: &Event<Partial>) -> String {
    let named =
        |what: &str, o: &Partial| format!("{what} {}@{}", o.metadata.name, o.metadata.resource_version);
    match event {
        Event::Init => "init".into(),
        Event::InitApply(o) => named("item", o),
        Event::InitDone => "done".into(),
        Event::Apply(o) => named("apply", o),
        Event::Delete(o) => named("delete", o),
    }
}

/// Feeds inputs to a fresh machine; each line is what it wanted before the input, and the events after it.
fn run(inputs: Vec<Input<Partial>>) -> Vec<String> {
    let mut state = State::default();
    let mut out = Vec::new();
    for input in inputs {
        let want = match state.want() {
            Want::List { token, limit } => format!("list[{token}]{limit}"),
            Want::Open { revision } => format!("open@{revision}"),
            Want::Read => "read".into(),
            Want::Sleep(delay) => format!("sleep {}ms", delay.as_millis()),
        };
        let (events, next) = state.step(input);
        let events: Vec<String> = events.iter().map(show).collect();
        out.push(format!("{want}: {}", events.join(", ")));
        state = next;
    }
    out
}

#[test]
fn pages_then_watch_from_the_lists_revision() {
    let frame = |f| Input::Frame(f);
    let got = run(vec![
        page(&["a"], "t1"),
        page(&["b"], ""),
        Input::Opened(Ok(())),
        frame(Frame::Apply(partial("a", 11))),
        frame(Frame::Bookmark("15".into())),
        frame(Frame::Delete(partial("b", 16))),
        Input::Closed { lasted: Duration::from_secs(300) },
        Input::Slept,
        Input::Opened(Ok(())),
    ]);
    let expect = [
        "list[]500: init, item a@1",
        "list[t1]500: item b@1, done",
        "open@10: ",
        "read: apply a@11",
        "read: ",
        "read: delete b@16",
        "read: ",
        "sleep 10ms: ",
        "open@16: ",
    ];
    assert_eq!(got, expect);
}

#[test]
fn failures_back_off_and_expiry_lists_again() {
    let gone = || Input::Frame(Frame::Error(status(410)));
    let got = run(vec![
        page(&["a"], "t1"),
        Input::Page(Err(Error::Transport("down".into()))),
        Input::Slept,
        Input::Page(Err(Error::from_status(status(410)))),
        Input::Slept,
        page(&["a"], ""),
        Input::Opened(Err(Error::Transport("down".into()))),
        Input::Slept,
        Input::Opened(Ok(())),
        gone(),
        Input::Slept,
        page(&["a"], ""),
        Input::Opened(Ok(())),
        Input::Frame(Frame::Apply(partial("a", 12))),
        Input::Closed { lasted: Duration::ZERO },
        Input::Slept,
    ]);
    let expect = [
        "list[]500: init, item a@1",
        "list[t1]500: ",
        "sleep 50ms: ",
        "list[t1]500: ",
        "sleep 100ms: ",
        "list[]0: init, item a@1, done",
        "open@10: ",
        "sleep 200ms: ",
        "open@10: ",
        "read: ",
        "sleep 400ms: ",
        "list[]500: init, item a@1, done",
        "open@10: ",
        "read: apply a@12",
        "read: ",
        "sleep 50ms: ",
    ];
    assert_eq!(got, expect);
}

proptest! {
    /// Whatever fails, and however often: never two requests without a pause between them, and pauses are bounded.
    #[test]
    fn failures_never_make_a_busy_loop(kinds in prop::collection::vec(0u8..5, 1..60)) {
        let mut state = State::default();
        let mut failures = 0;
        for kind in kinds {
            let sleeping = matches!(state.want(), Want::Sleep(_));
            let input: Input<Partial> = match state.want() {
                Want::Sleep(delay) => {
                    prop_assert!(delay >= Duration::from_millis(10) && delay <= Duration::from_secs(30));
                    Input::Slept
                }
                Want::List { .. } if kind == 0 => page(&["a"], ""),
                Want::List { .. } => Input::Page(Err(Error::Transport("down".into()))),
                Want::Open { .. } if kind == 0 => Input::Opened(Ok(())),
                Want::Open { .. } if kind == 1 => Input::Opened(Err(Error::from_status(status(410)))),
                Want::Open { .. } => Input::Opened(Err(Error::Transport("down".into()))),
                Want::Read if kind == 0 => Input::Frame(Frame::Error(status(410))),
                Want::Read if kind == 1 => Input::Frame(Frame::Error(status(500))),
                Want::Read if kind == 2 => Input::Frame(Frame::Unreadable("?".into())),
                Want::Read => Input::Closed { lasted: Duration::ZERO },
            };
            let good = matches!(input, Input::Page(Ok(_)) | Input::Opened(Ok(())) | Input::Slept);
            let (_, next) = state.step(input);
            state = next;
            if !good {
                prop_assert!(!sleeping && matches!(state.want(), Want::Sleep(_)), "a failure is followed by a pause");
                failures += 1;
            }
        }
        prop_assert_eq!(state.failures(), failures);
    }

    /// Lines come out the same however the bytes are cut.
    #[test]
    fn framing_does_not_depend_on_chunks(lines in prop::collection::vec("[ -~ü]{0,20}", 0..20), cuts in prop::collection::vec(1usize..9, 1..50)) {
        let text = lines.iter().map(|l| format!("{l}\n")).collect::<String>() + "unfinished";
        let (mut rest, mut splitter, mut got) = (text.as_bytes(), Lines::default(), Vec::new());
        for cut in cuts.iter().cycle() {
            let (chunk, tail) = rest.split_at((*cut).min(rest.len()));
            splitter.push(chunk).unwrap();
            while let Some(line) = splitter.next_line() {
                got.push(String::from_utf8(line.to_vec()).unwrap());
            }
            rest = tail;
            if rest.is_empty() {
                break;
            }
        }
        let expect: Vec<String> = lines.into_iter().filter(|l| !l.trim().is_empty()).collect();
        prop_assert_eq!(got, expect);
    }

    /// No line, however odd, does more than be unreadable.
    #[test]
    fn any_line_is_read_or_refused(line in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Frame::<Partial>::parse(&line);
    }
}

#[test]
fn frames_are_read() {
    let check = |line: &str, expect: &str| {
        let text = match Frame::<Partial>::parse(line.as_bytes()) {
            Frame::Apply(o) => format!("apply {}", o.metadata.name),
            Frame::Delete(o) => format!("delete {}", o.metadata.name),
            Frame::Bookmark(revision) => format!("bookmark {revision}"),
            Frame::Error(status) => format!("error {}", status.code),
            Frame::Unreadable(_) => "unreadable".into(),
        };
        assert_eq!(text, expect, "{line}");
    };
    check(r#"{"type":"ADDED","object":{"metadata":{"name":"a"}}}"#, "apply a");
    check(r#"{"object":{"metadata":{"name":"a"}},"type":"MODIFIED"}"#, "apply a");
    check(r#"{"type":"DELETED","object":{"metadata":{"name":"a"}}}"#, "delete a");
    check(r#"{"type":"BOOKMARK","object":{"kind":"Pod","metadata":{"resourceVersion":"9"}}}"#, "bookmark 9");
    check(r#"{"type":"ERROR","object":{"kind":"Status","code":410}}"#, "error 410");
    check(r#"{"type":"ADDED","object":{"metadata":{"name":3}}}"#, "unreadable");
    check("{}", "unreadable");
    check("nonsense", "unreadable");
}

/// Answers requests from a script: the URI's beginning that is expected, a code, and chunks of the body.
type Answer = (&'static str, u16, Vec<String>);

#[derive(Clone)]
struct Script(Arc<Mutex<VecDeque<Answer>>>);

impl Service<Request<Full<Bytes>>> for Script {
    type Response = Response<StreamBody<stream::BoxStream<'static, Result<BodyFrame<Bytes>, Infallible>>>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        let uri = request.uri().to_string();
        let (expect, code, chunks) =
            self.0.lock().unwrap().pop_front().unwrap_or_else(|| panic!("unexpected {uri}"));
        assert!(uri.starts_with(expect), "{uri} is not {expect}");
        let frames = stream::iter(chunks).map(|c| Ok(BodyFrame::data(Bytes::from(c))));
        // The last answer of a script stays open.
        let frames = if self.0.lock().unwrap().is_empty() {
            frames.chain(stream::pending()).boxed()
        } else {
            frames.boxed()
        };
        ready(Ok(Response::builder().status(code).body(StreamBody::new(frames)).unwrap()))
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_heals_over_a_scripted_server() {
    let list = |items: Vec<Value>, token: &str| {
        json!({"metadata": {"resourceVersion": "10", "continue": token}, "items": items}).to_string()
    };
    let event = |kind: &str, object: Value| format!("{}\n", json!({"type": kind, "object": object}));
    let odd = json!({"metadata": {"name": 7}});
    let added = event("ADDED", object("c", 11));
    let (head, tail) = added.split_at(20);
    let script = vec![
        ("/api/v1/pods?limit=500", 503, vec!["down".to_owned()]),
        ("/api/v1/pods?limit=500", 200, vec![list(vec![object("a", 1), odd], "t")]),
        ("/api/v1/pods?limit=500&continue=t", 200, vec![list(vec![object("b", 2)], "")]),
        (
            "/api/v1/pods?watch=true&allowWatchBookmarks=true&resourceVersion=10",
            200,
            vec![head.into(), tail.into()],
        ),
        (
            "/api/v1/pods?watch=true&allowWatchBookmarks=true&resourceVersion=11",
            200,
            vec![event("ERROR", json!({"code": 410, "reason": "Expired"}))],
        ),
        ("/api/v1/pods?limit=500", 200, vec![list(vec![object("c", 11)], "")]),
        ("/api/v1/pods?watch=true", 200, vec![event("DELETED", object("c", 12))]),
    ];
    let client = Client::in_process(Script(Arc::new(Mutex::new(script.into()))));
    let mut events = client.watch_metadata(Gvr::new("", "v1", "pods"), ListOptions::default());
    let mut got = Vec::new();
    for _ in 0..9 {
        got.push(show(&events.next().await.unwrap()));
    }
    let expect =
        ["init", "item a@1", "item b@2", "done", "apply c@11", "init", "item c@11", "done", "delete c@12"];
    assert_eq!(got, expect);
}
