//! Messages to JSON values, field by field of the schema.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use portway_api::schema::{Field as Row, Message, Schema, Type};
use serde_json::{Map, Number, Value};

use super::WireError;
use super::wire::{Field, Fields, text, varint};
use crate::decode::{MAX_DEPTH, canonical_quantity};
use crate::meta::{format_micro_time, format_time};

const MISMATCH: WireError = WireError("a field has another wire type than its type");

pub(super) fn decode(
    schema: &Schema,
    message: &Message,
    raw: &[u8],
    depth: usize,
) -> Result<Map<String, Value>, WireError> {
    let mut map = Map::new();
    read(schema, message, 0, raw, depth, &mut map)?;
    Ok(map)
}

/// Reads the fields of a message that stand in wrapper `wrapper` (0: in none).
fn read(
    schema: &Schema,
    message: &Message,
    wrapper: u32,
    raw: &[u8],
    depth: usize,
    map: &mut Map<String, Value>,
) -> Result<(), WireError> {
    if depth > MAX_DEPTH {
        return Err(WireError("the message is nested too deeply"));
    }
    for entry in Fields::new(raw) {
        let (number, content) = entry?;
        let row =
            message.fields.iter().find(|row| row.number == number && row.wrapper == wrapper && number != 0);
        match (row, content) {
            (Some(row), content) => add(schema, row, content, depth, map)?,
            // What JSON has inline, protobuf nests in a message of its own.
            (None, Field::Bytes(inner))
                if wrapper == 0 && message.fields.iter().any(|row| row.wrapper == number) =>
            {
                read(schema, message, number, inner, depth + 1, map)?;
            }
            (None, _) => {}
        }
    }
    Ok(())
}

fn add(
    schema: &Schema,
    row: &Row,
    content: Field<'_>,
    depth: usize,
    map: &mut Map<String, Value>,
) -> Result<(), WireError> {
    match &row.ty {
        Type::List(inner) => {
            let slot = map.entry(row.name.as_str()).or_insert_with(|| Value::Array(Vec::new()));
            let Value::Array(items) = slot else { return Ok(()) };
            match (inner.as_ref(), content) {
                (Type::Bool | Type::Int32 | Type::Int64, Field::Bytes(mut packed)) => {
                    while !packed.is_empty() {
                        let number = Field::Varint(varint(&mut packed)?);
                        items.extend(value(schema, inner, number, depth)?);
                    }
                }
                (inner, content) => items.extend(value(schema, inner, content, depth)?),
            }
        }
        Type::Map(inner) => {
            let Field::Bytes(entry) = content else { return Err(MISMATCH) };
            let slot = map.entry(row.name.as_str()).or_insert_with(|| Value::Object(Map::new()));
            let Value::Object(entries) = slot else { return Ok(()) };
            let (key, value) = pair(schema, inner, entry, depth)?;
            entries.insert(key, value);
        }
        ty => {
            if let Some(value) = value(schema, ty, content, depth)? {
                map.insert(row.name.clone(), value);
            }
        }
    }
    Ok(())
}

/// An entry of a map: 1 is the key, 2 the value.
fn pair(schema: &Schema, inner: &Type, entry: &[u8], depth: usize) -> Result<(String, Value), WireError> {
    let (mut key, mut found) = (String::new(), None);
    for field in Fields::new(entry) {
        match field? {
            (1, Field::Bytes(bytes)) => key = text(bytes)?.to_owned(),
            (2, content) => found = Some(content),
            _ => {}
        }
    }
    let value = match (inner, found) {
        // A list as a map's value is a message with the one repeated field 1.
        (Type::List(item), content) => {
            let raw = if let Some(Field::Bytes(raw)) = content { raw } else { &[] };
            let mut items = Vec::new();
            for field in Fields::new(raw) {
                if let (1, content) = field? {
                    items.extend(value(schema, item, content, depth + 1)?);
                }
            }
            Value::Array(items)
        }
        (inner, Some(content)) => value(schema, inner, content, depth)?.unwrap_or(Value::Null),
        (Type::String | Type::Bytes, None) => Value::from(""),
        (_, None) => Value::Null,
    };
    Ok((key, value))
}

