//! The inspection of one artifact on its way in: its body passes, and when all of it has, there is a
//! verdict.
//!
//! What becomes of the artifact then is the business of uploads and fills.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::BodyExt;

use super::Reader;
use super::inspector::Inspector;
use super::spool::NoSeat;
use crate::artifact::{ArtifactKey, SignatureCheck, SignatureFault, SignatureVerdict};
use crate::metrics::Arrival;

/// The inspection of one artifact; by default of one that passes as it is.
#[derive(Debug, Default)]
pub struct Inspection(Option<Pending>);

struct Pending {
    inspector: Arc<Inspector>,
    arrival: Arrival,
    key: ArtifactKey,
    check: SignatureCheck,
    /// The last piece, where it may not go on before the verdict.
    held: Bytes,
}

/// Why an artifact that came whole is not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// Its tag does not fit.
    Signature(SignatureFault),
    /// It is not known whether its tag fits: the length that is signed before the body showed only
    /// at the end, and what had passed by then cannot be read again.
    Unreadable,
}

// === impl Inspection ===

impl Inspection {
    pub(super) fn new(
        inspector: Arc<Inspector>,
        arrival: Arrival,
        key: ArtifactKey,
        check: SignatureCheck,
    ) -> Self {
        Self(Some(Pending {
            inspector,
            arrival,
            key,
            check,
            held: Bytes::new(),
        }))
    }

    /// Whether there is a verdict to wait for.
    pub(super) fn is_pending(&self) -> bool {
        self.0.is_some()
    }

    /// Looks at the body's next piece, which goes on meanwhile.
    pub(super) fn look(&mut self, piece: &[u8]) {
        if let Some(pending) = &mut self.0 {
            pending.check.update(piece);
        }
    }

    /// Looks at the body's next piece and keeps it; gives the one before it, which may go on.
    /// Nothing waits where there is no verdict to wait for.
    pub(super) fn hold(&mut self, piece: Bytes) -> Bytes {
        match &mut self.0 {
            Some(pending) if !piece.is_empty() => {
                pending.check.update(&piece);
                std::mem::replace(&mut pending.held, piece)
            }
            _ => piece,
        }
    }

    /// Bytes that wait.
    pub(super) fn held(&self) -> u64 {
        self.0
            .as_ref()
            .map_or(0, |pending| pending.held.len() as u64)
    }

    /// Decides, once the whole body has passed, and gives the piece that has waited. Where all must
    /// pass once more, `again` reads from its first byte what does not wait here.
    pub(super) async fn conclude(
        self,
        again: impl FnOnce() -> Result<Reader, NoSeat>,
    ) -> Result<Bytes, Doubt> {
        let Some(Pending {
            inspector,
            arrival,
            key,
            check,
            held,
        }) = self.0
        else {
            return Ok(Bytes::new());
        };
        let elsewhere = check.seen() - held.len() as u64;
        let verdict = match check.verdict() {
            SignatureVerdict::OnceMore(check) => {
                let reader = again().map_err(|_| Doubt::Unreadable)?;
                let mut check = look_again(check, reader, elsewhere).await?;
                check.update(&held);
                check.verdict()
            }
            verdict => verdict,
        };
        match verdict {
            SignatureVerdict::Fits => Ok(held),
            SignatureVerdict::Refuted | SignatureVerdict::OnceMore(_) => {
                let fault = SignatureFault::Mismatch;
                inspector.refused(arrival, &key, fault);
                Err(Doubt::Signature(fault))
            }
        }
    }
}

/// Lets the first `bytes` bytes pass once more.
async fn look_again(
    mut check: SignatureCheck,
    mut reader: Reader,
    bytes: u64,
) -> Result<SignatureCheck, Doubt> {
    while check.seen() < bytes {
        let Some(Ok(frame)) = reader.frame().await else {
            return Err(Doubt::Unreadable);
        };
        if let Ok(piece) = frame.into_data() {
            check.update(&piece);
        }
    }
    Ok(check)
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending")
            .field("key", &self.key)
            .field("check", &self.check)
            .field("held", &self.held.len())
            .finish_non_exhaustive()
    }
}
