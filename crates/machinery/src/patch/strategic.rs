//! Strategic merge patch: a merge patch that merges lists by key where the schema says so.
//!
//! Without a directive the patch's elements come first, as upstream orders them; elements only the server
//! has keep their order.

mod list;
mod order;
#[cfg(test)]
mod tests;

use portway_api::schema::{Field, Message, Schema, Type};
use serde_json::{Map, Value};

use super::PatchError;
use list::merge_list;

const PATCH: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";
const SET_ORDER: &str = "$setElementOrder/";

/// Most elements of two lists that are merged; merging takes the square of that.
const MAX_LIST: usize = 10_000;

fn check_length(name: &str, lists: [usize; 3]) -> Result<(), PatchError> {
    let total: usize = lists.iter().sum();
    if total > MAX_LIST {
        return Err(PatchError::TooLarge(format!(
            "{name}: cannot merge lists of {total} elements, limit is {MAX_LIST}"
        )));
    }
    Ok(())
}

fn bad<T>(why: impl Into<String>) -> Result<T, PatchError> {
    Err(PatchError::Malformed(why.into()))
}

/// Applies a patch to an object of this schema message.
pub fn apply(schema: &Schema, message: &str, object: Value, patch: Value) -> Result<Value, PatchError> {
    let (Value::Object(object), Value::Object(patch)) = (object, patch) else {
        return bad("a strategic merge patch and what it patches must be objects");
    };
    let shape = schema.message(message).map_or(Shape::Unknown, Shape::Message);
    merge_map(Place { schema, shape }, object, patch).map(Value::Object)
}

/// What the schema knows about a map.
#[derive(Clone, Copy)]
enum Shape<'s> {
    Message(&'s Message),
    MapOf(&'s Type),
    Unknown,
}

/// A map somewhere in the object.
#[derive(Clone, Copy)]
struct Place<'s> {
    schema: &'s Schema,
    shape: Shape<'s>,
}

