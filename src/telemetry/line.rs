//! An access line: one answered request as one line of text or JSON. Pure; writing it is not its
//! business.
//!
//! A busy Larder makes a hundred thousand of these a second: `words` writes them without the
//! machinery of `fmt`. There is no field for a credential or a query string, so none can be written.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{HeaderValue, Method, Version};

use super::words::{push_member, push_number, push_peer, push_quoted, push_seconds, push_time};
use crate::artifact::{ArtifactHash, Outcome, RouteName, version_number};
use crate::config::LogFormat;

/// One answered request, told at its very end.
#[derive(Clone, Copy, Debug)]
pub struct AccessLine<'a> {
    /// What was asked.
    pub asked: &'a Asked,
    /// What became of it.
    pub answered: &'a Answered,
}

/// What a request says of itself.
#[derive(Clone, Debug)]
pub struct Asked {
    /// When its head was whole.
    pub time: SystemTime,
    /// The client; none for a unix socket's.
    pub peer: Option<SocketAddr>,
    /// The version of HTTP that it came in.
    pub version: Version,
    /// Whether it came in TLS.
    pub is_secure: bool,
    /// What the client's certificate calls it, where it has shown one.
    pub certificate: Option<Arc<str>>,
    /// Its method.
    pub method: Method,
    /// The artifact it named.
    pub hash: Option<ArtifactHash>,
    /// The team it named.
    pub team: Option<String>,
    /// What the client calls itself.
    pub user_agent: Option<HeaderValue>,
}

/// What became of a request.
#[derive(Clone, Copy, Debug)]
pub struct Answered {
    /// What kind of request it was.
    pub route: RouteName,
    /// The answer's status.
    pub status: u16,
    /// How it was answered.
    pub outcome: Outcome,
    /// Bytes of the request's body.
    pub bytes_in: u64,
    /// Bytes of the answer's body.
    pub bytes_out: u64,
    /// From the request's head to the answer's.
    pub first_byte: Duration,
    /// From the request's head to the answer's end.
    pub total: Duration,
    /// Whether the answer was sent whole.
    pub ended: Ended,
}

/// How an answer's body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With its last byte.
    Whole,
    /// Before: the client left.
    Left,
    /// Before: its source broke off.
    Broken,
}

// === impl AccessLine ===

impl AccessLine<'_> {
    /// Appends the line and its newline to `out`.
    pub fn write(&self, format: LogFormat, out: &mut String) {
        match format {
            LogFormat::Text => self.write_text(out),
            LogFormat::Json => self.write_json(out),
        }
        out.push('\n');
    }

    fn write_text(&self, out: &mut String) {
        let Self { asked, answered } = self;
        push_time(out, asked.time);
        out.push(' ');
        push_peer(out, asked.peer);
        let hash = asked.hash.as_ref().map_or("-", ArtifactHash::as_str);
        for word in [asked.method.as_str(), answered.route.as_str(), hash] {
            out.push(' ');
            out.push_str(word);
        }
        out.push(' ');
        push_number(out, answered.status.into());
        out.push(' ');
        out.push_str(answered.outcome.as_str());
        if let Some(detail) = answered.outcome.detail() {
            out.push(':');
            out.push_str(detail);
        }
        out.push(' ');
        out.push_str(answered.ended.as_str());
        self.push_figures(out, [" in=", " out=", " first=", " total="]);
        out.push_str(" http=");
        out.push_str(version_number(asked.version));
        if asked.is_secure {
            out.push_str(" tls=true");
        }
        if let Some(certificate) = &asked.certificate {
            out.push_str(" certificate=");
            push_quoted(out, certificate);
        }
        if let Some(team) = &asked.team {
            out.push_str(" team=");
            push_quoted(out, team);
        }
        if let Some(agent) = &asked.user_agent {
            out.push_str(" agent=");
            push_quoted(out, &String::from_utf8_lossy(agent.as_bytes()));
        }
    }

    fn write_json(&self, out: &mut String) {
        let Self { asked, answered } = self;
        out.push_str(r#"{"time":""#);
        push_time(out, asked.time);
        out.push_str(r#"","peer":""#);
        push_peer(out, asked.peer);
        out.push_str(r#"","method":"#);
        push_quoted(out, asked.method.as_str());
        push_member(out, r#","route":""#, answered.route.as_str());
        if let Some(hash) = &asked.hash {
            push_member(out, r#","hash":""#, hash.as_str());
        }
        if let Some(team) = &asked.team {
            out.push_str(r#","team":"#);
            push_quoted(out, team);
        }
        out.push_str(r#","status":"#);
        push_number(out, answered.status.into());
        push_member(out, r#","outcome":""#, answered.outcome.as_str());
        if let Some(detail) = answered.outcome.detail() {
            push_member(out, r#","detail":""#, detail);
        }
        push_member(out, r#","ended":""#, answered.ended.as_str());
        self.push_figures(
            out,
            [
                r#","bytes_in":"#,
                r#","bytes_out":"#,
                r#","first_byte_seconds":"#,
                r#","total_seconds":"#,
            ],
        );
        push_member(out, r#","http":""#, version_number(asked.version));
        if asked.is_secure {
            out.push_str(r#","tls":true"#);
        }
        if let Some(certificate) = &asked.certificate {
            out.push_str(r#","certificate":"#);
            push_quoted(out, certificate);
        }
        if let Some(agent) = &asked.user_agent {
            out.push_str(r#","user_agent":"#);
            push_quoted(out, &String::from_utf8_lossy(agent.as_bytes()));
        }
        out.push('}');
    }

    fn push_figures(&self, out: &mut String, names: [&str; 4]) {
        let answered = self.answered;
        let [bytes_in, bytes_out, first, total] = names;
        out.push_str(bytes_in);
        push_number(out, answered.bytes_in);
        out.push_str(bytes_out);
        push_number(out, answered.bytes_out);
        out.push_str(first);
        push_seconds(out, answered.first_byte);
        out.push_str(total);
        push_seconds(out, answered.total);
    }
}

// === impl Answered ===

impl Answered {
    /// What is so of a request until it is answered: its client may leave before.
    pub fn not_yet(route: RouteName) -> Self {
        Self {
            route,
            status: 0,
            outcome: Outcome::Error("client_left"),
            bytes_in: 0,
            bytes_out: 0,
            first_byte: Duration::ZERO,
            total: Duration::ZERO,
            ended: Ended::Left,
        }
    }
}

// === impl Ended ===

impl Ended {
    /// The word in access lines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Left => "left",
            Self::Broken => "broken",
        }
    }
}
