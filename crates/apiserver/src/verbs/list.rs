//! GET of a collection: from the cache, or from the store where a past revision is asked for.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portway_base::Revision;
use portway_machinery::status::Status;
use serde_json::{Value, json};

use crate::answer::{Answer, ListMeta};
use crate::cache::Cached;
use crate::call::Call;
use crate::filter::Filter;
use crate::options::{ListOptions, Match};
use crate::server::store_error;
use crate::shape;

/// Entries read from the store at once when a filter may drop some.
const CHUNK: usize = 500;

pub(crate) async fn run(call: &Call<'_>) -> Result<Answer, Status> {
    let options = ListOptions::parse(call.query, false)?;
    let filter = filter(call)?;
    let (meta, objects) = collect(call, &options, &filter).await?;
    shape::list(call, &meta, &objects)
}

/// The selectors of a request.
pub(crate) fn filter(call: &Call<'_>) -> Result<Filter, Status> {
    let text = |name| call.query.get(name).unwrap_or_default();
    Filter::parse(call.resource.kind, text("labelSelector"), text("fieldSelector"))
}

/// The objects a list shows.
pub(crate) async fn collect(
    call: &Call<'_>,
    options: &ListOptions,
    filter: &Filter,
) -> Result<(ListMeta, Vec<Arc<Cached>>), Status> {
    if !options.resume.is_empty() {
        let token = Token::read(&options.resume, &call.resource.scope(&call.target.namespace))?;
        return past(call, options.limit, filter, Some(token.revision), Some(token.after)).await;
    }
    match (options.revision, options.matching) {
        (None, _) => call.server.fresh().await?,
        (Some(Revision::ZERO), _) => return Ok(present(call, 0, filter)),
        (Some(revision), Some(Match::Exact)) => {
            call.server.reach(revision).await?;
            return past(call, options.limit, filter, Some(revision), None).await;
        }
        (Some(revision), None) if options.limit > 0 => {
            call.server.reach(revision).await?;
            return past(call, options.limit, filter, Some(revision), None).await;
        }
        (Some(revision), _) => call.server.reach(revision).await?,
    }
    Ok(present(call, options.limit, filter))
}

/// From the cache, as of now.
fn present(call: &Call<'_>, limit: usize, filter: &Filter) -> (ListMeta, Vec<Arc<Cached>>) {
    let resource = call.resource;
    let snapshot = call.server.cache.snapshot(resource, &scope(call, filter));
    let mut objects = snapshot.objects;
    if !filter.is_everything() {
        objects.retain(|object| filter.passes(resource, object));
    }
    let mut meta = ListMeta { revision: snapshot.revision, resume: String::new(), remaining: None };
    if limit > 0 && objects.len() > limit {
        let left = objects.len() - limit;
        objects.truncate(limit);
        meta.remaining = filter.is_everything().then_some(left as u64);
        if let Some(last) = objects.last() {
            meta.resume = Token { revision: snapshot.revision, after: last.key.to_string() }.write();
        }
    }
    (meta, objects)
}

/// The keys to look at: one, if the filter asks for a name in one place.
pub(crate) fn scope(call: &Call<'_>, filter: &Filter) -> String {
    let scope = call.resource.scope(&call.target.namespace);
    match filter.name() {
        Some(name) if !call.resource.kind.namespaced || !call.target.namespace.is_empty() => scope + name,
        _ => scope,
    }
}

/// From the store, as of `revision`.
async fn past(
    call: &Call<'_>,
    limit: usize,
    filter: &Filter,
    revision: Option<Revision>,
    mut after: Option<String>,
) -> Result<(ListMeta, Vec<Arc<Cached>>), Status> {
    let (resource, scope) = (call.resource, call.resource.scope(&call.target.namespace));
    let mut meta = ListMeta { revision: Revision::ZERO, resume: String::new(), remaining: None };
    let mut objects: Vec<Arc<Cached>> = Vec::new();
    let chunk = if filter.is_everything() { limit } else { CHUNK };
    loop {
        let page = call.server.store.list(&scope, after.as_deref(), chunk, revision).await;
        let page = page.map_err(|error| store_error(&error))?;
        meta.revision = page.revision;
        let (last, count) = (page.entries.last().map(|e| e.key.to_string()), page.entries.len());
        for (position, entry) in page.entries.into_iter().enumerate() {
            let Some(object) = Cached::new(resource, entry.key, &entry.value, entry.modified) else {
                continue;
            };
            if !filter.passes(resource, &object) {
                continue;
            }
            objects.push(Arc::new(object));
            if limit > 0 && objects.len() == limit {
                let left = page.remaining + (count - position - 1) as u64;
                if left > 0 {
                    meta.remaining = filter.is_everything().then_some(left);
                    let after = objects.last().map(|o| o.key.to_string()).unwrap_or_default();
                    meta.resume = Token { revision: page.revision, after }.write();
                }
                return Ok((meta, objects));
            }
        }
        if !page.more {
            return Ok((meta, objects));
        }
        after = last;
    }
}

/// Where the next page starts.
struct Token {
    revision: Revision,
    after: String,
}

impl Token {
    fn write(&self) -> String {
        let token = json!({"v": "meta.k8s.io/v1", "rv": self.revision.0, "start": self.after});
        URL_SAFE_NO_PAD.encode(token.to_string())
    }

    fn read(text: &str, scope: &str) -> Result<Self, Status> {
        let bad = || Status::bad_request("continue key is not valid: the token was not made by this server");
        let bytes = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).map_err(|_| bad())?;
        let token: Value = serde_json::from_slice(&bytes).map_err(|_| bad())?;
        let revision = token.get("rv").and_then(Value::as_u64).filter(|r| *r > 0).ok_or_else(bad)?;
        let after =
            token.get("start").and_then(Value::as_str).filter(|k| k.starts_with(scope)).ok_or_else(bad)?;
        Ok(Self { revision: Revision(revision), after: after.to_owned() })
    }
}
