//! Making certificates and judging kept ones. No files here.

use std::collections::BTreeSet;
use std::net::IpAddr;

use jiff::civil::Date;
use jiff::{ToSpan, Zoned};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, SanType,
};
use x509_parser::extensions::GeneralName;
use x509_parser::pem::parse_x509_pem;
use x509_parser::prelude::X509Certificate;

use super::{Error, KeyPair};

/// A certificate that is not a CA's.
pub(super) enum Leaf<'a> {
    /// The server's, for these names and addresses.
    Server { names: &'a [String] },
    /// A client's.
    Client { user: &'a str, group: Option<&'a str> },
}

/// Certificates with less time left than this are made anew at start.
const RENEW_WITHIN_DAYS: i64 = 30;

/// The current day, UTC.
pub(super) fn today() -> Date {
    Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC).date()
}

/// A new CA, good for ten years.
pub(super) fn authority(today: Date) -> Result<KeyPair, Error> {
    let key = rcgen::KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = params("portway-ca", today, 3650);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages =
        vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    let certificate = params.self_signed(&key)?;
    Ok(KeyPair { certificate: certificate.pem(), key: key.serialize_pem() })
}

/// A certificate signed by `authority`, good for a year.
pub(super) fn leaf(authority: &KeyPair, leaf: &Leaf<'_>, today: Date) -> Result<KeyPair, Error> {
    let key = rcgen::KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let issuer_key = rcgen::KeyPair::from_pem(&authority.key)?;
    let issuer = Issuer::from_ca_cert_pem(&authority.certificate, issuer_key)?;
    let mut params = match leaf {
        Leaf::Server { names } => {
            let mut params = params("kube-apiserver", today, 365);
            for name in *names {
                params.subject_alt_names.push(alt_name(name)?);
            }
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            params
        }
        Leaf::Client { user, group } => {
            let mut params = params(user, today, 365);
            if let Some(group) = group {
                params.distinguished_name.push(DnType::OrganizationName, *group);
            }
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            params
        }
    };
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    let certificate = params.signed_by(&key, &issuer)?;
    Ok(KeyPair { certificate: certificate.pem(), key: key.serialize_pem() })
}

fn params(common_name: &str, today: Date, days: i64) -> CertificateParams {
    let moment = |date: Date| {
        rcgen::date_time_ymd(i32::from(date.year()), date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    // A day early, for clients whose clock runs behind.
    params.not_before = moment(today.saturating_sub(1.day()));
    params.not_after = moment(today.saturating_add(days.days()));
    params
}

fn alt_name(name: &str) -> Result<SanType, Error> {
    match name.parse::<IpAddr>() {
        Ok(ip) => Ok(SanType::IpAddress(ip)),
        Err(_)
            if !name.is_empty()
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._*".contains(&b)) =>
        {
            let text =
                name.try_into().map_err(|e: rcgen::Error| Error::Name(name.to_owned(), e.to_string()))?;
            Ok(SanType::DnsName(text))
        }
        Err(_) => Err(Error::Name(name.to_owned(), "neither a DNS name nor an IP address".to_owned())),
    }
}

/// A kept certificate can go on serving: signed by this CA, carrying these names, with time left.
pub(super) fn still_good(pair: &KeyPair, authority: &KeyPair, leaf: &Leaf<'_>, today: Date) -> bool {
    let (Ok((_, pem)), Ok((_, ca))) =
        (parse_x509_pem(pair.certificate.as_bytes()), parse_x509_pem(authority.certificate.as_bytes()))
    else {
        return false;
    };
    let (Ok(certificate), Ok(ca)) = (pem.parse_x509(), ca.parse_x509()) else { return false };
    let Ok(midnight) = today.to_zoned(jiff::tz::TimeZone::UTC) else { return false };
    let seconds_left = certificate.validity().not_after.timestamp() - midnight.timestamp().as_second();
    rcgen::KeyPair::from_pem(&pair.key)
        .is_ok_and(|key| key.public_key_raw() == certificate.public_key().subject_public_key.data.as_ref())
        && certificate.issuer() == ca.subject()
        && authority_key_matches(&certificate, &ca)
        && seconds_left > RENEW_WITHIN_DAYS * 86_400
        && match leaf {
            Leaf::Server { names } => {
                names_of(&certificate) == names.iter().map(|n| canonical(n)).collect::<BTreeSet<_>>()
            }
            Leaf::Client { .. } => true,
        }
}

/// The certificate names the CA's very key, not only its subject (every CA made here has the same subject).
fn authority_key_matches(certificate: &X509Certificate<'_>, ca: &X509Certificate<'_>) -> bool {
    use x509_parser::extensions::ParsedExtension::{AuthorityKeyIdentifier, SubjectKeyIdentifier};
    let find = |c: &X509Certificate<'_>| {
        c.extensions().iter().find_map(|e| match e.parsed_extension() {
            SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
            _ => None,
        })
    };
    let named = certificate.extensions().iter().find_map(|e| match e.parsed_extension() {
        AuthorityKeyIdentifier(id) => id.key_identifier.as_ref().map(|id| id.0.to_vec()),
        _ => None,
    });
    named.is_some() && named == find(ca)
}

fn names_of(certificate: &X509Certificate<'_>) -> BTreeSet<String> {
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return BTreeSet::new() };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(dns) => Some((*dns).to_owned()),
        GeneralName::IPAddress(bytes) => match <[u8; 4]>::try_from(*bytes) {
            Ok(v4) => Some(IpAddr::from(v4).to_string()),
            Err(_) => <[u8; 16]>::try_from(*bytes).ok().map(|v6| IpAddr::from(v6).to_string()),
        },
        _ => None,
    };
    names.value.general_names.iter().filter_map(name).collect()
}

fn canonical(name: &str) -> String {
    name.parse::<IpAddr>().map_or_else(|_| name.to_owned(), |ip| ip.to_string())
}
