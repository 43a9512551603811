//! What the admin listener's answers look like.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::Full;
use serde_json::json;

/// An answer of the admin listener.
pub(super) type Answer = Response<Full<Bytes>>;

/// The refusal of a method that changes something.
pub(super) fn method_refusal() -> Answer {
    let mut response = refusal(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "only GET and HEAD are answered here",
    );
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

/// A refusal in the API's error shape.
pub(super) fn refusal(status: StatusCode, code: &str, message: &str) -> Answer {
    let body = json!({"error": {"code": code, "message": message}});
    typed(status, "application/json", body.to_string())
}

/// A line of text.
pub(super) fn text(status: StatusCode, body: &'static str) -> Answer {
    typed(status, "text/plain; charset=utf-8", body)
}

/// An answer that nobody keeps.
pub(super) fn typed(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Answer {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
