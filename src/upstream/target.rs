//! From the client's request target to a URL of the upstream, as values.

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Uri, uri};

use super::{BadTarget, UpstreamError};
use crate::artifact::{ArtifactHash, OriginId};
use crate::config;

/// The normalised base URL of the upstream: lower case, no default port, no trailing slash.
#[derive(Clone, Debug)]
pub(super) struct Base {
    scheme: Scheme,
    authority: Authority,
    path: String,
}

/// Scheme, host and port: who a credential is meant for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    scheme: Scheme,
    host: String,
    port: u16,
}

/// Finds the path upstream for a client's request target, to be put behind `base_path`.
///
/// Extra leading slashes and a leading `/api` before `/v<digit>` are dropped, and so is the
/// authority of an absolute-form target; the query stays as it is. Dot segments are refused where
/// there is a base path that they could leave.
pub fn upstream_target(client: &Uri, base_path: &str) -> Result<PathAndQuery, BadTarget> {
    let path = client.path();
    if !path.is_empty() && !path.starts_with('/') {
        return Err(BadTarget::NotAPath);
    }
    let path = without_api(path.trim_start_matches('/'));
    if !base_path.is_empty() && config::has_dot_segments(path) {
        return Err(BadTarget::DotSegments);
    }
    let target = match client.query() {
        Some(query) => format!("/{path}?{query}"),
        None => format!("/{path}"),
    };
    PathAndQuery::try_from(target).map_err(|_| BadTarget::NotAPath)
}

/// The path upstream of an artifact, to be put behind a base path: as its hash spells it, so that the
/// origin reads no spelling of it that was not read here.
pub fn artifact_target(hash: &ArtifactHash, client: &Uri) -> Result<PathAndQuery, BadTarget> {
    if client.path().strip_prefix("/v8/artifacts/") == Some(hash.as_str())
        && let Some(plain) = client.path_and_query()
    {
        return Ok(plain.clone());
    }
    let target = match client.query() {
        Some(query) => format!("/v8/artifacts/{hash}?{query}"),
        None => format!("/v8/artifacts/{hash}"),
    };
    PathAndQuery::try_from(target).map_err(|_| BadTarget::NotAPath)
}

// === impl Base ===

impl Base {
    pub(super) fn new(url: &Uri) -> Result<Self, UpstreamError> {
        let origin = Origin::of(url).ok_or(UpstreamError::Url("not an http:// or https:// URL"))?;
        if url.authority().is_some_and(has_userinfo) {
            return Err(UpstreamError::Url("a user or password has no place here"));
        }
        if url.query().is_some() {
            return Err(UpstreamError::Url("a query has no place here"));
        }
        let authority = if Some(origin.port) == default_port(&origin.scheme) {
            origin.host.clone()
        } else {
            format!("{}:{}", origin.host, origin.port)
        };
        Ok(Self {
            scheme: origin.scheme,
            authority: Authority::try_from(authority)
                .map_err(|_| UpstreamError::Url("not a host and port"))?,
            path: url.path().trim_end_matches('/').to_owned(),
        })
    }

    pub(super) fn origin_id(&self) -> OriginId {
        OriginId::new(format!("{}://{}{}", self.scheme, self.authority, self.path))
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The URL of the upstream's root, for what depends on the origin alone.
    pub(super) fn root(&self) -> Result<Uri, http::Error> {
        self.uri(&PathAndQuery::from_static("/"))
    }

    pub(super) fn uri(&self, target: &PathAndQuery) -> Result<Uri, http::Error> {
        uri::Builder::new()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(format!("{}{target}", self.path))
            .build()
    }
}

// === impl Origin ===

impl Origin {
    /// The origin of an `http` or `https` URL; `None` for anything else.
    pub(super) fn of(url: &Uri) -> Option<Self> {
        let scheme = match url.scheme()? {
            scheme if scheme == &Scheme::HTTP => Scheme::HTTP,
            scheme if scheme == &Scheme::HTTPS => Scheme::HTTPS,
            _ => return None,
        };
        let host = url.host().filter(|host| !host.is_empty())?;
        let port = config::explicit_port(url.authority()?)
            .ok()?
            .or_else(|| default_port(&scheme))?;
        Some(Self {
            host: host.to_ascii_lowercase(),
            port,
            scheme,
        })
    }

