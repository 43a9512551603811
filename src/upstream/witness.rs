//! Beside the judge of an upstream's certificate: notes what was shown, also where that is refused, and sorts
//! the refusals by what can be done about them.

use std::fmt::Debug;
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

use super::error::is_refusal;

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
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Self::OtherName
            }
            _ => Self::Certificate,
        }
    }
}

#[cfg(test)]
mod tests {
    use rustls::{AlertDescription, InvalidMessage};

    use super::*;

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
