//! The trust that TLS to the upstream rests on.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use super::UpstreamError;
use crate::config;

/// Sets up TLS: HTTP/1.1, trusting the authorities in `ca_file` and no others where one is given.
pub(super) fn connector(ca_file: Option<&Path>) -> Result<TlsConnector, UpstreamError> {
    let roots = match ca_file {
        Some(path) => config::authorities(path).map_err(UpstreamError::CaFile)?,
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
    use super::*;

    #[test]
    fn the_systems_authorities_or_our_own_are_always_there() {
        assert!(!system_roots().is_empty());
        let missing = connector(Some(Path::new("/nowhere/ca.pem"))).err().unwrap();
        assert!(missing.to_string().contains("/nowhere/ca.pem"), "{missing}");
    }
}
