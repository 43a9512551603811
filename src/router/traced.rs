//! A request as a trace shows it, in the words of OpenTelemetry's conventions for HTTP servers.
//!
//! There is no word for a query or a credential, and of what a client may invent only its name for itself is told.

use std::borrow::Cow;

use http::Method;

use super::Route;
use crate::artifact::{ArtifactHash, RouteName, version_number};
use crate::telemetry::{Answered, Asked, Ended};
use crate::traces::{Span, known_method};

/// A status from which on it is our failure, not the client's.
const SERVER_ERRORS: u16 = 500;

/// The path of a kind of request, as every request of that kind has it; none for what is passed on.
fn path_of(route: RouteName) -> Option<&'static str> {
    match route {
        RouteName::Get | RouteName::Head | RouteName::Put => Some("/v8/artifacts/{hash}"),
        RouteName::Batch => Some("/v8/artifacts"),
        RouteName::Events => Some("/v8/artifacts/events"),
        RouteName::Status => Some("/v8/artifacts/status"),
        // It may be about any of them, or about none.
        RouteName::Preflight | RouteName::Pass => None,
    }
}

/// What a request's span is called.
pub(super) fn name(method: &Method, route: &Route) -> Cow<'static, str> {
    let method = known_method(method).unwrap_or("HTTP");
    match path_of(route.name()) {
        Some(path) => Cow::Owned(format!("{method} {path}")),
        None => Cow::Borrowed(method),
    }
}

/// Notes what a request said of itself, and what became of it.
pub(super) fn note(span: &mut Span, asked: &Asked, answered: &Answered) {
    note_request(span, asked, answered.route);
    if answered.status > 0 {
        let status = answered.status;
        span.count("http.response.status_code", status.into());
    }
    span.count("http.request.body.size", answered.bytes_in);
    span.count("http.response.body.size", answered.bytes_out);
    span.text("larder.outcome", answered.outcome.as_str());
    if let Some(detail) = answered.outcome.detail() {
        span.text("larder.detail", detail);
    }
    span.text("larder.ended", answered.ended.as_str());
    match answered.ended {
        Ended::Broken => span.failed(Ended::Broken.as_str()),
        Ended::Whole | Ended::Left if answered.status >= SERVER_ERRORS => {
            span.failed(&answered.status.to_string());
        }
        Ended::Whole | Ended::Left => {}
    }
}

fn note_request(span: &mut Span, asked: &Asked, route: RouteName) {
    match known_method(&asked.method) {
        Some(method) => span.text("http.request.method", method),
        None => span.text("http.request.method", "_OTHER"),
    }
    if let Some(path) = path_of(route) {
        span.text("http.route", path);
        span.text(
            "url.path",
            &path.replace("{hash}", named(asked.hash.as_ref())),
        );
    }
    span.text("url.scheme", if asked.is_secure { "https" } else { "http" });
    span.text("network.protocol.version", version_number(asked.version));
    if let Some(peer) = asked.peer {
        span.text("client.address", &peer.ip().to_canonical().to_string());
    }
    if let Some(agent) = &asked.user_agent {
        span.text(
            "user_agent.original",
            &String::from_utf8_lossy(agent.as_bytes()),
        );
    }
    if let Some(hash) = &asked.hash {
        span.text("larder.hash", hash.as_str());
    }
}

/// A hash in a path; of one that is none the place.
fn named(hash: Option<&ArtifactHash>) -> &str {
    hash.map_or("{hash}", ArtifactHash::as_str)
}
