//! OpenAPI documents of a few kinds, and a reader of the protobuf form.

use portway_api::schema::schema;
use serde_json::{Value, json};

use super::*;
use crate::fixture;

fn openapi() -> OpenApi {
    OpenApi::new(schema(), fixture::kinds(), "v1.36.0")
}

fn parse(document: &[u8]) -> Value {
    serde_json::from_slice(document).unwrap()
}

#[test]
fn v3_has_what_clients_look_up() {
    let document = parse(&openapi().v3("", "v1").unwrap());
    assert_eq!(document["info"], json!({"title": "Kubernetes", "version": "v1.36.0"}));
    let paths = document["paths"].as_object().unwrap();
    assert_eq!(
        paths.keys().collect::<Vec<_>>(),
        [
            "/api/v1/namespaces/{namespace}/services",
            "/api/v1/namespaces/{namespace}/services/{name}",
            "/api/v1/namespaces/{namespace}/services/{name}/proxy",
            "/api/v1/namespaces/{namespace}/services/{name}/status",
            "/api/v1/nodes",
            "/api/v1/nodes/{name}",
            "/api/v1/nodes/{name}/proxy",
            "/api/v1/nodes/{name}/status",
            "/api/v1/services",
        ]
    );
    let patch = &paths["/api/v1/namespaces/{namespace}/services/{name}"]["patch"];
    assert_eq!(
        patch["x-kubernetes-group-version-kind"],
        json!({"group": "", "version": "v1", "kind": "Service"})
    );
    assert_eq!(patch["x-kubernetes-action"], "patch");
    let names: Vec<_> = patch["parameters"].as_array().unwrap().iter().map(|p| &p["name"]).collect();
    assert_eq!(names, ["dryRun", "fieldManager", "fieldValidation", "force", "pretty"]);
    let collection = &paths["/api/v1/nodes"];
    assert_eq!(collection["delete"]["x-kubernetes-action"], "deletecollection");
    assert_eq!(collection["get"]["x-kubernetes-action"], "list");

    let schemas = &document["components"]["schemas"];
    let service = &schemas["io.k8s.api.core.v1.Service"];
    assert_eq!(
        service["x-kubernetes-group-version-kind"],
        json!([{"group": "", "version": "v1", "kind": "Service"}])
    );
    assert_eq!(
        service["properties"]["spec"]["allOf"],
        json!([{"$ref": "#/components/schemas/io.k8s.api.core.v1.ServiceSpec"}])
    );
    let ports = &schemas["io.k8s.api.core.v1.ServiceSpec"]["properties"]["ports"];
    assert_eq!(ports["type"], "array");
    assert_eq!(ports["items"]["$ref"], "#/components/schemas/io.k8s.api.core.v1.ServicePort");
    assert_eq!(ports["x-kubernetes-list-type"], "map");
    assert_eq!(ports["x-kubernetes-list-map-keys"], json!(["port", "protocol"]));
    assert_eq!(ports["x-kubernetes-patch-merge-key"], "port");
    assert_eq!(ports["x-kubernetes-patch-strategy"], "merge");
    assert_eq!(schemas["io.k8s.api.core.v1.ServicePort"]["required"], json!(["port"]));
    assert_eq!(schemas["io.k8s.apimachinery.pkg.apis.meta.v1.Time"]["format"], "date-time");
    assert!(schemas.get("io.k8s.api.apps.v1.Deployment").is_none());
    assert!(openapi().v3("apps", "v2").is_none());
}

/// Every reference of a document points to something in it.
fn check_references(document: &Value, value: &Value) {
    match value {
        Value::Object(map) => {
            if let Some(Value::String(reference)) = map.get("$ref") {
                let pointer = reference.trim_start_matches('#');
                assert!(document.pointer(pointer).is_some(), "{reference}");
            }
            map.values().for_each(|v| check_references(document, v));
        }
        Value::Array(items) => items.iter().for_each(|v| check_references(document, v)),
        _ => {}
    }
}

#[test]
fn references_are_closed() {
    let openapi = openapi();
    let all = OpenApi::new(schema(), portway_api::kinds::all().iter().copied(), "v1.36.0");
    for document in [openapi.v3("", "v1").unwrap(), openapi.v3("apps", "v1").unwrap(), all.v2()] {
        let document = parse(&document);
        check_references(&document, &document);
    }
}

