//! Certificates on disk: `NAME.crt` for everyone, `NAME.key` for the owner only.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::{Error, KeyPair};

fn file_error(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_path_buf();
    move |source| Error::File { path, source }
}

/// Makes the directory, for its owner only, if it is not there.
pub(super) fn ensure_dir(dir: &Path) -> Result<(), Error> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(file_error(dir))
}

fn paths(dir: &Path, name: &str) -> (PathBuf, PathBuf) {
    (dir.join(format!("{name}.crt")), dir.join(format!("{name}.key")))
}

/// The kept pair, or `None` if neither file is there. Half a pair is damage, except for a certificate without
/// its key, which a crash between the two writes cannot leave behind (the key is written first).
pub(super) fn read_pair(dir: &Path, name: &str) -> Result<Option<KeyPair>, Error> {
    let (certificate_path, key_path) = paths(dir, name);
    let Some(certificate) = read(&certificate_path)? else { return Ok(None) };
    let Some(key) = read(&key_path)? else {
        return Err(Error::Damaged {
            path: key_path,
            reason: "the certificate is there but not its key".into(),
        });
    };
    let damaged = |path: &Path, reason: String| Error::Damaged { path: path.to_path_buf(), reason };
    rcgen::KeyPair::from_pem(&key).map_err(|e| damaged(&key_path, e.to_string()))?;
    x509_parser::pem::parse_x509_pem(certificate.as_bytes())
        .map_err(|e| damaged(&certificate_path, e.to_string()))?;
    Ok(Some(KeyPair { certificate, key }))
}

fn read(path: &Path) -> Result<Option<String>, Error> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(file_error(path)(e)),
    }
}

/// Keeps the pair: the key first, so that a certificate on disk always has its key.
pub(super) fn write_pair(dir: &Path, name: &str, pair: KeyPair) -> Result<KeyPair, Error> {
    let (certificate_path, key_path) = paths(dir, name);
    // An old certificate must not stand beside the new key.
    match fs::remove_file(&certificate_path) {
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(file_error(&certificate_path)(e)),
        _ => {}
    }
    write(&key_path, &pair.key, 0o600)?;
    write(&certificate_path, &pair.certificate, 0o644)?;
    Ok(pair)
}

/// Writes beside the target and renames, so that readers see the old text or the new one.
pub(super) fn write(path: &Path, text: &str, mode: u32) -> Result<(), Error> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.tmp", std::process::id()));
    let beside = PathBuf::from(beside);
    let result = (|| {
        let _ = fs::remove_file(&beside);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, path)
    })();
    if result.is_err() {
        let _ = fs::remove_file(&beside);
    }
    result.map_err(file_error(path))
}
