//! Which clients may come: those whose certificate a given authority vouches for and has not revoked.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

use super::authorities::authorities_in;
use super::file::not_pem;
use super::moment::shown;
use super::tls::{CLIENT_CA, CLIENT_CRL, ContentDigest, Remark, Source};
use crate::certificate::seconds;

/// Who judges the certificates of clients.
#[derive(Clone)]
pub struct Clients {
    verifier: Arc<dyn ClientCertVerifier>,
    /// What it was made of.
    contents: ContentDigest,
    /// The lists of what is revoked, where there are any.
    lists: Vec<List>,
    /// How many authorities have no list, where there are any.
    unlisted: usize,
    /// The lists' file, for people.
    file: String,
}

/// A list of what one authority has revoked.
#[derive(Clone, Debug)]
struct List {
    /// The authority's name, in DER without its frame.
    issuer: Vec<u8>,
    /// From when on there should be a newer one, in seconds since 1970.
    ends: Option<i64>,
}

// === impl Clients ===

impl Clients {
    /// Those whom `ca` vouches for and `crl` has not revoked.
    pub(super) fn read(ca: &Source, crl: Option<&Source>) -> Result<Self, Vec<Remark>> {
        let roots = ca.text().and_then(|text| authorities_in(text, &ca.shown()));
        let revoked = crl.map_or(Ok(Vec::new()), revoked);
        let (roots, revoked) = match (roots, revoked) {
            (Ok(roots), Ok(revoked)) => (roots, revoked),
            (roots, revoked) => {
                let roots = roots.err().map(|text| Remark {
                    key: CLIENT_CA,
                    text,
                });
                let revoked = revoked.err().map(crl_remark);
                return Err(roots.into_iter().chain(revoked).collect());
            }
        };
        let file = crl.map_or_else(String::new, |crl| crl.shown().to_string());
        let (ders, lists): (Vec<_>, Vec<_>) = revoked.into_iter().unzip();
        let is_listed = |name: &[u8]| lists.iter().any(|list| list.issuer == name);
        let subjects = roots.roots.iter().map(|root| root.subject.as_ref());
        Ok(Self {
            unlisted: subjects.filter(|name| !is_listed(name)).count(),
            contents: ContentDigest::of([Some(ca), crl]),
            verifier: verifier(roots, ders)
                .map_err(|error| vec![crl_remark(format!("{file} is of no use: {error}"))])?,
            lists,
            file,
        })
    }

    /// What looks at their certificates, for the one place that asks for them.
    pub fn verifier(&self) -> &Arc<dyn ClientCertVerifier> {
        &self.verifier
    }

    /// What they are known by was made of.
    pub fn contents(&self) -> ContentDigest {
        self.contents
    }

    /// What there is to say of them at this moment.
    pub(super) fn doubts(&self, now: SystemTime) -> Vec<Remark> {
        let (file, now) = (&self.file, seconds(now));
        let ends = self.lists.iter().filter_map(|list| list.ends);
        let old = ends.filter(|ends| *ends < now).map(|ends| {
            let at = shown(ends);
            format!(
                "names {file}, of which a list has expired, on {at}: nobody of its authority is let in"
            )
        });
        let unlisted = (!self.lists.is_empty() && self.unlisted > 0).then(|| {
            format!(
                "names {file}, which holds no list of {} of the authorities in {CLIENT_CA}: nothing of \
                 theirs is revoked",
                self.unlisted
            )
        });
        old.chain(unlisted).map(crl_remark).collect()
    }
}

/// All of a chain is looked for in the lists, and a list that is older than it says it may be refuses whoever
/// it is about: who is kept from hearing of a revocation must not be served for it. An authority without a
/// list has revoked nobody, or nobody knows: an intermediate one often publishes none.
fn verifier(
    roots: RootCertStore,
    lists: Vec<CertificateRevocationListDer<'static>>,
) -> Result<Arc<dyn ClientCertVerifier>, VerifierBuilderError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .with_crls(lists)
        .allow_unknown_revocation_status()
        .enforce_revocation_expiration()
        .build()
}

/// The lists in a PEM file, at least one.
fn revoked(source: &Source) -> Result<Vec<(CertificateRevocationListDer<'static>, List)>, String> {
    let shown = source.shown();
    let mut lists = Vec::new();
    for der in CertificateRevocationListDer::pem_slice_iter(source.text()?.as_bytes()) {
        let der = der.map_err(|_| not_pem(&shown))?;
        let list = List::read(&der).ok_or_else(|| format!("{shown} holds a damaged list"))?;
        lists.push((der, list));
    }
    if lists.is_empty() {
        return Err(format!("{shown} holds no list of revoked certificates"));
    }
    Ok(lists)
}

fn crl_remark(text: String) -> Remark {
    let key = CLIENT_CRL;
    Remark { key, text }
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clients")
            .field("lists", &self.lists.len())
            .finish_non_exhaustive()
    }
}

// === impl List ===

impl List {
    fn read(der: &[u8]) -> Option<Self> {
        let (_, list) = CertificateRevocationList::from_der(der).ok()?;
        Some(Self {
            issuer: unframed(list.issuer().as_raw())?.to_vec(),
            ends: list.next_update().map(|moment| moment.timestamp()),
        })
    }
}

/// What stands in a sequence, which is how trust anchors keep their names.
fn unframed(name: &[u8]) -> Option<&[u8]> {
    let (_, sequence) = x509_parser::der_parser::asn1_rs::Sequence::from_der(name).ok()?;
    let inside = sequence.content.len();
    name.len()
        .checked_sub(inside)
        .and_then(|frame| name.get(frame..))
}
