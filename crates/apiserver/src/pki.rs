//! The server's own certificates: a CA made on first start, the server's certificate, client certificates,
//! and the kubeconfig that goes with them. Kept in a directory, secrets readable by their owner only.
//!
//! Must not know HTTP or API objects.

mod issue;
mod kubeconfig;
mod store;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

pub use kubeconfig::Kubeconfig;

use issue::Leaf;

/// A certificate with its key, both PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyPair {
    /// Certificate.
    pub certificate: String,
    /// PKCS #8 key.
    pub key: String,
}

/// Why certificates cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The directory cannot be read or written: check its permissions.
    #[error("{path}: {source}")]
    File {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A kept file is not what it should be: remove it, and a new one is made (a new CA cuts off old clients).
    #[error("{path}: {reason}")]
    Damaged {
        /// Where.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A name given for the server's certificate is neither a DNS name nor an address.
    #[error("{0:?} cannot stand in a certificate: {1}")]
    Name(String, String),
    /// Signing failed.
    #[error("cannot make a certificate: {0}")]
    Sign(#[from] rcgen::Error),
    /// TLS refuses the certificates.
    #[error("TLS: {0}")]
    Tls(String),
}

/// The certificates of one server.
pub struct Pki {
    authority: KeyPair,
    server: KeyPair,
    admin: KeyPair,
}

impl Pki {
    /// Reads the certificates kept in `dir` and makes what is missing. The server's certificate is made anew
    /// when `names` are no longer those it carries, and every certificate but the CA's when it nears its end.
    pub fn ensure(dir: &Path, names: &[String]) -> Result<Self, Error> {
        store::ensure_dir(dir)?;
        let today = issue::today();
        let authority = match store::read_pair(dir, "ca")? {
            Some(pair) => pair,
            None => store::write_pair(dir, "ca", issue::authority(today)?)?,
        };
        let kept = |name: &str, leaf: &Leaf<'_>| -> Result<KeyPair, Error> {
            if let Some(pair) = store::read_pair(dir, name)?
                && issue::still_good(&pair, &authority, leaf, today)
            {
                return Ok(pair);
            }
            store::write_pair(dir, name, issue::leaf(&authority, leaf, today)?)
        };
        let server = kept("apiserver", &Leaf::Server { names })?;
        let admin = kept("admin", &Leaf::Client { user: "kubernetes-admin", group: Some("system:masters") })?;
        Ok(Self { authority, server, admin })
    }

    /// Certificates that live in memory only, for tests and throw-away servers.
    pub fn ephemeral(names: &[String]) -> Result<Self, Error> {
        let today = issue::today();
        let authority = issue::authority(today)?;
        let server = issue::leaf(&authority, &Leaf::Server { names }, today)?;
        let admin = Leaf::Client { user: "kubernetes-admin", group: Some("system:masters") };
        let admin = issue::leaf(&authority, &admin, today)?;
        Ok(Self { authority, server, admin })
    }

    /// The CA's certificate, PEM.
    pub fn ca(&self) -> &str {
        &self.authority.certificate
    }

    /// The administrator's client certificate.
    pub fn admin(&self) -> &KeyPair {
        &self.admin
    }

    /// A client certificate for `user`, a member of `group`.
    pub fn client(&self, user: &str, group: Option<&str>) -> Result<KeyPair, Error> {
        issue::leaf(&self.authority, &Leaf::Client { user, group }, issue::today())
    }

    /// The administrator's kubeconfig for a server at `server` (`https://127.0.0.1:6443`).
    pub fn kubeconfig<'a>(&'a self, server: &'a str) -> Kubeconfig<'a> {
        Kubeconfig { server, ca: self.ca(), user: "kubernetes-admin", client: &self.admin }
    }

    /// TLS of the server: HTTP/2 and HTTP/1.1, client certificates of the CA accepted but not demanded.
    pub fn server_config(&self) -> Result<Arc<ServerConfig>, Error> {
        let tls = |e: &dyn std::fmt::Display| Error::Tls(e.to_string());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&self.authority.certificate)? {
            roots.add(certificate).map_err(|e| tls(&e))?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .allow_unauthenticated()
            .build()
            .map_err(|e| tls(&e))?;
        let key = PrivateKeyDer::from_pem_slice(self.server.key.as_bytes()).map_err(|e| tls(&e))?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| tls(&e))?
            .with_client_cert_verifier(verifier)
            .with_single_cert(certificates(&self.server.certificate)?, key)
            .map_err(|e| tls(&e))?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
    CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|e| Error::Tls(e.to_string()))
}

#[cfg(test)]
mod tests;
