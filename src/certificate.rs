//! What a certificate says: whom it is for, and from when until when. Pure; whether to believe it is decided
//! elsewhere.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::Extensions;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

/// What somebody is called whose certificate has no name that counts here.
const UNNAMED: &str = "unnamed";

/// A certificate, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    names: Vec<Name>,
    begins: i64,
    ends: i64,
    shown: Arc<str>,
    issuer: Arc<str>,
}

/// One of the names that a certificate is for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Name {
    /// Of a host, maybe with `*` for its first part.
    Dns(Arc<str>),
    Address(IpAddr),
    Uri(Arc<str>),
    Email(Arc<str>),
    /// The subject's common name: it counts where there is nothing but addresses.
    Common(Arc<str>),
}

/// Bytes that are no certificate, or one that says different things.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(String);

/// When a certificate is good, seen from some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// Not yet.
    Early,
    /// Now.
    Valid,
    /// No longer.
    Ended,
}

// === impl Certificate ===

impl Certificate {
    /// Reads a certificate in DER.
    pub fn read(der: &[u8]) -> Result<Self, Unreadable> {
        let unreadable = |error: &dyn std::fmt::Display| Unreadable(error.to_string());
        let (_, read) = X509Certificate::from_der(der).map_err(|error| unreadable(&error))?;
        let alternative = read.subject_alternative_name();
        let mut names: Vec<_> = alternative
            .map_err(|error| unreadable(&error))?
            .iter()
            .flat_map(|found| &found.value.general_names)
            .filter_map(Name::of)
            .collect();
        if names.iter().all(|name| matches!(name, Name::Address(_))) {
            let common = read.subject().iter_common_name();
            let common = common.filter_map(|attribute| attribute.as_str().ok());
            names.extend(common.map(|text| Name::Common(text.into())));
        }
        let called = names.iter().find_map(Name::as_client);
        Ok(Self {
            shown: called.unwrap_or(UNNAMED).into(),
            begins: read.validity().not_before.timestamp(),
            ends: read.validity().not_after.timestamp(),
            issuer: read.issuer().to_string().into(),
            names,
        })
    }

    /// What a client that shows it is called: by its first name that is no address.
    pub fn client(&self) -> &Arc<str> {
        &self.shown
    }

    /// What a server that shows it is called: by its first host name or address.
    pub fn server(&self) -> String {
        let found = self.names.iter().find_map(|name| match name {
            Name::Dns(host) => Some(host.to_string()),
            Name::Address(address) => Some(address.to_string()),
            Name::Uri(_) | Name::Email(_) | Name::Common(_) => None,
        });
        found.unwrap_or_else(|| self.shown.to_string())
    }

    /// The host names that it is for.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        self.names.iter().filter_map(|name| match name {
            Name::Dns(host) => Some(&**host),
            Name::Address(_) | Name::Uri(_) | Name::Email(_) | Name::Common(_) => None,
        })
    }

    /// Whether a client that shows it is called so: to the letter, but for the case of a host's name.
    pub fn is_for(&self, sought: &str) -> bool {
        self.names.iter().any(|name| match name {
            Name::Dns(host) => host.eq_ignore_ascii_case(sought),
            Name::Uri(text) | Name::Email(text) | Name::Common(text) => **text == *sought,
            Name::Address(_) => false,
        })
    }

    /// Who vouches for it: the issuer's distinguished name, such as `CN=Corp Root, O=Corp`.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Its first second, since 1970.
    pub fn begins(&self) -> i64 {
        self.begins
    }

    /// Its last second, since 1970.
    pub fn ends(&self) -> i64 {
        self.ends
    }

    /// Whether it is good at this moment.
    pub fn at(&self, moment: SystemTime) -> Validity {
        let now = seconds(moment);
        if now < self.begins {
            Validity::Early
        } else if now > self.ends {
            Validity::Ended
        } else {
            Validity::Valid
        }
    }

    /// Lets a client's certificate go with its request.
    pub fn accompany(self: &Arc<Self>, request: &mut Extensions) {
        request.insert(Arc::clone(self));
    }

    /// The certificate of a request's client, where it had to show one.
    pub fn of(request: &Extensions) -> Option<&Arc<Self>> {
        request.get()
    }
}

