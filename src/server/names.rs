//! Which certificate is shown to whom, by the name that a client asks for. Pure.

use std::collections::HashMap;
use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::config::Identity;

/// What stands for the first part of a name, whatever it is.
const ANY: &str = "*.";

/// What belongs to each of some names, and to all others.
#[derive(Debug)]
pub(super) struct Names<T> {
    other: T,
    exact: HashMap<String, T>,
    /// By what stands behind the first part.
    any: HashMap<String, T>,
}

impl<T: Clone> Names<T> {
    /// With `other` for names that nothing else is for.
    pub(super) fn new(other: T) -> Self {
        Self {
            other,
            exact: HashMap::new(),
            any: HashMap::new(),
        }
    }

    /// Has `it` for this name, or for each with one more part where it begins with `*.`; what came first
    /// stays.
    pub(super) fn add(&mut self, name: &str, it: T) {
        let name = name.to_ascii_lowercase();
        match name.strip_prefix(ANY) {
            Some(parent) => self.any.entry(parent.to_owned()).or_insert(it),
            None => self.exact.entry(name).or_insert(it),
        };
    }

    /// What belongs to a name, or to somebody who gives none.
    pub(super) fn find(&self, name: Option<&str>) -> &T {
        let found = name.and_then(|name| {
            let name = name.to_ascii_lowercase();
            let parent = || {
                name.split_once('.')
                    .and_then(|(_, rest)| self.any.get(rest))
            };
            self.exact.get(&name).or_else(parent)
        });
        found.unwrap_or(&self.other)
    }
}

impl Names<Arc<CertifiedKey>> {
    /// The certificates of a server; none where it has none. Of two for one name the first is shown.
    pub(super) fn of(identities: &[Identity]) -> Option<Self> {
        let mut names = Self::new(Arc::clone(identities.first()?.certified_key()));
        for identity in identities {
            for host in identity.certificate().hosts() {
                names.add(host, Arc::clone(identity.certified_key()));
            }
        }
        Some(names)
    }
}

impl ResolvesServerCert for Names<Arc<CertifiedKey>> {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(self.find(hello.server_name())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names<u8> {
        let mut names = Names::new(0);
        for (name, it) in [
            ("cache.acme.example", 1),
            ("*.acme.example", 2),
            ("Cache.Other.example", 3),
            ("cache.acme.example", 4),
            ("*.example", 5),
        ] {
            names.add(name, it);
        }
        names
    }

    #[test]
    fn a_name_has_its_own_or_that_of_all_beside_it_or_the_first() {
        for (name, it) in [
            (Some("cache.acme.example"), 1),
            (Some("CACHE.acme.example"), 1),
            (Some("other.acme.example"), 2),
            (Some("a.b.acme.example"), 0),
            (Some("acme.example"), 5),
            (Some("cache.other.example"), 3),
            (Some("www.other.example"), 0),
            (Some("example"), 0),
            (Some("*.acme.example"), 2),
            (Some(""), 0),
            (None, 0),
        ] {
            assert_eq!(*names().find(name), it, "{name:?}");
        }
    }

    #[test]
    fn without_names_everybody_has_the_first() {
        assert_eq!(*Names::new(7).find(Some("cache.acme.example")), 7);
    }
}
