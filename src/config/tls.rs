//! How the data listeners speak TLS, from its files: read in one go, told apart by their contents, understood
//! the same way at the start and whenever they have changed.

use std::fmt;
use std::path::{self, Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use aws_lc_rs::digest::{Context, SHA256};
use zeroize::Zeroizing;

use super::clients::Clients;
use super::file::named_text;
use super::identity::Identity;

pub(super) const CERT: &str = "server.tls.cert";
pub(super) const KEY: &str = "server.tls.key";
pub(super) const CLIENT_CA: &str = "server.tls.client_ca";
pub(super) const CLIENT_CRL: &str = "server.tls.client_crl";

/// What the data listeners show of themselves, and whom they ask the same of.
#[derive(Clone, Debug)]
pub struct ServerTls {
    /// Shown to clients, at least one; the first also to who asks for a name that none is for.
    pub identities: Vec<Identity>,
    /// Who may come; none for whoever likes.
    pub clients: Option<Clients>,
    /// Where all of it is read.
    pub files: TlsFiles,
    /// What stood in there.
    pub contents: ContentDigest,
    /// When it was read, among other readings.
    pub reading: Reading,
}

/// The files that TLS is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificates, and the key of each.
    pub pairs: Vec<(PathBuf, PathBuf)>,
    /// Those who vouch for clients.
    pub client_ca: Option<PathBuf>,
    /// What they have revoked.
    pub client_crl: Option<PathBuf>,
}

/// What the files held at one moment.
#[derive(Debug)]
pub struct TlsContents {
    reading: Reading,
    pairs: Vec<(Source, Source)>,
    client_ca: Option<Source>,
    client_crl: Option<Source>,
}

/// A file as it was read, or why it was not.
pub(super) struct Source {
    path: PathBuf,
    text: Result<Zeroizing<String>, String>,
}

/// What tells contents apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentDigest([u8; 32]);

/// Which of all readings it was, in the order in which they began: one that began later has found what an earlier
/// one did, or something newer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reading(u64);

/// Readings begun in this process.
static READINGS: AtomicU64 = AtomicU64::new(0);

/// Something to be said about one of the keys of `server.tls`: a mistake, or a doubt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// The key.
    pub key: &'static str,
    /// What there is to say of it; of a doubt the key is the subject.
    pub text: String,
}

// === impl ServerTls ===

impl ServerTls {
    /// Shows this to whoever comes, in a test.
    #[cfg(test)]
    pub(crate) fn showing(identity: Identity) -> Self {
        Self {
            identities: vec![identity],
            clients: None,
            files: TlsFiles::default(),
            contents: ContentDigest([0; 32]),
            reading: Reading::begin(),
        }
    }

    /// What is allowed and rarely meant, at this moment.
    pub fn doubts(&self, now: SystemTime) -> Vec<Remark> {
        let own = self.identities.iter().enumerate();
        let own = own.flat_map(|(place, identity)| identity.doubts(place > 0, now));
        let of_clients = self.clients.iter().flat_map(|clients| clients.doubts(now));
        own.chain(of_clients).collect()
    }
}

// === impl TlsFiles ===

impl TlsFiles {
    /// Reads all of them, whatever they hold.
    pub fn read(&self) -> TlsContents {
        let reading = Reading::begin();
        let pairs = self.pairs.iter();
        TlsContents {
            reading,
            pairs: pairs
                .map(|(cert, key)| (Source::read(cert), Source::read(key)))
                .collect(),
            client_ca: self.client_ca.as_deref().map(Source::read),
            client_crl: self.client_crl.as_deref().map(Source::read),
        }
    }
}

// === impl TlsContents ===

impl TlsContents {
    /// What tells them from others.
    pub fn digest(&self) -> ContentDigest {
        let pairs = self.pairs.iter().flat_map(|(cert, key)| [cert, key]);
        let further = [&self.client_ca, &self.client_crl];
        ContentDigest::of(pairs.map(Some).chain(further.map(Option::as_ref)))
    }

    /// When they were read.
    pub fn reading(&self) -> Reading {
        self.reading
    }

    /// What can be made of them.
    ///
    /// # Errors
    ///
    /// Every mistake in them.
    pub fn understand(&self) -> Result<ServerTls, Vec<Remark>> {
        let mut mistakes = Vec::new();
        let mut identities = Vec::new();
        for (cert, key) in &self.pairs {
            match Identity::read(cert, key, [CERT, KEY]) {
                Ok(identity) => identities.push(identity),
                Err(of_pair) => mistakes.extend(of_pair),
            }
        }
        let crl = self.client_crl.as_ref();
        let clients = self.client_ca.as_ref().map(|ca| Clients::read(ca, crl));
        let clients = clients.transpose().unwrap_or_else(|of_clients| {
            mistakes.extend(of_clients);
            None
        });
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        Ok(ServerTls {
            identities,
            clients,
            files: self.files(),
            contents: self.digest(),
            reading: self.reading,
        })
    }

    /// Where they stand.
    pub fn files(&self) -> TlsFiles {
        let path = |source: &Source| source.path.clone();
        let pairs = self.pairs.iter();
        TlsFiles {
            pairs: pairs.map(|(cert, key)| (path(cert), path(key))).collect(),
            client_ca: self.client_ca.as_ref().map(path),
            client_crl: self.client_crl.as_ref().map(path),
        }
    }
}

// === impl Source ===

impl Source {
    pub(super) fn read(path: &Path) -> Self {
        Self {
            text: named_text(path).map(Zeroizing::new),
            path: path.to_owned(),
        }
    }

    /// The file's name for people.
    pub(super) fn shown(&self) -> path::Display<'_> {
        self.path.display()
    }

    pub(super) fn text(&self) -> Result<&str, String> {
        match &self.text {
            Ok(text) => Ok(text),
            Err(mistake) => Err(mistake.clone()),
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({})", self.shown())
    }
}

// === impl Reading ===

impl Reading {
    fn begin() -> Self {
        Self(READINGS.fetch_add(1, Ordering::Relaxed))
    }
}

// === impl ContentDigest ===

impl ContentDigest {
    /// Of files of which some may not be there to be read.
    pub(super) fn of<'a>(sources: impl IntoIterator<Item = Option<&'a Source>>) -> Self {
        let mut context = Context::new(&SHA256);
        for source in sources {
            let (kind, bytes) = match source.map(|source| &source.text) {
                None => (0, ""),
                Some(Ok(text)) => (1, text.as_str()),
                Some(Err(mistake)) => (2, mistake.as_str()),
            };
            context.update(&[kind]);
            context.update(&(bytes.len() as u64).to_le_bytes());
            context.update(bytes.as_bytes());
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(context.finish().as_ref());
        Self(digest)
    }
}
