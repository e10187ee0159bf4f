//! GET of one object.

use std::sync::Arc;

use portway_base::Revision;
use portway_machinery::status::Status;

use crate::answer::Answer;
use crate::cache::Cached;
use crate::call::Call;
use crate::options::ListOptions;
use crate::shape;

pub(crate) async fn run(call: &Call<'_>) -> Result<Answer, Status> {
    let options = ListOptions::parse(call.query, false)?;
    match options.revision {
        None => call.server.fresh().await?,
        Some(Revision::ZERO) => {}
        Some(revision) => call.server.reach(revision).await?,
    }
    shape::cached(call, &*find(call)?)
}

/// The object the request names, as the cache has it now.
pub(crate) fn find(call: &Call<'_>) -> Result<Arc<Cached>, Status> {
    let key = call.resource.key(&call.target.namespace, &call.target.name);
    let found = call.server.cache.get(call.resource, &key);
    found.ok_or_else(|| Status::not_found(call.subject(&call.target.name)))
}

/// The same, and certain to show every write before this request.
pub(crate) async fn find_fresh(call: &Call<'_>) -> Result<Arc<Cached>, Status> {
    call.server.fresh().await?;
    find(call)
}
