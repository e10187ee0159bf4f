//! JSON patch: a table after the RFC's appendix, and random edits against doing them by hand.

use proptest::prelude::*;
use serde_json::json;

use super::*;

#[test]
fn operations() {
    let check = |target: Value, patch: Value, expect: Option<Value>| {
        assert_eq!(apply(target.clone(), &patch).ok(), expect, "{target} {patch}");
    };
    let list = json!({"a": [1, 2]});
    check(json!({"a": 1}), json!([]), Some(json!({"a": 1})));
    check(json!({"a": 1}), json!([{"op": "add", "path": "/b", "value": 2}]), Some(json!({"a": 1, "b": 2})));
    check(list.clone(), json!([{"op": "add", "path": "/a/1", "value": 9}]), Some(json!({"a": [1, 9, 2]})));
    check(list.clone(), json!([{"op": "add", "path": "/a/2", "value": 9}]), Some(json!({"a": [1, 2, 9]})));
    check(list.clone(), json!([{"op": "add", "path": "/a/-", "value": 9}]), Some(json!({"a": [1, 2, 9]})));
    check(list.clone(), json!([{"op": "add", "path": "/a/3", "value": 9}]), None);
    check(list.clone(), json!([{"op": "add", "path": "/a/01", "value": 9}]), None);
    check(list.clone(), json!([{"op": "add", "path": "/a/x", "value": 9}]), None);
    check(list.clone(), json!([{"op": "add", "path": "/b/c", "value": 9}]), None);
    check(list.clone(), json!([{"op": "add", "path": "b", "value": 9}]), None);
    check(list.clone(), json!([{"op": "add", "path": "/b"}]), None);
    check(list.clone(), json!([{"op": "add", "path": "", "value": {"z": 1}}]), Some(json!({"z": 1})));
    check(list.clone(), json!([{"op": "replace", "path": "", "value": [1]}]), None);
    check(list.clone(), json!([{"op": "remove", "path": "/a/0"}]), Some(json!({"a": [2]})));
    check(list.clone(), json!([{"op": "remove", "path": "/a"}]), Some(json!({})));
    check(list.clone(), json!([{"op": "remove", "path": "/b"}]), None);
    check(list.clone(), json!([{"op": "remove", "path": "/a/-"}]), None);
    check(list.clone(), json!([{"op": "remove", "path": ""}]), None);
    check(
        list.clone(),
        json!([{"op": "replace", "path": "/a/0", "value": "x"}]),
        Some(json!({"a": ["x", 2]})),
    );
    check(list.clone(), json!([{"op": "replace", "path": "/b", "value": "x"}]), None);
    check(
        json!({"a": {"b": 1}, "c": {}}),
        json!([{"op": "move", "from": "/a/b", "path": "/c/d"}]),
        Some(json!({"a": {}, "c": {"d": 1}})),
    );
    check(list.clone(), json!([{"op": "move", "from": "/a/0", "path": "/a/1"}]), Some(json!({"a": [2, 1]})));
    check(list.clone(), json!([{"op": "move", "from": "/a", "path": "/a/0"}]), None);
    check(list.clone(), json!([{"op": "move", "from": "/a", "path": "/a"}]), Some(list.clone()));
    check(
        list.clone(),
        json!([{"op": "copy", "from": "/a", "path": "/b"}]),
        Some(json!({"a": [1, 2], "b": [1, 2]})),
    );
    check(list.clone(), json!([{"op": "copy", "from": "/x", "path": "/b"}]), None);
    check(json!({"x/y": {"~": 1}}), json!([{"op": "remove", "path": "/x~1y/~0"}]), Some(json!({"x/y": {}})));
    check(json!({"~1": 1}), json!([{"op": "remove", "path": "/~01"}]), Some(json!({})));
    check(list.clone(), json!([{"op": "test", "path": "/a", "value": [1.0, 2]}]), Some(list.clone()));
    check(list.clone(), json!([{"op": "test", "path": "/a/0", "value": "1"}]), None);
    check(list.clone(), json!([{"op": "test", "path": "/b", "value": null}]), Some(list.clone()));
    check(list.clone(), json!([{"op": "frob", "path": "/a"}]), None);
    check(list.clone(), json!([{"path": "/a"}]), None);
    check(list.clone(), json!([{"op": "remove"}]), None);
    check(list, json!([{"op": "remove", "path": "/a/0"}, {"op": "test", "path": "/a", "value": []}]), None);
}

