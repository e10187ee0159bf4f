//! Large documents, made once and kept compressed: they are rarely asked for, and nearly always with gzip.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use flate2::read::GzDecoder;
use http::header::{CONTENT_ENCODING, ETAG, VARY};
use http::{HeaderMap, HeaderValue};
use portway_machinery::discovery::fingerprint;

use crate::answer::{self, Answer};
use crate::gzip;

/// Documents by name.
#[derive(Default)]
pub(crate) struct Kept(Mutex<BTreeMap<String, Arc<Document>>>);

/// One document.
pub(crate) struct Document {
    /// What tells it from others.
    pub hash: String,
    zipped: Bytes,
}

impl Kept {
    /// The document of this name, made if it is not there yet; `None` if it cannot be made.
    pub(crate) fn get(&self, name: &str, make: impl FnOnce() -> Option<Vec<u8>>) -> Option<Arc<Document>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(document) = kept.get(name) {
            return Some(Arc::clone(document));
        }
        let plain = make()?;
        let document = Arc::new(Document { hash: fingerprint(&plain), zipped: gzip::zip(&plain, 6)? });
        kept.insert(name.to_owned(), Arc::clone(&document));
        Some(document)
    }
}

impl Document {
    /// The document for a client: not at all if it has it, compressed if it accepts that.
    pub(crate) fn answer(&self, headers: &HeaderMap, media: &'static str) -> Answer {
        let etag = format!("\"{}\"", self.hash);
        let mut answer = if super::matches(headers, &etag) {
            super::not_modified()
        } else if gzip::accepts(headers) {
            let mut answer = answer::bytes(200, media, self.zipped.clone());
            answer.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            answer
        } else {
            answer::bytes(200, media, self.plain())
        };
        super::set(&mut answer, ETAG, &etag);
        answer.headers_mut().insert(VARY, HeaderValue::from_static("Accept-Encoding, Accept"));
        answer
    }

    fn plain(&self) -> Vec<u8> {
        let mut plain = Vec::new();
        // Our own compression, from memory.
        let _ = GzDecoder::new(self.zipped.as_ref()).read_to_end(&mut plain);
        plain
    }
}
