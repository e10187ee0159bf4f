//! Compression of big answers for clients that accept it.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, VARY};
use http::{HeaderMap, HeaderValue};
use http_body_util::BodyExt;

use crate::answer::Answer;
use crate::body::Body;

/// Smaller bodies are not worth the time.
const MIN: u64 = 128 << 10;

/// The answer, compressed if that pays and the client accepts it. Streams are left alone.
pub(crate) async fn compress(headers: &HeaderMap, answer: Answer) -> Answer {
    let size = http_body::Body::size_hint(answer.body()).exact();
    if size.is_none_or(|size| size < MIN)
        || !accepts(headers)
        || answer.headers().contains_key(CONTENT_ENCODING)
    {
        return answer;
    }
    let (mut parts, body) = answer.into_parts();
    let Ok(body) = body.collect().await;
    let plain = body.to_bytes();
    let zipped = tokio::task::spawn_blocking({
        let plain = plain.clone();
        move || zip(&plain, 1)
    });
    let body = match zipped.await {
        Ok(Some(zipped)) => {
            parts.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            parts.headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
            zipped
        }
        _ => plain,
    };
    Answer::from_parts(parts, Body::full(body))
}

/// Whether the client takes gzip.
pub(crate) fn accepts(headers: &HeaderMap) -> bool {
    headers.get_all(ACCEPT_ENCODING).iter().filter_map(|v| v.to_str().ok()).any(|text| {
        text.split(',').any(|element| {
            let mut parts = element.split(';').map(str::trim);
            parts.next() == Some("gzip") && !parts.any(|p| p == "q=0")
        })
    })
}

/// Compressed at this level (1 is fastest, 9 smallest).
pub(crate) fn zip(plain: &[u8], level: u32) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 8), Compression::new(level));
    encoder.write_all(plain).ok()?;
    encoder.finish().ok().map(Bytes::from)
}
