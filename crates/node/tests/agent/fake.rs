//! An API server of few words: objects by path, merge patches, graceful deletion of Pods, watches.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{StreamExt, stream};
use http::{Method, Request, Response};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use serde_json::{Value, json};
use tokio::sync::watch;

type Body = UnsyncBoxBody<Bytes, Infallible>;

#[derive(Clone, Default)]
pub struct Fake(Arc<Mutex<Objects>>);

struct Objects {
    by_path: BTreeMap<String, Value>,
    /// Revision, event type, path, object.
    history: Vec<(u64, &'static str, String, Value)>,
    newest: watch::Sender<u64>,
    /// Seconds since the test began that each write to a path took place, for timing.
    pub writes: Vec<(std::time::Instant, String, Value)>,
}

impl Default for Objects {
    fn default() -> Self {
        let newest = watch::channel(1).0;
        Self { by_path: BTreeMap::new(), history: Vec::new(), newest, writes: Vec::new() }
    }
}

impl Objects {
    fn put(&mut self, path: &str, mut object: Value) -> Value {
        let revision = *self.newest.borrow() + 1;
        object["metadata"]["resourceVersion"] = revision.to_string().into();
        let kind = if self.by_path.contains_key(path) { "MODIFIED" } else { "ADDED" };
        self.by_path.insert(path.to_owned(), object.clone());
        self.history.push((revision, kind, path.to_owned(), object.clone()));
        self.writes.push((std::time::Instant::now(), path.to_owned(), object.clone()));
        self.newest.send_replace(revision);
        object
    }

    fn remove(&mut self, path: &str) -> Option<Value> {
        let mut object = self.by_path.remove(path)?;
        let revision = *self.newest.borrow() + 1;
        object["metadata"]["resourceVersion"] = revision.to_string().into();
        self.history.push((revision, "DELETED", path.to_owned(), object.clone()));
        self.newest.send_replace(revision);
        Some(object)
    }
}

impl Fake {
    pub fn put(&self, path: &str, object: Value) {
        self.0.lock().unwrap().put(path, object);
    }

    pub fn get(&self, path: &str) -> Option<Value> {
        self.0.lock().unwrap().by_path.get(path).cloned()
    }

    /// Every state of an object that was ever written.
    pub fn states(&self, path: &str) -> Vec<(std::time::Instant, Value)> {
        let all = self.0.lock().unwrap();
        all.writes.iter().filter(|(_, p, _)| p == path).map(|(at, _, object)| (*at, object.clone())).collect()
    }

    /// Objects below a path.
    pub fn list(&self, prefix: &str) -> Vec<Value> {
        let all = self.0.lock().unwrap();
        all.by_path.iter().filter(|(path, _)| path.starts_with(prefix)).map(|(_, o)| o.clone()).collect()
    }

    /// Deletes a Pod as the server does: at once with grace 0, otherwise by marking it.
    pub fn delete(&self, path: &str, grace: i64) {
        let mut all = self.0.lock().unwrap();
        if grace == 0 {
            all.remove(path);
        } else if let Some(mut object) = all.by_path.get(path).cloned() {
            let deadline = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(grace);
            object["metadata"]["deletionTimestamp"] = format!("{deadline:.0}").into();
            object["metadata"]["deletionGracePeriodSeconds"] = grace.into();
            all.put(path, object);
        }
    }

    fn answer(&self, method: &Method, uri: &http::Uri, body: &[u8]) -> Response<Body> {
        let path = uri.path().trim_end_matches("/status").to_owned();
        let query = uri.query().unwrap_or_default();
        let value: Value = serde_json::from_slice(body).unwrap_or_default();
        let mut all = self.0.lock().unwrap();
        match *method {
            Method::GET if query.contains("watch=true") => {
                drop(all);
                self.watch(&path, query)
            }
            Method::GET => match all.by_path.get(&path) {
                Some(object) => whole(200, object),
                None if is_object(&path) => whole(404, &status(404, "NotFound")),
                None => {
                    let items = all.by_path.iter().filter(|(p, o)| below(p, &path) && selected(o, query));
                    let items: Vec<&Value> = items.map(|(_, o)| o).collect();
                    let revision = all.newest.borrow().to_string();
                    whole(200, &json!({"metadata": {"resourceVersion": revision}, "items": items}))
                }
            },
            Method::POST => {
                let path = format!("{path}/{}", value["metadata"]["name"].as_str().unwrap_or_default());
                if all.by_path.contains_key(&path) {
                    return whole(409, &status(409, "AlreadyExists"));
                }
                whole(201, &all.put(&path, value))
            }
            Method::PATCH => match all.by_path.get(&path).cloned() {
                Some(mut object) => {
                    let wanted = value["metadata"].get("uid");
                    if wanted.is_some_and(|uid| *uid != object["metadata"]["uid"]) {
                        return whole(409, &status(409, "Conflict: uid"));
                    }
                    merge(&mut object, &value);
                    whole(200, &all.put(&path, object))
                }
                None => whole(404, &status(404, "NotFound")),
            },
            Method::DELETE => match all.remove(&path) {
                Some(object) => whole(200, &object),
                None => whole(404, &status(404, "NotFound")),
            },
            _ => whole(405, &status(405, "MethodNotAllowed")),
        }
    }

