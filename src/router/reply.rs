//! What a decision gives, as an HTTP answer: the only place of the proxy with status codes.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{
    ALLOW, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, VIA,
    WWW_AUTHENTICATE,
};
use http::{Response, StatusCode, Version};
use http_body::Body;
use serde_json::json;

use crate::artifact::{Answer, Failure, Outcome, via_member};
use crate::proxy::{Denial, Here, ProxyError, Reply, Served, ServedBody};

/// RFC 9211.
const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
/// What an artifact is where nobody said.
const OCTETS: HeaderValue = HeaderValue::from_static("application/octet-stream");
/// Header fields added to those of an artifact: type, length, our member of `Cache-Status`, and one
/// that an upstream had there.
const ADDED: usize = 4;
const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// What artifact routes take.
pub(super) const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, PUT, POST, OPTIONS");

/// Turns what was decided into an answer.
pub(super) fn respond(decided: Result<Served, ProxyError>) -> (Outcome, Response<ServedBody>) {
    let (outcome, mut response) = match decided {
        Ok(Served { outcome, reply }) => (outcome, reply_with(reply)),
        Err(error) => (error.outcome(), refuse(&error)),
    };
    stamp(&mut response, outcome);
    (outcome, response)
}

/// An error of the router's own, in the API's shape.
pub(super) fn error(status: StatusCode, code: &str, message: &str) -> Response<ServedBody> {
    let body = json!({ "error": { "code": code, "message": message } }).to_string();
    small(status, body.into())
}

/// Appends our member to `Cache-Status`; an upstream's own stays in front of it.
pub(super) fn stamp(response: &mut Response<ServedBody>, outcome: Outcome) {
    let member = match outcome.member() {
        Cow::Borrowed(member) => Ok(HeaderValue::from_static(member)),
        Cow::Owned(member) => HeaderValue::try_from(member),
    };
    if let Ok(member) = member {
        response.headers_mut().append(CACHE_STATUS, member);
    }
}

fn reply_with(reply: Reply) -> Response<ServedBody> {
    match reply {
        Reply::Artifact {
            fields,
            length,
            cache_status,
            body,
            follows,
        } => {
            let mut response = artifact(roomy(fields.as_map()), length, body);
            for member in cache_status {
                response.headers_mut().append(CACHE_STATUS, member);
            }
            if let Some(context) = follows {
                response.extensions_mut().insert(context);
            }
            response
        }
        Reply::Stated(headers, length, version) => stated(headers, length, version),
        Reply::Relayed(answer) => relayed(&answer),
        Reply::Passed(response) => {
            let mut response = response.map(ServedBody::Upstream);
            let via = via(response.version());
            // The version is this hop's (RFC 9110 §6.2): in the words of 1.0 a body without a length would
            // end with the connection.
            *response.version_mut() = Version::HTTP_11;
            response.headers_mut().append(VIA, via);
            response
        }
        Reply::Here(here) => made_here(here),
    }
}

/// Our member of `Via` in an answer that the upstream gave in this version.
fn via(version: Version) -> HeaderValue {
    via_member(version, "larder")
}

/// A copy with room for what is added to every artifact's.
fn roomy(fields: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(fields.len() + ADDED);
    for (name, value) in fields {
        headers.append(name, value.clone());
    }
    headers
}

fn artifact(fields: HeaderMap, length: Option<u64>, body: ServedBody) -> Response<ServedBody> {
    let length_of_body = body.size_hint().exact();
    let mut response = Response::new(body);
    *response.headers_mut() = fields;
    let headers = response.headers_mut();
    headers.entry(CONTENT_TYPE).or_insert(OCTETS);
    match length {
        // The server states the length of such a body by itself.
        Some(length) if length > 0 && length_of_body == Some(length) => {}
        Some(length) => {
            headers.insert(CONTENT_LENGTH, length.into());
        }
        None => {}
    }
    response
}

fn stated(headers: HeaderMap, length: Option<u64>, version: Version) -> Response<ServedBody> {
    let mut response = artifact(headers, length, ServedBody::Empty);
    response.headers_mut().append(VIA, via(version));
    response
}

