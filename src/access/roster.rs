//! Whom the operator knows, as it stands: the list may be replaced while requests run.

use std::fmt;
use std::sync::Arc;

use parking_lot::RwLock;

use super::evidence::Right;
use super::oidc::{Issuers, Means};
use super::tokens::{self, Denial, Known};
use crate::caller::Caller;
use crate::certificate::Certificate;
use crate::config;
use crate::metrics::{Ground, Verdict};

/// What somebody presents to be let in.
#[derive(Clone, Copy, Debug)]
pub struct Presented<'a> {
    /// A credential, or none.
    pub caller: &'a Caller,
    /// What was shown in TLS.
    pub certificate: Option<&'a Certificate>,
}

/// The operator's list.
pub(super) struct Roster {
    listed: RwLock<Arc<Listed>>,
    means: Means,
}

/// One list, ready to judge by.
#[derive(Debug)]
struct Listed {
    tokens: Vec<config::Token>,
    issuers: Issuers,
}

// === impl Roster ===

impl Roster {
    pub(super) fn new(listed: &config::Roster, means: Means) -> Self {
        let listed = Listed::new(listed, &Issuers::none(), &means);
        Self {
            listed: RwLock::new(Arc::new(listed)),
            means,
        }
    }

    /// Judges by another list from now on; who was let in before finishes.
    pub(super) fn replace(&self, listed: &config::Roster) {
        let before = self.current();
        let after = Listed::new(listed, &before.issuers, &self.means);
        *self.listed.write() = Arc::new(after);
    }

    /// Judges a caller by what it presents: one of the tokens, or else a job's, or else its certificate.
    /// Returns what counted.
    pub(super) async fn admit(
        &self,
        presented: Presented<'_>,
        query: &str,
        right: Right,
    ) -> Result<Known, Denial> {
        let (mut listed, mut judged, mut ground);
        loop {
            listed = self.current();
            (judged, ground) = listed.judge(presented, query, right).await;
            // Keys may have been waited for, and the list replaced meanwhile.
            if Arc::ptr_eq(&listed, &self.current()) {
                break;
            }
        }
        let verdict = if judged.is_ok() {
            Verdict::Accepted
        } else {
            Verdict::Refused
        };
        self.means.metrics.verdicts.count(verdict, ground);
        judged
    }

    fn current(&self) -> Arc<Listed> {
        Arc::clone(&self.listed.read())
    }
}

impl fmt::Debug for Roster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.current().fmt(f)
    }
}

// === impl Listed ===

impl Listed {
    /// A token that is known decides, also where it may less than the certificate beside it could.
    async fn judge(
        &self,
        presented: Presented<'_>,
        query: &str,
        right: Right,
    ) -> (Result<Known, Denial>, Ground) {
        let Presented {
            caller,
            certificate,
        } = presented;
        let mut ground = Ground::List;
        let mut judged = tokens::judge(&self.tokens, caller, certificate, query, right);
        if judged == Err(Denial::UnknownToken) && !self.issuers.is_empty() {
            let admitted = Box::pin(self.issuers.admit(caller, query, right)).await;
            (judged, ground) = (admitted.map(|()| Known::default()), Ground::Oidc);
        }
        if let Some(certificate) = certificate
            && judged == Err(Denial::UnknownToken)
        {
            let shown = tokens::judge_shown(&self.tokens, certificate, query, right);
            if shown != judged {
                (judged, ground) = (shown, Ground::List);
            }
        }
        (judged, ground)
    }

    fn new(listed: &config::Roster, before: &Issuers, means: &Means) -> Self {
        Self {
            tokens: listed.tokens.clone(),
            issuers: Issuers::new(&listed.issuers, before, means),
        }
    }
}
