//! What is remembered of a client from one request of its connection to the next: builds ask for
//! dozens of artifacts with the same token and the same team.

use std::net::IpAddr;
use std::sync::Arc;

use http::request::Parts;
use parking_lot::Mutex;

use crate::access::Standing;
use crate::artifact::Scope;
use crate::caller::{Caller, RepeatedAuthorization, Sealer};
use crate::config::AccessMode;

/// The client of one connection, as it asked last.
#[derive(Debug)]
pub struct Acquaintance {
    judge: AccessMode,
    /// Whether Larder speaks for it upstream.
    is_spoken_for: bool,
    /// Where it is.
    address: Option<IpAddr>,
    last: Mutex<Option<Arc<Known>>>,
}

/// Who asks, under which scope, who judges that, and where it stands there.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) caller: Caller,
    pub(super) judge: AccessMode,
    pub(super) scope: Scope,
    pub(super) standing: Standing,
    /// The raw query that the scope was read from.
    query: Box<str>,
}

impl Acquaintance {
    /// Of a client that has not asked yet, and that `judge` judges.
    pub(super) fn new(judge: AccessMode, is_spoken_for: bool) -> Self {
        Self {
            judge,
            is_spoken_for,
            address: None,
            last: Mutex::default(),
        }
    }

    /// The same client, known to be there.
    #[must_use]
    pub(super) fn at(self, address: Option<IpAddr>) -> Self {
        Self { address, ..self }
    }

    /// Where it is, where it has an address.
    pub(super) fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// Who judges, whatever it asks for.
    pub(super) fn judge(&self) -> AccessMode {
        self.judge
    }

    /// Whether no credential at all is asked for.
    pub fn is_judged_by_nobody(&self) -> bool {
        self.judge == AccessMode::Open
    }

    /// Takes the credential and the scope of a request, anew only where they differ from the last.
    pub(super) fn meet(
        &self,
        sealer: &Sealer,
        head: &Parts,
    ) -> Result<Arc<Known>, RepeatedAuthorization> {
        let query = head.uri.query().unwrap_or_default();
        let mut last = self.last.lock();
        let known = last
            .take()
            .filter(|known| &*known.query == query && sealer.is_same(&head.headers, &known.caller));
        let known = match known {
            Some(known) => known,
            None => Arc::new(self.known(sealer, sealer.seal(&head.headers)?, query)),
        };
        Ok(Arc::clone(last.insert(known)))
    }

    /// The same client, where its certificate is part of who it is.
    pub(super) fn certified(&self, sealer: &Sealer, known: &Known, name: &str) -> Known {
        let caller = sealer.certified(&known.caller, name);
        self.known(sealer, caller, &known.query)
    }

    fn known(&self, sealer: &Sealer, caller: Caller, query: &str) -> Known {
        let account = if self.is_spoken_for {
            sealer.spoken_for(caller.digest())
        } else {
            caller.digest()
        };
        Known {
            scope: Scope::new(query, account),
            caller,
            judge: self.judge,
            standing: Standing::default(),
            query: query.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn head(token: &str, query: &str) -> Parts {
        let request = Request::builder()
            .uri(format!("/v8/artifacts/aa?{query}"))
            .header("authorization", format!("Bearer {token}"));
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn a_client_is_known_again_only_by_the_same_token_and_query() {
        let sealer = Sealer::new(&[7; 32], Vec::new());
        let client = Acquaintance::new(AccessMode::Upstream, false);
        let meet = |token, query| client.meet(&sealer, &head(token, query)).unwrap();
        let first = meet("a", "slug=acme");
        assert!(Arc::ptr_eq(&first, &meet("a", "slug=acme")));
        for (token, query) in [("b", "slug=acme"), ("a", "slug=other"), ("a", "")] {
            let other = meet(token, query);
            assert!(!Arc::ptr_eq(&first, &other));
            let caller = sealer.seal(&head(token, query).headers).unwrap();
            assert_eq!(other.caller.digest(), caller.digest());
            let scope = Scope::new(query, caller.digest());
            assert_eq!(other.scope.digest(), scope.digest());
        }
        let again = meet("a", "slug=acme");
        assert_eq!(again.caller.digest(), first.caller.digest());
        assert_eq!(again.scope.digest(), first.scope.digest());
    }

    #[test]
    fn artifacts_without_a_team_are_by_certificate_and_by_who_speaks_upstream() {
        let sealer = Sealer::new(&[7; 32], Vec::new());
        let scopes = [false, true].map(|is_spoken_for| {
            let client = Acquaintance::new(AccessMode::Tokens, is_spoken_for);
            let known = client.meet(&sealer, &head("a", "")).unwrap();
            let certified = client.certified(&sealer, &known, "ci");
            assert_eq!(certified.judge, AccessMode::Tokens);
            let account = certified.caller.digest();
            assert_eq!(account, sealer.certified(&known.caller, "ci").digest());
            let account = if is_spoken_for {
                sealer.spoken_for(account)
            } else {
                account
            };
            let scope = Scope::new("", account);
            assert_eq!(certified.scope.digest(), scope.digest());
            [known.scope.digest(), scope.digest()]
        });
        let all = scopes.as_flattened();
        for (index, one) in all.iter().enumerate() {
            assert!(all.iter().skip(index + 1).all(|other| other != one));
        }
    }

    #[test]
    fn a_request_that_names_nobody_is_not_taken_for_the_last_one() {
        let sealer = Sealer::new(&[7; 32], Vec::new());
        let client = Acquaintance::new(AccessMode::Upstream, false);
        client.meet(&sealer, &head("a", "slug=acme")).unwrap();
        let mut twice = head("a", "slug=acme");
        let value = twice.headers["authorization"].clone();
        twice.headers.append("authorization", value);
        assert_eq!(
            client.meet(&sealer, &twice).unwrap_err(),
            RepeatedAuthorization
        );
        let mut nobody = head("a", "slug=acme");
        nobody.headers.clear();
        assert!(client.meet(&sealer, &nobody).unwrap().caller.is_anonymous());
    }
}
