//! Certificate authorities: in a file, read by one rule whether they are checked or used, and the system's.

use std::path::{Display, Path};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::file;

/// The certificates in a PEM file, at least one.
///
/// # Errors
///
/// What is wrong with the file, by its name.
pub fn authorities(path: &Path) -> Result<RootCertStore, String> {
    authorities_in(&file::named_text(path)?, &path.display())
}

/// The same, of a file that was read; a mistake says which.
pub(super) fn authorities_in(text: &str, shown: &Display<'_>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(text.as_bytes()) {
        let certificate = certificate.map_err(|_| file::not_pem(shown))?;
        roots
            .add(certificate)
            .map_err(|error| format!("{shown}: {error}"))?;
    }
    if roots.is_empty() {
        return Err(format!("{shown} holds no certificate"));
    }
    Ok(roots)
}

/// The system's authorities; Mozilla's where the system has none, as in an empty container.
pub fn system_authorities() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    let (usable, unusable) = roots.add_parsable_certificates(system.certs);
    if unusable > 0 || !system.errors.is_empty() {
        tracing::debug!(usable, unusable, errors = ?system.errors, "system certificates");
    }
    if roots.is_empty() {
        tracing::info!("the system has no certificate authorities: using the built-in ones");
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<usize, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        authorities(file.path())
            .map(|roots| roots.len())
            .inspect_err(|message| {
                assert!(message.starts_with(&file.path().display().to_string()));
            })
    }

    #[test]
    fn a_file_without_a_usable_certificate_is_a_mistake() {
        for (text, message) in [
            ("", "holds no certificate"),
            ("no certificate\n", "holds no certificate"),
            (
                "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
                "holds no certificate",
            ),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                ": ",
            ),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA\n",
                " is no PEM file, or a damaged one",
            ),
            (
                "-----BEGIN CERTIFICATE-----\ncanary\n-----END canary-----\n",
                " is no PEM file, or a damaged one",
            ),
            ("-----BEGIN canary\n", " is no PEM file, or a damaged one"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(message), "{text:?}: {error}");
            assert!(!error.contains("canary"), "{text:?}: {error}");
            let numbers = format!("{:?}", b"canary");
            assert!(!error.contains(numbers.trim_matches(['[', ']'])), "{error}");
        }
        let missing = authorities(Path::new("/nowhere/ca.pem")).unwrap_err();
        assert!(missing.starts_with("/nowhere/ca.pem cannot be read: "));
    }

    #[test]
    fn the_systems_authorities_or_our_own_are_always_there() {
        assert!(!system_authorities().is_empty());
    }

    #[test]
    fn every_certificate_counts() {
        let pem = || {
            let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
            own.cert.pem()
        };
        assert_eq!(read(&format!("# ours\n{}{}", pem(), pem())), Ok(2));
    }
}
