//! Objects, lists and watch frames in the shape a client asked for: plain, Table or metadata only.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use jiff::Timestamp;
use portway_base::Revision;
use portway_machinery::status::Status;
use portway_machinery::table::{self, Include, Style};
use serde_json::{Value, json};

use crate::answer::{self, Answer, ListMeta};
use crate::cache::Cached;
use crate::call::Call;
use crate::media::{JSON, Shape};
use crate::resource::Resource;

/// One object out of the cache.
pub(crate) fn cached(call: &Call<'_>, object: &Cached) -> Result<Answer, Status> {
    match call.form.shape {
        Shape::Plain if !call.form.yaml => Ok(answer::bytes(200, JSON, object.body.clone())),
        _ => value(call, 200, &object.value()),
    }
}

/// One object.
pub(crate) fn value(call: &Call<'_>, code: u16, object: &Value) -> Result<Answer, Status> {
    let shaped = match call.form.shape {
        Shape::Plain => return Ok(answer::value(code, call.form, object)),
        Shape::Metadata(version) => table::partial(object, version),
        Shape::Table(version) => {
            let style = style(call, version)?;
            table::table(call.resource.kind.columns, [object], table::metadata_of(object), style)
        }
    };
    Ok(answer::value(code, call.form, &shaped))
}

/// A list.
pub(crate) fn list(call: &Call<'_>, meta: &ListMeta, objects: &[Arc<Cached>]) -> Result<Answer, Status> {
    if call.form.shape == Shape::Plain && !call.form.yaml {
        let joined = answer::join(call.resource, meta, objects.iter().map(AsRef::as_ref));
        return Ok(answer::bytes(200, JSON, joined));
    }
    let values = objects.iter().map(|object| object.value());
    let shaped = match call.form.shape {
        Shape::Plain => {
            let bare = values.map(|mut value| {
                if let Some(map) = value.as_object_mut() {
                    map.remove("kind");
                    map.remove("apiVersion");
                }
                value
            });
            json!({
                "kind": format!("{}List", call.resource.kind.kind),
                "apiVersion": call.resource.api_version,
                "metadata": meta.to_value(),
                "items": bare.collect::<Vec<_>>(),
            })
        }
        Shape::Metadata(version) => {
            table::partial_list(values.collect::<Vec<_>>().iter(), meta.to_value(), version)
        }
        Shape::Table(version) => {
            let style = style(call, version)?;
            let values: Vec<Value> = values.collect();
            table::table(call.resource.kind.columns, values.iter(), meta.to_value(), style)
        }
    };
    Ok(answer::value(200, call.form, &shaped))
}

fn style<'a>(call: &Call<'_>, api_version: &'a str) -> Result<Style<'a>, Status> {
    Ok(Style { api_version, include: include(call)?, now: Timestamp::now().as_second(), definitions: true })
}

fn include(call: &Call<'_>) -> Result<Include, Status> {
    Include::from_parameter(call.query.get("includeObject")).map_err(Status::bad_request)
}

/// Writes watch frames.
pub(crate) struct Framer {
    shape: Shape,
    include: Include,
    /// No Table has been sent yet: the first one tells the columns.
    first: bool,
}

impl Framer {
    pub(crate) fn new(call: &Call<'_>) -> Result<Self, Status> {
        Ok(Self { shape: call.form.shape, include: include(call)?, first: true })
    }

    /// One frame of an object.
    pub(crate) fn object(&mut self, resource: &Resource, event: &str, body: &[u8], out: &mut BytesMut) {
        out.put_slice(b"{\"type\":\"");
        out.put_slice(event.as_bytes());
        out.put_slice(b"\",\"object\":");
        match self.shape {
            Shape::Plain => out.put_slice(body),
            _ => {
                let value = serde_json::from_slice(body).unwrap_or_default();
                out.put_slice(self.shaped(resource, &value).to_string().as_bytes());
            }
        }
        out.put_slice(b"}\n");
    }

    /// A frame that says up to where everything has been seen.
    pub(crate) fn bookmark(&mut self, resource: &Resource, revision: Revision, initial: bool) -> Bytes {
        let mut metadata = json!({"resourceVersion": revision.to_string(), "creationTimestamp": null});
        if initial {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let object = match self.shape {
            Shape::Plain => {
                json!({"kind": resource.kind.kind, "apiVersion": resource.api_version, "metadata": metadata})
            }
            Shape::Metadata(version) => {
                json!({"kind": "PartialObjectMetadata", "apiVersion": version, "metadata": metadata})
            }
            Shape::Table(version) => {
                let meta = json!({"resourceVersion": revision.to_string()});
                table::table(&[], [], meta, self.style(version, false))
            }
        };
        Bytes::from(format!("{{\"type\":\"BOOKMARK\",\"object\":{object}}}\n"))
    }

    fn shaped(&mut self, resource: &Resource, object: &Value) -> Value {
        match self.shape {
            Shape::Plain => object.clone(),
            Shape::Metadata(version) => table::partial(object, version),
            Shape::Table(version) => {
                let first = std::mem::take(&mut self.first);
                let style = self.style(version, first);
                table::table(resource.kind.columns, [object], table::metadata_of(object), style)
            }
        }
    }

    fn style<'a>(&self, api_version: &'a str, definitions: bool) -> Style<'a> {
        Style { api_version, include: self.include, now: Timestamp::now().as_second(), definitions }
    }
}
