//! What a request is about, read from its method and path. Pure.

use http::{Method, Uri};

use crate::artifact::{ArtifactHash, InvalidHash, RouteName};

/// What a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// `GET` of an artifact.
    Get(ArtifactHash),
    /// `HEAD` of an artifact.
    Head(ArtifactHash),
    /// `PUT` of an artifact.
    Put(ArtifactHash),
    /// Existence of many artifacts.
    Batch,
    /// Usage events.
    Events,
    /// Whether caching is enabled.
    Status,
    /// What may be sent to an artifact route, or to this server.
    Preflight,
    /// Everything else.
    Pass,
    /// An artifact route whose hash is none.
    Invalid(RouteName),
}

impl Route {
    /// Reads the route from a request's method and target.
    ///
    /// Extra leading slashes, an `/api` prefix and the authority of an absolute-form target do not
    /// matter: clients put them there, depending on how they were told where we are.
    pub fn parse(method: &Method, target: &Uri) -> Self {
        // About the server and no resource of it (RFC 9110 §9.3.7): ours, not the one upstream.
        if target.path() == "*" && method == Method::OPTIONS {
            return Self::Preflight;
        }
        let path = target.path().trim_start_matches('/');
        let path = path.strip_prefix("api/").unwrap_or(path);
        let Some(rest) = path.strip_prefix("v8/artifacts") else {
            return Self::Pass;
        };
        match rest.strip_prefix('/') {
            None if rest.is_empty() && method == Method::POST => Self::Batch,
            Some("status") if method == Method::GET => Self::Status,
            Some("events") if method == Method::POST => Self::Events,
            Some("events") if method == Method::OPTIONS => Self::Preflight,
            None | Some("status" | "events") => Self::Pass,
            Some(segment) => Self::parse_artifact(method, segment),
        }
    }

    fn parse_artifact(method: &Method, segment: &str) -> Self {
        let named = |name, route: fn(ArtifactHash) -> Self| match ArtifactHash::parse(segment) {
            Ok(hash) => route(hash),
            Err(InvalidHash) => Self::Invalid(name),
        };
        match *method {
            Method::GET => named(RouteName::Get, Self::Get),
            Method::HEAD => named(RouteName::Head, Self::Head),
            Method::PUT => named(RouteName::Put, Self::Put),
            Method::OPTIONS => named(RouteName::Preflight, |_| Self::Preflight),
            _ => Self::Pass,
        }
    }

    /// The route's name in metrics and access lines.
    pub fn name(&self) -> RouteName {
        match self {
            Self::Get(_) => RouteName::Get,
            Self::Head(_) => RouteName::Head,
            Self::Put(_) => RouteName::Put,
            Self::Batch => RouteName::Batch,
            Self::Events => RouteName::Events,
            Self::Status => RouteName::Status,
            Self::Preflight => RouteName::Preflight,
            Self::Pass => RouteName::Pass,
            Self::Invalid(name) => *name,
        }
    }

