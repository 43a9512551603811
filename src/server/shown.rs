//! What a client has shown of itself in its handshake, for the requests that follow.

use std::sync::{Arc, OnceLock};

use http::Extensions;

use crate::certificate::Certificate;

/// A place for a client's certificate: a connection is there before its handshake.
#[derive(Clone, Debug, Default)]
pub(super) struct Shown(Option<Arc<OnceLock<Arc<Certificate>>>>);

impl Shown {
    /// Of a connection that makes a handshake. Any other has the default, which costs nothing.
    pub(super) fn awaited() -> Self {
        Self(Some(Arc::default()))
    }

    /// The handshake is over, and this is what it showed.
    pub(super) fn put(&self, certificate: Certificate) {
        if let Some(place) = &self.0 {
            // There is one handshake in a connection: it is put there once.
            place.get_or_init(|| Arc::new(certificate));
        }
    }

    /// Lets it go with a request.
    pub(super) fn accompany(&self, request: &mut Extensions) {
        if let Some(certificate) = self.0.as_ref().and_then(|place| place.get()) {
            certificate.accompany(request);
        }
    }
}
