//! `/scale` of Deployments and ReplicaSets: `spec.replicas` as an object of its own.

use portway_api::field::FieldError;
use portway_api::schema::schema;
use portway_machinery::decode::{Expected, conform_value};
use portway_machinery::meta;
use portway_machinery::status::Status;
use serde_json::{Value, json};

use crate::answer::{self, Answer};
use crate::call::Call;
use crate::options::WriteOptions;
use crate::verbs::update::{Part, modify};
use crate::verbs::{create, get};

const SCALE: Expected<'static> = Expected {
    group: "autoscaling",
    version: "v1",
    kind: "Scale",
    message: "io.k8s.api.autoscaling.v1.Scale",
};

pub(crate) async fn get(call: &Call<'_>) -> Result<Answer, Status> {
    let object = get::find_fresh(call).await?.value();
    Ok(answer::value(200, call.form, &scale_of(&object)))
}

pub(crate) async fn put(call: &Call<'_>) -> Result<Answer, Status> {
    let options = WriteOptions::parse(call.query, "UpdateOptions")?;
    let decoded = create::decode_body(&call.content_type(), &call.body, &SCALE)?;
    let (scale, warnings) = options.validation.settle(decoded, &SCALE)?;
    warnings.into_iter().for_each(|text| call.warn(text));
    write(call, &options, &|_| Ok(scale.clone())).await
}

pub(crate) async fn patch(call: &Call<'_>) -> Result<Answer, Status> {
    let options = WriteOptions::parse(call.query, "PatchOptions")?;
    let patch = crate::verbs::patch::read(call, &options)?;
    write(call, &options, &|scale| {
        let patched = patch.apply(schema(), SCALE.message, scale)?;
        let decoded = conform_value(schema(), SCALE.message, patched).map_err(|e| SCALE.refuse(&e.0))?;
        let subject = call.subject(&call.target.name);
        let (scale, warnings) = options.validation.settle_patch(decoded, subject, &call.body)?;
        warnings.into_iter().for_each(|text| call.warn(text));
        Ok(scale)
    })
    .await
}

async fn write(
    call: &Call<'_>,
    options: &WriteOptions,
    make: &(dyn Fn(&Value) -> Result<Value, Status> + Send + Sync),
) -> Result<Answer, Status> {
    let change = |old: &Value| {
        let scale = make(&scale_of(old))?;
        let replicas = scale.get("spec").and_then(|s| s.get("replicas")).and_then(Value::as_i64).unwrap_or(0);
        if replicas < 0 {
            let detail = "must be greater than or equal to 0";
            let errors = [FieldError::invalid("spec.replicas", replicas, detail)];
            let subject = portway_machinery::status::Subject {
                group: "autoscaling",
                resource: call.resource.kind.plural,
                kind: "Scale",
                name: &call.target.name,
            };
            return Err(Status::invalid(subject, &errors));
        }
        let mut new = old.clone();
        for field in ["name", "namespace", "uid", "resourceVersion"] {
            match scale.get("metadata").and_then(|m| m.get(field)) {
                Some(value) => meta::set(&mut new, field, value.clone()),
                // Left out: whatever it is now.
                None if field == "resourceVersion" => {
                    meta::remove(&mut new, field);
                }
                None => {}
            }
        }
        meta::child_mut(meta::map_mut(&mut new), "spec").insert("replicas".to_owned(), replicas.into());
        Ok(new)
    };
    let outcome = modify(call, Part::Whole, options, &change, None).await?;
    Ok(answer::value(200, call.form, &scale_of(&outcome.object)))
}

/// The Scale an object stands for.
fn scale_of(object: &Value) -> Value {
    let mut metadata = serde_json::Map::new();
    for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        let text = meta::text(object, field);
        if !text.is_empty() {
            metadata.insert(field.to_owned(), text.into());
        }
    }
    let part = |part: &str, field: &str| object.get(part).and_then(|p| p.get(field)).cloned();
    let mut spec = json!({});
    if let Some(replicas) = part("spec", "replicas").filter(|r| r.as_i64() != Some(0)) {
        spec["replicas"] = replicas;
    }
    let mut status = json!({"replicas": part("status", "replicas").unwrap_or_else(|| 0.into())});
    let selector = part("spec", "selector").and_then(|s| serde_json::from_value(s).ok());
    if let Some(selector) = selector.and_then(|s| portway_machinery::selector::Selector::from_typed(&s).ok())
    {
        status["selector"] = selector.to_string().into();
    }
    json!({
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": metadata,
        "spec": spec,
        "status": status,
    })
}