    /// The artifact it is about, if it is about one.
    pub fn hash(&self) -> Option<&ArtifactHash> {
        match self {
            Self::Get(hash) | Self::Head(hash) | Self::Put(hash) => Some(hash),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proptest::prelude::*;
    use proptest::test_runner::{Config, TestRunner};

    use super::*;
    use crate::artifact::MAX_HASH;

    /// Enough for every character that is none of a hash's to have its turn.
    const PATHS: u32 = 4096;

    fn parse(method: &str, target: &str) -> Route {
        Route::parse(&method.parse().unwrap(), &target.parse().unwrap())
    }

    #[test]
    fn every_way_of_writing_a_route_is_the_same_route() {
        let hash = ArtifactHash::parse("abc").unwrap();
        for target in [
            "/v8/artifacts/abc",
            "//v8/artifacts/abc?slug=a",
            "/api/v8/artifacts/abc",
            "//api/v8/artifacts/abc",
            "http://cache.example/v8/artifacts/abc?slug=a",
            "/v8/artifacts/%61bc",
        ] {
            assert_eq!(parse("GET", target), Route::Get(hash.clone()), "{target}");
            assert_eq!(parse("HEAD", target), Route::Head(hash.clone()), "{target}");
            assert_eq!(parse("PUT", target), Route::Put(hash.clone()), "{target}");
            assert_eq!(parse("OPTIONS", target), Route::Preflight, "{target}");
            assert_eq!(parse("DELETE", target), Route::Pass, "{target}");
        }
    }

    #[test]
    fn the_named_routes_come_before_hashes() {
        assert_eq!(parse("GET", "/v8/artifacts/status?slug=a"), Route::Status);
        assert_eq!(parse("POST", "/v8/artifacts/events"), Route::Events);
        assert_eq!(parse("OPTIONS", "/v8/artifacts/events"), Route::Preflight);
        assert_eq!(parse("POST", "/v8/artifacts?slug=a"), Route::Batch);
        assert_eq!(parse("GET", "/v8/artifacts/events"), Route::Pass);
        assert_eq!(parse("PUT", "/v8/artifacts/status"), Route::Pass);
    }

    #[test]
    fn other_paths_are_passed() {
        for target in [
            "/",
            "/v2/user",
            "/v8/artifactsx/abc",
            "/v8/artifacts",
            "/v9/artifacts/abc",
            "/metrics",
            "/apis/v8/artifacts/abc",
        ] {
            assert_eq!(parse("GET", target), Route::Pass, "{target}");
        }
    }

    #[test]
    fn a_hash_that_is_none_is_refused_and_never_passed() {
        for target in [
            "/v8/artifacts/",
            "/v8/artifacts/a/b",
            "/v8/artifacts/..%2Fx",
            "/v8/artifacts/%2e%2e",
            "/v8/artifacts/a.tag",
            "/v8/artifacts/%00",
            "/v8/artifacts/%73tatus",
            "/v8/artifacts/Status",
            "/v8/artifacts/%45vents",
        ] {
            assert_eq!(
                parse("GET", target),
                Route::Invalid(RouteName::Get),
                "{target}"
            );
            assert_eq!(
                parse("PUT", target),
                Route::Invalid(RouteName::Put),
                "{target}"
            );
        }
    }

    /// A path segment: ordinary, but for one character, encoded, hostile, or about as long as may be.
    fn segment() -> impl Strategy<Value = String> {
        prop_oneof![
            "[A-Za-z0-9_-]{1,20}",
            "[A-Za-z0-9_-]{0,5}(%[0-9a-fA-F]{2}|[.~:;,=+@!$'()*])[A-Za-z0-9_-]{0,5}",
            "([A-Za-z0-9._~/-]|%[0-9a-fA-F]{2}){0,20}",
            "(%5f|%2D|%3[0-9]|%[46][1-9]){1,8}",
            "([!-~]|\\PC){0,20}",
            (MAX_HASH - 2..MAX_HASH + 3).prop_map(|length| "a".repeat(length)),
        ]
    }

    fn target() -> impl Strategy<Value = String> {
        let bases = vec!["", "/", "/api", "//api", "http://cache.example", "/x"];
        let query = "(\\?[a-zA-Z=&%/]{0,12})?";
        (prop::sample::select(bases), segment(), query)
            .prop_map(|(base, segment, query)| format!("{base}/v8/artifacts/{segment}{query}"))
    }

    #[test]
    fn a_routes_hash_is_plain_whatever_the_path() {
        let methods = prop::sample::select(vec!["GET", "HEAD", "PUT", "OPTIONS", "POST"]);
        let (named, refused) = (Cell::new(0), Cell::new(0));
        let config = Config {
            source_file: Some(file!()),
            ..Config::with_cases(Config::default().cases.max(PATHS))
        };
        let enough = config.cases / 16;
        let checked = TestRunner::new(config).run(&(methods, target()), |(method, target)| {
            let Ok(target) = target.parse() else {
                return Ok(());
            };
            let route = Route::parse(&method.parse().unwrap(), &target);
            if let Some(hash) = route.hash() {
                let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
                let text = hash.as_str();
                prop_assert!((1..=512).contains(&text.len()) && text.bytes().all(plain));
                named.set(named.get() + 1);
            }
            if matches!(route, Route::Invalid(_)) {
                refused.set(refused.get() + 1);
            }
            Ok(())
        });
        checked.unwrap_or_else(|failure| panic!("{failure}"));
        assert!(
            named.get() > enough && refused.get() > enough,
            "{named:?} {refused:?}"
        );
    }
}
