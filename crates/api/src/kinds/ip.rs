//! IP addresses and CIDRs as texts of API fields: which spellings a field accepts, and warnings about odd ones.
//!
//! Two readers: the sloppy one takes leading zeros in IPv4 octets (as decimal), the strict one does not. An
//! IPv4-mapped IPv6 address is the IPv4 address it maps, as upstream sees it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use portway_base::IpFamily;

use crate::field::FieldError;

/// Reads an address, leading zeros and all.
pub fn sloppy(text: &str) -> Option<IpAddr> {
    match text.parse::<IpAddr>() {
        Ok(IpAddr::V6(address)) => Some(address.to_ipv4_mapped().map_or(IpAddr::V6(address), IpAddr::V4)),
        Ok(address) => Some(address),
        Err(_) => sloppy_v4(text).map(IpAddr::V4),
    }
}

fn sloppy_v4(text: &str) -> Option<Ipv4Addr> {
    let mut octets = [0u8; 4];
    let mut parts = text.split('.');
    for octet in &mut octets {
        *octet = decimal(parts.next()?)?.try_into().ok()?;
    }
    parts.next().is_none().then_some(Ipv4Addr::from(octets))
}

fn decimal(text: &str) -> Option<u32> {
    if text.is_empty() || text.len() > 8 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// The family of an address text.
pub fn family(text: &str) -> Option<IpFamily> {
    sloppy(text).map(IpFamily::of)
}

/// A mapped address, in the text form.
fn mapped(text: &str) -> bool {
    text.parse::<Ipv6Addr>().is_ok_and(|address| address.to_ipv4_mapped().is_some())
}

/// Any spelling but leading zeros and mapped addresses. Texts among `existing` (of the old object) pass as
/// they are.
pub fn validate_legacy(path: &str, text: &str, existing: &[&str]) -> Vec<FieldError> {
    if existing.contains(&text) {
        return Vec::new();
    }
    let invalid = |detail: &str| vec![FieldError::invalid(path, text, detail)];
    if sloppy(text).is_none() {
        return invalid("must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
    }
    if text.parse::<IpAddr>().is_err() {
        return invalid("must not have leading 0s");
    }
    if mapped(text) {
        return invalid("must not be an IPv4-mapped IPv6 address");
    }
    Vec::new()
}

/// The one canonical spelling.
pub fn validate_canonical(path: &str, text: &str) -> Vec<FieldError> {
    let errors = validate_legacy(path, text, &[]);
    if !errors.is_empty() {
        return errors;
    }
    match sloppy(text).map(|address| address.to_string()) {
        Some(canonical) if canonical != text => {
            vec![FieldError::invalid(path, text, format!("must be in canonical form ({canonical:?})"))]
        }
        _ => Vec::new(),
    }
}

/// An address traffic can be sent to.
pub fn validate_endpoint(path: &str, text: &str) -> Vec<FieldError> {
    let invalid = |detail: &str| vec![FieldError::invalid(path, text, detail)];
    let Some(address) = sloppy(text) else { return invalid("must be a valid IP address") };
    let (link_local, link_local_multicast) = match address {
        IpAddr::V4(v4) => (v4.is_link_local(), v4.octets()[..3] == [224, 0, 0]),
        IpAddr::V6(v6) => (v6.segments()[0] & 0xffc0 == 0xfe80, v6.segments()[0] & 0xff0f == 0xff02),
    };
    if address.is_unspecified() {
        invalid(&format!("may not be unspecified ({text})"))
    } else if address.is_loopback() {
        invalid("may not be in the loopback range (127.0.0.0/8, ::1/128)")
    } else if link_local {
        invalid("may not be in the link-local range (169.254.0.0/16, fe80::/10)")
    } else if link_local_multicast {
        invalid("may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)")
    } else {
        Vec::new()
    }
}

/// Address and prefix length of a CIDR, leading zeros and all. The address keeps its host bits.
pub fn sloppy_cidr(text: &str) -> Option<(IpAddr, u8)> {
    let (address, length) = text.split_once('/')?;
    let length = u8::try_from(decimal(length)?).ok()?;
    let written_v6 = address.contains(':');
    let address = sloppy(address)?;
    match address {
        IpAddr::V6(_) if length <= 128 => Some((address, length)),
        // A mapped address with a length of the IPv6 form.
        IpAddr::V4(_) if written_v6 && (96..=128).contains(&length) => Some((address, length - 96)),
        IpAddr::V4(_) if !written_v6 && length <= 32 => Some((address, length)),
        _ => None,
    }
}

/// The network of a CIDR: its text with the host bits cleared.
fn network(address: IpAddr, length: u8) -> Option<ipnet::IpNet> {
    ipnet::IpNet::new(address, length).ok().map(|net| net.trunc())
}

/// Any spelling but leading zeros, mapped addresses and host bits. Texts among `existing` pass as they are.
pub fn validate_legacy_cidr(path: &str, text: &str, existing: &[&str]) -> Vec<FieldError> {
    if existing.contains(&text) {
        return Vec::new();
    }
    let invalid = |detail: &str| vec![FieldError::invalid(path, text, detail)];
    let Some((address, length)) = sloppy_cidr(text) else {
        return invalid("must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)");
    };
    let (written, digits) = text.split_once('/').unwrap_or((text, ""));
    if written.parse::<IpAddr>().is_err() || (digits.len() > 1 && digits.starts_with('0')) {
        return invalid("must not have leading 0s in IP or prefix length");
    }
    if mapped(written) {
        return invalid("must not have an IPv4-mapped IPv6 address");
    }
    if network(address, length).is_some_and(|net| net.addr() != address) {
        return invalid("must not have bits set beyond the prefix length");
    }
    Vec::new()
}

/// The one canonical spelling of a CIDR.
pub fn validate_canonical_cidr(path: &str, text: &str) -> Vec<FieldError> {
    let errors = validate_legacy_cidr(path, text, &[]);
    if !errors.is_empty() {
        return errors;
    }
    match sloppy_cidr(text).and_then(|(address, length)| network(address, length)).map(|net| net.to_string())
    {
        Some(canonical) if canonical != text => {
            vec![FieldError::invalid(path, text, format!("must be in canonical form ({canonical:?})"))]
        }
        _ => Vec::new(),
    }
}

/// A warning about an address that is accepted but oddly written.
pub fn warn(path: &str, text: &str) -> Option<String> {
    let address = sloppy(text)?;
    let canonical = address.to_string();
    if text.parse::<IpAddr>().is_err() || mapped(text) {
        return Some(format!("{path}: non-standard IP address {text:?} is invalid: use {canonical:?}"));
    }
    (address.is_ipv6() && canonical != text).then(|| {
        format!("{path}: IPv6 address {text:?} should be in RFC 5952 canonical format ({canonical:?})")
    })
}

/// Warnings about a CIDR that is accepted but oddly written.
pub fn warn_cidr(path: &str, text: &str) -> Vec<String> {
    let Some((address, length)) = sloppy_cidr(text) else { return Vec::new() };
    let Some(net) = network(address, length) else { return Vec::new() };
    let mut warnings = Vec::new();
    if net.addr() != address {
        let single = format!("{address}/{}", net.max_prefix_len());
        warnings.push(format!(
            "{path}: CIDR value {text:?} is ambiguous in this context (should be {:?} or {single:?}?)",
            net.to_string()
        ));
    }
    let (written, digits) = text.split_once('/').unwrap_or((text, ""));
    let odd = written.parse::<IpAddr>().is_err()
        || (digits.len() > 1 && digits.starts_with('0'))
        || mapped(written);
    if odd {
        warnings
            .push(format!("{path}: non-standard CIDR value {text:?} is invalid: use {:?}", net.to_string()));
    }
    if warnings.is_empty() && address.is_ipv6() && net.to_string() != text {
        warnings.push(format!(
            "{path}: IPv6 CIDR value {text:?} should be in RFC 5952 canonical format ({:?})",
            net.to_string()
        ));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn details(errors: &[FieldError]) -> Vec<&str> {
        errors.iter().map(|e| e.detail.as_str()).collect()
    }

    #[test]
    fn legacy_addresses() {
        let check = |text: &str, expect: &[&str]| {
            assert_eq!(details(&validate_legacy("p", text, &[])), expect, "{text}")
        };
        check("10.0.0.1", &[]);
        check("2001:DB8:0::1", &[]);
        check("010.0.0.1", &["must not have leading 0s"]);
        check("::ffff:1.2.3.4", &["must not be an IPv4-mapped IPv6 address"]);
        check("10.0.0.256", &["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]);
        check("None", &["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]);
        assert!(validate_legacy("p", "junk", &["junk"]).is_empty());
    }

    #[test]
    fn canonical_addresses() {
        assert_eq!(
            details(&validate_canonical("p", "2001:DB8::1")),
            ["must be in canonical form (\"2001:db8::1\")"]
        );
        assert!(validate_canonical("p", "2001:db8::1").is_empty());
    }

    #[test]
    fn endpoint_addresses() {
        let check =
            |text: &str, fine: bool| assert_eq!(validate_endpoint("p", text).is_empty(), fine, "{text}");
        for text in ["10.0.0.1", "239.1.1.1", "255.255.255.255", "fd00::1", "ff05::1"] {
            check(text, true);
        }
        for text in ["0.0.0.0", "::", "127.9.9.9", "::1", "169.254.0.1", "fe80::1", "224.0.0.251", "ff02::1"]
        {
            check(text, false);
        }
    }

    #[test]
    fn cidrs() {
        let check = |text: &str, expect: &[&str]| {
            assert_eq!(details(&validate_legacy_cidr("p", text, &[])), expect, "{text}");
        };
        check("10.0.0.0/8", &[]);
        check("2001:DB8::/64", &[]);
        check("10.1.2.3/8", &["must not have bits set beyond the prefix length"]);
        check("10.0.0.0/08", &["must not have leading 0s in IP or prefix length"]);
        check("10.0.0.0", &["must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"]);
        check("10.0.0.0/33", &["must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"]);
        check("::ffff:10.0.0.0/104", &["must not have an IPv4-mapped IPv6 address"]);
        assert_eq!(
            details(&validate_canonical_cidr("p", "FD00::/8")),
            ["must be in canonical form (\"fd00::/8\")"]
        );
    }

    #[test]
    fn warnings() {
        let odd = "p: IPv6 address \"2001:DB8::1\" should be in RFC 5952 canonical format (\"2001:db8::1\")";
        assert_eq!(warn("p", "2001:DB8::1").as_deref(), Some(odd));
        assert_eq!(warn("p", "10.0.0.1"), None);
        let zeros = "p: non-standard IP address \"010.0.0.1\" is invalid: use \"10.0.0.1\"";
        assert_eq!(warn("p", "010.0.0.1").as_deref(), Some(zeros));
        let bits = "p: CIDR value \"10.1.2.3/8\" is ambiguous in this context (should be \"10.0.0.0/8\" or \"10.1.2.3/32\"?)";
        assert_eq!(warn_cidr("p", "10.1.2.3/8"), [bits]);
    }
}
