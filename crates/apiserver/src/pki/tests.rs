//! Certificates: made once, kept, made anew when they no longer fit.

use std::os::unix::fs::PermissionsExt;

use super::*;

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|n| (*n).to_owned()).collect()
}

#[test]
fn certificates_are_reused_until_the_names_change() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("pki");
    let first = Pki::ensure(&dir, &names(&["localhost", "127.0.0.1", "fd00::1"])).unwrap();
    let same = Pki::ensure(&dir, &names(&["fd00:0::1", "127.0.0.1", "localhost"])).unwrap();
    assert!(first.server == same.server && first.authority == same.authority && first.admin == same.admin);
    let other = Pki::ensure(&dir, &names(&["localhost", "portway.test"])).unwrap();
    assert!(first.server != other.server && first.authority == other.authority && first.admin == other.admin);
    for (file, mode) in [("ca.key", 0o600), ("apiserver.key", 0o600), ("admin.key", 0o600), ("ca.crt", 0o644)]
    {
        assert_eq!(dir.join(file).metadata().unwrap().permissions().mode() & 0o777, mode, "{file}");
    }
    assert_eq!(dir.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    first.server_config().unwrap();
}

#[test]
fn certificates_of_another_authority_are_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let first = Pki::ensure(dir.path(), &names(&["localhost"])).unwrap();
    std::fs::remove_file(dir.path().join("ca.crt")).unwrap();
    std::fs::remove_file(dir.path().join("ca.key")).unwrap();
    let second = Pki::ensure(dir.path(), &names(&["localhost"])).unwrap();
    assert!(
        first.authority != second.authority && first.server != second.server && first.admin != second.admin
    );
}

#[test]
fn certificates_are_renewed_before_they_end() {
    let today = issue::today();
    let authority = issue::authority(today).unwrap();
    let list = names(&["localhost"]);
    let leaf = Leaf::Server { names: &list };
    let pair = issue::leaf(&authority, &leaf, today).unwrap();
    let good = |days: i64| {
        let day = today.checked_add(jiff::Span::new().days(days)).unwrap();
        issue::still_good(&pair, &authority, &leaf, day)
    };
    assert!(good(0) && good(300));
    assert!(!good(340) && !good(400));
}

#[test]
fn damage_is_named_not_repaired() {
    let dir = tempfile::tempdir().unwrap();
    Pki::ensure(dir.path(), &names(&["localhost"])).unwrap();
    std::fs::write(dir.path().join("ca.key"), "garbage").unwrap();
    let error = Pki::ensure(dir.path(), &names(&["localhost"])).err().unwrap();
    assert!(matches!(&error, Error::Damaged { path, .. } if path.ends_with("ca.key")), "{error}");
}

#[test]
fn impossible_names_are_refused() {
    for name in ["", "a b", "exämple", "x/y"] {
        assert!(matches!(Pki::ephemeral(&names(&[name])), Err(Error::Name(..))), "{name:?}");
    }
}

#[test]
fn a_client_certificate_gives_its_identity() {
    let pki = Pki::ephemeral(&names(&["localhost"])).unwrap();
    let check = |pair: &KeyPair, user: &str, groups: &[&str]| {
        let certificate = certificates(&pair.certificate).unwrap().remove(0);
        let identity = crate::authn::from_certificate(&certificate).unwrap();
        assert_eq!((identity.user.as_str(), identity.groups), (user, names(groups)));
    };
    check(pki.admin(), "kubernetes-admin", &["system:masters", "system:authenticated"]);
    check(&pki.client("ann", None).unwrap(), "ann", &["system:authenticated"]);
}

#[test]
fn the_kubeconfig_is_private() {
    let dir = tempfile::tempdir().unwrap();
    let pki = Pki::ephemeral(&names(&["localhost"])).unwrap();
    let path = dir.path().join("sub/admin.conf");
    pki.kubeconfig("https://127.0.0.1:6443").write(&path).unwrap();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert!(std::fs::read_to_string(&path).unwrap().contains("    server: https://127.0.0.1:6443\n"));
}
