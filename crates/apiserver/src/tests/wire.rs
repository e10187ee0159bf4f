//! Codes, reasons, headers and forms of answers.

use serde_json::json;

use super::lab::{Lab, config_map};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

#[tokio::test]
async fn errors() {
    let lab = Lab::new().await;
    let check = async |line: &str, headers: &[(&str, &str)], body: &str, code: u16, reason: &str| {
        let reply = lab.raw(line, headers, body.to_owned()).await;
        let status = reply.json();
        assert_eq!(
            (reply.code, status["reason"].as_str().unwrap_or_default()),
            (code, reason),
            "{line}: {status}"
        );
        if code >= 400 && !reason.is_empty() {
            assert_eq!((&status["kind"], &status["code"]), (&json!("Status"), &json!(code)), "{line}");
        }
    };
    let post = format!("POST {MAPS}");
    check("GET /nowhere", &[], "", 404, "").await;
    check("GET /apis/none.example.com/v1/things", &[], "", 404, "").await;
    check("GET /apis/apps/v1/things", &[], "", 404, "NotFound").await;
    check("GET /apis/apps/v9/deployments", &[], "", 404, "NotFound").await;
    check("GET /apis/apps/v9", &[], "", 404, "NotFound").await;
    check(&format!("GET {MAPS}/none"), &[], "", 404, "NotFound").await;
    check(&format!("GET {MAPS}/none/nothing"), &[], "", 404, "NotFound").await;
    check(&format!("PUT {MAPS}"), &[], "{}", 405, "MethodNotAllowed").await;
    check("OPTIONS /api/v1/pods", &[], "", 405, "MethodNotAllowed").await;
    check("POST /api/v1/configmaps", &[], "{}", 405, "MethodNotAllowed").await;
    check("DELETE /api/v1/namespaces", &[], "", 405, "MethodNotAllowed").await;
    check(&post, &[], "", 400, "BadRequest").await;
    check(&post, &[], "{", 400, "BadRequest").await;
    check(&post, &[], r#"{"kind":"Pod"}"#, 400, "BadRequest").await;
    check(&post, &[], r#"{"metadata":{"namespace":"other","name":"a"}}"#, 400, "BadRequest").await;
    check(&post, &[], "{}", 422, "Invalid").await;
    check(&post, &[], r#"{"metadata":{"name":"A"}}"#, 422, "Invalid").await;
    check(&post, &[("content-type", "text/html")], "{}", 415, "UnsupportedMediaType").await;
    check(&format!("GET {MAPS}"), &[("accept", "text/html")], "", 406, "NotAcceptable").await;
    check(&format!("{post}?dryRun=Some"), &[], r#"{"metadata":{"name":"a"}}"#, 422, "Invalid").await;
    check(&format!("{post}?fieldValidation=Hard"), &[], r#"{"metadata":{"name":"a"}}"#, 422, "Invalid").await;
    check(&format!("GET {MAPS}?labelSelector=a=b=c"), &[], "", 400, "BadRequest").await;
    check(&format!("GET {MAPS}?fieldSelector=spec.x=1"), &[], "", 400, "BadRequest").await;
    check(&format!("GET {MAPS}?limit=x"), &[], "", 400, "BadRequest").await;
    check(&format!("GET {MAPS}?continue=x"), &[], "", 400, "BadRequest").await;
    check(&format!("GET {MAPS}?resourceVersion=x"), &[], "", 400, "BadRequest").await;
    check(&format!("GET {MAPS}?resourceVersionMatch=Exact"), &[], "", 422, "Invalid").await;
    check(&format!("GET {MAPS}?watch&sendInitialEvents=true"), &[], "", 422, "Invalid").await;
    let gone = "POST /api/v1/namespaces/gone/configmaps";
    check(gone, &[], r#"{"metadata":{"name":"a"}}"#, 404, "NotFound").await;
    check("DELETE /api/v1/namespaces/default", &[], "", 403, "Forbidden").await;
    let apply = [("content-type", "application/apply-patch+yaml")];
    let code = lab.raw(&format!("PATCH {MAPS}/a?fieldManager=m"), &apply, "{}").await.code;
    assert!((400..500).contains(&code));
    assert_eq!(lab.get(MAPS).await["items"], json!([]));
}

#[tokio::test]
async fn headers_every_answer_has() {
    let lab = Lab::new().await;
    let reply = lab.raw(&format!("GET {MAPS}"), &[], "").await;
    assert_eq!(reply.headers["cache-control"], "no-cache, private");
    assert_eq!(reply.headers["content-type"], "application/json");
    assert_eq!(reply.headers["audit-id"].len(), 36);
    let reply = lab.raw("GET /nowhere", &[("audit-id", "mine")], "").await;
    assert_eq!(reply.headers["audit-id"], "mine");
    assert_eq!(lab.raw(&format!("HEAD {MAPS}"), &[], "").await.bytes.len(), 0);
}

#[tokio::test]
async fn warnings_tell_unknown_fields() {
    let lab = Lab::new().await;
    let body = r#"{"metadata":{"name":"a"},"zork":1,"data":{},"data":{}}"#;
    let reply = lab.raw(&format!("POST {MAPS}"), &[], body).await;
    assert_eq!((reply.code, reply.warnings().len()), (201, 2), "{:?}", reply.warnings());
    assert!(reply.warnings().contains(&r#"299 - "unknown field \"zork\"""#), "{:?}", reply.warnings());
    let reply = lab.raw("GET /api/v1/endpoints", &[], "").await;
    assert!(reply.warnings()[0].contains("v1 Endpoints is deprecated"), "{:?}", reply.warnings());
}

#[tokio::test]
async fn forms() {
    let lab = Lab::new().await;
    lab.send(&format!("POST {MAPS}"), &config_map("a", json!({"k": "v"}))).await;
    let as_form =
        async |path: &str, accept: &str| lab.raw(&format!("GET {path}"), &[("accept", accept)], "").await;
    let table = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
    let found = as_form(MAPS, table).await.json();
    assert_eq!((&found["kind"], &found["rows"][0]["cells"][0]), (&json!("Table"), &json!("a")), "{found}");
    assert_eq!(found["rows"][0]["object"]["kind"], "PartialObjectMetadata");
    let found = as_form(&format!("{MAPS}/a?includeObject=Object"), table).await.json();
    assert_eq!(found["rows"][0]["object"]["data"]["k"], "v", "{found}");
    assert_eq!(as_form(&format!("{MAPS}/a?includeObject=x"), table).await.code, 400);
    let partial = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";
    let found = as_form(MAPS, partial).await.json();
    assert_eq!(found["items"][0]["kind"], "PartialObjectMetadata", "{found}");
    let yaml = as_form(&format!("{MAPS}/a"), "application/yaml").await;
    assert!(yaml.text().contains("kind: ConfigMap"), "{}", yaml.text());
    assert_eq!(yaml.headers["content-type"], "application/yaml");
}

#[tokio::test]
async fn yaml_bodies() {
    let lab = Lab::new().await;
    let headers = [("content-type", "application/yaml")];
    let reply = lab.raw(&format!("POST {MAPS}"), &headers, "metadata:\n  name: yam\ndata:\n  a: b\n").await;
    assert_eq!((reply.code, &reply.json()["data"]["a"]), (201, &json!("b")));
}

#[tokio::test]
async fn big_answers_are_compressed_when_that_is_accepted() {
    let lab = Lab::new().await;
    let big = config_map("big", json!({"k": "x".repeat(200_000)}));
    lab.send(&format!("POST {MAPS}"), &big).await;
    let reply = lab.raw(&format!("GET {MAPS}"), &[("accept-encoding", "gzip, br")], "").await;
    assert_eq!(reply.headers["content-encoding"], "gzip");
    assert!(reply.bytes.len() < 10_000);
    let reply = lab.raw(&format!("GET {MAPS}"), &[], "").await;
    assert!(reply.bytes.len() > 200_000 && !reply.headers.contains_key("content-encoding"));
}

#[tokio::test]
async fn only_masters_may_touch_objects() {
    use tower_service::Service;
    let lab = Lab::new().await;
    let ann = crate::Identity::new("ann", ["dev"]);
    let ask = async |path: &str| {
        let request = http::Request::builder().uri(path).body(http_body_util::Full::default()).unwrap();
        lab.server.service(ann.clone()).call(request).await.unwrap().status().as_u16()
    };
    assert_eq!(ask("/api/v1/pods").await, 403);
    assert_eq!(ask("/healthz").await, 200);
    assert_eq!(ask("/api/v1").await, 200);
    assert_eq!(ask("/metrics").await, 403);
}