// === impl Name ===

impl Name {
    fn of(general: &GeneralName<'_>) -> Option<Self> {
        match *general {
            GeneralName::DNSName(text) => Some(Self::Dns(text.into())),
            GeneralName::URI(text) => Some(Self::Uri(text.into())),
            GeneralName::RFC822Name(text) => Some(Self::Email(text.into())),
            GeneralName::IPAddress(bytes) => address(bytes).map(Self::Address),
            _ => None,
        }
    }

    fn as_client(&self) -> Option<&str> {
        match self {
            Self::Dns(text) | Self::Uri(text) | Self::Email(text) | Self::Common(text) => {
                Some(text)
            }
            Self::Address(_) => None,
        }
    }
}

/// A moment as certificates have it, in seconds since 1970.
pub fn seconds(moment: SystemTime) -> i64 {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let sixteen = <[u8; 16]>::try_from(bytes).map(IpAddr::from);
    four.or(sixteen).ok()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType, date_time_ymd};

    use super::*;

    fn certificate(names: Vec<SanType>, common: &str) -> Certificate {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names;
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
        params.distinguished_name.push(DnType::CommonName, common);
        let own = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        Certificate::read(own.der()).unwrap()
    }

    fn dns(name: &str) -> SanType {
        SanType::DnsName(name.try_into().unwrap())
    }

    fn uri(name: &str) -> SanType {
        SanType::URI(name.try_into().unwrap())
    }

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn a_client_is_called_by_its_names_to_the_letter_but_for_the_case_of_a_host() {
        let email = SanType::Rfc822Name("Ann@acme.example".try_into().unwrap());
        let address = SanType::IpAddress([10, 0, 0, 1].into());
        let names = vec![
            address,
            dns("ci.acme.example"),
            uri("spiffe://acme/CI"),
            email,
        ];
        let several = certificate(names, "common");
        for name in [
            "ci.acme.example",
            "CI.acme.Example",
            "spiffe://acme/CI",
            "Ann@acme.example",
        ] {
            assert!(several.is_for(name), "{name}");
        }
        for name in [
            "",
            "acme.example",
            "ci.acme.example.",
            "spiffe://acme/ci",
            "ann@acme.example",
            "10.0.0.1",
            "common",
        ] {
            assert!(!several.is_for(name), "{name}");
        }
        assert_eq!(&**several.client(), "ci.acme.example");
        assert_eq!(several.server(), "10.0.0.1");
        assert_eq!(several.hosts().collect::<Vec<_>>(), ["ci.acme.example"]);
    }

    #[test]
    fn the_common_name_counts_only_where_there_is_no_other() {
        let address = || SanType::IpAddress([10, 0, 0, 1].into());
        for names in [vec![], vec![address()]] {
            let only = certificate(names, "Runner 7");
            assert!(only.is_for("Runner 7"));
            assert!(!only.is_for("runner 7"));
            assert_eq!(&**only.client(), "Runner 7");
        }
        let wild = certificate(vec![dns("*.acme.example")], "Runner 7");
        assert!(!wild.is_for("Runner 7"));
        assert!(!wild.is_for("a.acme.example"), "no pattern is meant");
    }

    #[test]
    fn a_certificate_is_good_from_its_first_second_to_its_last() {
        let year = certificate(Vec::new(), "x");
        let (first, last) = (1_577_836_800, 1_609_459_200);
        assert_eq!(year.ends(), last);
        for (moment, expected) in [
            (0, Validity::Early),
            (first - 1, Validity::Early),
            (first, Validity::Valid),
            (u64::try_from(last).unwrap(), Validity::Valid),
            (u64::try_from(last).unwrap() + 1, Validity::Ended),
        ] {
            assert_eq!(year.at(at(moment)), expected, "{moment}");
        }
    }

    #[test]
    fn bytes_that_are_none_are_no_certificate() {
        for bytes in [&b""[..], b"\x30\x00", &[0x30; 300]] {
            assert!(Certificate::read(bytes).is_err());
        }
    }
}
