//! Why an exchange led to nothing, and what follows from that: may it be tried again, and is the
//! upstream to be left alone? Values only.

use std::time::{Duration, SystemTime};

use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};

use super::broken::{Broken, Excuse};
use crate::artifact::Failure;

/// Longest time for which a server is taken at its word that it wants to be left alone: as long as
/// clients leave a cache alone that failed them.
const MAX_REST: Duration = Duration::from_secs(30);

/// An exchange that led to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Setback {
    /// What the caller is told.
    pub(super) failure: Failure,
    /// Whose fault it is.
    pub(super) ground: Ground,
    /// How long the server asks to be left alone.
    pub(super) rest: Option<Duration>,
    /// It was another server's: storage that the upstream redirects to.
    pub(super) is_foreign: bool,
}

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ground {
    /// The server's or the line's. It may be over a moment later, and others fare alike.
    Upstream,
    /// The same, and a line that is merely slow looks just like it.
    Slowness,
    /// The way's: it stays so until what is shown there is another.
    Way,
    /// Nobody's: there was an answer, it is of no use here, and another would be no better.
    Answer,
    /// Larder's own bounds, or its own client: the upstream has no part in it.
    Here,
    /// It was not tried.
    Spared,
}

// === impl Setback ===

impl Setback {
    /// The server or the line failed.
    pub(super) fn upstream(failure: Failure) -> Self {
        let ground = match failure {
            Failure::Timeout => Ground::Slowness,
            _ => Ground::Upstream,
        };
        Self::new(failure, ground)
    }

    /// A body broke off. Whatever ended it, a line that has just delivered lives.
    pub(super) fn halfway(failure: Failure) -> Self {
        Self::new(failure, Ground::Slowness)
    }

    /// The server said so, in a head with these fields.
    pub(super) fn said(failure: Failure, headers: &HeaderMap) -> Self {
        Self {
            rest: rest(headers, SystemTime::now()),
            ..Self::upstream(failure)
        }
    }

    /// What a head says where its server cannot answer.
    pub(super) fn in_head(status: StatusCode, headers: &HeaderMap) -> Option<Self> {
        match status.as_u16() {
            429 => Some(Self::said(Failure::Limited, headers)),
            500.. => Some(Self::said(Failure::Error, headers)),
            _ => None,
        }
    }

    /// An answer that is of no use here.
    pub(super) fn useless(failure: Failure) -> Self {
        Self::new(failure, Ground::Answer)
    }

    /// Larder itself did not get to it in time.
    pub(super) fn crowded() -> Self {
        Self::new(Failure::Timeout, Ground::Here)
    }

    /// It is being tried, and whoever asked does not wait for what comes of it.
    pub(super) fn untold(failure: Failure) -> Self {
        Self::new(failure, Ground::Here)
    }

    /// It was not tried, since `failure` is what came of it lately.
    pub(super) const fn spared(failure: Failure) -> Self {
        Self::new(failure, Ground::Spared)
    }

    const fn new(failure: Failure, ground: Ground) -> Self {
        Self {
            failure,
            ground,
            rest: None,
            is_foreign: false,
        }
    }

    /// The same of the server it was. What another than the upstream asks for is no affair of the
    /// upstream.
    pub(super) fn of_server(self, is_foreign: bool) -> Self {
        Self {
            rest: self.rest.filter(|_| !is_foreign),
            is_foreign,
            ..self
        }
    }
}

impl From<Broken> for Setback {
    fn from(broken: Broken) -> Self {
        let ground = match broken.excuse {
            Excuse::None | Excuse::Disavowed => Ground::Upstream,
            Excuse::Slow => Ground::Slowness,
            Excuse::Barred => Ground::Way,
            // An idle connection that had been closed is found out by use, and no fault.
            Excuse::Idle | Excuse::Withdrawn | Excuse::Displaced => Ground::Here,
        };
        Self::new(broken.failure, ground)
    }
}

/// What `Retry-After` says (RFC 9110 §10.2.3), as far as it is believed.
fn rest(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let said = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let rest = match said.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(said)
            .ok()?
            .duration_since(now)
            .unwrap_or_default(),
    };
    (!rest.is_zero()).then_some(rest.min(MAX_REST))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_server_is_left_alone_as_long_as_it_asks_within_bounds() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let at = |seconds| httpdate::fmt_http_date(now + Duration::from_secs(seconds));
        let past = httpdate::fmt_http_date(now - Duration::from_mins(1));
        let table: [(&str, Option<u64>); 8] = [
            ("2", Some(2)),
            (" 2 ", Some(2)),
            ("86400", Some(30)),
            ("0", None),
            ("-1", None),
            ("soon", None),
            (&at(7), Some(7)),
            (&past, None),
        ];
        for (said, expected) in table {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_str(said).unwrap());
            let expected = expected.map(Duration::from_secs);
            assert_eq!(rest(&headers, now), expected, "{said}");
        }
        assert_eq!(rest(&HeaderMap::new(), now), None);
    }
}
