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

/// What the page names, but for its own script.
const SOURCES: [(&str, &str, HeaderValue); 3] = [
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
];

/// The script's modules, each behind those that it imports from.
const MODULES: [&str; 12] = [
    include_str!("dom.js"),
    include_str!("format.js"),
    include_str!("words.js"),
    include_str!("history.js"),
    include_str!("poll.js"),
    include_str!("head.js"),
    include_str!("figures.js"),
    include_str!("plot.js"),
    include_str!("traffic.js"),
    include_str!("tables.js"),
    include_str!("notices.js"),
    include_str!("main.js"),
];

/// The page and its assets, put together when somebody first asks.
static PIECES: LazyLock<Vec<Piece>> = LazyLock::new(assemble);

/// A file as it is sent.
#[derive(Debug, PartialEq, Eq)]
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
    /// Where it is.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

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
    let script = ("dashboard.js", join(&MODULES), SCRIPT);
    let others = SOURCES.map(|(name, text, content_type)| (name, text.to_owned(), content_type));
    let mut page = include_str!("page.html").to_owned();
    let mut pieces = Vec::with_capacity(SOURCES.len() + 2);
    for (name, text, content_type) in others.into_iter().chain([script]) {
        let digest = digest(&text);
        let (stem, extension) = name.rsplit_once('.').unwrap_or((name, "bin"));
        let lasting = format!("{stem}.{digest}.{extension}");
        page = page.replace(
            &format!("/assets/{name}\""),
            &format!("/assets/{lasting}\""),
        );
        pieces.push(Piece {
            path: format!("/assets/{lasting}"),
            content_type,
            body: Bytes::from(text),
            tag: format!("\"{digest}\""),
            keeping: KEEP,
        });
    }
    pieces.push(Piece {
        path: "/".to_owned(),
        content_type: HTML,
        tag: format!("\"{}\"", digest(&page)),
        body: Bytes::from(page),
        keeping: ASK_AGAIN,
    });
    pieces
}

/// Modules as one script, in one scope. Browsers fetch a module with an `Origin`, also from where the page is, and
/// the door takes nobody in who brings one; a script they fetch without.
fn join(modules: &[&str]) -> String {
    let lines = modules.iter().flat_map(|module| module.lines());
    let lines = lines
        .filter(|line| !line.starts_with("import "))
        .map(|line| line.strip_prefix("export ").unwrap_or(line));
    let lines: Vec<_> = lines.collect();
    format!("\"use strict\";\n(() => {{\n{}\n}})();\n", lines.join("\n"))
}

fn digest(text: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    let short = digest.as_ref().get(..DIGEST_BYTES).unwrap_or_default();
    data_encoding::HEXLOWER.encode(short)
}

#[cfg(test)]
mod tests;
