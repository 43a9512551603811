//! From what became of a small artifact that was uploaded to what is said of it: what survives, and what does
//! not. Values only.

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

use super::answers::{Answered, is_page, no_answer, page, refusal, said};
use super::finding::Finding;
use crate::upstream::Told;

/// The headers of an artifact that the trial carries, each with what its loss means.
pub(super) const CARRIED: [(&str, &str); 3] = [
    (
        "x-artifact-tag",
        "the tag is lost: with signed artifacts every download fails its check and the task runs again",
    ),
    (
        "x-artifact-duration",
        "the duration is lost: turbo cannot say how much time was saved",
    ),
    (
        "x-artifact-sha",
        "the commit is lost: run summaries do not show it",
    ),
];

/// What the upstream said to the upload.
pub(super) fn upload(answered: &Answered, has_token: bool) -> Finding {
    let told = match answered {
        Ok(told) => told,
        Err(error) => return no_answer(error),
    };
    match told.status {
        200..=299 if is_page(told) && told.body.trim_ascii_start().starts_with(b"<") => page(),
        200..=299 => Finding::ok(format!("taken ({})", told.status)),
        300..=399 => Finding::failure(
            said(told),
            "the upstream sends uploads elsewhere, which clients do not follow: say that address in upstream.url",
        ),
        403 => Finding::failure(
            said(told),
            "this token may not upload to this team: fine for one that is to read only, else have its rights extended",
        ),
        411 | 413 => Finding::failure(
            said(told),
            "something before the upstream limits uploads: have it take bodies of at least upload.max_size",
        ),
        _ => refusal(told, has_token, "uploads"),
    }
}

/// What the upstream says of the artifact without its body.
pub(super) fn description(answered: &Answered) -> Finding {
    let told = match answered {
        Ok(told) => told,
        Err(error) => return no_answer(error),
    };
    match told.status {
        200 if told.length.is_none() => Finding::warning(
            "there, and its length is not said",
            "who asks for a hit's length gets it from Larder once that has the artifact",
        ),
        200 => Finding::ok("there, with its length"),
        404 => lost(),
        405 | 501 => Finding::warning(
            format!("{}: no HEAD here", said(told)),
            "Larder asks by a GET whose body it drops, at the cost of a connection each time",
        ),
        _ => Finding::failure(said(told), "who may have a hit cannot be asked that way"),
    }
}

/// What came of fetching the artifact that was `sent`.
pub(super) fn download(answered: &Answered, sent: &Bytes) -> Finding {
    let told = match answered {
        Ok(told) => told,
        Err(error) => return no_answer(error),
    };
    if told.status == 404 {
        return lost();
    }
    if told.status != 200 {
        return Finding::failure(
            said(told),
            "what was uploaded cannot be fetched: look at the upstream's log",
        );
    }
    if told.headers.contains_key(CONTENT_ENCODING) {
        let advice = "something before the upstream encodes bodies, which Larder does not keep: have it leave \
                      /v8/artifacts alone";
        return Finding::failure("it comes encoded", advice);
    }
    if told.body != *sent {
        let detail = format!(
            "{} bytes came back of {}, and others",
            told.body.len(),
            sent.len()
        );
        return Finding::failure(
            detail,
            "the upstream changes artifacts: builds would restore garbage",
        );
    }
    let by = by_way_of(&told.hops);
    if told.length.is_none() {
        let detail = format!("the same bytes{by}, without a Content-Length");
        return Finding::warning(
            detail,
            "Larder says it once it has the artifact; a break is found by the framing alone",
        );
    }
    Finding::ok(format!("the same bytes{by}, with their length"))
}

fn by_way_of(hops: &[String]) -> String {
    if hops.is_empty() {
        String::new()
    } else {
        format!(
            ", redirected to {} (asked without our credential)",
            hops.join(", then ")
        )
    }
}

fn lost() -> Finding {
    Finding::failure(
        "it was taken, and is not there",
        "the upstream forgets what it takes, or answers from elsewhere than it stores: look there",
    )
}

/// Which headers came back as they were sent.
pub(super) fn headers(told: &Told, sent: &HeaderMap) -> Finding {
    let is_lost = |name: &str| told.headers.get(name) != sent.get(name);
    let (lost, kept): (Vec<_>, Vec<_>) = CARRIED.iter().partition(|(name, _)| is_lost(name));
    let names: Vec<_> = kept.iter().map(|(name, _)| *name).collect();
    if lost.is_empty() {
        return Finding::ok(format!("{} come back", names.join(", ")));
    }
    let meanings: Vec<_> = lost.iter().map(|(_, means)| *means).collect();
    Finding::warning(
        meanings.join("; "),
        "what was uploaded by way of this Larder is served with them all, as long as it holds it",
    )
}

/// What became of asking for the artifact's removal.
pub(super) fn removal(answered: &Answered, hash: &str) -> Finding {
    match answered {
        Ok(told) if (200..=299).contains(&told.status) => Finding::ok("the trial artifact is gone"),
        _ => Finding::ok(format!(
            "the upstream removes nothing when asked: the trial artifact {hash} remains until it expires there"
        )),
    }
}
