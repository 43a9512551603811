//! Larder's own credential upstream, in place of its clients'.
//!
//! It is had only with an [`Admitted`], which is for one request: whoever was not let in for a team
//! cannot be spoken for there.

use std::fmt;
use std::sync::Arc;

use parking_lot::RwLock;

use super::tokens::Known;
use crate::artifact::{Answer, Failure};
use crate::caller::Caller;
use crate::metrics::Metrics;
use crate::seldom::Seldom;

/// Larder's own credential, and what the upstream makes of it.
pub(super) struct Own {
    credential: RwLock<Caller>,
    metrics: Arc<Metrics>,
    /// That it is refused.
    said: Seldom<()>,
}

/// A caller that was let in for one request, and who speaks for it upstream.
#[derive(Clone, Debug)]
pub struct Admitted {
    own: Option<Speaker>,
    known: Known,
}

/// Larder's own credential as it was when somebody was let in.
#[derive(Clone, Debug)]
struct Speaker {
    own: Arc<Own>,
    credential: Caller,
}

// === impl Own ===

impl Own {
    pub(super) fn new(credential: Caller, metrics: Arc<Metrics>) -> Self {
        Self {
            credential: RwLock::new(credential),
            metrics,
            said: Seldom::default(),
        }
    }

    /// Speaks with another credential from now on.
    pub(super) fn replace(&self, credential: Caller) {
        *self.credential.write() = credential;
        self.said.reset();
    }

    fn note_accepted(&self) {
        self.metrics.upstream_credential_refused.set(0);
    }

    fn note_refused(&self, code: u16) {
        self.metrics.upstream_credential_refused.set(1);
        if self.said.is_due(()) {
            tracing::error!(
                status = code,
                "the upstream refuses Larder's own credential (said once a minute): what is not here is a \
                 miss, and uploads go nowhere; see upstream.token_file"
            );
        }
    }
}

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Own(***)")
    }
}

// === impl Admitted ===

impl Admitted {
    pub(super) fn new(own: Option<&Arc<Own>>, known: Known) -> Self {
        Self {
            known,
            own: own.map(|own| Speaker {
                credential: own.credential.read().clone(),
                own: Arc::clone(own),
            }),
        }
    }

    /// The name of the certificate that it was let in for, where a credential alone was not enough: whoever
    /// else presents the same credential is somebody else.
    pub fn certificate(&self) -> Option<&str> {
        self.known.certificate.as_deref()
    }

    /// What the operator's list calls whoever was let in to upload.
    pub fn name(&self) -> Option<&str> {
        self.known.name.as_deref()
    }

    /// The credential that goes upstream in place of the caller's, where Larder has one.
    pub fn credential(&self) -> Option<&Caller> {
        self.own.as_ref().map(|speaker| &speaker.credential)
    }

    /// What the upstream's answer to the request means where it was Larder's own credential that it
    /// refused: that is no judgement of the caller, who must not hear it as one.
    pub fn misfortune(&self, answer: &Answer) -> Option<Failure> {
        let speaker = self.own.as_ref()?;
        let code = answer.code();
        match code {
            200..=299 => speaker.note(Own::note_accepted),
            401..=403 => {
                speaker.note(|own| own.note_refused(code));
                return Some(Failure::Credential);
            }
            _ => {}
        }
        None
    }

    /// Notes that the upstream gave what was asked for.
    pub fn was_served(&self) {
        if let Some(speaker) = &self.own {
            speaker.note(Own::note_accepted);
        }
    }
}

// === impl Speaker ===

impl Speaker {
    /// Notes what is thought of the credential, unless another one speaks by now.
    fn note(&self, note: impl FnOnce(&Own)) {
        if self.own.credential.read().digest() == self.credential.digest() {
            note(&self.own);
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderMap;

    use super::*;
    use crate::caller::Sealer;

    fn answer(status: u16) -> Answer {
        let response = http::Response::builder().status(status).body(()).unwrap();
        Answer::new(response.into_parts().0, Bytes::new())
    }

    fn own() -> (Arc<Own>, Arc<Metrics>) {
        let metrics = Arc::new(Metrics::new().unwrap());
        let credential = Sealer::new(&[0; 32], Vec::new()).bearer("own").unwrap();
        (
            Arc::new(Own::new(credential, Arc::clone(&metrics))),
            metrics,
        )
    }

    #[test]
    fn a_refusal_of_the_own_credential_is_nobodys_judgement_and_shows_until_it_is_accepted() {
        let (own, metrics) = own();
        let admitted = Admitted::new(Some(&own), Known::default());
        let shows = || metrics.upstream_credential_refused.get();
        for status in [401, 402, 403] {
            assert_eq!(
                admitted.misfortune(&answer(status)),
                Some(Failure::Credential)
            );
            assert_eq!(shows(), 1, "{status}");
            for about_the_request in [404, 400, 413, 429, 500] {
                assert_eq!(admitted.misfortune(&answer(about_the_request)), None);
                assert_eq!(shows(), 1, "{about_the_request}");
            }
            assert_eq!(admitted.misfortune(&answer(202)), None);
            assert_eq!(shows(), 0);
        }
    }

    #[test]
    fn whoever_speaks_with_a_credential_of_its_own_is_judged_by_it() {
        let admitted = Admitted::new(None, Known::default());
        assert!(admitted.credential().is_none());
        assert_eq!(admitted.misfortune(&answer(403)), None);
    }

    #[test]
    fn another_credential_speaks_from_the_next_request_on() {
        let (own, metrics) = own();
        let before = Admitted::new(Some(&own), Known::default());
        own.replace(Sealer::new(&[0; 32], Vec::new()).bearer("new").unwrap());
        let after = Admitted::new(Some(&own), Known::default());
        for (admitted, token) in [(&before, "Bearer own"), (&after, "Bearer new")] {
            let mut headers = HeaderMap::new();
            admitted.credential().unwrap().apply(&mut headers);
            assert_eq!(headers["authorization"], token);
            assert!(!format!("{admitted:?}").contains(token));
        }
        // What the old one is told says nothing of the new one.
        assert!(before.misfortune(&answer(403)).is_some());
        assert_eq!(metrics.upstream_credential_refused.get(), 0);
        assert!(after.misfortune(&answer(403)).is_some());
        assert_eq!(metrics.upstream_credential_refused.get(), 1);
    }
}
