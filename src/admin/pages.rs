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
    Holds,
    Config,
    Log,
    Dashboard(&'static Piece),
}

impl Page {
    /// Every page, but for the dashboard's pieces, whose names change with what they hold.
    pub(super) const ALL: [Self; 10] = [
        Self::Metrics,
        Self::Health,
        Self::Readiness,
        Self::Stats,
        Self::Entries,
        Self::Conflicts,
        Self::Requests,
        Self::Holds,
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
            Self::Holds => "/api/v1/holds",
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
            Self::Holds => "GET, HEAD, PUT, DELETE",
            _ => "GET, HEAD",
        }
    }

    /// Whether it is for everybody: probes and scrapers have no token, and it names nobody's artifacts.
    pub(super) fn is_free(self) -> bool {
        matches!(self, Self::Metrics | Self::Health | Self::Readiness)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_page_is_documented_with_its_methods_and_no_other() {
        let text = include_str!("../../docs/openapi.json");
        let document: serde_json::Value = serde_json::from_str(text).unwrap();
        let mut documented = BTreeSet::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            let methods = methods.as_object().unwrap().keys();
            documented.extend(methods.map(|method| (path.clone(), method.to_uppercase())));
        }
        let known = Page::ALL.into_iter().flat_map(|page| {
            let methods = page.methods().split(", ");
            // What can be read can be asked about.
            let methods = methods.filter(|method| *method != "HEAD");
            methods.map(move |method| (page.path().to_owned(), method.to_owned()))
        });
        let page = ("/".to_owned(), "GET".to_owned());
        assert_eq!(documented, known.chain([page]).collect());
    }
}
