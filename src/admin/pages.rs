//! What can be asked for, where, by which methods, and by whom. Answers nothing.

use http::Method;

use super::dashboard::{self, Piece};

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    Metrics,
    Health,
    Readiness,
    Stats,
    Entries,
    Conflicts,
    Requests,
    Config,
    Log,
    Dashboard(&'static Piece),
}

impl Page {
    /// Every page, but for the dashboard's pieces, whose names change with what they hold.
    pub(super) const ALL: [Self; 9] = [
        Self::Metrics,
        Self::Health,
        Self::Readiness,
        Self::Stats,
        Self::Entries,
        Self::Conflicts,
        Self::Requests,
        Self::Config,
        Self::Log,
    ];

    /// The page at a path.
    pub(super) fn at(path: &str) -> Option<Self> {
        let mut pages = Self::ALL.into_iter();
        let page = pages.find(|page| page.path() == path);
        page.or_else(|| dashboard::find(path).map(Self::Dashboard))
    }

    /// Where it is.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Metrics => "/metrics",
            Self::Health => "/healthz",
            Self::Readiness => "/readyz",
            Self::Stats => "/api/v1/stats",
            Self::Entries => "/api/v1/entries",
            Self::Conflicts => "/api/v1/conflicts",
            Self::Requests => "/api/v1/requests",
            Self::Config => "/api/v1/config",
            Self::Log => "/api/v1/log",
            Self::Dashboard(piece) => piece.path(),
        }
    }

    /// Whether this can be done with it.
    pub(super) fn takes(self, method: &Method) -> bool {
        let mut methods = self.methods().split(", ");
        methods.any(|allowed| allowed == method.as_str())
    }

    /// What may be done with it, as in `Allow`.
    pub(super) fn methods(self) -> &'static str {
        match self {
            Self::Log => "GET, HEAD, PUT",
            Self::Entries => "GET, HEAD, DELETE",
            _ => "GET, HEAD",
        }
    }

    /// Whether it is for everybody: probes and scrapers have no token, and it names nobody's artifacts.
    pub(super) fn is_free(self) -> bool {
        matches!(self, Self::Metrics | Self::Health | Self::Readiness)
    }
}
