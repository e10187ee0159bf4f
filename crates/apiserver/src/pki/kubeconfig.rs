//! The file that tells kubectl where the server is and who the user is.

use std::fmt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Error, KeyPair, store};

/// A kubeconfig with one cluster, one user, one context, everything embedded.
pub struct Kubeconfig<'a> {
    pub(super) server: &'a str,
    pub(super) ca: &'a str,
    pub(super) user: &'a str,
    pub(super) client: &'a KeyPair,
}

impl Kubeconfig<'_> {
    /// Writes it, readable by its owner only (it holds the key).
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty() && !p.exists()) {
            store::ensure_dir(parent)?;
        }
        store::write(path, &self.to_string(), 0o600)
    }
}

impl fmt::Display for Kubeconfig<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ca, certificate, key) = (
            STANDARD.encode(self.ca),
            STANDARD.encode(&self.client.certificate),
            STANDARD.encode(&self.client.key),
        );
        write!(
            f,
            "apiVersion: v1\n\
             kind: Config\n\
             clusters:\n\
             - name: portway\n\
             \x20 cluster:\n\
             \x20   server: {server}\n\
             \x20   certificate-authority-data: {ca}\n\
             users:\n\
             - name: {user}\n\
             \x20 user:\n\
             \x20   client-certificate-data: {certificate}\n\
             \x20   client-key-data: {key}\n\
             contexts:\n\
             - name: portway\n\
             \x20 context:\n\
             \x20   cluster: portway\n\
             \x20   user: {user}\n\
             current-context: portway\n",
            server = self.server,
            user = self.user,
        )
    }
}
