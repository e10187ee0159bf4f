//! Where the server is and who we are: kubeconfig files, and the credentials a Pod finds in its file system.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::error::Error;

const IN_CLUSTER: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// One server and one user, resolved: file contents are read, except for tokens, which may change.
#[derive(Clone, Debug, PartialEq)]
pub struct KubeConfig {
    /// `https://host:port`, perhaps with a path.
    pub server: String,
    /// Namespace of the context; `default` if it names none.
    pub namespace: String,
    /// How to know the server.
    pub tls: Tls,
    /// Client certificate.
    pub identity: Option<Identity>,
    /// What goes into the Authorization header.
    pub auth: Auth,
}

/// How to know the server.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tls {
    /// PEM certificates of the CAs; absent means the system's.
    pub ca: Option<Vec<u8>>,
    /// Take any certificate.
    pub insecure: bool,
    /// Name in the server's certificate, if it is not the host of the URL.
    pub server_name: Option<String>,
}

/// A client certificate.
#[derive(Clone, PartialEq)]
pub struct Identity {
    /// PEM certificate chain.
    pub certificate: Vec<u8>,
    /// PEM private key.
    pub key: Vec<u8>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity(..)")
    }
}

/// What goes into the Authorization header.
#[derive(Clone, Default, PartialEq)]
pub enum Auth {
    /// Nothing.
    #[default]
    None,
    /// A bearer token.
    Token(String),
    /// A bearer token in a file that is renewed from time to time.
    TokenFile(PathBuf),
    /// User name and password.
    Basic(String, String),
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Token(_) => "Token(..)",
            Self::TokenFile(_) => "TokenFile(..)",
            Self::Basic(..) => "Basic(..)",
        })
    }
}

impl KubeConfig {
    /// The current context of a kubeconfig file.
    ///
    /// # Errors
    /// [`Error::Config`], naming the file and the field.
    pub fn load(path: &Path) -> Result<Self, Error> {
        Self::load_context(path, None)
    }

    /// A context of a kubeconfig file; `None` for the current one.
    ///
    /// # Errors
    /// [`Error::Config`], naming the file and the field.
    pub fn load_context(path: &Path, context: Option<&str>) -> Result<Self, Error> {
        let text =
            String::from_utf8(read(path)?).map_err(|_| config(format!("{}: not UTF-8", path.display())))?;
        let base = path.parent().unwrap_or(Path::new("."));
        Self::parse(&text, base, context).map_err(|e| config(format!("{}: {e}", path.display())))
    }

    /// A context of a kubeconfig's text; relative paths in it start at `base`.
    ///
    /// # Errors
    /// [`Error::Config`], naming the field.
    pub fn parse(text: &str, base: &Path, context: Option<&str>) -> Result<Self, Error> {
        // No excerpts of the text in errors: it holds secrets.
        let file: File = serde_saphyr::from_str(text)
            .map_err(|e| config(format!("not a kubeconfig: {}", e.without_snippet())))?;
        let name = context.unwrap_or(&file.current_context);
        if name.is_empty() {
            return Err(config("no current-context is set".to_owned()));
        }
        let context = find(&file.contexts, "context", name)?.context;
        let cluster = find(&file.clusters, "cluster", &context.cluster)?.cluster;
        let user = if context.user.is_empty() {
            User::default()
        } else {
            find(&file.users, "user", &context.user)?.user
        };
        if !cluster.proxy_url.is_empty() {
            return Err(config(format!("cluster {:?}: proxy-url is not supported", context.cluster)));
        }
        if cluster.server.is_empty() {
            return Err(config(format!("cluster {:?}: server is not set", context.cluster)));
        }
        let ca = data(
            "certificate-authority",
            base,
            &cluster.certificate_authority_data,
            &cluster.certificate_authority,
        )?;
        let server_name = (!cluster.tls_server_name.is_empty()).then_some(cluster.tls_server_name);
        let tls = Tls { ca, insecure: cluster.insecure_skip_tls_verify, server_name };
        let namespace = if context.namespace.is_empty() { "default".to_owned() } else { context.namespace };
        let (identity, auth) = user.resolve(base, &context.user)?;
        Ok(Self { server: cluster.server, namespace, tls, identity, auth })
    }

