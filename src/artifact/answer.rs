//! A small upstream answer, kept whole so that it can be relayed byte for byte.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::response;

/// An upstream answer whose body was read whole: a refusal, an absence, the reply to an upload.
///
/// Cheap to clone; one answer may go to several waiters. The headers are already free of hop-by-hop
/// fields.
#[derive(Clone)]
pub struct Answer {
    head: Arc<response::Parts>,
    body: Bytes,
}

impl Answer {
    /// Keeps an answer.
    pub fn new(head: response::Parts, body: Bytes) -> Self {
        Self {
            head: Arc::new(head),
            body,
        }
    }

    /// The status and headers as the upstream sent them, less the hop-by-hop ones.
    pub fn head(&self) -> &response::Parts {
        &self.head
    }

    /// The body, whole.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The status code as a number.
    pub fn code(&self) -> u16 {
        self.head.status.as_u16()
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.head.status)
            .field("bytes", &self.body.len())
            .finish()
    }
}
