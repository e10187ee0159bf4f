//! Reads the schema tables.
//!
//! Line by line; `#` starts a comment line and blank lines mean nothing. Outside a message:
//!
//! ```text
//! package io.k8s.api.core.v1                       names below are in it
//! use meta io.k8s.apimachinery.pkg.apis.meta.v1    `meta.X` is a name of another package
//! Name [atomic][: doc]                             a message; its fields follow, indented
//! kind Name[: doc]                                 the same, starting with apiVersion, kind, metadata
//! list NameList Name                               the list kind of a kind
//! ```
//!
//! A field is `NUMBER name type [FLAG...][ : doc]`. The number is protobuf's, `-` for none, or `W/N` for
//! field N of a wrapper message at field W that JSON does not have. A type is `string`, `bool`, `int32`,
//! `int64`, `double`, `bytes`, `time`, `microtime`, `quantity`, `int-or-string`, `any`, a message name,
//! `[]TYPE` or `{}TYPE` (a map); a `?` after it makes the field optional (presence is told from zero).
//! Flags: `required` (and so always written); `always` (always written); `atomic`, `set`, `keys=a,b`
//! (server-side apply); `merge[=key]`, `retain` (strategic merge patch).

use std::collections::BTreeMap;
use std::fmt;

use super::{Field, Message, Schema, Topology, Type};

const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1";

/// A table that does not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// Name of the table.
    pub table: String,
    /// Line, from 1; 0 for the table as a whole.
    pub line: usize,
    /// What is wrong with it.
    pub problem: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.table, self.line, self.problem)
    }
}

impl std::error::Error for ParseError {}

pub(super) fn parse(tables: &[(&str, &str)]) -> Result<Schema, ParseError> {
    let mut schema = Schema::default();
    for (table, text) in tables {
        let mut reader = Reader { package: "", uses: BTreeMap::new(), open: None, schema: &mut schema };
        let mut last = 0;
        for (index, line) in text.lines().enumerate() {
            last = index + 1;
            reader.line(line).map_err(|problem| error(table, last, problem))?;
        }
        reader.close().map_err(|problem| error(table, last, problem))?;
    }
    for message in schema.messages.values() {
        for field in &message.fields {
            if let Some(target) = target(&field.ty)
                && !schema.messages.contains_key(target)
            {
                let problem = format!("{}.{}: no message {target}", message.name, field.name);
                return Err(error("references", 0, problem));
            }
        }
    }
    Ok(schema)
}

fn error(table: &str, line: usize, problem: String) -> ParseError {
    ParseError { table: table.to_owned(), line, problem }
}

/// The message a type refers to, at any depth.
fn target(ty: &Type) -> Option<&str> {
    match ty {
        Type::Message(name) => Some(name),
        Type::List(inner) | Type::Map(inner) => target(inner),
        _ => None,
    }
}

struct Reader<'t, 's> {
    package: &'t str,
    uses: BTreeMap<&'t str, &'t str>,
    open: Option<Message>,
    schema: &'s mut Schema,
}

