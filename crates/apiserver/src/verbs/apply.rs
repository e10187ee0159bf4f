//! Server-side apply: PATCH with an applied configuration; a missing object is created.

use portway_api::field::FieldError;
use portway_api::schema::schema;
use portway_machinery::apply::{self, ApplyError, Writer};
use portway_machinery::decode::{self, Decoded, Expected, Format};
use portway_machinery::meta;
use portway_machinery::status::Status;
use serde_json::Value;

use crate::answer::Answer;
use crate::call::Call;
use crate::options::WriteOptions;
use crate::server::now_text;
use crate::shape;
use crate::verbs::create;
use crate::verbs::update::{self, Part};

/// The media type of a configuration.
pub(crate) const APPLY: &str = "application/apply-patch+yaml";

pub(crate) async fn run(call: &Call<'_>, part: Part, options: &WriteOptions) -> Result<Answer, Status> {
    if options.manager.is_empty() {
        let error = FieldError::required("fieldManager", "is required for apply patch");
        return Err(Status::invalid_options("PatchOptions", &[error]));
    }
    let config = read(call)?;
    let kind = call.resource.kind;
    let now = now_text();
    let writer = Writer { manager: &options.manager, subresource: part.subresource(), now: &now };
    let force = options.force.unwrap_or(false);
    let make = |live: &Value| {
        apply::apply(schema(), kind, live, &config, &writer, force).map_err(|e| e.status(kind, &config))
    };
    let found = update::modify(call, part, options, &make, None).await;
    let outcome = match found {
        Err(missing) if missing.code == 404 && part == Part::Whole => {
            let mut object = make(&apply::blank(schema(), kind))?;
            meta::remove(&mut object, "resourceVersion");
            let object = create::insert_as(call, object, options, true).await?;
            return shape::value(call, 201, &object);
        }
        other => other?,
    };
    shape::value(call, 200, &outcome.object)
}

/// The configuration: an object of the call's kind with nothing in it the schema does not have.
fn read(call: &Call<'_>) -> Result<Value, Status> {
    let kind = call.resource.kind;
    let document = decode::parse(Format::Yaml, &call.body)
        .map_err(|e| Status::bad_request(format!("error decoding YAML: {}", e.0)))?;
    for (field, wanted) in [("apiVersion", kind.api_version()), ("kind", kind.kind.to_owned())] {
        match document.text(field) {
            Some(given) if given == wanted => {}
            Some(given) => {
                let text = format!("incorrect {field} specified in apply patch: {given} instead of {wanted}");
                return Err(Status::bad_request(text));
            }
            None => return Err(Status::bad_request(format!("{field} must be specified in apply patch"))),
        }
    }
    let typed = |why: String, object: &Value| ApplyError::Typed(why).status(kind, object);
    let Decoded { mut value, problems } =
        document.conform(schema(), kind.schema).map_err(|e| Expected::of(kind).refuse(&e.0))?;
    if let Some(problem) = problems.first() {
        let field = problem.split('"').nth(1).unwrap_or_default();
        return Err(typed(format!(".{field}: field not declared in schema"), &value));
    }
    let (given, wanted) = (meta::name(&value), call.target.name.as_str());
    if given.is_empty() {
        meta::set(&mut value, "name", wanted);
    } else if given != wanted {
        let text = format!("name in URL does not match name in provided object: {wanted} is not {given}");
        return Err(Status::bad_request(text));
    }
    create::place(call, &mut value)?;
    let fields = meta::remove(&mut value, "managedFields");
    if fields.is_some_and(|list| list.as_array().is_some_and(|list| !list.is_empty())) {
        return Err(Status::bad_request("metadata.managedFields must be nil"));
    }
    Ok(value)
}