fn relayed(answer: &Answer) -> Response<ServedBody> {
    let head = answer.head();
    let mut response = Response::new(ServedBody::Whole(answer.body().clone()));
    *response.status_mut() = head.status;
    *response.headers_mut() = head.headers.clone();
    let headers = response.headers_mut();
    // Old clients follow it around us, or take the upload for stored.
    headers.remove(LOCATION);
    headers.insert(CONTENT_LENGTH, (answer.body().len() as u64).into());
    headers.append(VIA, via(head.version));
    response
}

fn made_here(here: Here) -> Response<ServedBody> {
    match here {
        Here::Uploaded(path) => small(
            StatusCode::ACCEPTED,
            json!({ "urls": [path] }).to_string().into(),
        ),
        Here::Enabled => small(
            StatusCode::OK,
            Bytes::from_static(br#"{"status":"enabled"}"#),
        ),
        Here::Exist(body) => small(StatusCode::OK, body),
        Here::EventsTaken => small(StatusCode::OK, Bytes::from_static(b"{}")),
        Here::Preflight => preflight(),
    }
}

/// Clients read two headers of this: `Authorization` must be allowed, or they leave their token at
/// home; and there must be no `Location`, or they go around us. No `Access-Control-Allow-Origin`:
/// browsers are no clients.
fn preflight() -> Response<ServedBody> {
    let mut response = Response::new(ServedBody::Empty);
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    let allowed = "Authorization, Content-Type, User-Agent, x-artifact-duration, x-artifact-tag, x-artifact-sha, \
                   x-artifact-dirty-hash, x-artifact-client-ci, x-artifact-client-interactive";
    headers.insert(
        "access-control-allow-headers",
        HeaderValue::from_static(allowed),
    );
    headers.insert("access-control-allow-methods", METHODS);
    headers.insert(ALLOW, METHODS);
    response
}

fn refuse(problem: &ProxyError) -> Response<ServedBody> {
    let (status, code) = status_of(problem);
    let mut response = error(status, code, &problem.to_string());
    if status == StatusCode::UNAUTHORIZED {
        // RFC 9110 §11.6.1.
        response
            .headers_mut()
            .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

fn status_of(problem: &ProxyError) -> (StatusCode, &'static str) {
    match problem {
        ProxyError::InvalidHash(_) => (StatusCode::BAD_REQUEST, "invalid_hash"),
        ProxyError::RepeatedAuthorization(_)
        | ProxyError::BadTarget(_)
        | ProxyError::BadBody(_)
        | ProxyError::TooManyFields
        | ProxyError::Cut => (StatusCode::BAD_REQUEST, "bad_request"),
        ProxyError::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
        ProxyError::NoRoom => (StatusCode::PAYLOAD_TOO_LARGE, "no_room"),
        ProxyError::Denied(Denial::UnknownToken) => (StatusCode::UNAUTHORIZED, "unauthorized"),
        ProxyError::Denied(
            Denial::NoGrant | Denial::OtherTeam | Denial::ReadOnly | Denial::OtherRoute,
        ) => (StatusCode::FORBIDDEN, "forbidden"),
        // Of all statuses the one with which clients show the code and the message. The code is none
        // that they know, or they would upload nothing more.
        ProxyError::InvalidSignature(_) => (StatusCode::FORBIDDEN, "invalid_signature"),
        ProxyError::Absent
        | ProxyError::NoRoute
        | ProxyError::Unanswered(_)
        | ProxyError::BatchUnanswered(_) => (StatusCode::NOT_FOUND, "not_found"),
        // Clients neither repeat this nor count it as an outage, which would cost them their reads.
        ProxyError::Undelivered(_) | ProxyError::Redirected => {
            (StatusCode::FAILED_DEPENDENCY, "upload_undelivered")
        }
        ProxyError::TooSlow => (StatusCode::REQUEST_TIMEOUT, "upload_too_slow"),
        ProxyError::Unserved(failure) | ProxyError::Unpassed(failure) => gateway(*failure),
    }
}

fn gateway(failure: Failure) -> (StatusCode, &'static str) {
    match failure {
        Failure::Timeout => (StatusCode::GATEWAY_TIMEOUT, "upstream_timeout"),
        Failure::Unreachable
        | Failure::Error
        | Failure::Cut
        | Failure::Limited
        | Failure::Credential
        | Failure::Page => (StatusCode::BAD_GATEWAY, "upstream_failed"),
    }
}

fn small(status: StatusCode, body: Bytes) -> Response<ServedBody> {
    let mut response = Response::new(ServedBody::Whole(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}
