//! Questions a client asks about itself: who am I, what may I do. Nothing is stored.

use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_TYPE};
use portway_api::field::FieldError;
use portway_api::kinds::{Kind, Strategy};
use portway_machinery::decode::Expected;
use portway_machinery::status::Status;
use serde_json::{Value, json};

use crate::answer::{self, Answer};
use crate::authn::Identity;
use crate::authz::{Attributes, Decision};
use crate::media;
use crate::path::{Target, Verb};
use crate::server::{ApiServer, now_text};
use crate::verbs::create;

/// The kinds answered here, for discovery.
pub(crate) static KINDS: [Kind; 2] = [
    virtual_kind(
        "authentication.k8s.io",
        "SelfSubjectReview",
        "selfsubjectreviews",
        "selfsubjectreview",
        "io.k8s.api.authentication.v1.SelfSubjectReview",
    ),
    virtual_kind(
        "authorization.k8s.io",
        "SelfSubjectAccessReview",
        "selfsubjectaccessreviews",
        "selfsubjectaccessreview",
        "io.k8s.api.authorization.v1.SelfSubjectAccessReview",
    ),
];

const fn virtual_kind(
    group: &'static str,
    kind: &'static str,
    plural: &'static str,
    singular: &'static str,
    schema: &'static str,
) -> Kind {
    Kind {
        group,
        version: "v1",
        kind,
        plural,
        singular,
        short_names: &[],
        categories: &[],
        namespaced: false,
        schema,
        storage_prefix: "",
        verbs: &["create"],
        subresources: &[],
        create_on_update: false,
        unconditional_update: false,
        delete_returns_object: false,
        deprecation: None,
        field_selectors: &[],
        columns: &[],
        strategy: &Unstored,
    }
}

/// Nothing to keep, nothing to check.
struct Unstored;

impl Strategy for Unstored {
    fn validate(&self, _object: &Value) -> Vec<FieldError> {
        Vec::new()
    }

    fn validate_update(&self, _new: &Value, _old: &Value) -> Vec<FieldError> {
        Vec::new()
    }
}

/// The answer, if the request is such a question.
pub(crate) fn answer(
    server: &ApiServer,
    who: &Identity,
    target: &Target,
    verb: Verb,
    headers: &HeaderMap,
    body: &[u8],
) -> Option<Result<Answer, Status>> {
    let (kind, message) = match (target.group.as_str(), target.resource.as_str(), target.version.as_str()) {
        ("authorization.k8s.io", "selfsubjectaccessreviews", "v1") => {
            ("SelfSubjectAccessReview", "io.k8s.api.authorization.v1.SelfSubjectAccessReview")
        }
        ("authentication.k8s.io", "selfsubjectreviews", "v1") => {
            ("SelfSubjectReview", "io.k8s.api.authentication.v1.SelfSubjectReview")
        }
        _ => return None,
    };
    if verb != Verb::Create || !target.namespace.is_empty() || !target.name.is_empty() {
        return Some(Err(Status::method_not_allowed()));
    }
    let expected = Expected { group: &target.group, version: "v1", kind, message };
    Some(review(server, who, &expected, headers, body))
}

fn review(
    server: &ApiServer,
    who: &Identity,
    expected: &Expected<'_>,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Answer, Status> {
    let header = |name| headers.get(name).and_then(|v| v.to_str().ok());
    let form = media::negotiate(header(ACCEPT)).ok_or_else(|| Status::not_acceptable(&media::AVAILABLE))?;
    let mut object = create::decode_body(&media::content_type(header(CONTENT_TYPE)), body, expected)?.value;
    let status = if expected.kind == "SelfSubjectReview" {
        json!({"userInfo": user_info(who)})
    } else {
        access(server, who, object.get("spec"))?
    };
    object["metadata"] = json!({"creationTimestamp": now_text()});
    object["status"] = status;
    Ok(answer::value(201, form, &object))
}

fn user_info(who: &Identity) -> Value {
    let mut info = json!({"username": who.user, "groups": who.groups});
    if !who.uid.is_empty() {
        info["uid"] = who.uid.as_str().into();
    }
    info
}

fn access(server: &ApiServer, who: &Identity, spec: Option<&Value>) -> Result<Value, Status> {
    let part = |name: &str| spec.and_then(|s| s.get(name)).filter(|p| p.is_object());
    let attributes = match (part("resourceAttributes"), part("nonResourceAttributes")) {
        (Some(resource), None) => Attributes::Resource {
            verb: text(resource, "verb"),
            group: text(resource, "group"),
            resource: text(resource, "resource"),
            subresource: text(resource, "subresource"),
            namespace: text(resource, "namespace"),
            name: text(resource, "name"),
        },
        (None, Some(other)) => Attributes::Path { verb: text(other, "verb"), path: text(other, "path") },
        _ => {
            return Err(Status::bad_request(
                "exactly one of spec.resourceAttributes and spec.nonResourceAttributes must be specified",
            ));
        }
    };
    Ok(match server.config.authorizer.authorize(who, &attributes) {
        Decision::Allow => json!({"allowed": true}),
        Decision::Deny(why) if why.is_empty() => json!({"allowed": false}),
        Decision::Deny(why) => json!({"allowed": false, "reason": why}),
    })
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}
