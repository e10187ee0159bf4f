//! Kubeconfig texts and what they resolve to.

use super::*;

const TEXT: &str = r#"
apiVersion: v1
kind: Config
current-context: a
preferences: {}
contexts:
- name: a
  context: {cluster: one, user: admin, namespace: web}
- name: b
  context: {cluster: two, user: robot}
- name: c
  context: {cluster: two, user: nobody}
- name: d
  context: {cluster: two, user: cloud}
- name: e
  context: {cluster: two, user: half}
clusters:
- name: one
  cluster:
    server: https://one:6443
    certificate-authority-data: Q0E=
    tls-server-name: kubernetes
- name: two
  cluster: {server: "https://two", insecure-skip-tls-verify: true}
users:
- name: admin
  user: {client-certificate-data: Q0VSVA==, client-key: key.pem}
- name: robot
  user: {token: secret}
- name: cloud
  user: {exec: {command: aws}}
- name: half
  user: {client-certificate-data: Q0VSVA==}
"#;

#[test]
fn contexts_resolve() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("key.pem"), "KEY").unwrap();
    let path = dir.path().join("config");
    std::fs::write(&path, TEXT).unwrap();

    let a = KubeConfig::load(&path).unwrap();
    assert_eq!((a.server.as_str(), a.namespace.as_str()), ("https://one:6443", "web"));
    assert_eq!(
        a.tls,
        Tls { ca: Some(b"CA".to_vec()), insecure: false, server_name: Some("kubernetes".into()) }
    );
    assert_eq!(a.identity, Some(Identity { certificate: b"CERT".to_vec(), key: b"KEY".to_vec() }));
    assert_eq!(a.auth, Auth::None);

    let b = KubeConfig::load_context(&path, Some("b")).unwrap();
    assert_eq!(
        (b.namespace.as_str(), b.tls.insecure, &b.auth),
        ("default", true, &Auth::Token("secret".into()))
    );
    assert!(!format!("{b:?}").contains("secret"), "secrets are not printed");
}

#[test]
fn what_is_wrong_is_named() {
    let check = |text: &str, context: Option<&str>, expect: &str| {
        let error = KubeConfig::parse(text, Path::new("/nowhere"), context).unwrap_err().to_string();
        assert!(error.contains(expect), "{error}");
    };
    check(TEXT, Some("zz"), "no context named \"zz\"");
    check(TEXT, Some("a"), "/nowhere/key.pem");
    check(TEXT, Some("c"), "no user named \"nobody\"");
    check(TEXT, Some("d"), "exec and auth-provider are not supported");
    check(TEXT, Some("e"), "client-certificate without client-key");
    check("{}", None, "no current-context");
    check("contexts: 3", None, "not a kubeconfig");
    check(&TEXT.replace("Q0E=", "\"?\""), None, "certificate-authority-data: not base64");
    let secret = KubeConfig::parse("users: [{user: {token: [hidden]}}]", Path::new("."), None).unwrap_err();
    assert!(!secret.to_string().contains("hidden"), "{secret}");
    let missing = KubeConfig::load(Path::new("/nowhere/config")).unwrap_err().to_string();
    assert!(missing.contains("/nowhere/config"), "{missing}");
}
