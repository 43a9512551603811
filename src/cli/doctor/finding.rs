//! What a check found: its name, a verdict, what came, and what to do about it. Values only.

use serde::Serialize;

/// What was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Check {
    Configuration,
    DataDirectory,
    Process,
    Room,
    Speed,
    Memory,
    OpenFiles,
    Token,
    Team,
    Dns,
    Tcp,
    Proxy,
    Tls,
    Http,
    Clock,
    Status,
    Rights,
    Batch,
    Events,
    Upload,
    Description,
    Download,
    Headers,
    Removal,
}

/// What is to be made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Verdict {
    Ok,
    Warning,
    Failure,
    NotTried,
}

/// What came of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) verdict: Verdict,
    pub(super) detail: String,
    pub(super) advice: Option<String>,
}

// === impl Check ===

impl Check {
    /// Columns of the longest name.
    pub(super) const WIDTH: usize = 14;

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::DataDirectory => "data directory",
            Self::Process => "process",
            Self::Room => "room",
            Self::Speed => "speed",
            Self::Memory => "memory",
            Self::OpenFiles => "open files",
            Self::Token => "token",
            Self::Team => "team",
            Self::Dns => "dns",
            Self::Tcp => "tcp",
            Self::Proxy => "proxy",
            Self::Tls => "tls",
            Self::Http => "http",
            Self::Clock => "clock",
            Self::Status => "status",
            Self::Rights => "rights",
            Self::Batch => "batch",
            Self::Events => "events",
            Self::Upload => "upload",
            Self::Description => "description",
            Self::Download => "download",
            Self::Headers => "headers",
            Self::Removal => "removal",
        }
    }
}

// === impl Verdict ===

impl Verdict {
    /// Columns of the longest word.
    pub(super) const WIDTH: usize = 9;

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failure => "failure",
            Self::NotTried => "not tried",
        }
    }

    /// As terminals are told (ECMA-48 §8.3.117).
    pub(super) fn colour(self) -> &'static str {
        match self {
            Self::Ok => "\x1b[32m",
            Self::Warning => "\x1b[33m",
            Self::Failure => "\x1b[31m",
            Self::NotTried => "\x1b[2m",
        }
    }
}

// === impl Finding ===

impl Finding {
    pub(super) fn ok(detail: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Ok,
            detail: detail.into(),
            advice: None,
        }
    }

    /// It works, and is worth a look.
    pub(super) fn warning(detail: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Warning,
            advice: Some(advice.into()),
            ..Self::ok(detail)
        }
    }

    /// It does not work.
    pub(super) fn failure(detail: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Failure,
            ..Self::warning(detail, advice)
        }
    }

    /// What it rests on does not work, or is not there.
    pub(super) fn not_tried(why: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::NotTried,
            ..Self::ok(why)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_longest_words() {
        let verdicts = [
            Verdict::Ok,
            Verdict::Warning,
            Verdict::Failure,
            Verdict::NotTried,
        ];
        let longest = verdicts
            .map(|verdict| verdict.as_str().len())
            .into_iter()
            .max();
        assert_eq!(longest, Some(Verdict::WIDTH));
        assert_eq!(Check::DataDirectory.as_str().len(), Check::WIDTH);
    }
}
