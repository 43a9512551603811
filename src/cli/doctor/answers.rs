//! From what the upstream answered to what is said of it: status, rights, batch, events. Values only.

use bytes::Bytes;
use http::Version;
use http::header::CONTENT_TYPE;
use serde_json::Value;

use super::finding::Finding;
use crate::artifact::Failure;
use crate::upstream::{Told, Unanswered};

/// An answer, or why there is none.
pub(super) type Answered = Result<Told, Unanswered>;

/// The version of HTTP that is spoken, and the protocol that TLS agreed on for behind it.
pub(super) fn http(version: Version, protocol: Option<&str>) -> Finding {
    let agreed = match protocol {
        Some(protocol) => format!("agreed on as {protocol} in TLS"),
        None => "nothing else was offered".to_owned(),
    };
    Finding::ok(format!("{version:?}, {agreed}"))
}

/// What the upstream says of itself at `/v8/artifacts/status`.
pub(super) fn status(answered: &Answered, has_token: bool) -> Finding {
    let told = match answered {
        Ok(told) => told,
        Err(error) => return no_answer(error),
    };
    match told.status {
        200 if is_page(told) => page(),
        200 => stated(&told.body),
        404 => Finding::warning(
            said(told),
            "the upstream has no such route: the path in upstream.url is wrong, or it is an older server, \
             which turbo does without",
        ),
        _ => refusal(told, has_token, "the status"),
    }
}

fn stated(body: &Bytes) -> Finding {
    let parsed: Value = serde_json::from_slice(body).unwrap_or_default();
    match parsed.get("status").and_then(Value::as_str) {
        Some("enabled") => Finding::ok("remote caching is enabled"),
        Some("disabled") => Finding::failure(
            "remote caching is disabled for this team",
            "enable it in the team's settings at the upstream, or name another team (--team, --slug)",
        ),
        Some("over_limit") => Finding::failure(
            "the team is over its limit: downloads and uploads are refused",
            "have the limit raised at the upstream, or wait for the next period; what Larder holds is served on",
        ),
        Some("paused") => Finding::failure(
            "remote caching is paused for this team, over its spending",
            "resume it in the team's settings at the upstream; what Larder holds is served on",
        ),
        Some(other) => Finding::warning(
            format!("it says {other:?}, which turbo does not know"),
            "turbo shows a banner for it, and goes on",
        ),
        None => Finding::warning(
            "a 200 that is no status",
            "turbo says that it could not connect; is upstream.url the artifacts API?",
        ),
    }
}

/// What the upstream says to a question about an artifact that nobody can have: it asks for no more than reading. A 404
/// is what any server of files says; it means something where the one to the question for its `status` was another.
pub(super) fn rights(answered: &Answered, status: &Answered, has_token: bool) -> Finding {
    let told = match answered {
        Ok(told) => told,
        Err(error) => return no_answer(error),
    };
    let is_nowhere = |told: &Told| told.status == 404;
    match told.status {
        404 if status.as_ref().is_ok_and(is_nowhere) || is_page(told) => Finding::warning(
            "404, as any server says to a path that it does not have",
            "is upstream.url the artifacts API? Its path is the part before /v8/artifacts (/api at Vercel); \
             --write tells for certain",
        ),
        404 if has_token => Finding::ok(
            "the token may ask for artifacts of this team: one that nobody has is a 404, as it should be",
        ),
        404 => Finding::warning(
            "whoever has no token may ask for artifacts",
            "fine for an upstream on your own network alone",
        ),
        200..=299 if is_page(told) => page(),
        200..=299 => Finding::warning(
            format!(
                "{}: the upstream claims to have an artifact that nobody has uploaded",
                said(told)
            ),
            "is upstream.url the artifacts API? Builds would restore whatever it answers",
        ),
        _ => refusal(told, has_token, "artifacts"),
    }
}