impl<'t> Reader<'t, '_> {
    fn line(&mut self, line: &'t str) -> Result<(), String> {
        let text = line.trim();
        if text.is_empty() || text.starts_with('#') {
            return Ok(());
        }
        if line.starts_with([' ', '\t']) {
            let field = self.field(text)?;
            return self.push(field);
        }
        self.close()?;
        let (head, doc) = split_doc(text);
        let words: Vec<&str> = head.split_whitespace().collect();
        match words.as_slice() {
            ["package", package] => self.package = package,
            ["use", alias, package] => {
                self.uses.insert(alias, package);
            }
            ["kind", name] => {
                self.open(name, doc, false)?;
                self.kind_fields("ObjectMeta")?;
            }
            ["list", name, item] => {
                self.open(name, &format!("A list of {item} objects."), false)?;
                self.kind_fields("ListMeta")?;
                let items = Type::List(Box::new(self.ty(item)?));
                self.push(Field {
                    required: true,
                    always: true,
                    ..field("items", 2, items, "The objects.")
                })?;
            }
            [name, "atomic"] => self.open(name, doc, true)?,
            [name] => self.open(name, doc, false)?,
            _ => return Err(format!("not a package, use or message line: {head:?}")),
        }
        Ok(())
    }

    fn open(&mut self, name: &str, doc: &str, atomic: bool) -> Result<(), String> {
        if self.package.is_empty() {
            return Err("a message before the package line".to_owned());
        }
        if !is_type_name(name) {
            return Err(format!("not a message name: {name:?}"));
        }
        let name = format!("{}.{name}", self.package);
        self.open = Some(Message { name, doc: doc.to_owned(), atomic, fields: Vec::new() });
        Ok(())
    }

    fn close(&mut self) -> Result<(), String> {
        let Some(message) = self.open.take() else { return Ok(()) };
        let name = message.name.clone();
        match self.schema.messages.insert(name.clone(), message) {
            Some(_) => Err(format!("{name} stands twice")),
            None => Ok(()),
        }
    }

    fn kind_fields(&mut self, metadata: &str) -> Result<(), String> {
        let metadata = Type::Message(format!("{META}.{metadata}"));
        self.push(field(
            "apiVersion",
            0,
            Type::String,
            "Group and version the object is written in, as in apps/v1.",
        ))?;
        self.push(field("kind", 0, Type::String, "Name of the object's kind."))?;
        self.push(Field {
            always: true,
            ..field("metadata", 1, metadata, "What every object has: name, labels, owners and the like.")
        })
    }

    fn push(&mut self, field: Field) -> Result<(), String> {
        let Some(message) = &mut self.open else { return Err("a field outside a message".to_owned()) };
        if message.field(&field.name).is_some() {
            return Err(format!("field {} stands twice", field.name));
        }
        let taken = |f: &Field| f.number != 0 && (f.wrapper, f.number) == (field.wrapper, field.number);
        if message.fields.iter().any(taken) {
            return Err(format!("number {} of {} is taken", field.number, field.name));
        }
        message.fields.push(field);
        Ok(())
    }

    fn field(&self, text: &str) -> Result<Field, String> {
        let (head, doc) = split_doc(text);
        let mut words = head.split_whitespace();
        let (Some(number), Some(name), Some(ty)) = (words.next(), words.next(), words.next()) else {
            return Err(format!("a field needs a number, a name and a type: {head:?}"));
        };
        let (wrapper, number) = parse_number(number)?;
        if !name.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(format!("not a field name: {name:?}"));
        }
        let (ty, optional) = ty.strip_suffix('?').map_or((ty, false), |ty| (ty, true));
        let mut field = Field { wrapper, optional, ..field(name, number, self.ty(ty)?, doc) };
        for flag in words {
            match flag.split_once('=').map_or((flag, None), |(key, value)| (key, Some(value))) {
                ("required", None) => (field.required, field.always) = (true, true),
                ("always", None) => field.always = true,
                ("atomic", None) => field.topology = Topology::Atomic,
                ("set", None) => field.topology = Topology::Set,
                ("keys", Some(keys)) => {
                    field.topology = Topology::ListMap(keys.split(',').map(str::to_owned).collect());
                }
                ("merge", key) => field.patch_merge_key = Some(key.unwrap_or_default().to_owned()),
                ("retain", None) => field.retain_keys = true,
                _ => return Err(format!("unknown flag {flag:?}")),
            }
        }
        Ok(field)
    }

    fn ty(&self, mut text: &str) -> Result<Type, String> {
        // Outermost first; a loop, so that no text can exhaust the stack.
        let mut wraps: Vec<fn(Box<Type>) -> Type> = Vec::new();
        loop {
            if let Some(rest) = text.strip_prefix("[]") {
                wraps.push(Type::List);
                text = rest;
            } else if let Some(rest) = text.strip_prefix("{}") {
                wraps.push(Type::Map);
                text = rest;
            } else {
                break;
            }
            if wraps.len() > 4 {
                return Err("lists and maps nested too deep".to_owned());
            }
        }
        let inner = self.plain_type(text)?;
        Ok(wraps.into_iter().rev().fold(inner, |ty, wrap| wrap(Box::new(ty))))
    }

    fn plain_type(&self, text: &str) -> Result<Type, String> {
        Ok(match text {
            "string" => Type::String,
            "bool" => Type::Bool,
            "int32" => Type::Int32,
            "int64" => Type::Int64,
            "double" => Type::Double,
            "bytes" => Type::Bytes,
            "time" => Type::Time,
            "microtime" => Type::MicroTime,
            "quantity" => Type::Quantity,
            "int-or-string" => Type::IntOrString,
            "any" => Type::Any,
            other => {
                let (package, name) = match other.split_once('.') {
                    Some((alias, name)) => match self.uses.get(alias) {
                        Some(package) => (*package, name),
                        None => return Err(format!("{alias} is not declared by a use line")),
                    },
                    None => (self.package, other),
                };
                if !is_type_name(name) {
                    return Err(format!("unknown type {other:?}"));
                }
                Type::Message(format!("{package}.{name}"))
            }
        })
    }
}

fn is_type_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase()) && name.bytes().all(|b| b.is_ascii_alphanumeric())
}

fn parse_number(text: &str) -> Result<(u32, u32), String> {
    let one = |text: &str| match text.parse::<u32>() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("not a field number: {text:?}")),
    };
    match text.split_once('/') {
        _ if text == "-" => Ok((0, 0)),
        Some((wrapper, number)) => Ok((one(wrapper)?, one(number)?)),
        None => Ok((0, one(text)?)),
    }
}

/// Splits `head : doc`, or `Head: doc`, at the first colon before a blank.
fn split_doc(text: &str) -> (&str, &str) {
    match text.split_once(": ") {
        Some((head, doc)) => (head.trim_end(), doc.trim()),
        None => (text, ""),
    }
}

fn field(name: &str, number: u32, ty: Type, doc: &str) -> Field {
    Field {
        name: name.to_owned(),
        number,
        wrapper: 0,
        ty,
        optional: false,
        always: false,
        required: false,
        topology: Topology::Default,
        patch_merge_key: None,
        retain_keys: false,
        doc: doc.to_owned(),
    }
}
