//! Status bodies as clients read them.

use portway_api::field::FieldError;
use serde_json::{Value, json};

use super::*;

const SERVICE: Subject<'_> = Subject { group: "", resource: "services", kind: "Service", name: "x" };
const INGRESS: Subject<'_> =
    Subject { group: "networking.k8s.io", resource: "ingresses", kind: "Ingress", name: "x" };

fn check(status: &Status, expect: Value) {
    let mut expect = expect;
    expect["kind"] = json!("Status");
    expect["apiVersion"] = json!("v1");
    if expect.get("metadata").is_none() {
        expect["metadata"] = json!({});
    }
    expect["status"] = json!(if status.is_success() { "Success" } else { "Failure" });
    assert_eq!(status.to_value(), expect);
}

#[test]
fn names_and_conflicts() {
    let details = json!({"name": "x", "kind": "services"});
    check(
        &Status::not_found(SERVICE),
        json!({"message": "services \"x\" not found", "reason": "NotFound", "details": details, "code": 404}),
    );
    check(
        &Status::not_found(INGRESS),
        json!({"message": "ingresses.networking.k8s.io \"x\" not found", "reason": "NotFound",
            "details": {"name": "x", "group": "networking.k8s.io", "kind": "ingresses"}, "code": 404}),
    );
    check(
        &Status::no_such_path(),
        json!({"message": "the server could not find the requested resource", "reason": "NotFound",
            "details": {}, "code": 404}),
    );
    check(
        &Status::no_unique_name(SERVICE),
        json!({"message": "services \"x\" already exists, the server was not able to generate a unique name for the object",
            "reason": "AlreadyExists", "details": details, "code": 409}),
    );
    check(
        &Status::modified(SERVICE),
        json!({"message": "Operation cannot be fulfilled on services \"x\": the object has been modified; please apply your changes to the latest version and try again",
            "reason": "Conflict", "details": details, "code": 409}),
    );
    check(
        &Status::precondition_failed(SERVICE, "UID", "a", "b"),
        json!({"message": "Operation cannot be fulfilled on Service \"x\": the UID in the precondition (a) does not match the UID in record (b). The object might have been deleted and then recreated",
            "reason": "Conflict", "details": {"name": "x", "kind": "Service"}, "code": 409}),
    );
    check(&Status::success(SERVICE, "u"), json!({"details": {"name": "x", "kind": "services", "uid": "u"}}));
}

#[test]
fn validation_errors() {
    let port = FieldError::invalid("spec.ports[0].port", 0, "must be between 1 and 65535, inclusive");
    let name = FieldError::required("metadata.name", "");
    let cause = json!({"reason": "FieldValueInvalid", "field": "spec.ports[0].port",
        "message": "Invalid value: 0: must be between 1 and 65535, inclusive"});
    check(
        &Status::invalid(SERVICE, std::slice::from_ref(&port)),
        json!({"message": "Service \"x\" is invalid: spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
            "reason": "Invalid", "details": {"name": "x", "kind": "Service", "causes": [cause]}, "code": 422}),
    );
    check(
        &Status::invalid(INGRESS, &[port.clone(), port, name]),
        json!({"message": "Ingress.networking.k8s.io \"x\" is invalid: [spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive, metadata.name: Required value]",
            "reason": "Invalid", "code": 422,
            "details": {"name": "x", "group": "networking.k8s.io", "kind": "Ingress", "causes": [cause, cause,
                {"reason": "FieldValueRequired", "field": "metadata.name", "message": "Required value"}]}}),
    );
    check(
        &Status::invalid_options("CreateOptions", &[FieldError::not_supported("dryRun", "x", &["All"])]),
        json!({"message": "CreateOptions.meta.k8s.io \"\" is invalid: dryRun: Unsupported value: \"x\": supported values: \"All\"",
            "reason": "Invalid", "code": 422,
            "details": {"group": "meta.k8s.io", "kind": "CreateOptions", "causes": [{"reason": "FieldValueNotSupported",
                "message": "Unsupported value: \"x\": supported values: \"All\"", "field": "dryRun"}]}}),
    );
}

#[test]
fn refusals() {
    let check_text = |status: Status, code: u16, reason: &str, message: &str| {
        assert_eq!((status.code, status.reason, status.message.as_str()), (code, reason, message));
    };
    let plural = Subject { name: "", ..SERVICE };
    check_text(Status::forbidden(SERVICE, "no"), 403, "Forbidden", "services \"x\" is forbidden: no");
    check_text(Status::forbidden(plural, "no"), 403, "Forbidden", "services is forbidden: no");
    check_text(
        Status::namespace_terminating(SERVICE, "n"),
        403,
        "Forbidden",
        "services \"x\" is forbidden: unable to create new content in namespace n because it is being terminated",
    );
    check_text(Status::too_large(3), 413, "RequestEntityTooLarge", "Request entity too large: limit is 3");
    check_text(
        Status::not_acceptable(&["application/json", "application/yaml"]),
        406,
        "NotAcceptable",
        "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml",
    );
    check_text(Status::bare("boo"), 500, "", "boo");
    check(
        &Status::version_too_large(9, 5),
        json!({"message": "Timeout: Too large resource version: 9, current: 5", "reason": "Timeout", "code": 504,
            "details": {"retryAfterSeconds": 1,
                "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]}}),
    );
    check(
        &Status::internal("boo"),
        json!({"message": "Internal error occurred: boo", "reason": "InternalError", "code": 500,
            "details": {"causes": [{"message": "boo"}]}}),
    );
    check(
        &Status::expired("old", Some("token".to_owned())),
        json!({"message": "old", "reason": "Expired", "code": 410, "metadata": {"continue": "token"}}),
    );
    assert_eq!(Status::too_many_requests(1).retry_after(), Some(1));
}
