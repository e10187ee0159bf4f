//! Labels made of object names and addresses.

use std::net::IpAddr;

use crate::wire::MAX_LABEL;

/// An object's name as a lower-case label; `None` if it cannot be one.
pub(super) fn label(name: &str) -> Option<Box<[u8]>> {
    let fits = (1..=MAX_LABEL).contains(&name.len()) && !name.contains('.');
    fits.then(|| name.to_ascii_lowercase().into_bytes().into())
}

/// The label of an address: separators become dashes, and an IPv6 form that would end in one gets a zero.
pub(super) fn dashed(address: IpAddr) -> Box<[u8]> {
    let mut text = address.to_string().replace(['.', ':'], "-");
    if text.ends_with('-') {
        text.push('0');
    }
    text.into_bytes().into()
}

/// The address a label spells: exactly four groups are IPv4, everything else is tried as IPv6.
pub(super) fn undashed(label: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(label).ok()?;
    if text.matches('-').count() == 3 && !text.contains("--") {
        text.replace('-', ".").parse().ok().map(IpAddr::V4)
    } else {
        text.replace('-', ":").parse().ok().map(IpAddr::V6)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn addresses_as_labels() {
        let check = |address: &str, label: &str| {
            let address = address.parse().unwrap();
            assert_eq!(dashed(address), label.as_bytes().into());
            assert_eq!(undashed(label.as_bytes()), Some(address));
        };
        check("10.1.2.3", "10-1-2-3");
        check("fd00::1", "fd00--1");
        check("fd00::", "fd00--0");
        check("::", "--0");
        check("::1", "--1");
        check("1:2:3:4:5:6:7:8", "1-2-3-4-5-6-7-8");
        for bad in ["10-1-2", "10-1-2-3-4", "10-1-2-300", "010-1-2-3", "web", "", "fd00-1", "-"] {
            assert_eq!(undashed(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn names_as_labels() {
        assert_eq!(label("Web"), Some((*b"web").into()));
        assert_eq!(label(""), None);
        assert_eq!(label("a.b"), None);
        assert_eq!(label(&"x".repeat(64)), None);
    }
}
