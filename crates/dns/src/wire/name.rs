//! Domain names: validated wire form with the original case kept, compared without it.
//!
//! Knows nothing of messages or compression.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

/// Longest name in wire form, the root label included (RFC 1035, 2.3.4).
pub const MAX_NAME: usize = 255;
/// Longest label.
pub const MAX_LABEL: usize = 63;

/// Why a text or byte string is no domain name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Two dots in a row, or a dot in front.
    #[error("a label is empty")]
    EmptyLabel,
    /// A label of more than 63 bytes.
    #[error("a label is longer than 63 bytes")]
    LongLabel,
    /// More than 255 bytes in wire form.
    #[error("the name is longer than 255 bytes")]
    LongName,
    /// A `\` without a character or three digits after it.
    #[error("a backslash escapes nothing")]
    BadEscape,
    /// Wire bytes that do not end with the root label.
    #[error("the name is cut short")]
    Cut,
}

/// A fully qualified domain name. Cheap to clone; equality, order and hash ignore ASCII case.
#[derive(Clone)]
pub struct Name(Arc<[u8]>);

impl Name {
    /// The root, `.`.
    pub fn root() -> Self {
        Self(Arc::from([0u8].as_slice()))
    }

    /// A name from uncompressed wire form, root label included.
    pub fn from_wire(bytes: &[u8]) -> Result<Self, NameError> {
        if bytes.len() > MAX_NAME {
            return Err(NameError::LongName);
        }
        let mut at = 0;
        loop {
            match bytes.get(at) {
                None => return Err(NameError::Cut),
                Some(0) if at + 1 == bytes.len() => return Ok(Self(Arc::from(bytes))),
                Some(0) => return Err(NameError::EmptyLabel),
                Some(&len) if usize::from(len) > MAX_LABEL => return Err(NameError::LongLabel),
                Some(&len) => at += 1 + usize::from(len),
            }
        }
    }

    /// Labels in front of a name given in wire form (`suffix` ends with the root label and is trusted to be
    /// well formed, as slices of a [`Name`] are).
    pub fn join<'l>(labels: impl IntoIterator<Item = &'l [u8]>, suffix: &[u8]) -> Result<Self, NameError> {
        let mut wire = Vec::with_capacity(64);
        for label in labels {
            push_label(&mut wire, label)?;
        }
        wire.extend_from_slice(suffix);
        Self::from_wire(&wire)
    }

    /// Wire form, uncompressed, root label included.
    pub fn as_wire(&self) -> &[u8] {
        &self.0
    }

    /// The labels, leftmost first, without the root.
    pub fn labels(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.as_wire();
        std::iter::from_fn(move || {
            let (&len, tail) = rest.split_first()?;
            if len == 0 {
                return None;
            }
            let (label, tail) = tail.split_at_checked(usize::from(len))?;
            rest = tail;
            Some(label)
        })
    }

    /// Whether this is `.`.
    pub fn is_root(&self) -> bool {
        self.0.len() == 1
    }

    /// Whether `self` is `zone` or below it.
    pub fn is_within(&self, zone: &Self) -> bool {
        let (own, zone) = (self.as_wire(), zone.as_wire());
        let Some(cut) = own.len().checked_sub(zone.len()) else { return false };
        let mut at = 0;
        while at < cut {
            at += 1 + usize::from(own[at]);
        }
        at == cut && own[cut..].eq_ignore_ascii_case(zone)
    }

    /// Equal byte for byte, case included.
    pub fn eq_exact(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    /// Lower-case copy with label positions, on the stack.
    pub fn fold(&self) -> Folded {
        Folded::new(self)
    }
}

/// Appends one label in wire form.
fn push_label(wire: &mut Vec<u8>, label: &[u8]) -> Result<(), NameError> {
    match label.len() {
        0 => Err(NameError::EmptyLabel),
        len if len > MAX_LABEL => Err(NameError::LongLabel),
        len => {
            wire.push(len as u8);
            wire.extend_from_slice(label);
            Ok(())
        }
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        // Length bytes are below 64, so case folding leaves them alone.
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Name {}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for byte in self.0.iter() {
            state.write_u8(byte.to_ascii_lowercase());
        }
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        let fold = |name: &Self| name.0.iter().map(u8::to_ascii_lowercase).collect::<Vec<_>>();
        fold(self).cmp(&fold(other))
    }
}

/// Presentation form with the final dot; bytes that would mislead are escaped (RFC 1035, 5.1).
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() {
            return f.write_str(".");
        }
        for label in self.labels() {
            for &byte in label {
                match byte {
                    b'.' | b'\\' | b'"' | b';' | b'(' | b')' | b'@' | b'$' => {
                        write!(f, "\\{}", char::from(byte))?
                    }
                    0x21..=0x7e => write!(f, "{}", char::from(byte))?,
                    _ => write!(f, "\\{byte:03}")?,
                }
            }
            f.write_str(".")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Reads presentation form; the final dot may be left out, every name is fully qualified.
impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text == "." {
            return Ok(Self::root());
        }
        let mut wire = Vec::with_capacity(text.len() + 2);
        let mut label = Vec::new();
        let mut rest = text.bytes();
        let mut closed = false;
        while let Some(byte) = rest.next() {
            closed = false;
            match byte {
                b'.' => {
                    push_label(&mut wire, &label)?;
                    label.clear();
                    closed = true;
                }
                b'\\' => label.push(unescape(&mut rest)?),
                _ => label.push(byte),
            }
        }
        if !closed {
            push_label(&mut wire, &label)?;
        }
        wire.push(0);
        Self::from_wire(&wire)
    }
}

