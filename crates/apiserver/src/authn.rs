//! Who is asking: identities, and how a connection or a header turns into one.
//!
//! Must not know what an identity may do.

use std::fmt;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The group that may do everything.
pub const MASTERS: &str = "system:masters";
const AUTHENTICATED: &str = "system:authenticated";

/// Someone the server knows by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// User name.
    pub user: String,
    /// Unique id of the user; empty where the method of authentication gives none.
    pub uid: String,
    /// Groups, always with `system:authenticated` (or `system:unauthenticated`).
    pub groups: Vec<String>,
}

impl Identity {
    /// `user` in `groups`, authenticated.
    pub fn new(user: impl Into<String>, groups: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let mut groups: Vec<String> = groups.into_iter().map(Into::into).collect();
        if !groups.iter().any(|g| g == AUTHENTICATED) {
            groups.push(AUTHENTICATED.to_owned());
        }
        Self { user: user.into(), uid: String::new(), groups }
    }

    /// A part of this process (`system:portway:NAME`), allowed everything.
    pub fn component(name: &str) -> Self {
        Self::new(format!("system:portway:{name}"), [MASTERS])
    }

    /// The administrator of the kubeconfig this server writes.
    pub fn admin() -> Self {
        Self::new("kubernetes-admin", [MASTERS])
    }

    /// Someone who presented nothing.
    pub fn anonymous() -> Self {
        Self {
            user: "system:anonymous".to_owned(),
            uid: String::new(),
            groups: vec!["system:unauthenticated".to_owned()],
        }
    }

    /// Presented nothing.
    pub fn is_anonymous(&self) -> bool {
        self.user == "system:anonymous"
    }

    /// Is a member of `group`.
    pub fn in_group(&self, group: &str) -> bool {
        self.groups.iter().any(|g| g == group)
    }
}

/// A bearer token from a static list.
#[derive(Clone)]
pub struct StaticToken {
    /// The secret.
    pub token: String,
    /// Whom it stands for.
    pub identity: Identity,
}

/// Leaves the secret out.
impl fmt::Debug for StaticToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticToken").field("identity", &self.identity).finish_non_exhaustive()
    }
}

/// Credentials were presented and are wrong: 401.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unauthorized;

/// The identity in a client certificate that TLS has already verified: Common Name and Organizations.
pub fn from_certificate(der: &CertificateDer<'_>) -> Result<Identity, Unauthorized> {
    let (_, certificate) = X509Certificate::from_der(der).map_err(|_| Unauthorized)?;
    let subject = certificate.subject();
    let user = subject.iter_common_name().next().and_then(|cn| cn.as_str().ok()).unwrap_or_default();
    if user.is_empty() {
        return Err(Unauthorized);
    }
    Ok(Identity::new(user, subject.iter_organization().filter_map(|o| o.as_str().ok())))
}

/// The identity of one request: a bearer token decides, else the connection's certificate, else anonymous.
pub fn of_request(
    headers: &HeaderMap,
    connection: Option<&Identity>,
    tokens: &[StaticToken],
) -> Result<Identity, Unauthorized> {
    if let Some(identity) = connection {
        return Ok(identity.clone());
    }
    let Some(header) = headers.get(AUTHORIZATION) else { return Ok(Identity::anonymous()) };
    let header = header.to_str().map_err(|_| Unauthorized)?;
    if header.is_empty() {
        return Ok(Identity::anonymous());
    }
    let (scheme, token) = header.split_once(' ').ok_or(Unauthorized)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Unauthorized);
    }
    let token = token.trim();
    let found = tokens.iter().find(|t| equal_in_constant_time(t.token.as_bytes(), token.as_bytes()));
    found.map(|t| t.identity.clone()).ok_or(Unauthorized)
}

/// Compares without telling by its duration how many bytes were right.
fn equal_in_constant_time(a: &[u8], b: &[u8]) -> bool {
    !a.is_empty() && a.len() == b.len() && a.iter().zip(b).fold(0, |diff, (x, y)| diff | (x ^ y)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bearer_tokens() {
        let tokens = [StaticToken { token: "s3cret".into(), identity: Identity::new("ann", ["dev"]) }];
        let check = |header: Option<&str>, expect: Result<&str, Unauthorized>| {
            let mut headers = HeaderMap::new();
            if let Some(value) = header {
                headers.insert(AUTHORIZATION, value.parse().unwrap());
            }
            let found = of_request(&headers, None, &tokens).map(|i| i.user);
            assert_eq!(found, expect.map(str::to_owned), "{header:?}");
        };
        check(None, Ok("system:anonymous"));
        check(Some(""), Ok("system:anonymous"));
        check(Some("Bearer s3cret"), Ok("ann"));
        check(Some("bearer s3cret"), Ok("ann"));
        check(Some("Bearer wrong"), Err(Unauthorized));
        check(Some("Bearer "), Err(Unauthorized));
        check(Some("Basic YTpi"), Err(Unauthorized));
        check(Some("Bearer"), Err(Unauthorized));
    }

    #[test]
    fn groups_always_tell_authenticated() {
        assert_eq!(Identity::new("a", ["x"]).groups, ["x", "system:authenticated"]);
        assert!(!Identity::anonymous().in_group("system:authenticated"));
    }

    #[test]
    fn debug_output_keeps_the_secret() {
        let token = StaticToken { token: "s3cret".into(), identity: Identity::admin() };
        assert!(!format!("{token:?}").contains("s3cret"));
    }
}