    pub(super) fn is_https(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Host and port, whatever the scheme's own port.
    pub(super) fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The host, without the brackets of an IPv6 address.
    pub(super) fn bare_host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }
}

pub(super) fn has_userinfo(authority: &Authority) -> bool {
    authority.as_str().contains('@')
}

fn default_port(scheme: &Scheme) -> Option<u16> {
    match scheme.as_str() {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

/// Older clients are told a base with `/api`, and say it again.
fn without_api(path: &str) -> &str {
    match path.strip_prefix("api/v") {
        Some(rest) if rest.starts_with(|first: char| first.is_ascii_digit()) => {
            path.strip_prefix("api/").unwrap_or(path)
        }
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(client: &str, base_path: &str) -> Result<String, BadTarget> {
        upstream_target(&client.parse().unwrap(), base_path).map(|target| target.to_string())
    }

    fn base(url: &str) -> Base {
        Base::new(&url.parse().unwrap()).unwrap()
    }

    #[test]
    fn every_way_to_say_the_artifact_path_is_one_path() {
        for said in [
            "/v8/artifacts/a?slug=x&teamId=",
            "/api/v8/artifacts/a?slug=x&teamId=",
            "//v8/artifacts/a?slug=x&teamId=",
            "///api/v8/artifacts/a?slug=x&teamId=",
            "http://larder:8585/v8/artifacts/a?slug=x&teamId=",
        ] {
            assert_eq!(
                target(said, "/api").unwrap(),
                "/v8/artifacts/a?slug=x&teamId=",
                "{said}"
            );
        }
    }

    #[test]
    fn other_paths_stay_as_they_are() {
        for said in [
            "/",
            "/api",
            "/api/version",
            "/api/vx",
            "/v2/user?x=%20%2F+&&=",
            "/a//b/",
        ] {
            assert_eq!(target(said, "").unwrap(), said);
        }
        assert_eq!(target("http://larder?x=1", "").unwrap(), "/?x=1");
        assert_eq!(target("*", ""), Err(BadTarget::NotAPath));
    }

    #[test]
    fn dot_segments_are_refused_where_they_could_leave_the_base() {
        for said in [
            "/..",
            "/v8/../x",
            "/v8/%2e%2E/x",
            "/v8/.%2e/x",
            "/./x",
            "/x/%2e",
            "/v2/..%2f..%2Fsecret",
            "/v2/%2e%2e%2fsecret",
            "/v2%2F..",
            "/v2/..%5c..%5Csecret",
            "/v2/..\\secret",
        ] {
            assert_eq!(target(said, "/api"), Err(BadTarget::DotSegments), "{said}");
            assert_eq!(target(said, "").unwrap(), said);
        }
        for said in [
            "/...",
            "/a..b",
            "/.well-known/x",
            "/x?y=/../",
            "/a%2Fb%5C.c",
        ] {
            assert_eq!(target(said, "/api").unwrap(), said);
        }
    }

    #[test]
    fn the_base_path_comes_first() {
        let uri = base("https://example.com/cache/").uri(&PathAndQuery::from_static("/v8/a?b"));
        assert_eq!(uri.unwrap(), "https://example.com/cache/v8/a?b");
        let uri = base("http://127.0.0.1:9000").uri(&PathAndQuery::from_static("/v8/a"));
        assert_eq!(uri.unwrap(), "http://127.0.0.1:9000/v8/a");
    }

    #[test]
    fn one_origin_has_one_name() {
        let named = |url| base(url).origin_id();
        let expected = OriginId::new("https://vercel.com/api");
        for same in [
            "https://vercel.com/api",
            "https://VERCEL.com:443/api/",
            "HTTPS://vercel.com/api//",
        ] {
            assert_eq!(named(same), expected, "{same}");
        }
        for other in [
            "http://vercel.com/api",
            "https://vercel.com/API",
            "https://vercel.com",
            "https://vercel.com:80/api",
        ] {
            assert_ne!(named(other), expected, "{other}");
        }
        assert_eq!(named("http://[::1]:80/"), OriginId::new("http://[::1]"));
    }

    #[test]
    fn a_base_with_credentials_or_query_is_a_mistake() {
        for bad in [
            "https://user:secret@example.com/",
            "https://example.com/?a=b",
            "/api",
            "ftp://example.com",
            "https://example.com:99999/",
        ] {
            let error = Base::new(&bad.parse().unwrap()).unwrap_err();
            assert!(!error.to_string().contains("secret"));
        }
    }
}
