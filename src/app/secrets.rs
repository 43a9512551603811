//! The secrets a data directory keeps: the digest key, a first token, the admin's whereabouts.
//!
//! Each is a small file of mode 0600, made once; none is ever printed.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::config::{Listen, Proof, Rights, Secret, Token};

const KEY_FILE: &str = "key";
const TOKEN_FILE: &str = "token";
const ADMIN_FILE: &str = "admin.json";

/// Where an admin listener is, and its token, which is not printed.
#[derive(Deserialize, Serialize)]
pub struct Announced {
    /// As [`Listen`] is shown.
    pub address: String,
    /// What opens it.
    pub token: String,
}

/// A secret cannot be read or made.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// A file system fault.
    #[error("cannot use {path}: {source}", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file that holds something else.
    #[error("{path} does not hold what Larder wrote there; remove it to have a new one made", path = .0.display())]
    Foreign(PathBuf),
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    Random,
}

/// The key under which callers are digested; losing it makes everybody a stranger once.
pub(super) fn digest_key(data_dir: &Path) -> Result<[u8; 32], SecretError> {
    let path = data_dir.join(KEY_FILE);
    let bytes = read_or_make(&path, || random_bytes().map(Vec::from))?;
    <[u8; 32]>::try_from(bytes).map_err(|_| SecretError::Foreign(path))
}

/// The token of a listener for which none was configured, and the file it is in.
pub(super) fn first_token(data_dir: &Path) -> Result<(Token, PathBuf), SecretError> {
    let path = data_dir.join(TOKEN_FILE);
    let make =
        || random_bytes().map(|bytes| format!("larder_{}\n", HEXLOWER.encode(&bytes)).into_bytes());
    let bytes = read_or_make(&path, make)?;
    let text = bytes.trim_ascii();
    if text.is_empty() {
        return Err(SecretError::Foreign(path));
    }
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(digest(&SHA256, text).as_ref());
    let teams = vec!["*".to_owned()];
    let token = Token {
        name: "first-start".to_owned(),
        proof: Proof::Token(sha256),
        teams,
        rights: Rights::ReadWrite,
        expires: None,
    };
    Ok((token, path))
}

/// The admin token: the one that is configured, or one for this start.
pub(super) fn admin_token(configured: Option<&Secret>) -> Result<Secret, SecretError> {
    match configured {
        Some(token) => Ok(token.clone()),
        None => Ok(Secret::new(HEXLOWER.encode(&random_bytes()?))),
    }
}

/// Writes down where the admin listener is and its token, for the commands.
pub(super) fn announce_admin(
    data_dir: &Path,
    address: &Listen,
    token: &Secret,
) -> Result<(), SecretError> {
    let path = data_dir.join(ADMIN_FILE);
    let announced = Announced {
        address: address.to_string(),
        token: token.expose().to_owned(),
    };
    replace(&path, json!(announced).to_string().as_bytes())
}

/// Reads what the process of a data directory has written down of its admin listener.
pub fn announced(data_dir: &Path) -> Result<Announced, SecretError> {
    let path = data_dir.join(ADMIN_FILE);
    let bytes = fs::read(&path).map_err(fault(&path))?;
    serde_json::from_slice(&bytes).map_err(|_| SecretError::Foreign(path))
}

/// Puts a file of mode 0600 in the place of another, as a whole.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), SecretError> {
    let fresh = path.with_extension("new");
    remove_stale(&fresh)?;
    write_new(&fresh, bytes)
        .and_then(|()| fs::rename(&fresh, path))
        .map_err(fault(path))
}

fn read_or_make(
    path: &Path,
    make: impl FnOnce() -> Result<Vec<u8>, SecretError>,
) -> Result<Vec<u8>, SecretError> {
    match fs::read(path) {
        Ok(bytes) => Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let bytes = make()?;
            replace(path, &bytes)?;
            Ok(bytes)
        }
        Err(error) => Err(fault(path)(error)),
    }
}

/// Creates a file nobody else may read; never follows what is already there.
fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file: File = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn remove_stale(path: &Path) -> Result<(), SecretError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(fault(path)(error)),
        _ => Ok(()),
    }
}

/// From the system itself: the crypto library's generator first gathers noise of its own, which every
/// start would wait for, and once more for each thread.
fn random_bytes() -> Result<[u8; 32], SecretError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|_| SecretError::Random)?;
    Ok(bytes)
}

fn fault(path: &Path) -> impl FnOnce(io::Error) -> SecretError {
    let path = path.to_owned();
    |source| SecretError::File { path, source }
}

impl fmt::Debug for Announced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Announced")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_secret_is_made_once_and_only_for_this_user() {
        let dir = tempfile::tempdir().unwrap();
        let key = digest_key(dir.path()).unwrap();
        assert_eq!(digest_key(dir.path()).unwrap(), key);
        let (token, path) = first_token(dir.path()).unwrap();
        assert_eq!(
            first_token(dir.path()).unwrap().0.proof.sha256(),
            token.proof.sha256()
        );
        for file in [dir.path().join(KEY_FILE), path] {
            assert_eq!(
                fs::metadata(file).unwrap().permissions().mode() & 0o777,
                0o600
            );
        }
    }

    #[test]
    fn a_key_of_another_length_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(KEY_FILE), b"short").unwrap();
        assert!(matches!(
            digest_key(dir.path()),
            Err(SecretError::Foreign(_))
        ));
        assert_eq!(fs::read(dir.path().join(KEY_FILE)).unwrap(), b"short");
    }

    #[test]
    fn the_admin_file_is_replaced_as_a_whole() {
        let dir = tempfile::tempdir().unwrap();
        let listen = Listen::Tcp {
            host: "127.0.0.1".to_owned(),
            port: 1,
        };
        let made = admin_token(None).unwrap();
        announce_admin(dir.path(), &listen, &made).unwrap();
        let text = fs::read_to_string(dir.path().join(ADMIN_FILE)).unwrap();
        assert!(text.contains(made.expose()));
        let token = admin_token(Some(&Secret::new("t"))).unwrap();
        announce_admin(dir.path(), &listen, &token).unwrap();
        let text = fs::read_to_string(dir.path().join(ADMIN_FILE)).unwrap();
        assert_eq!(text, r#"{"address":"127.0.0.1:1","token":"t"}"#);
    }
}
