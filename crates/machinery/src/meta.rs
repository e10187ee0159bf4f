//! Metadata of objects as JSON values: reading, names, times.
//!
//! Must not know the clock or random numbers: both are passed in.

use jiff::Timestamp;
use serde_json::{Map, Value};

/// A text field of `metadata`; empty when unset.
pub fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object.get("metadata").and_then(|m| m.get(field)).and_then(Value::as_str).unwrap_or("")
}

/// `metadata.name`; empty when unset.
pub fn name(object: &Value) -> &str {
    text(object, "name")
}

/// `metadata.namespace`; empty when unset.
pub fn namespace(object: &Value) -> &str {
    text(object, "namespace")
}

/// `metadata.uid`; empty when unset.
pub fn uid(object: &Value) -> &str {
    text(object, "uid")
}

/// `metadata.resourceVersion`; empty when unset.
pub fn resource_version(object: &Value) -> &str {
    text(object, "resourceVersion")
}

/// `metadata.generation`, 0 when unset.
pub fn generation(object: &Value) -> i64 {
    object.get("metadata").and_then(|m| m.get("generation")).and_then(Value::as_i64).unwrap_or(0)
}

/// A label's value.
pub fn label<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.get("metadata")?.get("labels")?.get(key)?.as_str()
}

/// An annotation's value.
pub fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.get("metadata")?.get("annotations")?.get(key)?.as_str()
}

/// `metadata.finalizers`.
pub fn finalizers(object: &Value) -> impl Iterator<Item = &str> {
    let list = object.get("metadata").and_then(|m| m.get("finalizers")).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str)
}

/// Deletion was asked for and waits for finalizers or a grace period.
pub fn is_deleting(object: &Value) -> bool {
    !text(object, "deletionTimestamp").is_empty()
}

/// `metadata` for writing; made if absent. An object that is not a map becomes an empty one.
pub fn metadata_mut(object: &mut Value) -> &mut Map<String, Value> {
    child_mut(map_mut(object), "metadata")
}

/// Sets a field of `metadata`.
pub fn set(object: &mut Value, field: &str, value: impl Into<Value>) {
    metadata_mut(object).insert(field.to_owned(), value.into());
}

/// Removes a field of `metadata`.
pub fn remove(object: &mut Value, field: &str) -> Option<Value> {
    object.get_mut("metadata")?.as_object_mut()?.remove(field)
}

/// The value as a map; anything else becomes an empty map first.
pub fn map_mut(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Object(map) => map,
        _ => unreachable!("made a map above"),
    }
}

/// The member `key` as a map; made if absent or not a map.
pub fn child_mut<'a>(map: &'a mut Map<String, Value>, key: &str) -> &'a mut Map<String, Value> {
    map_mut(map.entry(key).or_insert(Value::Null))
}

/// `2026-01-02T03:04:05Z`: whole seconds, as most times of the API are written.
pub fn format_time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// `2026-01-02T03:04:05.000000Z`: always six decimals (Leases, `eventTime`).
pub fn format_micro_time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

/// Letters of generated name endings: no vowels and nothing that looks like another letter.
const SUFFIX_LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// A name from `generateName`: the prefix, cut to leave room, and five letters drawn from `random`.
pub fn generated_name(prefix: &str, random: u64) -> String {
    const LONGEST_PREFIX: usize = 58;
    let mut end = prefix.len().min(LONGEST_PREFIX);
    while !prefix.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{}", &prefix[..end], name_suffix(random))
}

/// Five letters drawn from `random`, for names made by controllers (`web-7d4b9-x2x4z`).
pub fn name_suffix(random: u64) -> String {
    let base = SUFFIX_LETTERS.len() as u64;
    let letter = |i: u32| {
        let index = usize::try_from(random / base.pow(i) % base).unwrap_or(0);
        char::from(SUFFIX_LETTERS[index])
    };
    (0..5).map(letter).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn reading_and_writing() {
        let mut object = json!({"metadata": {"name": "x", "namespace": "n", "uid": "u", "resourceVersion": "5",
            "generation": 3, "labels": {"a": "b"}, "annotations": {"c": "d"}, "finalizers": ["f", 1],
            "deletionTimestamp": "2026-01-02T03:04:05Z"}});
        assert_eq!((name(&object), namespace(&object), uid(&object)), ("x", "n", "u"));
        assert_eq!((resource_version(&object), generation(&object)), ("5", 3));
        assert_eq!(
            (label(&object, "a"), label(&object, "z"), annotation(&object, "c")),
            (Some("b"), None, Some("d"))
        );
        assert_eq!(finalizers(&object).collect::<Vec<_>>(), ["f"]);
        assert!(is_deleting(&object));
        set(&mut object, "name", "y");
        assert_eq!(remove(&mut object, "uid"), Some(json!("u")));
        assert_eq!((name(&object), uid(&object)), ("y", ""));

        for odd in [json!(null), json!([1]), json!({"metadata": 5})] {
            assert_eq!((name(&odd), generation(&odd), finalizers(&odd).count()), ("", 0, 0));
            let mut odd = odd;
            assert_eq!(remove(&mut odd, "name"), None);
            set(&mut odd, "name", "z");
            assert_eq!(odd, json!({"metadata": {"name": "z"}}));
        }
    }

    #[test]
    fn times() {
        let time: Timestamp = "2026-01-02T03:04:05.678901234Z".parse().unwrap();
        assert_eq!(format_time(time), "2026-01-02T03:04:05Z");
        assert_eq!(format_micro_time(time), "2026-01-02T03:04:05.678901Z");
    }

    #[test]
    fn names() {
        assert_eq!(generated_name("web-", 0), "web-bbbbb");
        assert_eq!(generated_name(&"x".repeat(80), 1), format!("{}cbbbb", "x".repeat(58)));
        assert_eq!(generated_name(&"é".repeat(40), 0).len(), 58 + 5);
        assert_ne!(name_suffix(1), name_suffix(27));
    }

    proptest! {
        #[test]
        fn names_are_made_of_the_letters(prefix in "\\PC{0,70}", random in any::<u64>()) {
            let name = generated_name(&prefix, random);
            let suffix = &name.as_bytes()[name.len() - 5..];
            prop_assert!(suffix.iter().all(|b| SUFFIX_LETTERS.contains(b)));
            prop_assert!(prefix.starts_with(&name[..name.len() - 5]));
        }
    }
}
