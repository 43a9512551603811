//! What is counted and said of each request upstream.

use ::http::{Method, Uri};
use tokio::time::Instant;

use super::Upstream;
use super::setback::{Ground, Setback};
use crate::artifact::Failure;
use crate::metrics::{Exchange, Operation};

impl Upstream {
    /// Counts one request, or that it was not sent.
    pub(super) fn count(
        &self,
        operation: Operation,
        result: Result<Exchange, &Setback>,
        started: Instant,
    ) {
        let exchange = match result {
            Ok(exchange) => exchange,
            Err(setback) if setback.ground == Ground::Spared => {
                return self.metrics.upstream.spared(operation);
            }
            Err(setback) => Exchange::Failed(setback.failure),
        };
        let seconds = started.elapsed().as_secs_f64();
        self.metrics.upstream.count(operation, exchange, seconds);
        if let (Exchange::Failed(failure), Some(http)) = (exchange, &self.http) {
            http.complaints().say(failure, what_fails(failure));
        }
    }
}

pub(super) fn operation_of(method: &Method, uri: &Uri) -> Operation {
    match *method {
        Method::POST if uri.path().ends_with("/events") => Operation::Events,
        Method::POST => Operation::Batch,
        _ => Operation::Status,
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
