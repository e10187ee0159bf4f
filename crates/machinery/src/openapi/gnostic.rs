//! The v2 document as the protobuf message kubectl before 1.24 asks for (gnostic's `openapi.v2.Document`).
//!
//! Made from the same small values as the JSON form; only what those contain is encoded.

use serde_json::{Map, Value};

/// A document being written.
pub(super) struct Document {
    head: Message,
    paths: Message,
    definitions: Message,
}

impl Document {
    pub fn new(info: &Value) -> Self {
        let mut head = Message::default();
        head.text(1, "2.0");
        let mut message = Message::default();
        message.member(info, "title", 1);
        message.member(info, "version", 2);
        head.message(2, message);
        Self { head, paths: Message::default(), definitions: Message::default() }
    }

    pub fn path(&mut self, path: &str, item: &Value) {
        self.paths.message(2, named(path, path_item(item)));
    }

    pub fn definition(&mut self, name: &str, definition: &Value) {
        self.definitions.message(1, named(name, schema(definition)));
    }

    pub fn finish(mut self) -> Vec<u8> {
        self.head.message(8, self.paths);
        self.head.message(9, self.definitions);
        self.head.0
    }
}

/// An encoded message.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.0.push(value.to_le_bytes()[0]);
    }

    fn bytes(&mut self, field: u32, bytes: &[u8]) {
        self.varint(u64::from(field) << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
    }

    fn text(&mut self, field: u32, text: &str) {
        self.bytes(field, text.as_bytes());
    }

    fn message(&mut self, field: u32, message: Self) {
        self.bytes(field, &message.0);
    }

    fn flag(&mut self, field: u32, value: bool) {
        if value {
            self.varint(u64::from(field) << 3);
            self.varint(1);
        }
    }

    /// A text member of a value, if it has it.
    fn member(&mut self, value: &Value, name: &str, field: u32) {
        if let Some(text) = value.get(name).and_then(Value::as_str) {
            self.text(field, text);
        }
    }

    /// A list of texts, one field each.
    fn members(&mut self, value: &Value, name: &str, field: u32) {
        for text in list(value, name).iter().filter_map(Value::as_str) {
            self.text(field, text);
        }
    }

    /// Everything that starts with `x-`, as YAML text (JSON is YAML).
    fn extensions(&mut self, value: &Value, field: u32) {
        for (name, value) in entries(value).filter(|(name, _)| name.starts_with("x-")) {
            let mut any = Self::default();
            any.text(2, &value.to_string());
            self.message(field, named(name, any));
        }
    }
}

fn named(name: &str, value: Message) -> Message {
    let mut pair = Message::default();
    pair.text(1, name);
    pair.message(2, value);
    pair
}

/// A message whose one field is a message: a chosen alternative.
fn wrapped(field: u32, value: Message) -> Message {
    let mut outer = Message::default();
    outer.message(field, value);
    outer
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn schema(value: &Value) -> Message {
    let mut message = Message::default();
    message.member(value, "$ref", 1);
    message.member(value, "format", 2);
    message.member(value, "description", 4);
    message.members(value, "required", 19);
    if let Some(element) = value.get("additionalProperties") {
        message.message(21, wrapped(1, schema(element)));
    }
    if let Some(ty) = value.get("type").and_then(Value::as_str) {
        let mut item = Message::default();
        item.text(1, ty);
        message.message(22, item);
    }
    if let Some(element) = value.get("items") {
        message.message(23, wrapped(1, schema(element)));
    }
    if let Some(properties) = value.get("properties") {
        let mut list = Message::default();
        for (name, property) in entries(properties) {
            list.message(1, named(name, schema(property)));
        }
        message.message(25, list);
    }
    message.extensions(value, 31);
    message
}

fn path_item(value: &Value) -> Message {
    let mut message = Message::default();
    for (method, field) in [("get", 2), ("put", 3), ("post", 4), ("delete", 5), ("patch", 8)] {
        if let Some(body) = value.get(method) {
            message.message(field, operation(body));
        }
    }
    for item in list(value, "parameters") {
        message.message(9, wrapped(1, parameter(item)));
    }
    message
}

fn operation(value: &Value) -> Message {
    let mut message = Message::default();
    message.members(value, "tags", 1);
    message.member(value, "description", 3);
    message.member(value, "operationId", 5);
    message.members(value, "produces", 6);
    message.members(value, "consumes", 7);
    for item in list(value, "parameters") {
        message.message(8, wrapped(1, parameter(item)));
    }
    let mut responses = Message::default();
    for (code, answer) in value.get("responses").into_iter().flat_map(entries) {
        let mut response = Message::default();
        response.member(answer, "description", 1);
        if let Some(body) = answer.get("schema") {
            response.message(2, wrapped(1, schema(body)));
        }
        responses.message(1, named(code, wrapped(1, response)));
    }
    message.message(9, responses);
    message.extensions(value, 13);
    message
}

/// `Parameter`: one in the body, or one of the others.
fn parameter(value: &Value) -> Message {
    let place = value.get("in").and_then(Value::as_str).unwrap_or("");
    let required = value.get("required").and_then(Value::as_bool).unwrap_or(false);
    let mut message = Message::default();
    if place == "body" {
        message.member(value, "name", 2);
        message.member(value, "in", 3);
        message.flag(4, required);
        if let Some(body) = value.get("schema") {
            message.message(5, schema(body));
        }
        return wrapped(1, message);
    }
    // The query form has one field more before `type`.
    let (choice, shift) = if place == "path" { (4, 0) } else { (3, 1) };
    message.flag(1, required);
    message.member(value, "in", 2);
    message.member(value, "name", 4);
    message.member(value, "type", 5 + shift);
    message.flag(19 + shift, value.get("uniqueItems").and_then(Value::as_bool).unwrap_or(false));
    wrapped(2, wrapped(choice, message))
}
