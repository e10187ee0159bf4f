//! The text form of label selectors.
//!
//! One pass over tokens; `in` and `notin` are operators only right after a key.

use std::collections::BTreeSet;

use super::label::check_key;
use super::{Operator, ParseError, Requirement, Selector};

#[derive(Clone, Copy, PartialEq)]
enum Token<'a> {
    End,
    Word(&'a str),
    Symbol(&'static str),
    /// A run of symbol characters that starts no symbol.
    Bad(&'a str),
}

impl Token<'_> {
    fn text(&self) -> &str {
        match self {
            Token::End => "",
            Token::Word(text) | Token::Bad(text) => text,
            Token::Symbol(text) => text,
        }
    }
}

const SYMBOLS: [&str; 9] = ["==", "!=", "=", "!", ",", "(", ")", ">", "<"];
const OPERATORS: &str = "in, notin, =, ==, !=, gt, lt";

struct Tokens<'a> {
    rest: &'a str,
}

impl<'a> Tokens<'a> {
    fn peek(&self) -> Token<'a> {
        Tokens { rest: self.rest }.next()
    }

    fn next(&mut self) -> Token<'a> {
        let rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
        if rest.is_empty() {
            self.rest = rest;
            return Token::End;
        }
        if let Some(symbol) = SYMBOLS.iter().find(|s| rest.starts_with(**s)) {
            self.rest = &rest[symbol.len()..];
            return Token::Symbol(symbol);
        }
        let stop = |c: char| "=!(),<> \t\r\n".contains(c);
        let end = rest.find(stop).unwrap_or(rest.len());
        if end == 0 {
            self.rest = "";
            return Token::Bad(rest);
        }
        self.rest = &rest[end..];
        Token::Word(&rest[..end])
    }
}

fn fail<T>(found: Token<'_>, expected: &str) -> Result<T, ParseError> {
    Err(ParseError(format!("found '{}', expected: {expected}", found.text())))
}

/// Reads a whole selector; blank text selects everything.
pub(super) fn selector(text: &str) -> Result<Selector, ParseError> {
    let mut tokens = Tokens { rest: text };
    let mut requirements = Vec::new();
    loop {
        match tokens.peek() {
            Token::End => break,
            Token::Word(_) | Token::Symbol("!") => {
                let requirement = requirement(&mut tokens)
                    .map_err(|e| ParseError(format!("unable to parse requirement: {}", e.0)))?;
                requirements.push(requirement);
            }
            other => return fail(other, "!, identifier, or 'end of string'"),
        }
        match tokens.next() {
            Token::End => break,
            Token::Symbol(",") => match tokens.peek() {
                Token::Word(_) | Token::Symbol("!") => {}
                other => return fail(other, "identifier after ','"),
            },
            other => return fail(other, "',' or 'end of string'"),
        }
    }
    // Upstream keeps requirements sorted by key; order does not change what is selected.
    requirements.sort_by(|a: &Requirement, b| a.key.cmp(&b.key));
    Ok(Selector { requirements })
}

fn requirement(tokens: &mut Tokens<'_>) -> Result<Requirement, ParseError> {
    let mut token = tokens.next();
    let negated = token == Token::Symbol("!");
    if negated {
        token = tokens.next();
    }
    let Token::Word(key) = token else {
        return fail(token, "identifier");
    };
    check_key(key)?;
    let operator = if negated {
        Operator::DoesNotExist
    } else if matches!(tokens.peek(), Token::End | Token::Symbol(",")) {
        Operator::Exists
    } else {
        operator(tokens)?
    };
    let requirement = Requirement { key: key.to_owned(), operator };
    requirement.check()?;
    Ok(requirement)
}

fn operator(tokens: &mut Tokens<'_>) -> Result<Operator, ParseError> {
    Ok(match tokens.next() {
        Token::Word("in") => Operator::In(values(tokens)?),
        Token::Word("notin") => Operator::NotIn(values(tokens)?),
        Token::Symbol("=" | "==") => Operator::Equals(exact(tokens)?),
        Token::Symbol("!=") => Operator::NotEquals(exact(tokens)?),
        Token::Symbol(">") => Operator::GreaterThan(integer(tokens)?),
        Token::Symbol("<") => Operator::LessThan(integer(tokens)?),
        other => return fail(other, OPERATORS),
    })
}

fn exact(tokens: &mut Tokens<'_>) -> Result<String, ParseError> {
    if matches!(tokens.peek(), Token::End | Token::Symbol(",")) {
        return Ok(String::new());
    }
    match tokens.next() {
        Token::Word(value) => Ok(value.to_owned()),
        other => fail(other, "identifier"),
    }
}

fn integer(tokens: &mut Tokens<'_>) -> Result<i64, ParseError> {
    let text = exact(tokens)?;
    text.parse().map_err(|_| {
        let value = serde_json::Value::from(text);
        ParseError(format!(
            "values[0]: Invalid value: {value}: for 'Gt', 'Lt' operators, the value must be an integer"
        ))
    })
}

/// `(a,b)`; a missing value between commas or brackets is the empty text.
fn values(tokens: &mut Tokens<'_>) -> Result<BTreeSet<String>, ParseError> {
    match tokens.next() {
        Token::Symbol("(") => {}
        other => return Err(ParseError(format!("found '{}' expected: '('", other.text()))),
    }
    let mut values = BTreeSet::new();
    loop {
        match tokens.peek() {
            Token::Word(value) => {
                values.insert(value.to_owned());
                tokens.next();
            }
            Token::Symbol("," | ")") => {
                values.insert(String::new());
            }
            other => return fail(other, "',', ')' or identifier"),
        }
        match tokens.next() {
            Token::Symbol(",") => {}
            Token::Symbol(")") => return Ok(values),
            other => return fail(other, "',' or ')'"),
        }
    }
}
