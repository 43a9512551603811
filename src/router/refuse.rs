//! What is refused whatever it is about: heads that say more than one thing, other sites' pages, loops,
//! and what is no request to a cache.

use http::header::{ALLOW, CONNECTION, HeaderValue, UPGRADE};
use http::request::Parts;
use http::{Method, Response, StatusCode};

use super::{Router, reply};
use crate::artifact::{Ground, Outcome};
use crate::proxy::{Acquaintance, Proxy, ServedBody};
use crate::server::{Foreign, Unfit, check_form, check_host};

/// Why a request is not even looked at.
enum Refusal {
    Unfit(Unfit),
    Foreign(Foreign),
    Loop,
    Tunnel,
    Upgrade,
}

impl Router {
    /// The answer to a request that is refused whatever it is about.
    pub(super) fn refuse(
        &self,
        head: &Parts,
        client: &Acquaintance,
    ) -> Option<(Outcome, Response<ServedBody>)> {
        let refusal = self.check(head, client).err()?;
        let (status, code, message) = refusal.told();
        let mut response = reply::error(status, code, &message);
        let headers = response.headers_mut();
        if matches!(refusal, Refusal::Tunnel) {
            // RFC 9110 §15.5.6.
            headers.insert(ALLOW, reply::METHODS);
        }
        if refusal.is_last() {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        let outcome = match refusal {
            Refusal::Foreign(_) => Outcome::Denied(Ground::Foreign),
            _ => Outcome::Error(code),
        };
        reply::stamp(&mut response, outcome);
        Some((outcome, response))
    }

    fn check(&self, head: &Parts, client: &Acquaintance) -> Result<(), Refusal> {
        check_form(head).map_err(Refusal::Unfit)?;
        if client.is_judged_by_nobody() {
            check_host(&head.headers, &head.uri, &self.hosts).map_err(Refusal::Foreign)?;
        }
        if Proxy::is_loop(head) {
            return Err(Refusal::Loop);
        }
        if head.method == Method::CONNECT {
            return Err(Refusal::Tunnel);
        }
        if upgrades(head) {
            return Err(Refusal::Upgrade);
        }
        Ok(())
    }
}

impl Refusal {
    /// Status, code and message.
    fn told(&self) -> (StatusCode, &'static str, String) {
        match self {
            Self::Unfit(unfit) => {
                let (status, code) = status_of(*unfit);
                (status, code, unfit.to_string())
            }
            Self::Foreign(foreign) => (StatusCode::FORBIDDEN, foreign.code(), foreign.to_string()),
            Self::Loop => (
                StatusCode::LOOP_DETECTED,
                "loop",
                "this request has come through here before".to_owned(),
            ),
            Self::Tunnel => (
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "this is no tunnel".to_owned(),
            ),
            Self::Upgrade => (
                StatusCode::NOT_IMPLEMENTED,
                "not_implemented",
                "connections are not upgraded here".to_owned(),
            ),
        }
    }

    /// Whether nothing more is read on the connection: who sends this may mean what follows otherwise than
    /// it would be read here.
    fn is_last(&self) -> bool {
        match self {
            Self::Unfit(_) | Self::Tunnel | Self::Upgrade => true,
            Self::Foreign(_) | Self::Loop => false,
        }
    }
}

fn status_of(unfit: Unfit) -> (StatusCode, &'static str) {
    match unfit {
        Unfit::Host
        | Unfit::TwoHosts
        | Unfit::Target
        | Unfit::LineEnd
        | Unfit::Lengths
        | Unfit::Chunks => (StatusCode::BAD_REQUEST, "bad_request"),
        Unfit::Fields => (
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "too_many_fields",
        ),
        Unfit::TargetLength => (StatusCode::URI_TOO_LONG, "target_too_long"),
        Unfit::Coding => (StatusCode::NOT_IMPLEMENTED, "not_implemented"),
        Unfit::Expectation => (StatusCode::EXPECTATION_FAILED, "expectation_failed"),
    }
}

/// Whether the request asks for another protocol; an offer of h2c is one a server may ignore.
fn upgrades(head: &Parts) -> bool {
    head.headers
        .get_all(UPGRADE)
        .iter()
        .any(|protocol| !protocol.as_bytes().eq_ignore_ascii_case(b"h2c"))
}