#[test]
fn index_names_documents_by_hash() {
    let openapi = openapi();
    let index = openapi.v3_index();
    let address = index["paths"]["apis/apps/v1"]["serverRelativeURL"].as_str().unwrap();
    let hash = fingerprint(&openapi.v3("apps", "v1").unwrap());
    assert_eq!(address, format!("/openapi/v3/apis/apps/v1?hash={hash}"));
    assert_eq!(index["paths"].as_object().unwrap().len(), 2);
}

#[test]
fn v2_has_definitions_and_parameters() {
    let document = parse(&openapi().v2());
    assert_eq!(document["swagger"], "2.0");
    let service = &document["definitions"]["io.k8s.api.core.v1.Service"];
    assert_eq!(service["properties"]["spec"]["$ref"], "#/definitions/io.k8s.api.core.v1.ServiceSpec");
    let scale = &document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale"];
    assert_eq!(
        scale["put"]["x-kubernetes-group-version-kind"],
        json!({"group": "autoscaling", "version": "v1", "kind": "Scale"})
    );
    let put = &document["paths"]["/api/v1/nodes/{name}"]["put"]["parameters"];
    assert!(put.as_array().unwrap().iter().any(|p| p["in"] == "body"));
}

/// The fields of a protobuf message: number, and bytes of those that have a length.
fn fields(mut bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let mut found = Vec::new();
    fn varint(bytes: &mut &[u8]) -> u64 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let (first, rest) = bytes.split_first().unwrap();
            *bytes = rest;
            value |= u64::from(first & 0x7f) << shift;
            shift += 7;
            if first & 0x80 == 0 {
                return value;
            }
        }
    }
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let length = varint(&mut bytes);
        if tag & 7 == 2 {
            let (value, rest) = bytes.split_at(usize::try_from(length).unwrap());
            found.push((tag >> 3, value.to_vec()));
            bytes = rest;
        } else {
            assert_eq!(tag & 7, 0);
            found.push((tag >> 3, Vec::new()));
        }
    }
    found
}

/// The value of the entry `name` of a list of pairs in field `number`.
fn entry(message: &[u8], number: u64, name: &str) -> Vec<u8> {
    let pairs = fields(message).into_iter().filter(|(n, _)| *n == number);
    let mut values = pairs.map(|(_, pair)| fields(&pair)).filter(|pair| pair[0].1 == name.as_bytes());
    values.next().unwrap().remove(1).1
}

fn only(message: &[u8], number: u64) -> Vec<u8> {
    fields(message).into_iter().find(|(n, _)| *n == number).unwrap().1
}

#[test]
fn v2_protobuf_says_the_same() {
    let document = openapi().v2_protobuf();
    assert_eq!(only(&document, 1), b"2.0");
    let spec = entry(&only(&document, 9), 1, "io.k8s.api.core.v1.ServiceSpec");
    assert_eq!(only(&only(&spec, 22), 1), b"object");
    let ports = entry(&only(&spec, 25), 1, "ports");
    assert_eq!(only(&only(&ports, 22), 1), b"array");
    let element = only(&only(&ports, 23), 1);
    assert_eq!(only(&element, 1), b"#/definitions/io.k8s.api.core.v1.ServicePort");
    assert_eq!(only(&entry(&ports, 31, "x-kubernetes-patch-merge-key"), 2), b"\"port\"");
    let service = entry(&only(&document, 9), 1, "io.k8s.api.core.v1.Service");
    let kinds = only(&entry(&service, 31, "x-kubernetes-group-version-kind"), 2);
    assert_eq!(parse(&kinds), json!([{"group": "", "version": "v1", "kind": "Service"}]));
    let item = entry(&only(&document, 8), 2, "/api/v1/namespaces/{namespace}/services/{name}");
    let patch = only(&item, 8);
    let parameters: Vec<Vec<u8>> =
        fields(&patch).into_iter().filter(|(n, _)| *n == 8).map(|(_, v)| v).collect();
    let query: Vec<Vec<u8>> = parameters
        .iter()
        .map(|p| only(p, 1))
        .filter_map(|p| fields(&p).into_iter().find(|(n, _)| *n == 2))
        .map(|(_, p)| only(&only(&p, 3), 4))
        .collect();
    assert!(query.contains(&b"fieldValidation".to_vec()));
    assert!(query.contains(&b"dryRun".to_vec()));
}
