//! The trust that TLS to the upstream rests on.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use super::UpstreamError;

/// Sets up TLS: HTTP/1.1, trusting the authorities in `ca_file` and no others where one is given.
pub(super) fn connector(ca_file: Option<&Path>) -> Result<TlsConnector, UpstreamError> {
    let roots = match ca_file {
        Some(path) => own_roots(path)?,
        None => system_roots(),
    };
    // The provider is named, not looked up: a second one in the process could not confuse us.
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

fn own_roots(path: &Path) -> Result<RootCertStore, UpstreamError> {
    let broken = |reason: String| UpstreamError::CaFile {
        path: path.to_owned(),
        reason,
    };
    let mut roots = RootCertStore::empty();
    let certificates =
        CertificateDer::pem_file_iter(path).map_err(|error| broken(error.to_string()))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| broken(error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| broken(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(broken("it holds no certificate".to_owned()));
    }
    Ok(roots)
}

/// The system's authorities; Mozilla's where the system has none, as in an empty container.
fn system_roots() -> RootCertStore {
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
    use std::io::Write;

    use super::*;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    #[test]
    fn a_ca_file_without_a_certificate_is_a_mistake() {
        let empty = file("no certificate\n");
        for path in [empty.path(), Path::new("/nowhere/ca.pem")] {
            let error = connector(Some(path)).err().unwrap();
            assert!(
                error.to_string().contains(path.to_str().unwrap()),
                "{error}"
            );
        }
    }

    #[test]
    fn own_authorities_replace_the_systems() {
        let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let file = file(&own.cert.pem());
        assert_eq!(own_roots(file.path()).unwrap().len(), 1);
        assert!(connector(Some(file.path())).is_ok());
        assert!(connector(None).is_ok());
    }
}