    fn watch(&self, path: &str, query: &str) -> Response<Body> {
        let after = query.split('&').find_map(|p| p.strip_prefix("resourceVersion=")?.parse::<u64>().ok());
        let (this, path, query) = (self.clone(), path.to_owned(), query.to_owned());
        let newest = self.0.lock().unwrap().newest.subscribe();
        let lines = stream::unfold((after.unwrap_or(0), newest), move |(after, mut newest)| {
            let (this, path, query) = (this.clone(), path.clone(), query.clone());
            async move {
                newest.wait_for(|n| *n > after).await.ok()?;
                let all = this.0.lock().unwrap();
                let news = all
                    .history
                    .iter()
                    .filter(|(r, _, p, o)| *r > after && below(p, &path) && selected(o, &query));
                let text: String =
                    news.map(|(_, kind, _, o)| format!("{}\n", json!({"type": kind, "object": o}))).collect();
                let last = all.history.last().map_or(after, |(r, ..)| *r);
                drop(all);
                Some((Ok(Frame::data(Bytes::from(text))), (last, newest)))
            }
        });
        Response::new(StreamBody::new(lines.boxed()).boxed_unsync())
    }
}

impl tower_service::Service<Request<Full<Bytes>>> for Fake {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.map(|b| b.to_bytes()).unwrap_or_default();
            Ok(this.answer(&head.method, &head.uri, &body))
        })
    }
}

fn whole(code: u16, value: &Value) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::from(value.to_string())).boxed_unsync());
    *response.status_mut() = http::StatusCode::from_u16(code).unwrap();
    response
}

fn status(code: u16, reason: &str) -> Value {
    json!({"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": reason})
}

/// `/api/v1/namespaces/NS/pods/NAME`, `/api/v1/nodes/NAME`, ...
fn is_object(path: &str) -> bool {
    let parts = path.split('/').count();
    let core = if path.starts_with("/apis/") { 1 } else { 0 };
    let namespaced = path.contains("/namespaces/");
    parts == if namespaced { 7 + core } else { 5 + core }
}

/// An object of a collection: of one namespace, or of all.
fn below(path: &str, collection: &str) -> bool {
    let kind = collection.rsplit('/').next().unwrap_or_default();
    let parts: Vec<&str> = path.split('/').collect();
    parts.len() >= 2
        && parts[parts.len() - 2] == kind
        && (!collection.contains("/namespaces/") || path.starts_with(collection))
}

fn selected(object: &Value, query: &str) -> bool {
    match query.split('&').find_map(|p| p.strip_prefix("fieldSelector=spec.nodeName%3D")) {
        Some(node) => object["spec"]["nodeName"] == *node,
        None => true,
    }
}

/// A merge patch, but for conditions, which are merged by type.
fn merge(object: &mut Value, patch: &Value) {
    let (Some(to), Some(from)) = (object.as_object_mut(), patch.as_object()) else {
        *object = patch.clone();
        return;
    };
    for (key, value) in from {
        if value.is_null() {
            to.remove(key);
        } else if key == "conditions" {
            let list = to.entry("conditions").or_insert_with(|| json!([]));
            for new in value.as_array().into_iter().flatten() {
                let list = list.as_array_mut().unwrap();
                match list.iter_mut().find(|c| c["type"] == new["type"]) {
                    Some(known) => merge(known, new),
                    None => {
                        list.push(json!({}));
                        merge(list.last_mut().unwrap(), new);
                    }
                }
            }
        } else if value.is_object() {
            merge(to.entry(key).or_insert_with(|| json!({})), value);
        } else {
            to.insert(key.clone(), value.clone());
        }
    }
}
