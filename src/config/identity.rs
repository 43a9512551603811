//! The certificate that a server shows, or a client that is asked for one, with those that vouch for it, and its key.
//!
//! No message holds anything of what is in a key's file.

use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SigningKey};
use zeroize::Zeroizing;

use super::file::named_text;

/// The permission of everybody to read a file.
const OTHERS_READ: u32 = 0o004;

/// What the line before an encrypted key says, or the one behind it in files of an older kind.
const ENCRYPTED: [&str; 2] = ["BEGIN ENCRYPTED PRIVATE KEY", "Proc-Type: 4,ENCRYPTED"];

/// A certificate and the key that belongs to it.
#[derive(Clone)]
pub struct Identity(Arc<CertifiedKey>);

/// Why a certificate and a key are no identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mismatch {
    /// The certificate cannot be understood.
    Certificate(String),
    /// The key is another one's.
    Key,
}

/// The certificates in a PEM file, at least one; the server's own comes first.
pub(super) fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let shown = path.display();
    let text = named_text(path).map(Zeroizing::new)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    match chain {
        Ok(chain) if chain.is_empty() => Err(format!("{shown} holds no certificate")),
        Ok(chain) => Ok(chain),
        // Somebody may have named the key's file here, and the parser's words quote it.
        Err(_) => Err(format!("{shown} is no PEM file, or a damaged one")),
    }
}

/// The first private key in a PEM file.
pub(super) fn private_key(path: &Path) -> Result<Arc<dyn SigningKey>, String> {
    let shown = path.display();
    let text = named_text(path).map(Zeroizing::new)?;
    if ENCRYPTED.iter().any(|words| text.contains(words)) {
        return Err(format!(
            "{shown} holds an encrypted key: nobody could be asked for its passphrase"
        ));
    }
    let der = PrivateKeyDer::from_pem_slice(text.as_bytes())
        .map(Zeroizing::new)
        .map_err(|_| format!("{shown} holds no private key"))?;
    any_supported_type(&der).map_err(|_| {
        format!("{shown} holds a key that is damaged, or of a kind that is not supported")
    })
}

/// Whether every user of this machine may read a file.
pub(super) fn is_open_to_all(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & OTHERS_READ != 0)
}

// === impl Identity ===

impl Identity {
    /// Of a certificate, with those that vouch for it, and a key.
    pub(super) fn new(
        chain: Vec<CertificateDer<'static>>,
        key: Arc<dyn SigningKey>,
    ) -> Result<Self, Mismatch> {
        let own = CertifiedKey::new(chain, key);
        match own.keys_match() {
            Ok(()) => Ok(Self(Arc::new(own))),
            Err(rustls::Error::InconsistentKeys(_)) => Err(Mismatch::Key),
            Err(error) => Err(Mismatch::Certificate(error.to_string())),
        }
    }

    /// Of a pair that a test made.
    #[cfg(test)]
    pub(crate) fn of(chain: Vec<CertificateDer<'static>>, key: &PrivateKeyDer<'_>) -> Self {
        Self::new(chain, any_supported_type(key).unwrap()).unwrap()
    }

    /// The pair, for the one place that shows it.
    pub fn certified_key(&self) -> &Arc<CertifiedKey> {
        &self.0
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(***)")
    }
}
