//! The certificate that a server shows, or a client that is asked for one, with those that vouch for it, and its key.
//!
//! No message holds anything of what is in a key's file.

use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SigningKey};
use zeroize::Zeroizing;

use super::file::not_pem;
use super::moment::shown;
use super::tls::{CERT, Remark, Source};
use crate::certificate::{Certificate, Validity};

/// The permission of everybody to read a file.
const OTHERS_READ: u32 = 0o004;

/// What the line before an encrypted key says, or the one behind it in files of an older kind.
const ENCRYPTED: [&str; 2] = ["BEGIN ENCRYPTED PRIVATE KEY", "Proc-Type: 4,ENCRYPTED"];

/// A certificate and the key that belongs to it.
#[derive(Clone)]
pub struct Identity {
    certified: Arc<CertifiedKey>,
    certificate: Arc<Certificate>,
    /// The certificate's file, for people.
    file: String,
}

/// Why a certificate and a key are no identity.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Mismatch {
    /// The certificate cannot be understood.
    Certificate(String),
    /// The key is another one's.
    Key,
}

/// The certificates in a PEM file, at least one; the server's own comes first.
fn chain(source: &Source) -> Result<Vec<CertificateDer<'static>>, String> {
    let shown = source.shown();
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(source.text()?.as_bytes()).collect();
    match chain {
        Ok(chain) if chain.is_empty() => Err(format!("{shown} holds no certificate")),
        Ok(chain) => Ok(chain),
        Err(_) => Err(not_pem(&shown)),
    }
}

/// The first private key in a PEM file.
fn private_key(source: &Source) -> Result<Arc<dyn SigningKey>, String> {
    let (shown, text) = (source.shown(), source.text()?);
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
    /// Reads a certificate, with those that vouch for it, and its key, from files that these keys name.
    pub(super) fn read(
        cert: &Source,
        key: &Source,
        [cert_key, key_key]: [&'static str; 2],
    ) -> Result<Self, Vec<Remark>> {
        let remark = |key, text| Remark { key, text };
        let (chain, signer) = match (chain(cert), private_key(key)) {
            (Ok(chain), Ok(signer)) => (chain, signer),
            (chain, signer) => {
                let chain = chain.err().map(|text| remark(cert_key, text));
                let signer = signer.err().map(|text| remark(key_key, text));
                return Err(chain.into_iter().chain(signer).collect());
            }
        };
        let (cert, key) = (cert.shown().to_string(), key.shown());
        Self::new(chain, signer, cert.clone()).map_err(|mismatch| {
            vec![match mismatch {
                Mismatch::Certificate(why) => {
                    let text = format!("the first certificate of {cert} is of no use: {why}");
                    remark(cert_key, text)
                }
                Mismatch::Key => {
                    let text = format!("{key} is not the key of the first certificate in {cert}");
                    remark(key_key, text)
                }
            }]
        })
    }

    fn new(
        chain: Vec<CertificateDer<'static>>,
        key: Arc<dyn SigningKey>,
        file: String,
    ) -> Result<Self, Mismatch> {
        let own = CertifiedKey::new(chain, key);
        match own.keys_match() {
            Ok(()) => {}
            Err(rustls::Error::InconsistentKeys(_)) => return Err(Mismatch::Key),
            Err(error) => return Err(Mismatch::Certificate(error.to_string())),
        }
        let first = own.cert.first().map(AsRef::as_ref).unwrap_or_default();
        let certificate = Certificate::read(first)
            .map_err(|unreadable| Mismatch::Certificate(unreadable.to_string()))?;
        Ok(Self {
            certified: Arc::new(own),
            certificate: Arc::new(certificate),
            file,
        })
    }

    /// Of a pair that a test made.
    #[cfg(test)]
    pub(crate) fn of(chain: Vec<CertificateDer<'static>>, key: &PrivateKeyDer<'_>) -> Self {
        Self::new(chain, any_supported_type(key).unwrap(), String::new()).unwrap()
    }

    /// The pair, for the one place that shows it.
    pub fn certified_key(&self) -> &Arc<CertifiedKey> {
        &self.certified
    }

    /// What the certificate says.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// What there is to say where this is not its time; `others` are shown it.
    pub(super) fn out_of_time(&self, now: SystemTime, others: &str) -> Option<String> {
        let (file, certificate) = (&self.file, &self.certificate);
        match certificate.at(now) {
            Validity::Valid => None,
            Validity::Early => Some(format!(
                "names {file}, which is not valid before {}",
                shown(certificate.begins())
            )),
            Validity::Ended => Some(format!(
                "names {file}, which has expired, on {}: {others} will refuse it",
                shown(certificate.ends())
            )),
        }
    }

    /// What there is to say of it at this moment; a further one is shown for its names alone.
    pub(super) fn doubts(&self, is_further: bool, now: SystemTime) -> Vec<Remark> {
        let file = &self.file;
        let time = self.out_of_time(now, "clients");
        let names = (is_further && self.certificate.hosts().next().is_none())
            .then(|| format!("names {file}, which is for no host: nobody is shown it"));
        let remarks = time.into_iter().chain(names);
        remarks.map(|text| Remark { key: CERT, text }).collect()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(***)")
    }
}
