//! Text formats of names, labels and ports. Each function returns what is wrong with a text, in the words
//! kubectl users know; nothing means it is fine.
//!
//! The formats are written out as byte rules rather than regular expressions; the expressions appear in the
//! messages because users see them there.

/// Messages; empty means valid.
pub type Problems = Vec<String>;

const LABEL: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const LABEL_1035: &str = "[a-z]([-a-z0-9]*[a-z0-9])?";
const SUBDOMAIN: &str = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
const WILDCARD: &str = r"\*\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
const QUALIFIED: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";

/// `must be between LOW and HIGH, inclusive`.
pub fn range(low: i64, high: i64) -> String {
    format!("must be between {low} and {high}, inclusive")
}

/// `must be no more than N characters`.
fn too_long(limit: usize) -> String {
    format!("must be no more than {limit} characters")
}

fn mismatch(what: &str, expression: &str, examples: &[&str]) -> String {
    let examples: Vec<String> = examples.iter().map(|e| format!("'{e}', ")).collect();
    format!("{what} (e.g. {}regex used for validation is '{expression}')", examples.join(" or "))
}

fn label_like(text: &str) -> bool {
    let bytes = text.as_bytes();
    let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
}

fn subdomain_like(text: &str) -> bool {
    text.split('.').all(label_like)
}

/// A DNS-1123 label: 63 of `[a-z0-9-]`, alphanumeric at both ends.
pub fn dns1123_label(text: &str) -> Problems {
    let mut problems = Vec::new();
    if text.len() > 63 {
        problems.push(too_long(63));
    }
    if !label_like(text) {
        problems.push(if subdomain_like(text) {
            "must not contain dots".to_owned()
        } else {
            let what = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', \
                        and must start and end with an alphanumeric character";
            mismatch(what, LABEL, &["my-name", "123-abc"])
        });
    }
    problems
}

/// A DNS-1035 label: as DNS-1123, starting with a letter.
pub fn dns1035_label(text: &str) -> Problems {
    let mut problems = Vec::new();
    if text.len() > 63 {
        problems.push(too_long(63));
    }
    if !label_like(text) || text.starts_with(|c: char| c.is_ascii_digit()) {
        let what = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an \
                    alphabetic character, and end with an alphanumeric character";
        problems.push(mismatch(what, LABEL_1035, &["my-name", "abc-123"]));
    }
    problems
}

/// A DNS-1123 subdomain: dot-separated labels, 253 in all.
pub fn dns1123_subdomain(text: &str) -> Problems {
    let mut problems = Vec::new();
    if text.len() > 253 {
        problems.push(too_long(253));
    }
    if !subdomain_like(text) {
        let what = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or \
                    '.', and must start and end with an alphanumeric character";
        problems.push(mismatch(what, SUBDOMAIN, &["example.com"]));
    }
    problems
}

/// `*.` and a DNS-1123 subdomain.
pub fn wildcard_subdomain(text: &str) -> Problems {
    let mut problems = Vec::new();
    if text.len() > 253 {
        problems.push(too_long(253));
    }
    if !text.strip_prefix("*.").is_some_and(subdomain_like) {
        let what = "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which \
                    must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric \
                    character";
        problems.push(mismatch(what, WILDCARD, &["*.example.com"]));
    }
    problems
}

/// Two DNS-1123 labels or more, one trailing dot allowed; the offending part comes with each message.
pub fn fully_qualified_domain(text: &str) -> Vec<(String, String)> {
    let name = text.strip_suffix('.').unwrap_or(text);
    let problems = dns1123_subdomain(name);
    if !problems.is_empty() {
        return vec![(name.to_owned(), problems.join(","))];
    }
    if !name.contains('.') {
        let problem = "should be a domain with at least two segments separated by dots";
        return vec![(name.to_owned(), problem.to_owned())];
    }
    let bad = name.split('.').map(|label| (label, dns1123_label(label))).find(|(_, bad)| !bad.is_empty());
    bad.map(|(label, bad)| (label.to_owned(), bad.join(","))).into_iter().collect()
}

/// `[A-Za-z0-9._-]`, alphanumeric at both ends.
fn name_like(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b))
}

/// A label key: `[PREFIX/]NAME`.
pub fn qualified_name(text: &str) -> Problems {
    let what = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
                alphanumeric character";
    let examples = ["MyName", "my.name", "123-abc"];
    let mut problems = Vec::new();
    let parts: Vec<&str> = text.split('/').collect();
    let name = match parts.as_slice() {
        [name] => *name,
        [prefix, name] => {
            if prefix.is_empty() {
                problems.push("prefix part must be non-empty".to_owned());
            } else {
                problems.extend(dns1123_subdomain(prefix).into_iter().map(|p| format!("prefix part {p}")));
            }
            *name
        }
        _ => {
            let head = mismatch(what, QUALIFIED, &examples);
            let tail = "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
            return vec![format!("a valid label key {head} {tail}")];
        }
    };
    if name.is_empty() {
        problems.push("name part must be non-empty".to_owned());
    } else if name.len() > 63 {
        problems.push("name part must be no more than 63 bytes".to_owned());
    }
    if !name_like(name) {
        problems.push(format!("name part {}", mismatch(what, QUALIFIED, &examples)));
    }
    problems
}

