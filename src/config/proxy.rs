//! The proxies between Larder and its upstream: from the key, or from the usual variables.
//!
//! A proxy's address may hold a password: it is masked wherever it is printed.

use std::fmt;

use figment::value::Value;
use http::Uri;

use super::env::Environment;
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

/// A proxy's URL.
pub(super) fn url(value: &Value) -> Result<String, String> {
    let text = value::text(value)?;
    let uri: Option<Uri> = text.parse().ok();
    let is_proxy = uri.is_some_and(|uri| {
        uri.scheme_str() == Some("http") && uri.host().is_some_and(|host| !host.is_empty())
    });
    if is_proxy {
        Ok(text.to_owned())
    } else {
        // The value stays unsaid: it may hold a password.
        Err("is not a proxy such as http://proxy.example:3128".to_owned())
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
                let text = environment.text(variable)?;
                let url = if text.contains("://") {
                    text.to_owned()
                } else {
                    format!("http://{text}")
                };
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
    fn passwords_are_masked() {
        assert_eq!(masked("http://me:p@ss@proxy:1"), "http://***@proxy:1");
        assert_eq!(masked("http://proxy:1"), "http://proxy:1");
        let proxy = ambient(&[("HTTP_PROXY", "http://me:canary@proxy")]);
        assert!(!format!("{proxy:?}").contains("canary"));
        let wrong = url(&Value::from("socks5://me:canary@proxy")).unwrap_err();
        assert!(!wrong.contains("canary"));
    }
}
