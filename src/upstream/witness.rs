//! Beside the judge of an upstream's certificate: notes what was shown, also where that is refused, and sorts
//! the refusals by what can be done about them.

use std::fmt::Debug;
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};

use super::error::is_refusal;

/// What the judge calls a server's certificate that is an authority's too, as `openssl req -x509` makes it.
const AUTHORITY_AS_SERVER: &str = "CaUsedAsEndEntity";

/// Notes the certificates that a server shows, and leaves the judgement to whoever judges as ever.
#[derive(Debug)]
pub(super) struct Witness {
    judge: Arc<dyn ServerCertVerifier>,
    shown: Mutex<Shown>,
}

/// What a server showed of itself, in DER: its own certificate first, then those that vouch for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown(pub Vec<Vec<u8>>);

/// Why there is no TLS with a server, by what can be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distrust {
    /// No authority that is trusted vouches for its certificate.
    Stranger,
    /// Its certificate has ended.
    Ended,
    /// Its certificate has not begun, or our clock is behind.
    Early,
    /// Its certificate is for others.
    OtherName,
    /// Its certificate names no host where a name counts.
    NoName,
    /// Its certificate is an authority's, which none but an authority may show.
    Authority,
    /// Its certificate is wrong in another way.
    Certificate,
    /// It does not speak with us for what we show, or do not show, of ourselves.
    Refused,
    /// What it speaks is not TLS, or has nothing in common with ours.
    Protocol,
    /// The connection broke, or nothing came.
    Broken,
}

// === impl Witness ===

impl Witness {
    pub(super) fn beside(judge: Arc<dyn ServerCertVerifier>) -> Self {
        Self {
            judge,
            shown: Mutex::default(),
        }
    }

    /// What was shown last.
    pub(super) fn shown(&self) -> Shown {
        self.shown.lock().clone()
    }
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain = std::iter::once(end_entity).chain(intermediates);
        *self.shown.lock() = Shown(chain.map(|one| one.to_vec()).collect());
        self.judge
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.judge.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.judge.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.judge.supported_verify_schemes()
    }
}

// === impl Distrust ===

impl Distrust {
    /// Sorts what a handshake failed with.
    pub(super) fn of(error: &io::Error) -> Self {
        if is_refusal(error) {
            return Self::Refused;
        }
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
        match inner {
            Some(Error::InvalidCertificate(error)) => Self::of_certificate(error),
            Some(_) => Self::Protocol,
            None => Self::Broken,
        }
    }

    fn of_certificate(error: &CertificateError) -> Self {
        match error {
            // Another authority of the same name has signed it.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => Self::Stranger,
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Ended,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Self::Early
            }
            CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => {
                Self::NoName
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Self::OtherName
            }
            // The judge's own error is of a crate that is not ours to name.
            CertificateError::Other(OtherError(cause))
                if format!("{cause:?}") == AUTHORITY_AS_SERVER =>
            {
                Self::Authority
            }
            _ => Self::Certificate,
        }
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
    use rustls::client::WebPkiServerVerifier;
    use rustls::crypto::aws_lc_rs;
    use rustls::{AlertDescription, InvalidMessage, RootCertStore};

    use super::*;

    /// What a server is told that shows a certificate by itself, which is trusted.
    fn judged(params: &CertificateParams) -> Distrust {
        let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(made.der().clone()).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let judge = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
        let witness = Witness::beside(judge.build().unwrap());
        let name = ServerName::try_from("o.example").unwrap();
        let judged = witness.verify_server_cert(made.der(), &[], &name, &[], UnixTime::now());
        assert_eq!(witness.shown().0, [made.der().to_vec()]);
        Distrust::of(&io::Error::other(judged.unwrap_err()))
    }

    #[test]
    fn what_openssl_makes_where_little_is_said_is_told_apart() {
        let mut authority = CertificateParams::new(vec!["o.example".to_owned()]).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        assert_eq!(judged(&authority), Distrust::Authority);
        let unnamed = CertificateParams::new(Vec::new()).unwrap();
        assert_eq!(judged(&unnamed), Distrust::NoName);
        let other = CertificateParams::new(vec!["p.example".to_owned()]).unwrap();
        assert_eq!(judged(&other), Distrust::OtherName);
    }

    #[test]
    fn what_a_handshake_failed_with_is_sorted_by_what_can_be_done_about_it() {
        let certificate = |error| Error::InvalidCertificate(error);
        for (error, expected) in [
            (
                certificate(CertificateError::UnknownIssuer),
                Distrust::Stranger,
            ),
            (certificate(CertificateError::Expired), Distrust::Ended),
            (certificate(CertificateError::NotValidYet), Distrust::Early),
            (
                certificate(CertificateError::NotValidForName),
                Distrust::OtherName,
            ),
            (
                certificate(CertificateError::BadEncoding),
                Distrust::Certificate,
            ),
            (
                Error::AlertReceived(AlertDescription::CertificateRequired),
                Distrust::Refused,
            ),
            (
                Error::AlertReceived(AlertDescription::ProtocolVersion),
                Distrust::Protocol,
            ),
            (
                Error::InvalidMessage(InvalidMessage::InvalidContentType),
                Distrust::Protocol,
            ),
        ] {
            let shown = error.to_string();
            assert_eq!(Distrust::of(&io::Error::other(error)), expected, "{shown}");
        }
        let broken = io::Error::from(io::ErrorKind::UnexpectedEof);
        assert_eq!(Distrust::of(&broken), Distrust::Broken);
    }
}
