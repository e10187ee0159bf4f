//! Tables of a made-up kind.

use super::*;

const COLUMNS: &[Column] = &[
    Column {
        name: "Name",
        ty: "string",
        format: "name",
        priority: 0,
        description: "d",
        cell: |object, _| Value::from(crate::meta::name(object)),
    },
    Column {
        name: "Now",
        ty: "string",
        format: "",
        priority: 1,
        description: "",
        cell: |_, now| Value::from(format!("{now}s")),
    },
];

fn style(include: Include, definitions: bool) -> Style<'static> {
    Style { api_version: "meta.k8s.io/v1", include, now: 7, definitions }
}

#[test]
fn tables() {
    let object = json!({"kind": "X", "metadata": {"name": "a", "resourceVersion": "5"}, "spec": {}});
    let check = |include: Include, expect: Value| {
        let table = table(COLUMNS, [&object], metadata_of(&object), style(include, true));
        assert_eq!(
            table,
            json!({
                "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {"resourceVersion": "5"},
                "columnDefinitions": [
                    {"name": "Name", "type": "string", "format": "name", "description": "d", "priority": 0},
                    {"name": "Now", "type": "string", "format": "", "description": "", "priority": 1},
                ],
                "rows": [{"cells": ["a", "7s"], "object": expect}],
            })
        );
    };
    check(Include::None, Value::Null);
    check(Include::Object, object.clone());
    check(
        Include::Metadata,
        json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]}),
    );

    let empty = table(COLUMNS, [], json!({}), style(Include::None, false));
    assert_eq!((&empty["columnDefinitions"], &empty["rows"]), (&json!([]), &json!([])));
    let plain = table(&[], [&object, &json!(null)], json!({}), style(Include::None, true));
    assert_eq!(plain["rows"][0]["cells"], json!(["a", ""]));
    assert_eq!(plain["columnDefinitions"][1]["name"], "Created At");
}

#[test]
fn metadata_alone() {
    let list = partial_list(
        [&json!({"metadata": {"name": "a"}}), &json!({})],
        json!({"resourceVersion": "3"}),
        "meta.k8s.io/v1",
    );
    let item = |metadata: Value| json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata});
    assert_eq!(
        list,
        json!({
            "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": {"resourceVersion": "3"},
            "items": [item(json!({"name": "a"})), item(json!({}))],
        })
    );
}

#[test]
fn include_parameter() {
    assert_eq!(Include::from_parameter(None), Ok(Include::Metadata));
    assert_eq!(Include::from_parameter(Some("None")), Ok(Include::None));
    assert_eq!(Include::from_parameter(Some("Object")), Ok(Include::Object));
    assert!(Include::from_parameter(Some("object")).is_err());
}
