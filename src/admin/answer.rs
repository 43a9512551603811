//! What the admin listener's answers look like.

use bytes::Bytes;
use http::header::{
    ACCEPT, ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderValue,
    WWW_AUTHENTICATE,
};
use http::{Response, StatusCode};
use http_body_util::Full;

const JSON: &str = "application/json";

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

/// The refusal of a request without the admin token, `asked` with these headers. A browser asks its user for it, but
/// not on account of a script that takes JSON alone: a page that asks every few seconds would have it ask as often.
pub(super) fn token_refusal(message: &str, asked: &HeaderMap) -> Answer {
    let is_script = asked.get(ACCEPT).is_some_and(|accepted| accepted == JSON);
    let basic = (!is_script).then_some(r#"Basic realm="larder""#);
    let mut response = refusal(StatusCode::UNAUTHORIZED, "unauthorized", message);
    for challenge in basic.into_iter().chain([r#"Bearer realm="larder""#]) {
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
    typed(status, JSON, body)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_asks_for_the_token_where_a_page_is_opened_and_not_for_each_of_its_rounds() {
        let both = [r#"Basic realm="larder""#, r#"Bearer realm="larder""#];
        for (accepted, expected) in [
            (None, &both[..]),
            (Some("text/html,*/*;q=0.8"), &both),
            (Some("application/json"), &both[1..]),
        ] {
            let accepted = accepted.map(|accepted| (ACCEPT, HeaderValue::from_static(accepted)));
            let refusal = token_refusal("none", &HeaderMap::from_iter(accepted.clone()));
            assert_eq!(refusal.status(), StatusCode::UNAUTHORIZED);
            let challenges = refusal.headers().get_all(WWW_AUTHENTICATE);
            let challenges: Vec<_> = challenges.iter().collect();
            assert_eq!(challenges, expected, "{accepted:?}");
        }
    }
}