impl<'s> Place<'s> {
    fn field(self, key: &str) -> Option<&'s Field> {
        match self.shape {
            Shape::Message(message) => message.field(key),
            _ => None,
        }
    }

    fn child(self, key: &str) -> Self {
        match self.shape {
            Shape::MapOf(ty) => self.of(Some(ty)),
            _ => self.of(self.field(key).map(|f| &f.ty)),
        }
    }

    /// The elements of the list `key`.
    fn element(self, key: &str) -> Self {
        match self.field(key).map(|f| &f.ty) {
            Some(Type::List(element)) => self.of(Some(element)),
            _ => self.of(None),
        }
    }

    fn of(self, ty: Option<&'s Type>) -> Self {
        let shape = match ty {
            Some(Type::Message(name)) => self.schema.message(name).map_or(Shape::Unknown, Shape::Message),
            Some(Type::Map(value)) => Shape::MapOf(value),
            _ => Shape::Unknown,
        };
        Self { schema: self.schema, shape }
    }

    /// How the list `key` merges.
    fn strategy(self, key: &str) -> Strategy<'s> {
        match self.field(key).and_then(|f| f.patch_merge_key.as_deref()) {
            None => Strategy::Replace,
            Some("") => Strategy::Unite,
            Some(merge_key) => Strategy::ByKey(merge_key),
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Strategy<'s> {
    /// The patch's list replaces the old one.
    Replace,
    /// A list of scalars: the union.
    Unite,
    /// A list of maps, merged by this member.
    ByKey(&'s str),
}

type Object = Map<String, Value>;

fn merge_map(place: Place<'_>, mut object: Object, mut patch: Object) -> Result<Object, PatchError> {
    if let Some(directive) = patch.remove(PATCH) {
        match directive.as_str() {
            Some("replace") => return Ok(cleaned_map(patch)),
            Some("delete") => return Ok(Object::new()),
            Some("merge") => {}
            _ => return bad(format!("unknown patch type {directive} in a map")),
        }
    }
    if let Some(keep) = patch.remove(RETAIN_KEYS) {
        retain(&mut object, &patch, &keep)?;
    }
    let ordered: Vec<String> = patch.keys().filter(|k| k.starts_with(SET_ORDER)).cloned().collect();
    for directive in ordered {
        let Some(Value::Array(wanted)) = patch.remove(&directive) else {
            return bad(format!("{directive}: must be a list"));
        };
        let key = &directive[SET_ORDER.len()..];
        merge_ordered(place, key, &mut object, &mut patch, &wanted)?;
    }
    // Deletions come last, after what the patch adds to the same list.
    let (deletions, rest): (Vec<_>, Vec<_>) =
        patch.into_iter().partition(|(key, _)| key.starts_with(DELETE_FROM));
    for (key, change) in rest {
        merge_member(place, key, &mut object, change)?;
    }
    for (directive, values) in deletions {
        let Value::Array(values) = values else { return bad(format!("{directive}: must be a list")) };
        if let Some(Value::Array(items)) = object.get_mut(&directive[DELETE_FROM.len()..]) {
            check_length(&directive, [items.len(), values.len(), 0])?;
            items.retain(|item| !values.contains(item));
        }
    }
    Ok(object)
}

fn merge_member(place: Place<'_>, key: String, object: &mut Object, change: Value) -> Result<(), PatchError> {
    let old = object.remove(&key);
    let new = match (old, change) {
        (_, Value::Null) => return Ok(()),
        (Some(Value::Object(old)), Value::Object(change)) => {
            if change.get(PATCH).and_then(Value::as_str) == Some("delete") {
                return Ok(());
            }
            Some(Value::Object(merge_map(place.child(&key), old, change)?))
        }
        (Some(Value::Array(old)), Value::Array(change)) => {
            let list = merge_list(place.element(&key), place.strategy(&key), &key, old, change)?;
            Some(Value::Array(list))
        }
        (_, change) => cleaned(change),
    };
    if let Some(new) = new {
        object.insert(key, new);
    }
    Ok(())
}

/// Merges a list and gives it the order asked for.
fn merge_ordered(
    place: Place<'_>,
    key: &str,
    object: &mut Object,
    patch: &mut Object,
    wanted: &[Value],
) -> Result<(), PatchError> {
    let strategy = place.strategy(key);
    let change = match patch.remove(key) {
        Some(Value::Array(change)) => Some(change),
        Some(other) => {
            patch.insert(key.to_owned(), other);
            return Ok(());
        }
        None => None,
    };
    let length = |list: Option<&Value>| list.and_then(Value::as_array).map_or(0, Vec::len);
    check_length(key, [length(object.get(key)), change.as_ref().map_or(0, Vec::len), wanted.len()])?;
    if let Some(change) = &change {
        order::check(strategy, key, change, wanted)?;
    }
    let old = match object.remove(key) {
        Some(Value::Array(old)) => Some(old),
        Some(other) => {
            object.insert(key.to_owned(), other);
            None
        }
        None => None,
    };
    let merged = match (old.clone(), change) {
        (None, None) => return Ok(()),
        (Some(old), None) => old,
        (None, Some(change)) => change.into_iter().filter_map(cleaned).collect(),
        (Some(old), Some(change)) => merge_list(place.element(key), strategy, key, old, change)?,
    };
    let list = order::arrange(strategy, merged, wanted, &old.unwrap_or_default());
    object.insert(key.to_owned(), Value::Array(list));
    Ok(())
}

/// Drops the members that `$retainKeys` does not name.
fn retain(object: &mut Object, patch: &Object, keep: &Value) -> Result<(), PatchError> {
    let Value::Array(keep) = keep else { return bad("invalid patch format of retainKeys") };
    let kept = |key: &String| keep.iter().any(|k| k.as_str() == Some(key));
    let directive = |key: &String| key.starts_with(DELETE_FROM) || key.starts_with(SET_ORDER);
    if patch.iter().any(|(key, value)| !value.is_null() && !directive(key) && !kept(key)) {
        return bad("invalid patch format of retainKeys");
    }
    object.retain(|key, _| kept(key));
    Ok(())
}

/// A value of the patch that has nothing to merge with: without directives and nulls. `None`: it deletes.
fn cleaned(value: Value) -> Option<Value> {
    Some(match value {
        Value::Object(map) => {
            if map.get(PATCH).and_then(Value::as_str) == Some("delete") {
                return None;
            }
            Value::Object(cleaned_map(map))
        }
        Value::Array(items) => Value::Array(items.into_iter().filter_map(cleaned_element).collect()),
        other => other,
    })
}

/// An element of a list; one that only says `$patch: replace` is no element.
fn cleaned_element(value: Value) -> Option<Value> {
    match &value {
        Value::Object(map) if map.len() == 1 && map.contains_key(PATCH) => None,
        _ => cleaned(value),
    }
}

fn cleaned_map(map: Object) -> Object {
    let directive = |key: &str| {
        key == PATCH || key == RETAIN_KEYS || key.starts_with(DELETE_FROM) || key.starts_with(SET_ORDER)
    };
    map.into_iter()
        .filter(|(key, value)| !value.is_null() && !directive(key))
        .filter_map(|(key, value)| cleaned(value).map(|value| (key, value)))
        .collect()
}
