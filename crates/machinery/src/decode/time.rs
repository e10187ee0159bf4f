//! Times: RFC 3339 in, the one form the API writes out.

use jiff::Timestamp;

use crate::meta;

/// `2026-01-02T03:04:05Z`, whole seconds, UTC.
pub fn canonical_time(text: &str) -> Result<String, String> {
    parse(text, "2006-01-02T15:04:05Z07:00").map(meta::format_time)
}

/// `2026-01-02T03:04:05.000000Z`, microseconds, UTC. Fewer (or no) decimals are read too.
pub fn canonical_micro_time(text: &str) -> Result<String, String> {
    parse(text, "2006-01-02T15:04:05.000000Z07:00").map(meta::format_micro_time)
}

fn parse(text: &str, layout: &str) -> Result<Timestamp, String> {
    let fail = || format!("parsing time {text:?} as {layout:?}: cannot parse {text:?} as \"2006\"");
    if !has_shape(text) {
        return Err(fail());
    }
    text.parse().map_err(|_| fail())
}

/// `DDDD-DD-DDTDD:DD:DD`, decimals, `Z` or an offset: stricter than the library, which reads more forms.
fn has_shape(text: &str) -> bool {
    let bytes = text.as_bytes();
    let Some((head, tail)) = bytes.split_at_checked(19) else { return false };
    let shape = b"0000-00-00T00:00:00";
    let fits = |b: &u8, s: &u8| if *s == b'0' { b.is_ascii_digit() } else { b == s };
    if !head.iter().zip(shape).all(|(b, s)| fits(b, s)) {
        return false;
    }
    let zone = match tail.strip_prefix(b".") {
        Some(decimals) => {
            let digits = decimals.iter().take_while(|b| b.is_ascii_digit()).count();
            if digits == 0 {
                return false;
            }
            &decimals[digits..]
        }
        None => tail,
    };
    match zone {
        b"Z" => true,
        [b'+' | b'-', rest @ ..] => rest.len() == 5 && rest.iter().zip(b"00:00").all(|(b, s)| fits(b, s)),
        _ => false,
    }
}
