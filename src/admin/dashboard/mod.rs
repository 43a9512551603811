//! `GET /` and `GET /assets/…`: the dashboard, one page for people, built into the program.
//!
//! What it shows it asks the API for; nothing of a running Larder is in it.

use std::sync::LazyLock;

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue,
    IF_NONE_MATCH, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{Response, StatusCode};
use http_body_util::Full;

use super::answer::Answer;

/// Nothing but its own files, and nobody's frame: a text that finds its way into the page stays a text.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What every piece is sent with.
const PROTECTION: [(HeaderName, HeaderValue); 3] = [
    (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
];

/// Asked about with every visit: another version of the program has another page.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("private, no-cache");

/// For a year: under this name there is never anything else.
const KEEP: HeaderValue = HeaderValue::from_static("private, max-age=31536000, immutable");

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const SCRIPT: HeaderValue = HeaderValue::from_static("text/javascript; charset=utf-8");
const STYLE: HeaderValue = HeaderValue::from_static("text/css; charset=utf-8");

/// Bytes of a digest in a name: enough that no two versions meet.
const DIGEST_BYTES: usize = 8;

/// A file as it was written, with the type it is sent as.
type Source = (&'static str, &'static str, HeaderValue);

/// What the page is made of. Each file names only those above it, so that all those have their digests when its
/// own is taken.
const SOURCES: [Source; 15] = [
    (
        "uplot.js",
        // Its licence goes with it, wherever the program goes.
        concat!(
            "/*\n",
            include_str!("vendor/uplot/LICENSE"),
            "*/\n",
            include_str!("vendor/uplot/uPlot.iife.min.js")
        ),
        SCRIPT,
    ),
    (
        "uplot.css",
        include_str!("vendor/uplot/uPlot.min.css"),
        STYLE,
    ),
    ("style.css", include_str!("style.css"), STYLE),
    ("dom.js", include_str!("dom.js"), SCRIPT),
    ("format.js", include_str!("format.js"), SCRIPT),
    ("words.js", include_str!("words.js"), SCRIPT),
    ("history.js", include_str!("history.js"), SCRIPT),
    ("poll.js", include_str!("poll.js"), SCRIPT),
    ("head.js", include_str!("head.js"), SCRIPT),
    ("figures.js", include_str!("figures.js"), SCRIPT),
    ("plot.js", include_str!("plot.js"), SCRIPT),
    ("traffic.js", include_str!("traffic.js"), SCRIPT),
    ("tables.js", include_str!("tables.js"), SCRIPT),
    ("notices.js", include_str!("notices.js"), SCRIPT),
    ("main.js", include_str!("main.js"), SCRIPT),
];

/// The page and its assets, put together when somebody first asks.
static PIECES: LazyLock<Vec<Piece>> = LazyLock::new(assemble);

/// A file as it is sent.
#[derive(Debug)]
pub(super) struct Piece {
    path: String,
    content_type: HeaderValue,
    body: Bytes,
    /// The quoted digest of the body.
    tag: String,
    keeping: HeaderValue,
}

/// What is served at this path, if it is part of the dashboard.
pub(super) fn find(path: &str) -> Option<&'static Piece> {
    if path != "/" && !path.starts_with("/assets/") {
        return None;
    }
    PIECES.iter().find(|piece| piece.path == path)
}

// === impl Piece ===

impl Piece {
    /// The answer to whoever asked with these headers: the piece, or that theirs is the same.
    pub(super) fn answer(&self, asked: &HeaderMap) -> Answer {
        let is_theirs = self.is_named_in(asked);
        let body = if is_theirs {
            Bytes::new()
        } else {
            self.body.clone()
        };
        let mut response = Response::new(Full::new(body));
        if is_theirs {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        let headers = response.headers_mut();
        headers.extend(PROTECTION);
        headers.insert(CONTENT_TYPE, self.content_type.clone());
        headers.insert(CACHE_CONTROL, self.keeping.clone());
        // Digits and quotes are a value; without a tag a browser would ask for the whole again.
        if let Ok(tag) = HeaderValue::from_str(&self.tag) {
            headers.insert(ETAG, tag);
        }
        response
    }

    fn is_named_in(&self, asked: &HeaderMap) -> bool {
        let named = asked.get_all(IF_NONE_MATCH).iter();
        let mut tags = named
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(|tag| tag.trim().trim_start_matches("W/"));
        tags.any(|tag| tag == "*" || tag == self.tag)
    }
}

fn assemble() -> Vec<Piece> {
    let mut renamed = Vec::with_capacity(SOURCES.len());
    let mut pieces = Vec::with_capacity(SOURCES.len() + 1);
    for (name, text, content_type) in SOURCES {
        let text = rename(text, &renamed);
        let digest = digest(&text);
        let lasting = match name.rsplit_once('.') {
            Some((stem, extension)) => format!("{stem}.{digest}.{extension}"),
            None => format!("{name}.{digest}"),
        };
        pieces.push(Piece {
            path: format!("/assets/{lasting}"),
            content_type,
            body: Bytes::from(text),
            tag: format!("\"{digest}\""),
            keeping: KEEP,
        });
        renamed.push((name, lasting));
    }
    let page = rename(include_str!("page.html"), &renamed);
    pieces.push(Piece {
        path: "/".to_owned(),
        content_type: HTML,
        tag: format!("\"{}\"", digest(&page)),
        body: Bytes::from(page),
        keeping: ASK_AGAIN,
    });
    pieces
}

/// The text with every file that it names under the name that it is served by.
fn rename(text: &str, renamed: &[(&str, String)]) -> String {
    let mut text = text.to_owned();
    for (name, lasting) in renamed {
        text = text.replace(&format!("/{name}\""), &format!("/{lasting}\""));
    }
    text
}

fn digest(text: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    let short = digest.as_ref().get(..DIGEST_BYTES).unwrap_or_default();
    data_encoding::HEXLOWER.encode(short)
}

#[cfg(test)]
mod tests;
