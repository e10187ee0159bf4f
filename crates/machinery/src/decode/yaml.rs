//! YAML text to [`Node`], from the parser's events.
//!
//! No recursion: open collections stand on a stack. Aliases are copied, within a budget.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use granit_parser::{Event, Parser, ScalarStyle, ScanError, Tag};

use super::node::Node;
use super::{DecodeError, MAX_DEPTH, scalar};

/// Most bytes that aliases may add to a document.
const ALIAS_BUDGET: usize = 4 * 1024 * 1024;

/// Reads the one document of a body. A body without any is `null`.
pub(super) fn parse(body: &[u8]) -> Result<Node, DecodeError> {
    let text = std::str::from_utf8(body).map_err(|_| fail("yaml: invalid UTF-8"))?;
    let options = granit_parser::options! {
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    let mut builder =
        Builder { open: Vec::new(), root: None, anchors: BTreeMap::new(), budget: ALIAS_BUDGET };
    let mut first: Option<Node> = None;
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|e| syntax(&e))?;
        let line = span.start.line();
        builder.event(event).map_err(|why| DecodeError(format!("yaml: line {line}: {why}")))?;
        if let Some(document) = builder.root.take() {
            match &first {
                None => first = Some(document),
                Some(_) if document == Node::Null => {}
                Some(_) => return Err(fail("yaml: only one document is allowed")),
            }
        }
    }
    Ok(first.unwrap_or(Node::Null))
}

fn fail(text: &str) -> DecodeError {
    DecodeError(text.to_owned())
}

fn syntax(error: &ScanError) -> DecodeError {
    DecodeError(format!("yaml: line {}: {}", error.marker().line(), error.info()))
}

enum Open {
    List { anchor: usize, items: Vec<Node> },
    Map { anchor: usize, entries: Vec<(String, Node)>, merges: Vec<Node>, key: Option<Key> },
}

/// The key whose value comes next.
enum Key {
    Name(String),
    /// `<<`.
    Merge,
}

struct Builder {
    open: Vec<Open>,
    root: Option<Node>,
    anchors: BTreeMap<usize, Node>,
    budget: usize,
}

impl Builder {
    fn event(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain;
                if plain && text == "<<" && tag.is_none() && self.expects_key() {
                    return self.set_key(Key::Merge);
                }
                let node = value(text, plain, tag.as_deref())?;
                if anchor != 0 {
                    self.anchors.insert(anchor, node.clone());
                }
                self.add(node)
            }
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor).ok_or("anchor value contains itself")?;
                self.budget =
                    self.budget.checked_sub(size(node)).ok_or("document contains excessive aliasing")?;
                let node = node.clone();
                if self.open.len() + depth(&node) > MAX_DEPTH {
                    return Err("exceeded max depth".to_owned());
                }
                self.add(node)
            }
            Event::SequenceStart(_, anchor, _) => self.push(Open::List { anchor, items: Vec::new() }),
            Event::MappingStart(_, anchor, _) => {
                self.push(Open::Map { anchor, entries: Vec::new(), merges: Vec::new(), key: None })
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::DocumentEnd => {
                self.anchors.clear();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn push(&mut self, open: Open) -> Result<(), String> {
        if self.expects_key() {
            return Err("unsupported map key: a list or a map".to_owned());
        }
        if self.open.len() >= MAX_DEPTH {
            return Err("exceeded max depth".to_owned());
        }
        self.open.push(open);
        Ok(())
    }

    fn expects_key(&self) -> bool {
        matches!(self.open.last(), Some(Open::Map { key: None, .. }))
    }

    fn set_key(&mut self, next: Key) -> Result<(), String> {
        if let Some(Open::Map { key, .. }) = self.open.last_mut() {
            *key = Some(next);
        }
        Ok(())
    }

    /// A finished node goes to what is open around it.
    fn add(&mut self, node: Node) -> Result<(), String> {
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map { entries, merges, key, .. }) => match key.take() {
                None => {
                    let shown = node.go_type();
                    let name = scalar::key(node).ok_or(format!("unsupported map key of type: {shown}"))?;
                    *key = Some(Key::Name(name));
                }
                Some(Key::Name(name)) => entries.push((name, node)),
                Some(Key::Merge) => merges.push(node),
            },
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), String> {
        let (anchor, node) = match self.open.pop() {
            None => return Err("unbalanced document".to_owned()),
            Some(Open::List { anchor, items }) => (anchor, Node::List(items)),
            Some(Open::Map { anchor, entries, merges, .. }) => (anchor, merged(entries, merges)?),
        };
        if anchor != 0 {
            self.budget =
                self.budget.checked_sub(size(&node)).ok_or("document contains excessive aliasing")?;
            self.anchors.insert(anchor, node.clone());
        }
        self.add(node)
    }
}

/// `<<` brings in what the map (or an earlier `<<`) does not have.
fn merged(mut entries: Vec<(String, Node)>, merges: Vec<Node>) -> Result<Node, String> {
    if merges.is_empty() {
        return Ok(Node::Map(entries));
    }
    let mut known: BTreeSet<String> = entries.iter().map(|(key, _)| key.clone()).collect();
    for merge in merges {
        let maps = match merge {
            Node::List(maps) => maps,
            map => vec![map],
        };
        for map in maps {
            let Node::Map(more) = map else {
                return Err("map merge requires map or sequence of maps as the value".to_owned());
            };
            for (key, value) in more {
                if known.insert(key.clone()) {
                    entries.push((key, value));
                }
            }
        }
    }
    Ok(Node::Map(entries))
}

fn value(text: Cow<'_, str>, plain: bool, tag: Option<&Tag>) -> Result<Node, String> {
    let tag = tag.map(|t| (t.is_yaml_core_schema(), t.handle(), t.suffix()));
    match tag {
        Some((true, _, "str")) => Ok(Node::String(text.into_owned())),
        Some((true, _, wanted @ ("int" | "float" | "bool" | "null"))) => {
            let node = scalar::plain(&text)?;
            let fits = match (&node, wanted) {
                (Node::Number(n), "int") => !n.is_f64(),
                (Node::Number(_), "float") | (Node::Bool(_), "bool") | (Node::Null, "null") => true,
                _ => false,
            };
            if fits { Ok(node) } else { Err(format!("cannot decode {text:?} as a !!{wanted}")) }
        }
        Some((_, handle, "binary")) if handle.starts_with("tag:yaml.org") => {
            let packed: String = text.split_whitespace().collect();
            let bytes = base64::engine::general_purpose::STANDARD
                .decode(packed)
                .map_err(|_| "!!binary value contains invalid base64 data".to_owned())?;
            Ok(Node::String(String::from_utf8_lossy(&bytes).into_owned()))
        }
        Some((_, "!", "") | (_, "", "!")) => Ok(Node::String(text.into_owned())),
        _ if plain => scalar::plain(&text),
        _ => Ok(Node::String(text.into_owned())),
    }
}

/// About how many bytes a copy takes.
fn size(node: &Node) -> usize {
    32 + match node {
        Node::String(text) => text.len(),
        Node::List(items) => items.iter().map(size).sum(),
        Node::Map(entries) => entries.iter().map(|(k, v)| k.len() + size(v)).sum(),
        _ => 0,
    }
}

fn depth(node: &Node) -> usize {
    match node {
        Node::List(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Node::Map(entries) => 1 + entries.iter().map(|(_, v)| depth(v)).max().unwrap_or(0),
        _ => 0,
    }
}