    /// The configuration every container in a Pod finds.
    ///
    /// # Errors
    /// [`Error::Config`] when this is not a Pod, or it has no ServiceAccount.
    pub fn in_cluster() -> Result<Self, Error> {
        let variable = |name: &str| {
            std::env::var(name)
                .map_err(|_| config(format!("not in a cluster: {name} is not set; use --kubeconfig")))
        };
        let (host, port) = (variable("KUBERNETES_SERVICE_HOST")?, variable("KUBERNETES_SERVICE_PORT")?);
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        let directory = Path::new(IN_CLUSTER);
        let namespace = read(&directory.join("namespace")).unwrap_or_else(|_| b"default".to_vec());
        Ok(Self {
            server: format!("https://{host}:{port}"),
            namespace: String::from_utf8_lossy(&namespace).trim().to_owned(),
            tls: Tls { ca: Some(read(&directory.join("ca.crt"))?), ..Tls::default() },
            identity: None,
            auth: Auth::TokenFile(directory.join("token")),
        })
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case", default)]
struct File {
    current_context: String,
    contexts: Vec<NamedContext>,
    clusters: Vec<NamedCluster>,
    users: Vec<NamedUser>,
}

#[derive(Deserialize, Clone, Default)]
#[serde(default)]
struct NamedContext {
    name: String,
    context: Context,
}

#[derive(Deserialize, Clone, Default)]
#[serde(default)]
struct NamedCluster {
    name: String,
    cluster: Cluster,
}

#[derive(Deserialize, Clone, Default)]
#[serde(default)]
struct NamedUser {
    name: String,
    user: User,
}

#[derive(Deserialize, Clone, Default)]
#[serde(rename_all = "kebab-case", default)]
struct Context {
    cluster: String,
    user: String,
    namespace: String,
}

#[derive(Deserialize, Clone, Default)]
#[serde(rename_all = "kebab-case", default)]
struct Cluster {
    server: String,
    certificate_authority: String,
    certificate_authority_data: String,
    insecure_skip_tls_verify: bool,
    tls_server_name: String,
    proxy_url: String,
}

#[derive(Deserialize, Clone, Default)]
#[serde(rename_all = "kebab-case", default)]
struct User {
    client_certificate: String,
    client_certificate_data: String,
    client_key: String,
    client_key_data: String,
    token: String,
    #[serde(rename = "tokenFile")]
    token_file: String,
    username: String,
    password: String,
    exec: Option<serde_json::Value>,
    auth_provider: Option<serde_json::Value>,
}

impl User {
    fn resolve(self, base: &Path, name: &str) -> Result<(Option<Identity>, Auth), Error> {
        if self.exec.is_some() || self.auth_provider.is_some() {
            return Err(config(format!(
                "user {name:?}: exec and auth-provider are not supported; use a token, a tokenFile or a client certificate"
            )));
        }
        let certificate =
            data("client-certificate", base, &self.client_certificate_data, &self.client_certificate)?;
        let key = data("client-key", base, &self.client_key_data, &self.client_key)?;
        let identity = match (certificate, key) {
            (Some(certificate), Some(key)) => Some(Identity { certificate, key }),
            (None, None) => None,
            (Some(_), None) => {
                return Err(config(format!("user {name:?}: client-certificate without client-key")));
            }
            (None, Some(_)) => {
                return Err(config(format!("user {name:?}: client-key without client-certificate")));
            }
        };
        // A file wins over an inline token, as in kubectl.
        let auth = if !self.token_file.is_empty() {
            Auth::TokenFile(base.join(self.token_file))
        } else if !self.token.is_empty() {
            Auth::Token(self.token)
        } else if !self.username.is_empty() {
            Auth::Basic(self.username, self.password)
        } else {
            Auth::None
        };
        Ok((identity, auth))
    }
}

trait Named: Clone {
    fn name(&self) -> &str;
}

macro_rules! named {
    ($($type:ty),*) => {$(impl Named for $type {
        fn name(&self) -> &str {
            &self.name
        }
    })*};
}
named!(NamedContext, NamedCluster, NamedUser);

fn find<T: Named>(list: &[T], what: &str, name: &str) -> Result<T, Error> {
    list.iter()
        .find(|entry| entry.name() == name)
        .cloned()
        .ok_or_else(|| config(format!("no {what} named {name:?}")))
}

/// Inline data wins over a file, as in kubectl.
fn data(field: &str, base: &Path, inline: &str, file: &str) -> Result<Option<Vec<u8>>, Error> {
    if !inline.is_empty() {
        let compact: String = inline.split_whitespace().collect();
        let bytes = STANDARD.decode(compact).map_err(|e| config(format!("{field}-data: not base64: {e}")))?;
        return Ok(Some(bytes));
    }
    if file.is_empty() { Ok(None) } else { read(&base.join(file)).map(Some) }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|e| config(format!("{}: {e}", path.display())))
}

const fn config(text: String) -> Error {
    Error::Config(text)
}

#[cfg(test)]
#[path = "kubeconfig_tests.rs"]
mod tests;
