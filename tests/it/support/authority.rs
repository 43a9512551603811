//! An authority that vouches for clients, and takes that back.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams,
    SanType, SerialNumber, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

/// An authority.
#[derive(Debug)]
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// What a client shows of itself.
#[derive(Clone, Debug)]
pub struct Badge {
    pub(super) shown: Arc<CertifiedKey>,
    serial: u64,
}

// === impl Authority ===

impl Authority {
    pub fn new(name: &str) -> Self {
        let own = Self::params(name);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(own, key).expect("an authority"))
    }

    /// One that this one vouches for.
    pub fn below(&self, name: &str) -> Self {
        let key = KeyPair::generate().expect("a key");
        let own = CertifiedIssuer::signed_by(Self::params(name), key, &self.0);
        Self(own.expect("an authority"))
    }

    fn params(name: &str) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, name);
        params
    }

    /// Its certificate.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for a client of this name: a host's, or a URI.
    pub fn certify(&self, name: &str) -> Badge {
        self.issue(name, 2100, ExtendedKeyUsagePurpose::ClientAuth)
    }

    /// One that has ended long ago.
    pub fn certify_once(&self, name: &str) -> Badge {
        self.issue(name, 2021, ExtendedKeyUsagePurpose::ClientAuth)
    }

    /// One that is for servers.
    pub fn certify_server(&self, name: &str) -> Badge {
        self.issue(name, 2100, ExtendedKeyUsagePurpose::ServerAuth)
    }

    fn issue(&self, name: &str, end: i32, usage: ExtendedKeyUsagePurpose) -> Badge {
        let key = KeyPair::generate().expect("a key");
        let mut serial = [0; 8];
        getrandom::fill(&mut serial[1..]).expect("random bytes");
        let serial = u64::from_be_bytes(serial);
        let mut params = CertificateParams::default();
        let plain = || name.try_into().expect("a name");
        params.subject_alt_names = vec![if name.contains("://") {
            SanType::URI(plain())
        } else {
            SanType::DnsName(plain())
        }];
        params.serial_number = Some(SerialNumber::from(serial));
        params.extended_key_usages = vec![usage];
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(end, 1, 1);
        let issued = params.signed_by(&key, &self.0).expect("a certificate");
        let chain = [issued.der(), self.0.der()].map(CertificateDer::clone);
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let shown = CertifiedKey::from_der(chain.to_vec(), key, &provider).expect("a pair");
        Badge {
            shown: Arc::new(shown),
            serial,
        }
    }

    /// A list of those whom it no longer vouches for.
    pub fn revoking(&self, badges: &[&Badge]) -> String {
        self.revoking_until(2100, badges)
    }

    /// The same, which is to be followed by another that year.
    pub fn revoking_until(&self, year: i32, badges: &[&Badge]) -> String {
        let revoked = badges.iter().map(|badge| RevokedCertParams {
            serial_number: SerialNumber::from(badge.serial),
            revocation_time: date_time_ymd(2020, 1, 2),
            reason_code: None,
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 2),
            next_update: date_time_ymd(year, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let signed = list.signed_by(&self.0).expect("a list");
        signed.pem().expect("a list")
    }
}