#[test]
fn limits() {
    let malformed = |patch: Value| matches!(apply(json!({}), &patch), Err(PatchError::Malformed(_)));
    assert!(malformed(json!({"op": "remove"})));
    assert!(malformed(json!(null)));
    assert!(malformed(json!([1])));

    let many = vec![json!({"op": "add", "path": "/a", "value": 1}); MAX_OPERATIONS + 1];
    assert!(matches!(apply(json!({}), &Value::from(many)), Err(PatchError::TooLarge(_))));

    // Copies that double each time stop at the limit of bytes.
    let doubling = vec![json!({"op": "copy", "from": "/a", "path": "/a/-"}); 60];
    let start = json!({"a": ["x".repeat(1000)]});
    assert!(apply(start, &Value::from(doubling)).is_err());

    // Nesting grows by one with each operation, to the limit of depth.
    let nest = |count: usize| -> Value {
        let wrap = json!([{"op": "move", "from": "/a", "path": "/b"}, {"op": "add", "path": "/a", "value": {}},
            {"op": "move", "from": "/b", "path": "/a/a"}]);
        (0..count).flat_map(|_| wrap.as_array().cloned().unwrap()).collect()
    };
    assert!(apply(json!({"a": 1}), &nest(MAX_DEPTH - 2)).is_ok());
    assert!(apply(json!({"a": 1}), &nest(MAX_DEPTH + 2)).is_err());
}

/// A random edit of a list, as an operation and by hand.
fn edit() -> impl Strategy<Value = (u8, usize, usize, u8)> {
    (0..5u8, 0..6usize, 0..6usize, any::<u8>())
}

proptest! {
    #[test]
    fn edits_of_a_list(start in prop::collection::vec(any::<u8>(), 0..5), edits in prop::collection::vec(edit(), 0..8)) {
        let mut model = start.clone();
        let mut patch = Vec::new();
        let mut fits = true;
        for (kind, i, j, value) in edits {
            let at = format!("/list/{i}");
            match kind {
                0 => {
                    patch.push(json!({"op": "add", "path": at, "value": value}));
                    if i <= model.len() { model.insert(i, value) } else { fits = false }
                }
                1 => {
                    patch.push(json!({"op": "remove", "path": at}));
                    if i < model.len() { model.remove(i); } else { fits = false }
                }
                2 => {
                    patch.push(json!({"op": "replace", "path": at, "value": value}));
                    if i < model.len() { model[i] = value } else { fits = false }
                }
                3 => {
                    patch.push(json!({"op": "move", "from": at, "path": format!("/list/{j}")}));
                    if i < model.len() && j < model.len() {
                        let moved = model.remove(i);
                        model.insert(j, moved);
                    } else { fits = false }
                }
                _ => {
                    patch.push(json!({"op": "copy", "from": at, "path": format!("/list/{j}")}));
                    if i < model.len() && j <= model.len() { model.insert(j, model[i]) } else { fits = false }
                }
            }
            if !fits { break }
        }
        let got = apply(json!({"list": start}), &Value::from(patch)).ok();
        prop_assert_eq!(got, fits.then(|| json!({"list": model})));
    }

    #[test]
    fn arbitrary_operations_never_panic(
        ops in prop::collection::vec(("add|remove|replace|move|copy|test|x", "(/[ab0-9~-]{0,2}){0,4}", "(/[ab01-]){0,3}", 0..3u8), 0..8)
    ) {
        let patch: Value = ops.into_iter().map(|(op, path, from, value)| {
            let value = [json!({"a": [1]}), json!([{"b": 2}]), json!(1)][usize::from(value)].clone();
            json!({"op": op, "path": path, "from": from, "value": value})
        }).collect();
        let _ = apply(json!({"a": {"b": [1, {"a": 2}]}, "b": [[]]}), &patch);
    }
}