/// The byte after a backslash: a character, or three decimal digits.
fn unescape(rest: &mut std::str::Bytes<'_>) -> Result<u8, NameError> {
    let first = rest.next().ok_or(NameError::BadEscape)?;
    if !first.is_ascii_digit() {
        return Ok(first);
    }
    let mut value = u16::from(first - b'0');
    for _ in 0..2 {
        let digit = rest.next().filter(u8::is_ascii_digit).ok_or(NameError::BadEscape)?;
        value = value * 10 + u16::from(digit - b'0');
    }
    u8::try_from(value).map_err(|_| NameError::BadEscape)
}

/// A lower-case name with its label positions, for look-ups without allocation.
pub struct Folded {
    bytes: [u8; MAX_NAME],
    len: u8,
    starts: [u8; MAX_NAME / 2 + 1],
    count: u8,
}

impl Folded {
    fn new(name: &Name) -> Self {
        let wire = name.as_wire();
        let mut folded =
            Self { bytes: [0; MAX_NAME], len: wire.len() as u8, starts: [0; MAX_NAME / 2 + 1], count: 0 };
        for (to, from) in folded.bytes.iter_mut().zip(wire) {
            *to = from.to_ascii_lowercase();
        }
        let mut at = 0;
        while let Some(&len) = wire.get(at).filter(|&&len| len != 0) {
            folded.starts[usize::from(folded.count)] = at as u8;
            folded.count += 1;
            at += 1 + usize::from(len);
        }
        folded.starts[usize::from(folded.count)] = at as u8;
        folded
    }

    /// Number of labels, the root not counted.
    pub fn count(&self) -> usize {
        usize::from(self.count)
    }

    /// Wire form, lower case, root label included.
    pub fn as_wire(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// Where label `index` (0 is leftmost) starts in the wire form; `count()` gives the root label.
    pub fn start(&self, index: usize) -> usize {
        self.starts.get(index).map_or(usize::from(self.len), |&at| usize::from(at))
    }

    /// Label `index`, 0 is leftmost; empty past the end.
    pub fn label(&self, index: usize) -> &[u8] {
        if index >= self.count() {
            return &[];
        }
        &self.bytes[self.start(index) + 1..self.start(index + 1)]
    }

    /// Wire form of labels `from..to`, without a root label.
    pub fn span(&self, from: usize, to: usize) -> &[u8] {
        let to = to.min(self.count());
        if from >= to { &[] } else { &self.bytes[self.start(from)..self.start(to)] }
    }

    /// How many labels stand in front of `zone` (lower-case wire form), or `None` if the name is not within it.
    pub fn labels_above(&self, zone: &[u8]) -> Option<usize> {
        let cut = self.as_wire().len().checked_sub(zone.len())?;
        let index = self.starts[..=self.count()].iter().position(|&start| usize::from(start) == cut)?;
        (self.as_wire()[cut..] == *zone).then_some(index)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_forms() {
        let check = |text: &str, expect: Result<&str, NameError>| {
            assert_eq!(text.parse::<Name>().map(|n| n.to_string()), expect.map(str::to_owned), "{text}");
        };
        check(".", Ok("."));
        check("web.default.svc.cluster.local", Ok("web.default.svc.cluster.local."));
        check("WEB.Local.", Ok("WEB.Local."));
        check(r"a\.b.c", Ok(r"a\.b.c."));
        check(r"a\032b.c", Ok(r"a\032b.c."));
        check("", Err(NameError::EmptyLabel));
        check("a..b", Err(NameError::EmptyLabel));
        check(".a", Err(NameError::EmptyLabel));
        check(r"a\", Err(NameError::BadEscape));
        check(r"a\999", Err(NameError::BadEscape));
        check(&"x".repeat(64), Err(NameError::LongLabel));
        check(&format!("{0}.{0}.{0}.{0}", "x".repeat(63)), Err(NameError::LongName));
    }

    #[test]
    fn case_is_kept_but_not_compared() {
        let (a, b): (Name, Name) = ("WeB.x".parse().unwrap(), "web.X".parse().unwrap());
        assert_eq!(a, b);
        assert!(!a.eq_exact(&b));
        assert_eq!(a.to_string(), "WeB.x.");
        assert_eq!(a.fold().as_wire(), b.fold().as_wire());
    }

    #[test]
    fn within() {
        let check = |name: &str, zone: &str, expect: bool| {
            let (name, zone): (Name, Name) = (name.parse().unwrap(), zone.parse().unwrap());
            assert_eq!(name.is_within(&zone), expect, "{name} {zone}");
            assert_eq!(name.fold().labels_above(zone.fold().as_wire()).is_some(), expect, "{name} {zone}");
        };
        check("a.b", "B", true);
        check("b", "b", true);
        check("ab", "b", false);
        check("b", "a.b", false);
        check("x.", ".", true);
        check(".", ".", true);
        // A label whose bytes look like the zone's wire form is not the zone.
        check(r"a\001b", "b", false);
    }

    proptest! {
        #[test]
        fn text_round_trips(labels in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..20), 0..8)) {
            let name = Name::join(labels.iter().map(Vec::as_slice), &[0]).unwrap();
            prop_assert!(name.to_string().parse::<Name>().unwrap().eq_exact(&name));
            let folded = name.fold();
            prop_assert_eq!(folded.count(), labels.len());
            for (i, label) in labels.iter().enumerate() {
                prop_assert_eq!(folded.label(i), label.to_ascii_lowercase());
            }
        }

        #[test]
        fn any_text_is_safe(text in ".*") {
            let _ = text.parse::<Name>();
        }
    }
}