/// One value; `None` for one that means "unset" (a zero time).
fn value(schema: &Schema, ty: &Type, content: Field<'_>, depth: usize) -> Result<Option<Value>, WireError> {
    Ok(Some(match (ty, content) {
        (Type::String, Field::Bytes(bytes)) => Value::from(text(bytes)?),
        (Type::Bytes, Field::Bytes(bytes)) => Value::from(STANDARD.encode(bytes)),
        (Type::Bool, Field::Varint(number)) => Value::from(number != 0),
        // Signed numbers are on the wire in two's complement.
        (Type::Int32, Field::Varint(number)) => Value::from(number as i64 as i32),
        (Type::Int64, Field::Varint(number)) => Value::from(number as i64),
        (Type::Double, Field::Fixed64(bits)) => {
            Number::from_f64(f64::from_bits(bits)).map_or(Value::Null, Value::Number)
        }
        (Type::Time, Field::Bytes(raw)) => return Ok(time(raw)?.map(|t| format_time(t).into())),
        (Type::MicroTime, Field::Bytes(raw)) => return Ok(time(raw)?.map(|t| format_micro_time(t).into())),
        (Type::Quantity, Field::Bytes(raw)) => {
            let mut written = "";
            for field in Fields::new(raw) {
                if let (1, Field::Bytes(bytes)) = field? {
                    written = text(bytes)?;
                }
            }
            Value::from(quantity(written)?)
        }
        (Type::IntOrString, Field::Bytes(raw)) => int_or_string(raw)?,
        (Type::Any, Field::Bytes(raw)) => return any(raw),
        (Type::Message(name), Field::Bytes(raw)) => {
            let message = schema.message(name).ok_or(WireError("a message has no schema"))?;
            Value::Object(decode(schema, message, raw, depth + 1)?)
        }
        // Lists and maps stand in fields only.
        _ => return Err(MISMATCH),
    }))
}

/// `None` for the zero time.
fn time(raw: &[u8]) -> Result<Option<Timestamp>, WireError> {
    let (mut seconds, mut nanos) = (0i64, 0i64);
    for field in Fields::new(raw) {
        match field? {
            (1, Field::Varint(number)) => seconds = number as i64,
            (2, Field::Varint(number)) => nanos = number as i64,
            _ => {}
        }
    }
    if (seconds, nanos) == (0, 0) {
        return Ok(None);
    }
    let bad = WireError("a time is out of range");
    let nanos = i32::try_from(nanos).ok().filter(|n| (0..1_000_000_000).contains(n)).ok_or(bad.clone())?;
    Timestamp::new(seconds, nanos).map(Some).map_err(|_| bad)
}

fn quantity(written: &str) -> Result<String, WireError> {
    if written.is_empty() {
        return Ok("0".to_owned());
    }
    canonical_quantity(written).map_err(WireError)
}

fn int_or_string(raw: &[u8]) -> Result<Value, WireError> {
    let (mut is_text, mut number, mut written) = (false, 0i32, "");
    for field in Fields::new(raw) {
        match field? {
            (1, Field::Varint(kind)) => is_text = kind == 1,
            (2, Field::Varint(value)) => number = value as i64 as i32,
            (3, Field::Bytes(bytes)) => written = text(bytes)?,
            _ => {}
        }
    }
    Ok(if is_text { Value::from(written) } else { Value::from(number) })
}

/// JSON inside protobuf (`FieldsV1`, `RawExtension`).
fn any(raw: &[u8]) -> Result<Option<Value>, WireError> {
    let mut json: &[u8] = &[];
    for field in Fields::new(raw) {
        if let (1, Field::Bytes(bytes)) = field? {
            json = bytes;
        }
    }
    if json.is_empty() {
        return Ok(None);
    }
    let value = serde_json::from_slice(json).map_err(|_| WireError("embedded JSON cannot be read"))?;
    Ok(Some(value))
}
