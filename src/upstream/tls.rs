//! The trust that TLS to the upstream rests on, and the protocols that are offered in it.

use std::path::Path;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs;
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, ClientConnection};
use tokio_rustls::TlsConnector;

use super::UpstreamError;
use crate::config::{self, Identity};

const HTTP_1: &[u8] = b"http/1.1";
const HTTP_2: &[u8] = b"h2";

/// TLS to those who are asked, and to what stands in between.
#[derive(Clone)]
pub(super) struct Tls {
    /// To the upstream: HTTP/2 too, where that is wanted, and a certificate where it asks for one.
    pub(super) upstream: TlsConnector,
    /// To another origin: the same with nothing to show.
    pub(super) origin: TlsConnector,
    /// To a proxy, which is spoken to in HTTP/1.1.
    pub(super) proxy: TlsConnector,
}

/// Sets up TLS, trusting the authorities in `ca_file` and no others where one is given; `http2` is
/// offered before HTTP/1.1, and `identity` is for the upstream alone.
pub(super) fn connector(
    ca_file: Option<&Path>,
    identity: Option<&Identity>,
    http2: bool,
) -> Result<Tls, UpstreamError> {
    let roots = match ca_file {
        Some(path) => config::authorities(path).map_err(UpstreamError::CaFile)?,
        None => config::system_authorities(),
    };
    // The provider is named, not looked up: a second one in the process could not confuse us.
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![HTTP_1.to_vec()];
    let proxy = TlsConnector::from(Arc::new(config.clone()));
    if http2 {
        config.alpn_protocols.insert(0, HTTP_2.to_vec());
    }
    let origin = TlsConnector::from(Arc::new(config.clone()));
    if let Some(identity) = identity {
        let own = SingleCertAndKey::from(Arc::clone(identity.certified_key()));
        config.client_auth_cert_resolver = Arc::new(own);
        // A session that is taken up again speaks for whoever began it.
        config.resumption = Resumption::default();
    }
    let upstream = TlsConnector::from(Arc::new(config));
    Ok(Tls {
        upstream,
        origin,
        proxy,
    })
}

/// TLS to whoever shows a certificate that this system trusts, for HTTP/1.1. Reads the system's authorities,
/// which blocks.
///
/// # Errors
///
/// When the crypto library knows no version of TLS to speak.
pub fn as_the_system_trusts() -> Result<TlsConnector, UpstreamError> {
    connector(None, None, false).map(|tls| tls.proxy)
}

/// Whether the other side has chosen HTTP/2.
pub(super) fn is_http2(session: &ClientConnection) -> bool {
    session.alpn_protocol() == Some(HTTP_2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_authorities_that_is_missing_is_named() {
        let missing = connector(Some(Path::new("/nowhere/ca.pem")), None, false)
            .err()
            .unwrap();
        assert!(missing.to_string().contains("/nowhere/ca.pem"), "{missing}");
    }
}
