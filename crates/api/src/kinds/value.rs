//! Reading and writing JSON values by dotted path. Total: a missing part, a `null` or a value of another type
//! reads as the zero value, and writing never fails (a part that is no object is replaced).
//!
//! Paths are the program's own (`spec.ports`); keys a client chose (labels, annotations) are read with
//! [`Read::entry`].

use serde_json::{Map, Value};

static NOTHING: &[Value] = &[];

/// Reading.
pub trait Read {
    /// The value at a path; `null` counts as absent.
    fn at(&self, path: &str) -> Option<&Value>;
    /// One key of the map at a path.
    fn entry(&self, path: &str, key: &str) -> Option<&Value>;

    /// A text, or `""`.
    fn text(&self, path: &str) -> &str {
        self.at(path).and_then(Value::as_str).unwrap_or_default()
    }
    /// An integer, or 0.
    fn int(&self, path: &str) -> i64 {
        self.at(path).and_then(Value::as_i64).unwrap_or_default()
    }
    /// A flag, or `false`.
    fn flag(&self, path: &str) -> bool {
        self.at(path).and_then(Value::as_bool).unwrap_or_default()
    }
    /// A list, or an empty one.
    fn list(&self, path: &str) -> &[Value] {
        self.at(path).and_then(Value::as_array).map_or(NOTHING, Vec::as_slice)
    }
    /// The texts of a list; other elements read as `""`.
    fn texts(&self, path: &str) -> Vec<&str> {
        self.list(path).iter().map(|v| v.as_str().unwrap_or_default()).collect()
    }
    /// The entries of a map with text values, by key; other values read as `""`.
    fn pairs(&self, path: &str) -> Vec<(&str, &str)> {
        let Some(map) = self.at(path).and_then(Value::as_object) else { return Vec::new() };
        let mut pairs: Vec<_> =
            map.iter().map(|(k, v)| (k.as_str(), v.as_str().unwrap_or_default())).collect();
        pairs.sort_unstable();
        pairs
    }
    /// Something other than `null` stands there.
    fn has(&self, path: &str) -> bool {
        self.at(path).is_some()
    }
    /// An annotation.
    fn annotation(&self, key: &str) -> Option<&str> {
        self.entry("metadata.annotations", key).map(|v| v.as_str().unwrap_or_default())
    }
}

impl Read for Value {
    fn at(&self, path: &str) -> Option<&Value> {
        let mut value = self;
        for part in path.split('.').filter(|part| !part.is_empty()) {
            value = value.as_object()?.get(part)?;
        }
        (!value.is_null()).then_some(value)
    }

    fn entry(&self, path: &str, key: &str) -> Option<&Value> {
        self.at(path)?.as_object()?.get(key).filter(|value| !value.is_null())
    }
}

/// Writing.
pub trait Edit {
    /// The place of a path, made if it is not there.
    fn slot(&mut self, path: &str) -> &mut Value;
    /// Puts a value at a path.
    fn set(&mut self, path: &str, value: impl Into<Value>);
    /// Removes what is at a path; the last part only.
    fn unset(&mut self, path: &str);
    /// Puts a value where there is none, `null` or `""`.
    fn fill(&mut self, path: &str, value: impl Into<Value>);
    /// The elements of a list, or none.
    fn list_mut(&mut self, path: &str) -> &mut [Value];
    /// Puts what `from` has at `path`, or removes it if it has nothing.
    fn copy(&mut self, path: &str, from: &Value);
    /// Puts at `to` what stands at `from`, if anything does.
    fn copy_within(&mut self, from: &str, to: &str);
}

impl Edit for Value {
    fn slot(&mut self, path: &str) -> &mut Value {
        let mut value = self;
        for part in path.split('.').filter(|part| !part.is_empty()) {
            if !value.is_object() {
                *value = Value::Object(Map::new());
            }
            value = &mut value[part];
        }
        value
    }

    fn set(&mut self, path: &str, value: impl Into<Value>) {
        *self.slot(path) = value.into();
    }

    fn unset(&mut self, path: &str) {
        let (parent, key) = path.rsplit_once('.').unwrap_or(("", path));
        let mut value = self;
        for part in parent.split('.').filter(|part| !part.is_empty()) {
            match value.get_mut(part) {
                Some(next) => value = next,
                None => return,
            }
        }
        if let Some(map) = value.as_object_mut() {
            map.remove(key);
        }
    }

    fn fill(&mut self, path: &str, value: impl Into<Value>) {
        if self.at(path).is_none_or(|old| old.as_str() == Some("")) {
            self.set(path, value);
        }
    }

    fn list_mut(&mut self, path: &str) -> &mut [Value] {
        let mut value = self;
        for part in path.split('.').filter(|part| !part.is_empty()) {
            match value.get_mut(part) {
                Some(next) => value = next,
                None => return &mut [],
            }
        }
        value.as_array_mut().map_or(&mut [], Vec::as_mut_slice)
    }

    fn copy(&mut self, path: &str, from: &Value) {
        match from.at(path) {
            Some(value) => self.set(path, value.clone()),
            None => self.unset(path),
        }
    }

    fn copy_within(&mut self, from: &str, to: &str) {
        if let Some(value) = self.at(from).cloned() {
            self.set(to, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reading_is_total() {
        let value = json!({"spec": {"ports": [{"port": 80}], "n": null, "m": {"b": "2", "a": "1"}}});
        assert_eq!(value.list("spec.ports").len(), 1);
        assert_eq!(value.text("spec.ports.name"), "");
        assert!(!value.has("spec.n"));
        assert_eq!(value.pairs("spec.m"), [("a", "1"), ("b", "2")]);
        assert_eq!(json!(3).int("a.b"), 0);
    }

    #[test]
    fn writing_is_total() {
        let mut value = json!({"a": 1});
        value.set("a.b", "x");
        value.fill("a.b", "y");
        value.fill("a.c", 2);
        value.unset("a.zz.q");
        assert_eq!(value, json!({"a": {"b": "x", "c": 2}}));
        value.unset("a.b");
        value.copy("a.c", &json!({}));
        assert_eq!(value, json!({"a": {}}));
        let mut number = json!(1);
        number.set("x", true);
        assert_eq!(number, json!({"x": true}));
        assert!(json!(1).list_mut("a").is_empty());
    }
}
