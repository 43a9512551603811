//! What is counted and said of each request upstream.

use ::http::{Method, Uri};
use tokio::time::Instant;

use super::Upstream;
use super::setback::{Ground, Setback};
use crate::artifact::Failure;

impl Upstream {
    /// Counts one request, or that it was not sent.
    pub(super) fn count(
        &self,
        operation: &'static str,
        result: Result<&'static str, &Setback>,
        started: Instant,
    ) {
        let result = match result {
            Ok(result) => result,
            Err(setback) if setback.ground == Ground::Spared => {
                return self.metrics.upstream.spared(operation);
            }
            Err(setback) => result_of(setback.failure),
        };
        let seconds = started.elapsed().as_secs_f64();
        self.metrics.upstream.count(operation, result, seconds);
        let failure = Failure::ALL
            .into_iter()
            .find(|failure| result_of(*failure) == result);
        if let (Some(failure), Some(http)) = (failure, &self.http) {
            http.complaints().say(failure, what_fails(failure));
        }
    }
}

pub(super) fn operation_of(method: &Method, uri: &Uri) -> &'static str {
    match *method {
        Method::POST if uri.path().ends_with("/events") => "events",
        Method::POST => "batch",
        _ => "status",
    }
}

/// Said of a failure that no connection explains.
pub(super) fn what_fails(failure: Failure) -> &'static str {
    match failure {
        Failure::Timeout => "no answer in time",
        Failure::Unreachable => "no connection",
        Failure::Error => {
            "a 5xx, a redirect that is not followed, or a 200 that cannot be kept: encoded, or with \
             neither a length nor chunks"
        }
        Failure::Cut => "the connection broke",
        Failure::Limited => "429",
        Failure::Credential => "a refusal of Larder's own credential",
        Failure::Page => "a web page where the API should be: is that the login of a gateway?",
    }
}

pub(super) fn result_of(failure: Failure) -> &'static str {
    let name = failure.as_str();
    name.strip_prefix("upstream-").unwrap_or(name)
}

pub(super) fn result_of_code(code: u16) -> &'static str {
    match code {
        404 => "absent",
        429 => result_of(Failure::Limited),
        400..=499 => "refused",
        500.. => result_of(Failure::Error),
        _ => "ok",
    }
}
