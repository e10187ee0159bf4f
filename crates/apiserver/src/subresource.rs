//! What hangs below an object: status, scale, finalize, binding, eviction, log.

mod pods;
mod scale;

use portway_machinery::status::Status;

use crate::answer::Answer;
use crate::call::Call;
use crate::path::Verb;
use crate::verbs::update::Part;
use crate::verbs::{get, patch, update};

pub(crate) async fn answer(call: &Call<'_>, verb: Verb) -> Result<Answer, Status> {
    let (kind, subresource) = (call.resource.kind, call.target.subresource.as_str());
    if !kind.subresources.contains(&subresource) {
        return Err(Status::no_such_path());
    }
    match (subresource, verb) {
        ("status", Verb::Get) => get::run(call).await,
        ("status", Verb::Update) => update::put(call, Part::Status).await,
        ("status", Verb::Patch) => patch::run(call, Part::Status).await,
        ("finalize", Verb::Update) => update::put(call, Part::Finalizers).await,
        ("scale", Verb::Get) => scale::get(call).await,
        ("scale", Verb::Update) => scale::put(call).await,
        ("scale", Verb::Patch) => scale::patch(call).await,
        ("binding", Verb::Create) => pods::bind(call).await,
        ("eviction", Verb::Create) => pods::evict(call).await,
        ("log", Verb::Get) => pods::log(call).await,
        ("status" | "finalize" | "scale" | "binding" | "eviction" | "log", _) => {
            Err(Status::method_not_allowed())
        }
        _ => Err(Status::no_such_path()),
    }
}
