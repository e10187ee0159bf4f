//! Percent decoding and query strings.
//!
//! Total: whatever the bytes, decoding gives text (bad escapes stand as they are, bad UTF-8 is replaced).

/// The parameters of a query string, in order, decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads `a=1&b=two+words&c`.
    pub fn parse(text: &str) -> Self {
        let pair = |part: &str| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (decode(name, true), decode(value, true))
        };
        Self(text.split('&').filter(|part| !part.is_empty()).map(pair).collect())
    }

    /// The first value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// Every value of a parameter.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The first value that is not empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|v| !v.is_empty())
    }

    /// A boolean as the API reads them: `?watch` and `?watch=ANYTHING` are true, `false` and `0` false.
    pub fn flag(&self, name: &str) -> Option<bool> {
        self.get(name).map(|v| !(v.eq_ignore_ascii_case("false") || v == "0"))
    }
}

/// Decodes `%41` (and `+` in queries).
pub fn decode(text: &str, plus: bool) -> String {
    if !text.bytes().any(|b| b == b'%' || (plus && b == b'+')) {
        return text.to_owned();
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let escaped = match (byte, bytes.get(at + 1..at + 3)) {
            (b'%', Some([high, low])) => hex(*high).zip(hex(*low)).map(|(h, l)| h << 4 | l),
            _ => None,
        };
        match escaped {
            Some(value) => {
                out.push(value);
                at += 3;
            }
            None => {
                out.push(if plus && byte == b'+' { b' ' } else { byte });
                at += 1;
            }
        }
    }
    String::from_utf8(out).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoding() {
        let check = |text: &str, expect: &str| assert_eq!(decode(text, true), expect, "{text}");
        check("plain", "plain");
        check("a%2Cb+c", "a,b c");
        check("%e2%82%ac", "€");
        check("%", "%");
        check("%4", "%4");
        check("%zz", "%zz");
        check("%ff", "\u{fffd}");
        assert_eq!(decode("a+b", false), "a+b");
    }

    #[test]
    fn flags() {
        let check =
            |text: &str, expect: Option<bool>| assert_eq!(Query::parse(text).flag("watch"), expect, "{text}");
        check("", None);
        check("watch", Some(true));
        check("watch=", Some(true));
        check("watch=1", Some(true));
        check("watch=maybe", Some(true));
        check("watch=False", Some(false));
        check("watch=0", Some(false));
    }

    #[test]
    fn repeated_parameters() {
        let query = Query::parse("exclude=a&x=1&&exclude=b&labelSelector=k%3Dv");
        assert_eq!(query.all("exclude").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(query.get("labelSelector"), Some("k=v"));
    }
}