/// What the upstream says to a batch query, which turbo asks in dry runs alone.
pub(super) fn batch(answered: &Answered) -> Finding {
    let told = match answered {
        Ok(told) => told,
        Err(error) => return no_answer(error),
    };
    let is_object = || serde_json::from_slice::<Value>(&told.body).is_ok_and(|it| it.is_object());
    match told.status {
        200 if is_object() => Finding::ok("answered"),
        404 | 405 | 501 => Finding::ok(format!(
            "{}: not offered; turbo asks for each artifact instead",
            said(told)
        )),
        _ => Finding::warning(
            said(told),
            "dry runs of turbo ask for each artifact instead",
        ),
    }
}

/// What the upstream says to events, of which none was sent.
pub(super) fn events(answered: &Answered) -> Finding {
    let told = match answered {
        Ok(told) => told,
        Err(error) => return no_answer(error),
    };
    match told.status {
        200..=299 => Finding::ok("taken"),
        400 | 422 => Finding::ok(format!(
            "{}: there, and an empty list is refused",
            said(told)
        )),
        404 | 405 | 501 => Finding::ok(format!("{}: not offered; turbo does without", said(told))),
        _ => Finding::warning(
            said(told),
            "turbo does without; the upstream's usage figures do not",
        ),
    }
}

/// What is said of a refusal of `what`.
pub(super) fn refusal(told: &Told, has_token: bool, what: &str) -> Finding {
    let said = said(told);
    let advice = match told.status {
        401 if !has_token => {
            "the upstream wants a token: --token-file, upstream.token_file or TURBO_TOKEN"
                .to_owned()
        }
        401 => "the upstream does not know this token, or it has expired: make a new one there"
            .to_owned(),
        402 => "the upstream wants to be paid: look at the team's billing".to_owned(),
        403 if !has_token => "the upstream wants a token: --token-file or TURBO_TOKEN".to_owned(),
        403 => format!(
            "the upstream knows this token and does not let it have {what} of this team: name the \
                        team that the token is for (--team, --slug), or have its rights extended"
        ),
        404 => "the path in upstream.url is wrong, or the upstream hides the team from this token"
            .to_owned(),
        407 => "the proxy wants a user and password: write them into upstream.proxy".to_owned(),
        429 => {
            "the upstream limits how often it is asked: wait, and have the limit raised".to_owned()
        }
        300..=399 => "the upstream is elsewhere: say that address in upstream.url".to_owned(),
        500..=599 => {
            "the upstream, or what stands before it, is out of order: look there".to_owned()
        }
        _ => "is upstream.url the artifacts API? Its path is the part before /v8/artifacts"
            .to_owned(),
    };
    Finding::failure(said, advice)
}

/// What is said where nothing was.
pub(super) fn no_answer(error: &Unanswered) -> Finding {
    let advice = match error.failure {
        Failure::Timeout => {
            "the upstream accepts connections and does not answer in upstream.first_byte_timeout: look there"
        }
        Failure::Unreachable => "the lines above say how far the way leads",
        Failure::Cut => "the upstream, or what stands before it, breaks off: look at its log",
        Failure::Error | Failure::Limited | Failure::Credential | Failure::Page => {
            "what answers is no HTTP server, or leads nowhere: is upstream.url the artifacts API?"
        }
    };
    Finding::failure(error.cause.clone(), advice)
}

/// A page for people, as of a gateway that wants a login.
pub(super) fn page() -> Finding {
    Finding::failure(
        "a page for people where the API should be",
        "something before the upstream wants a login in a browser: have it let this machine through, \
         or send what it wants along (access.credential_headers)",
    )
}

pub(super) fn is_page(told: &Told) -> bool {
    let said = told
        .headers
        .get(CONTENT_TYPE)
        .and_then(|said| said.to_str().ok());
    said.is_some_and(|said| {
        said.trim_start()
            .to_ascii_lowercase()
            .starts_with("text/html")
    })
}

/// The status and, of the usual shapes, code and message.
pub(super) fn said(told: &Told) -> String {
    let parsed: Value = serde_json::from_slice(&told.body).unwrap_or_default();
    let error = parsed.get("error").unwrap_or(&parsed);
    let text = |name: &str| error.get(name).and_then(Value::as_str);
    let words: Vec<_> = [text("code"), text("message")]
        .into_iter()
        .flatten()
        .collect();
    if words.is_empty() {
        told.status.to_string()
    } else {
        format!("{} {}", told.status, words.join(": "))
    }
}
