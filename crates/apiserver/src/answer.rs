//! Answers: values, lists and errors as HTTP responses in the form the client asked for.
//!
//! Must not know the store or the rules of kinds.

use bytes::{BufMut, Bytes, BytesMut};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use portway_base::Revision;
use portway_machinery::status::Status;
use serde_json::{Value, json};

use crate::body::Body;
use crate::cache::Cached;
use crate::codec;
use crate::media::{Form, JSON, YAML};
use crate::resource::Resource;

/// An answer on its way out.
pub type Answer = Response<Body>;

/// These bytes under this media type.
pub fn bytes(code: u16, media: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut response = Response::new(Body::full(body));
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    response
}

/// Plain text.
pub fn text(code: u16, body: impl Into<String>) -> Answer {
    bytes(code, "text/plain; charset=utf-8", body.into())
}

/// A value in JSON, or YAML where that was asked for.
pub fn value(code: u16, form: Form, value: &Value) -> Answer {
    if form.yaml
        && let Ok(text) = serde_saphyr::to_string(value)
    {
        return bytes(code, YAML, text);
    }
    bytes(code, JSON, value.to_string())
}

/// A Status.
pub fn status(form: Form, status: &Status) -> Answer {
    let mut answer = value(status.code, form, &status.to_value());
    if let Some(seconds) = status.retry_after() {
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    answer
}

/// A stream of watch frames or log lines.
pub fn stream(
    media: &'static str,
    stream: impl futures_core::Stream<Item = Bytes> + Send + 'static,
) -> Answer {
    let mut response = bytes(200, media, Bytes::new());
    *response.body_mut() = Body::stream(stream);
    response
}

/// `metadata` of a list.
pub struct ListMeta {
    /// The revision it shows.
    pub revision: Revision,
    /// Token of the next page; empty on the last.
    pub resume: String,
    /// How many follow, where that is known.
    pub remaining: Option<u64>,
}

impl ListMeta {
    /// As JSON.
    pub fn to_value(&self) -> Value {
        let mut meta = json!({"resourceVersion": self.revision.to_string()});
        if !self.resume.is_empty() {
            meta["continue"] = Value::from(self.resume.as_str());
            if let Some(remaining) = self.remaining {
                meta["remainingItemCount"] = Value::from(remaining);
            }
        }
        meta
    }
}

/// A list's JSON, joined from the encoded objects.
pub fn join<'a>(
    resource: &Resource,
    meta: &ListMeta,
    objects: impl Iterator<Item = &'a Cached> + Clone,
) -> Bytes {
    let size: usize = objects.clone().map(|o| o.body.len()).sum();
    let mut out = BytesMut::with_capacity(size + 256);
    let head = format!(
        r#"{{"kind":"{}List","apiVersion":"{}","metadata":{},"items":["#,
        resource.kind.kind,
        resource.api_version,
        meta.to_value()
    );
    out.put_slice(head.as_bytes());
    for (position, object) in objects.enumerate() {
        out.put_slice(if position == 0 { b"{" } else { b",{" });
        out.put_slice(codec::item(resource, &object.body));
    }
    out.put_slice(b"]}");
    out.freeze()
}
