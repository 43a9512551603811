//! An access line: one answered request as one line of text or JSON. Pure; writing it is not its
//! business.
//!
//! There is no field for a credential or a query string, so none can be written.

use std::fmt::{self, Write};
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use http::{HeaderValue, Method};

use crate::artifact::{ArtifactHash, Outcome, RouteName};
use crate::config::LogFormat;

/// Longest client text written in one field, in bytes before escaping.
const MAX_TEXT: usize = 256;

/// One answered request, told at its very end.
#[derive(Clone, Debug)]
pub struct AccessLine {
    /// When its head was whole.
    pub time: SystemTime,
    /// The client; none for a unix socket's.
    pub peer: Option<SocketAddr>,
    /// Its method.
    pub method: Method,
    /// What kind of request it was.
    pub route: RouteName,
    /// The artifact it named.
    pub hash: Option<ArtifactHash>,
    /// The team it named.
    pub team: Option<String>,
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
    /// What the client calls itself.
    pub user_agent: Option<HeaderValue>,
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

/// Client text between quotes; the same escapes serve JSON and people.
struct Quoted<'a>(&'a str);

struct PeerName(Option<SocketAddr>);

// === impl AccessLine ===

impl AccessLine {
    /// Appends the line and its newline to `out`.
    pub fn write(&self, format: LogFormat, out: &mut String) {
        let written = match format {
            LogFormat::Text => self.write_text(out),
            LogFormat::Json => self.write_json(out),
        };
        // A `String` takes everything.
        debug_assert!(written.is_ok());
        out.push('\n');
    }

    fn write_text(&self, out: &mut String) -> fmt::Result {
        let hash = self.hash.as_ref().map_or("-", ArtifactHash::as_str);
        write!(
            out,
            "{} {} {} {} {hash} {} {}",
            humantime::format_rfc3339_millis(self.time),
            PeerName(self.peer),
            self.method,
            self.route.as_str(),
            self.status,
            self.outcome.as_str(),
        )?;
        if let Some(detail) = detail(self.outcome) {
            write!(out, ":{detail}")?;
        }
        write!(
            out,
            " {} in={} out={} first={:.6} total={:.6}",
            self.ended.as_str(),
            self.bytes_in,
            self.bytes_out,
            self.first_byte.as_secs_f64(),
            self.total.as_secs_f64(),
        )?;
        if let Some(team) = &self.team {
            write!(out, " team={}", Quoted(team))?;
        }
        if let Some(agent) = &self.user_agent {
            let agent = String::from_utf8_lossy(agent.as_bytes());
            write!(out, " agent={}", Quoted(&agent))?;
        }
        Ok(())
    }

    fn write_json(&self, out: &mut String) -> fmt::Result {
        write!(
            out,
            r#"{{"time":"{}","peer":"{}","method":{},"route":"{}""#,
            humantime::format_rfc3339_millis(self.time),
            PeerName(self.peer),
            Quoted(self.method.as_str()),
            self.route.as_str(),
        )?;
        if let Some(hash) = &self.hash {
            write!(out, r#","hash":"{hash}""#)?;
        }
        if let Some(team) = &self.team {
            write!(out, r#","team":{}"#, Quoted(team))?;
        }
        write!(
            out,
            r#","status":{},"outcome":"{}""#,
            self.status,
            self.outcome.as_str()
        )?;
        if let Some(detail) = detail(self.outcome) {
            write!(out, r#","detail":"{detail}""#)?;
        }
        write!(
            out,
            r#","ended":"{}","bytes_in":{},"bytes_out":{},"first_byte_seconds":{:.6},"total_seconds":{:.6}"#,
            self.ended.as_str(),
            self.bytes_in,
            self.bytes_out,
            self.first_byte.as_secs_f64(),
            self.total.as_secs_f64(),
        )?;
        if let Some(agent) = &self.user_agent {
            let agent = String::from_utf8_lossy(agent.as_bytes());
            write!(out, r#","user_agent":{}"#, Quoted(&agent))?;
        }
        out.write_char('}')
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

// === impl Quoted ===

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        let end = self.0.floor_char_boundary(MAX_TEXT);
        for character in self.0.get(..end).unwrap_or_default().chars() {
            match character {
                '"' | '\\' => write!(f, "\\{character}")?,
                // Also the separators that some readers take for the end of a line.
                _ if character.is_control() || matches!(character, '\u{2028}' | '\u{2029}') => {
                    write!(f, "\\u{:04x}", u32::from(character))?;
                }
                _ => f.write_char(character)?,
            }
        }
        f.write_char('"')
    }
}

// === impl PeerName ===

impl fmt::Display for PeerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(address) => address.fmt(f),
            None => f.write_str("unix"),
        }
    }
}

/// What the outcome's name leaves open.
fn detail(outcome: Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::Hit { grace: true, .. } => Some("grace"),
        Outcome::Bypassed(reason) => Some(reason.as_str()),
        Outcome::Degraded(failure) | Outcome::Undelivered(failure) => Some(failure.as_str()),
        Outcome::Answered => Some("answered"),
        Outcome::Error(code) => Some(code),
        Outcome::Hit { .. }
        | Outcome::Filled
        | Outcome::Collapsed
        | Outcome::Absent
        | Outcome::Stored
        | Outcome::Passed
        | Outcome::Refused(_)
        | Outcome::UploadRefused
        | Outcome::Denied => None,
    }
}
