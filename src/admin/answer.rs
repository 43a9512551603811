//! What the admin listener's answers look like.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use http::{Response, StatusCode};
use http_body_util::Full;

/// An answer of the admin listener.
pub(super) type Answer = Response<Full<Bytes>>;

/// The refusal of a method other than those that are `allowed`.
pub(super) fn method_refusal(allowed: &'static str) -> Answer {
    let mut response = refusal(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        &format!("only {allowed} are answered here"),
    );
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

/// The refusal of a request without the admin token. A browser asks its user for it.
pub(super) fn token_refusal(message: &str) -> Answer {
    let mut response = refusal(StatusCode::UNAUTHORIZED, "unauthorized", message);
    for challenge in [r#"Basic realm="larder""#, r#"Bearer realm="larder""#] {
        response
            .headers_mut()
            .append(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    response
}

/// The refusal of a request that does not say one thing only: nothing more is read from whoever sent it.
pub(super) fn last_refusal(message: &str) -> Answer {
    let mut response = refusal(StatusCode::BAD_REQUEST, "bad_request", message);
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// A refusal in the API's error shape.
pub(super) fn refusal(status: StatusCode, code: &str, message: &str) -> Answer {
    let body = serde_json::json!({"error": {"code": code, "message": message}});
    json(status, body.to_string())
}

/// A piece of JSON.
pub(super) fn json(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    typed(status, "application/json", body)
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
