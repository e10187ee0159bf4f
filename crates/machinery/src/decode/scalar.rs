//! What a plain YAML scalar means.
//!
//! The rules of YAML 1.1 as kubectl's users have them: `yes`, `on`, `y` are booleans, `0777` is octal,
//! `12:30` and dates are text.

use serde_json::Number;

use super::node::Node;

/// The value of a plain scalar; `Err` for one JSON cannot say (`.inf`).
pub(super) fn plain(text: &str) -> Result<Node, String> {
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Node::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Node::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Node::Bool(false)
        }
        ".nan" | ".NaN" | ".NAN" => return Err("json: unsupported value: NaN".to_owned()),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Err("json: unsupported value: +Inf".to_owned());
        }
        "-.inf" | "-.Inf" | "-.INF" => return Err("json: unsupported value: -Inf".to_owned()),
        _ => match text.as_bytes().first() {
            Some(b'0'..=b'9' | b'+' | b'-' | b'.') => {
                number(text).map_or_else(|| Node::String(text.to_owned()), Node::Number)
            }
            _ => Node::String(text.to_owned()),
        },
    })
}

/// A map key as text; only scalars that are not null can be keys.
pub(super) fn key(node: Node) -> Option<String> {
    match node {
        Node::String(text) => Some(text),
        Node::Bool(b) => Some(b.to_string()),
        Node::Number(n) => Some(n.to_string()),
        Node::Null | Node::List(_) | Node::Map(_) => None,
    }
}

/// An integer or floating point number in YAML's spelling.
pub(super) fn number(text: &str) -> Option<Number> {
    let plain: String = text.chars().filter(|c| *c != '_').collect();
    if !text.starts_with('.') {
        if let Some(n) = integer(&plain) {
            return Some(n);
        }
        if !is_float(&plain) {
            return None;
        }
    } else if !plain[1..].starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let value: f64 = plain.parse().ok()?;
    // A whole number is written without a fraction in JSON, and then fits integer fields.
    #[allow(clippy::cast_possible_truncation, reason = "the range is checked first")]
    if value.fract() == 0.0 && value.abs() < 9e15 {
        return Some(Number::from(value as i64));
    }
    Number::from_f64(value)
}

fn integer(text: &str) -> Option<Number> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = if let Some(hex) = lower.strip_prefix("0x") {
        (16, hex)
    } else if let Some(binary) = lower.strip_prefix("0b") {
        (2, binary)
    } else if let Some(octal) = lower.strip_prefix("0o") {
        (8, octal)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (8, &lower[1..])
    } else {
        (10, lower.as_str())
    };
    if !digits.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    let value = i128::from(u64::from_str_radix(digits, radix).ok()?);
    let value = if negative { -value } else { value };
    i64::try_from(value).map(Number::from).or_else(|_| u64::try_from(value).map(Number::from)).ok()
}

/// `[-+]?[0-9]*\.?[0-9]+([eE][-+][0-9]+)?`
fn is_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    let mantissa = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole.is_empty() || digits(whole)) && digits(fraction),
        None => digits(mantissa),
    };
    mantissa && exponent.is_none_or(|e| e.strip_prefix(['-', '+']).is_some_and(digits))
}
