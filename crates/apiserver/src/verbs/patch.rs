//! PATCH: JSON, merge and strategic merge patches, on the object as a GET shows it.

use portway_api::field::FieldError;
use portway_api::schema::schema;
use portway_machinery::decode::{Expected, conform_value};
use portway_machinery::meta;
use portway_machinery::patch::{Patch, PatchKind};
use portway_machinery::status::Status;
use serde_json::Value;

use crate::answer::Answer;
use crate::call::Call;
use crate::media;
use crate::options::WriteOptions;
use crate::shape;
use crate::verbs;
use crate::verbs::update::{self, Part};

pub(crate) async fn run(call: &Call<'_>, part: Part) -> Result<Answer, Status> {
    let options = WriteOptions::parse(call.query, "PatchOptions")?;
    if call.content_type() == verbs::apply::APPLY {
        return verbs::apply::run(call, part, &options).await;
    }
    let patch = read(call, &options)?;
    let make = |old: &Value| apply(call, &options, &patch, call.resource.kind.schema, old);
    let outcome = update::modify(call, part, &options, &make, None).await?;
    shape::value(call, 200, &outcome.object)
}

/// Reads the body of a PATCH.
pub(crate) fn read(call: &Call<'_>, options: &WriteOptions) -> Result<Patch, Status> {
    let media = call.content_type();
    if options.force.is_some() {
        let error = FieldError::forbidden("force", "may not be specified for non-apply patch");
        return Err(Status::invalid_options("PatchOptions", &[error]));
    }
    let Some(kind) = PatchKind::from_media_type(&media) else {
        return Err(Status::unsupported_media_type(&media::PATCHES));
    };
    Ok(Patch::parse(kind, &call.body)?)
}

/// The object after the patch, decoded as a body would be.
pub(crate) fn apply(
    call: &Call<'_>,
    options: &WriteOptions,
    patch: &Patch,
    message: &str,
    old: &Value,
) -> Result<Value, Status> {
    let kind = call.resource.kind;
    let patched = patch.apply(schema(), message, old)?;
    for field in ["apiVersion", "kind"] {
        if patched.get(field) != old.get(field) {
            return Err(Status::bad_request(format!("{field} cannot be changed by a patch")));
        }
    }
    let mut decoded =
        conform_value(schema(), message, patched).map_err(|e| Expected::of(kind).refuse(&e.0))?;
    decoded.problems.extend(patch.problems.iter().cloned());
    let subject = call.subject(&call.target.name);
    let (mut object, warnings) = options.validation.settle_patch(decoded, subject, &call.body)?;
    for warning in warnings {
        call.warn(warning);
    }
    for field in ["apiVersion", "kind"] {
        if let Some(value) = old.get(field) {
            meta::map_mut(&mut object).insert(field.to_owned(), value.clone());
        }
    }
    Ok(object)
}
