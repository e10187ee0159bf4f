//! One request on objects, read as far as every verb needs it.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use portway_machinery::status::{Status, Subject};

use crate::media::{self, Form};
use crate::options::WriteOptions;
use crate::path::Target;
use crate::query::Query;
use crate::resource::Resource;
use crate::server::ApiServer;

/// A request on objects of one resource.
pub(crate) struct Call<'a> {
    pub server: &'a Arc<ApiServer>,
    pub resource: &'a Resource,
    pub target: &'a Target,
    pub query: &'a Query,
    pub headers: &'a HeaderMap,
    pub body: Bytes,
    pub form: Form,
    warnings: Mutex<Vec<String>>,
}

impl<'a> Call<'a> {
    pub(crate) fn new(
        server: &'a Arc<ApiServer>,
        resource: &'a Resource,
        target: &'a Target,
        query: &'a Query,
        headers: &'a HeaderMap,
        body: Bytes,
    ) -> Result<Self, Status> {
        let accept = headers.get(ACCEPT).and_then(|v| v.to_str().ok());
        let form = media::negotiate(accept).ok_or_else(|| Status::not_acceptable(&media::AVAILABLE))?;
        Ok(Self { server, resource, target, query, headers, body, form, warnings: Mutex::default() })
    }

    /// Media type of the body, without parameters.
    pub(crate) fn content_type(&self) -> String {
        media::content_type(self.headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()))
    }

    /// The part of `User-Agent` that names the program; `unknown` without one.
    pub(crate) fn agent(&self) -> &str {
        let agent = self.headers.get(USER_AGENT).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let name = agent.split('/').next().unwrap_or_default();
        let end = name.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= 128).last();
        match name.get(..end.unwrap_or(0)) {
            Some(name) if !name.is_empty() => name,
            _ => "unknown",
        }
    }

    /// Whom the fields a request changes belong to.
    pub(crate) fn field_manager<'m>(&'m self, options: &'m WriteOptions) -> &'m str {
        if options.manager.is_empty() { self.agent() } else { &options.manager }
    }

    /// Adds a `Warning` header to the answer.
    pub(crate) fn warn(&self, text: impl Into<String>) {
        let text = text.into();
        let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        if !warnings.contains(&text) {
            warnings.push(text);
        }
    }

    /// The warnings so far.
    pub(crate) fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut *self.warnings.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The object `name` of this resource, for error texts.
    pub(crate) fn subject<'n>(&self, name: &'n str) -> Subject<'n> {
        Subject::of(self.resource.kind, name)
    }
}
