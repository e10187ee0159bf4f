//! The normal form of objects: what upstream's encoder would write for them.

use serde_json::{Map, Value};

use super::{Field, Message, Schema, Type};

pub(super) fn message(schema: &Schema, value: &mut Value, message: &Message) {
    let Some(map) = value.as_object_mut() else { return };
    for field in &message.fields {
        let zero = match map.get_mut(&field.name) {
            None => true,
            Some(value) => {
                child(schema, value, &field.ty);
                value.is_null() || (!field.optional && is_zero(value, &field.ty))
            }
        };
        if !zero {
            continue;
        }
        if field.always {
            map.insert(field.name.clone(), zero_of(schema, field));
        } else {
            map.remove(&field.name);
        }
    }
}

fn child(schema: &Schema, value: &mut Value, ty: &Type) {
    match (ty, value) {
        (Type::Message(name), value) => schema.normalize(value, name),
        (Type::List(inner), Value::Array(items)) if nests(inner) => {
            items.iter_mut().for_each(|item| child(schema, item, inner));
        }
        (Type::Map(inner), Value::Object(map)) if nests(inner) => {
            map.values_mut().for_each(|item| child(schema, item, inner));
        }
        (Type::Time, Value::String(text)) => rewrite_time(text, 0),
        (Type::MicroTime, Value::String(text)) => rewrite_time(text, 6),
        (Type::Quantity, value) => rewrite_quantity(value),
        _ => {}
    }
}

/// Whether values of this type have a normal form of their own.
fn nests(ty: &Type) -> bool {
    matches!(
        ty,
        Type::Message(_) | Type::List(_) | Type::Map(_) | Type::Time | Type::MicroTime | Type::Quantity
    )
}

fn rewrite_time(text: &mut String, digits: u8) {
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        let digits = usize::from(digits);
        *text = format!("{time:.digits$}");
    }
}

fn rewrite_quantity(value: &mut Value) {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return,
    };
    if let Ok(quantity) = text.parse::<crate::quantity::Quantity>() {
        *value = Value::from(quantity.to_string());
    }
}

/// The zero a field of this type cannot be told from when its presence is not tracked. A message is never
/// one: what upstream holds by value it always writes.
fn is_zero(value: &Value, ty: &Type) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::Number(number) => *ty != Type::IntOrString && number.as_f64() == Some(0.0),
        Value::String(text) => *ty != Type::IntOrString && text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => matches!(ty, Type::Map(_)) && map.is_empty(),
    }
}

fn zero_of(schema: &Schema, field: &Field) -> Value {
    if field.optional {
        return Value::Null;
    }
    match &field.ty {
        Type::String => Value::from(""),
        Type::Quantity => Value::from("0"),
        Type::Bool => Value::from(false),
        Type::Int32 | Type::Int64 | Type::Double | Type::IntOrString => Value::from(0),
        Type::Bytes | Type::Time | Type::MicroTime | Type::Any | Type::List(_) | Type::Map(_) => Value::Null,
        Type::Message(name) => {
            let mut value = Value::Object(Map::new());
            schema.normalize(&mut value, name);
            value
        }
    }
}