/// A label value: empty, or 63 of `[A-Za-z0-9._-]`, alphanumeric at both ends.
pub fn label_value(text: &str) -> Problems {
    let mut problems = Vec::new();
    if text.len() > 63 {
        problems.push("must be no more than 63 bytes".to_owned());
    }
    if !text.is_empty() && !name_like(text) {
        let what = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or \
                    '.', and must start and end with an alphanumeric character";
        problems.push(mismatch(what, &format!("({QUALIFIED})?"), &["MyValue", "my_value", "12345"]));
    }
    problems
}

/// A port name (IANA service name): 15 of `[a-z0-9-]` with at least one letter.
pub fn port_name(text: &str) -> Problems {
    let mut problems = Vec::new();
    if text.len() > 15 {
        problems.push(too_long(15));
    }
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if text.is_empty() || !text.bytes().all(fits) {
        problems.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".to_owned());
    }
    if !text.bytes().any(|b| b.is_ascii_lowercase()) {
        problems.push("must contain at least one letter (a-z)".to_owned());
    }
    if text.contains("--") {
        problems.push("must not contain consecutive hyphens".to_owned());
    }
    if text.starts_with('-') || text.ends_with('-') {
        problems.push("must not begin or end with a hyphen".to_owned());
    }
    problems
}

/// 1..=65535.
pub fn port_number(port: i64) -> Problems {
    if (1..=65535).contains(&port) { Vec::new() } else { vec![range(1, 65535)] }
}

/// A name that can stand in a URL path.
pub fn path_segment(text: &str) -> Problems {
    if text == "." || text == ".." {
        return vec![format!("may not be '{text}'")];
    }
    ["/", "%"]
        .iter()
        .filter(|bad| text.contains(**bad))
        .map(|bad| format!("may not contain '{bad}'"))
        .collect()
}

/// A key of a ConfigMap or Secret, a file name.
pub fn config_key(text: &str) -> Problems {
    let mut problems = Vec::new();
    if text.len() > 253 {
        problems.push(too_long(253));
    }
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) {
        let what = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'";
        problems.push(mismatch(what, "[-._a-zA-Z0-9]+", &["key.name", "KEY_NAME", "key-name"]));
    }
    match text {
        "." => problems.push("must not be '.'".to_owned()),
        ".." => problems.push("must not be '..'".to_owned()),
        _ if text.starts_with("..") => problems.push("must not start with '..'".to_owned()),
        _ => {}
    }
    problems
}

/// The name of an environment variable: printable ASCII without `=`.
pub fn env_name(text: &str) -> Problems {
    if text.is_empty() {
        return vec!["environment variable name must be non-empty".to_owned()];
    }
    if text.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b'=') {
        return Vec::new();
    }
    vec![
        "a valid environment variable name must consist only of printable ASCII characters other than '='"
            .to_owned(),
    ]
}

/// The name of an HTTP header.
pub fn http_header(text: &str) -> Problems {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return Vec::new();
    }
    let what = "a valid HTTP header must consist of alphanumeric characters or '-'";
    vec![mismatch(what, "[-A-Za-z0-9]+", &["X-Header-Name"])]
}

/// Digits and `%`.
pub fn percent(text: &str) -> Problems {
    if text.strip_suffix('%').is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit())) {
        return Vec::new();
    }
    let what = "a valid percent string must be a numeric string followed by an ending '%'";
    vec![mismatch(what, "[0-9]+%", &["1%", "93%"])]
}

/// A name whose end will be made up: a trailing `-` is as good as a letter.
pub fn as_prefix(name: &str) -> String {
    match name.strip_suffix('-') {
        Some(head) if !head.is_empty() => format!("{head}a"),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(format: fn(&str) -> Problems, text: &str, expect: &[&str]) {
        assert_eq!(format(text), expect, "{text}");
    }

    #[test]
    fn labels() {
        let wrong = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must \
                     start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for \
                     validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
        check(dns1123_label, "web-1", &[]);
        check(dns1123_label, "1web", &[]);
        check(dns1123_label, "a.b", &["must not contain dots"]);
        check(dns1123_label, "Web", &[wrong]);
        check(dns1123_label, "", &[wrong]);
        check(dns1123_label, &"a".repeat(64), &["must be no more than 63 characters"]);
        assert!(!dns1035_label("1web").is_empty());
        assert!(dns1123_subdomain("a.b-c.d").is_empty());
        assert!(!dns1123_subdomain("a..b").is_empty());
        assert!(wildcard_subdomain("*.a.b").is_empty());
        assert!(!wildcard_subdomain("*a.b").is_empty());
    }

    #[test]
    fn qualified_names() {
        check(qualified_name, "a", &[]);
        check(qualified_name, "example.com/A_b.c", &[]);
        check(qualified_name, "/a", &["prefix part must be non-empty"]);
        assert_eq!(qualified_name("a/").len(), 2);
        assert_eq!(qualified_name("a/b/c").len(), 1);
        check(label_value, "", &[]);
        assert_eq!(label_value("a b").len(), 1);
    }

    #[test]
    fn ports_and_keys() {
        check(port_name, "http-alt", &[]);
        check(port_name, "80", &["must contain at least one letter (a-z)"]);
        check(port_name, "a--b", &["must not contain consecutive hyphens"]);
        check(config_key, "..x", &["must not start with '..'"]);
        check(path_segment, "a/b", &["may not contain '/'"]);
        check(percent, "25%", &[]);
        assert_eq!(as_prefix("web-"), "weba");
    }

    #[test]
    fn domains() {
        assert!(fully_qualified_domain("a.example.com.").is_empty());
        assert_eq!(fully_qualified_domain("a").len(), 1);
        assert_eq!(fully_qualified_domain(&format!("{}.com", "a".repeat(64))).len(), 1);
    }
}
