//! The proxies between Larder and its upstream: from the key, or from the usual variables.
//!
//! A proxy's address may hold a password: it is masked wherever it is printed.

use std::fmt;

use figment::value::Value;
use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;

use super::address::explicit_port;
use super::env::Environment;
use super::exceptions::Exceptions;
use super::value;

/// The proxies between Larder and its upstream, as the usual variables name them.
#[derive(Clone, Default)]
pub struct Proxy {
    /// For `http://` upstreams.
    pub http: Option<String>,
    /// For `https://` upstreams.
    pub https: Option<String>,
    /// Hosts reached directly, as in `NO_PROXY`.
    pub no: Option<String>,
}

/// A proxy that a variable names.
#[derive(Clone)]
pub(super) struct Named {
    /// The variable.
    pub(super) variable: &'static str,
    /// The proxy's URL.
    pub(super) url: String,
}

/// What the usual variables say.
#[derive(Clone, Default)]
pub(super) struct Ambient {
    /// For `http://` upstreams.
    pub(super) http: Option<Named>,
    /// For `https://` upstreams.
    pub(super) https: Option<Named>,
    /// Hosts reached directly.
    pub(super) no: Option<String>,
}

/// What is said of a proxy that cannot be used; its text may hold a password and is not repeated.
pub(super) const UNUSABLE: &str = "is not a proxy such as http://proxy.example:3128";

/// A proxy's URL.
pub(super) fn url(value: &Value) -> Result<String, String> {
    let url = with_scheme(value::text(value)?);
    if is_usable(&url) {
        Ok(url)
    } else {
        Err(UNUSABLE.to_owned())
    }
}

/// Whether requests can go through the proxy at `url`, as those who send them read it.
pub(super) fn is_usable(url: &str) -> bool {
    let everything = Matcher::builder().all(url).build();
    let used = everything.intercept(&Uri::from_static("http://upstream.invalid/"));
    used.is_some_and(|proxy| {
        let proxy = proxy.uri();
        matches!(proxy.scheme_str(), Some("http" | "https"))
            && proxy.host().is_some_and(|host| !host.is_empty())
            && proxy
                .authority()
                .is_some_and(|at| explicit_port(at).is_ok())
    })
}

fn with_scheme(text: &str) -> String {
    if text.contains("://") {
        text.to_owned()
    } else {
        format!("http://{text}")
    }
}

/// A URL without the user and password it may hold.
pub(super) fn masked(url: &str) -> String {
    match url.rsplit_once('@') {
        None => url.to_owned(),
        Some((before, host)) => match before.split_once("://") {
            Some((scheme, _)) => format!("{scheme}://***@{host}"),
            None => format!("***@{host}"),
        },
    }
}

// === impl Proxy ===

impl Proxy {
    /// One proxy for everything: the key's, which knows no exceptions.
    pub(super) fn always(url: String) -> Self {
        Self {
            http: Some(url.clone()),
            https: Some(url),
            no: None,
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("http", &self.http.as_deref().map(masked))
            .field("https", &self.https.as_deref().map(masked))
            .field("no", &self.no)
            .finish()
    }
}

// === impl Ambient ===

impl Ambient {
    /// Reads the usual variables; lower case comes first, as in curl.
    pub(super) fn of(environment: &Environment) -> Self {
        let first = |names: &[&'static str]| {
            names.iter().find_map(|variable| {
                let url = with_scheme(environment.text(variable)?);
                Some(Named { variable, url })
            })
        };
        // Under CGI, HTTP_PROXY is the client's `Proxy` header.
        let http: &[&str] = if environment.get("REQUEST_METHOD").is_some() {
            &["http_proxy", "all_proxy", "ALL_PROXY"]
        } else {
            &["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]
        };
        let no = ["no_proxy", "NO_PROXY"]
            .iter()
            .find_map(|name| environment.text(name));
        Self {
            http: first(http),
            https: first(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]),
            no: no.map(str::to_owned),
        }
    }

    /// The proxy that requests to `target` go through, if any.
    pub(super) fn used(&self, target: &Uri) -> Option<&Named> {
        let named = match target.scheme_str() {
            Some("http") => self.http.as_ref(),
            _ => self.https.as_ref(),
        };
        let exceptions = Exceptions::new(self.no.as_deref().unwrap_or_default());
        named.filter(|_| !exceptions.spare(target))
    }

    /// What the upstream is reached through.
    pub(super) fn into_proxy(self) -> Proxy {
        Proxy {
            http: self.http.map(|named| named.url),
            https: self.https.map(|named| named.url),
            no: self.no,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ambient(pairs: &[(&str, &str)]) -> Proxy {
        let pairs = pairs.iter().map(|(name, text)| (name.into(), text.into()));
        Ambient::of(&Environment::new(pairs)).into_proxy()
    }

    #[test]
    fn the_usual_variables_are_honoured() {
        let proxy = ambient(&[
            ("HTTPS_PROXY", "http://a:1"),
            ("https_proxy", "b:2"),
            ("HTTP_PROXY", ""),
            ("ALL_PROXY", "http://c:3"),
            ("NO_PROXY", "localhost,.lan"),
        ]);
        assert_eq!(proxy.https.as_deref(), Some("http://b:2"));
        assert_eq!(proxy.http.as_deref(), Some("http://c:3"));
        assert_eq!(proxy.no.as_deref(), Some("localhost,.lan"));
    }

    #[test]
    fn under_cgi_a_header_cannot_become_a_proxy() {
        let cgi = ("REQUEST_METHOD", "GET");
        assert_eq!(ambient(&[cgi, ("HTTP_PROXY", "http://evil")]).http, None);
        assert!(
            ambient(&[cgi, ("http_proxy", "http://good")])
                .http
                .is_some()
        );
    }

    #[test]
    fn a_proxy_is_usable_where_requests_can_go_through_it() {
        for good in [
            "http://p:3128",
            "p:3128",
            "https://u:canary@p",
            "http://[::1]:1/",
        ] {
            assert!(url(&Value::from(good)).is_ok(), "{good}");
        }
        for bad in [
            "",
            "socks5://u:canary@p:1",
            "ftp://u:canary@p",
            "http://u:canary@",
            "http://u:canary@p:99999",
            "http://u:canary@p:port",
        ] {
            let error = url(&Value::from(bad)).unwrap_err();
            assert!(!error.contains("canary"), "{bad}: {error}");
        }
    }

    #[test]
    fn passwords_are_masked() {
        assert_eq!(masked("http://me:p@ss@proxy:1"), "http://***@proxy:1");
        assert_eq!(masked("http://proxy:1"), "http://proxy:1");
        let proxy = ambient(&[("HTTP_PROXY", "http://me:canary@proxy")]);
        assert!(!format!("{proxy:?}").contains("canary"));
        let wrong = url(&Value::from("socks5://me:canary@proxy")).unwrap_err();
        assert!(!wrong.contains("canary"));
    }
}
