//! POST to a collection, and whatever else makes a new object.

use portway_api::schema::schema;
use portway_machinery::apply::{self, Writer};
use portway_machinery::decode::{self, Expected, Format};
use portway_machinery::meta;
use portway_machinery::protobuf;
use portway_machinery::status::Status;
use portway_store::Txn;
use serde_json::Value;

use crate::answer::Answer;
use crate::call::Call;
use crate::codec;
use crate::media;
use crate::options::WriteOptions;
use crate::server::now_text;
use crate::shape;

/// Names tried for `generateName`.
const ATTEMPTS: usize = 8;
/// Largest object, encoded.
const MAX_OBJECT: usize = 3 << 19;

pub(crate) async fn run(call: &Call<'_>) -> Result<Answer, Status> {
    let options = WriteOptions::parse(call.query, "CreateOptions")?;
    let object = body(call, &options)?;
    let created = insert(call, object, &options).await?;
    shape::value(call, 201, &created)
}

/// The body as an object of the call's kind; unknown fields become warnings or the error they are to be.
pub(crate) fn body(call: &Call<'_>, options: &WriteOptions) -> Result<Value, Status> {
    let expected = Expected::of(call.resource.kind);
    let decoded = decode_body(&call.content_type(), &call.body, &expected)?;
    let (value, warnings) = options.validation.settle(decoded, &expected)?;
    for warning in warnings {
        call.warn(warning);
    }
    Ok(value)
}

/// Decodes a POST or PUT body of any accepted media type.
pub(crate) fn decode_body(
    media: &str,
    body: &[u8],
    expected: &Expected<'_>,
) -> Result<decode::Decoded, Status> {
    match media {
        media::JSON => decode::object(body, Format::Json, expected, schema()),
        media::YAML => decode::object(body, Format::Yaml, expected, schema()),
        media::PROTOBUF => protobuf::object(body, expected, schema()),
        _ => Err(Status::unsupported_media_type(&media::BODIES)),
    }
}

/// Makes the object: everything from the namespace check to the write. Answers it as stored.
pub(crate) async fn insert(call: &Call<'_>, object: Value, options: &WriteOptions) -> Result<Value, Status> {
    insert_as(call, object, options, false).await
}

/// The same; an `applied` object already says whom its fields belong to.
pub(crate) async fn insert_as(
    call: &Call<'_>,
    mut object: Value,
    options: &WriteOptions,
    applied: bool,
) -> Result<Value, Status> {
    let (server, resource, kind) = (call.server, call.resource, call.resource.kind);
    server.fresh().await?;
    place(call, &mut object)?;
    if !meta::resource_version(&object).is_empty() {
        return Err(Status::bare("resourceVersion should not be set on objects to be created"));
    }
    meta::remove(&mut object, "resourceVersion");
    admit(call, &object)?;
    kind.default(&mut object);
    if !applied {
        meta::remove(&mut object, "managedFields");
        let now = now_text();
        let writer = Writer { manager: call.field_manager(options), subresource: "", now: &now };
        apply::track_update(schema(), kind, None, &mut object, &writer);
    }
    if kind.kind == "Ingress" {
        fill_ingress_class(call, &mut object);
    }
    kind.prepare_create(&mut object);
    meta::set(&mut object, "uid", uuid::Uuid::new_v4().to_string());
    meta::set(&mut object, "creationTimestamp", now_text());

    let prefix = meta::text(&object, "generateName").to_owned();
    let generated = meta::name(&object).is_empty() && !prefix.is_empty();
    for _ in 0..ATTEMPTS {
        if generated {
            meta::set(&mut object, "name", meta::generated_name(&prefix, fastrand::u64(..)));
        }
        let mut object = object.clone();
        kind.strategy.named(&mut object);
        let grant = server.ledger.create(server, resource, &mut object, options.dry_run)?;
        let errors = kind.strategy.validate(&object);
        if !errors.is_empty() {
            return Err(Status::invalid(call.subject(meta::name(&object)), &errors));
        }
        server.ledger.settle(resource, &mut object);
        let warnings = kind.strategy.warnings(&object, None);
        let key = resource.key(meta::namespace(&object), meta::name(&object));
        if server.cache.contains(resource, &key) {
            if generated {
                continue;
            }
            return Err(Status::already_exists(call.subject(meta::name(&object))));
        }
        warnings.into_iter().for_each(|text| call.warn(text));
        if options.dry_run {
            return Ok(object);
        }
        let value = encoded(call, &object)?;
        let Some(revision) = server.commit(Txn::create(key, value), grant).await? else {
            // Lost a race for the name, or for an address that another writer took meanwhile.
            server.fresh().await?;
            continue;
        };
        meta::set(&mut object, "resourceVersion", revision.to_string());
        return Ok(object);
    }
    let name = meta::name(&object);
    Err(if generated {
        Status::no_unique_name(call.subject(name))
    } else {
        Status::already_exists(call.subject(name))
    })
}

/// The stored form, if it is not too large.
pub(crate) fn encoded(call: &Call<'_>, object: &Value) -> Result<bytes::Bytes, Status> {
    let bytes = codec::encode(call.resource, object);
    if bytes.len() > MAX_OBJECT { Err(Status::too_large(MAX_OBJECT)) } else { Ok(bytes) }
}

/// Gives the object the namespace of the path, or refuses the one it has.
pub(crate) fn place(call: &Call<'_>, object: &mut Value) -> Result<(), Status> {
    let wanted = if call.resource.kind.namespaced { call.target.namespace.as_str() } else { "" };
    let given = meta::namespace(object);
    if given.is_empty() {
        if !wanted.is_empty() {
            meta::set(object, "namespace", wanted);
        }
    } else if call.resource.kind.namespaced && given != wanted {
        return Err(Status::bad_request(format!(
            "the namespace of the provided object does not match the namespace sent on the request: \
             {given:?} is not {wanted:?}"
        )));
    }
    Ok(())
}

/// New content needs a namespace that exists and is not going away.
fn admit(call: &Call<'_>, object: &Value) -> Result<(), Status> {
    let namespace = &call.target.namespace;
    if !call.resource.kind.namespaced {
        return Ok(());
    }
    let Some(namespaces) = call.server.resources.find("", "namespaces") else { return Ok(()) };
    let Some(found) = call.server.cache.get(namespaces, &namespaces.key("", namespace)) else {
        return Err(Status::namespace_not_found(namespace));
    };
    if meta::is_deleting(&found.value()) {
        return Err(Status::namespace_terminating(call.subject(meta::name(object)), namespace));
    }
    Ok(())
}

/// Admission of an Ingress that names no class: it gets the cluster's default one.
fn fill_ingress_class(call: &Call<'_>, ingress: &mut Value) {
    let Some(classes) = call.server.resources.find("networking.k8s.io", "ingressclasses") else { return };
    let objects = call.server.cache.snapshot(classes, &classes.prefix).objects;
    let classes: Vec<Value> = objects.iter().map(|class| class.value()).collect();
    portway_api::kinds::ingress::fill_default_class(ingress, &classes);
}
