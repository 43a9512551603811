//! Whether a request means this server: the door against browsers that a stranger's page has sent.
//!
//! A page can make a browser ask any address, and by rebinding its own name reach one behind a
//! firewall (DNS rebinding). Where no credential is asked for, the name in the request is what tells.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::header::{HOST, HeaderMap, ORIGIN};
use http::uri::{Authority, Uri};

/// A request that was not meant for this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Foreign {
    /// It names a host that is not ours.
    #[error("this server does not answer to that host name; see server.hosts")]
    Host,
    /// A web page sent it.
    #[error("this server does not answer web pages")]
    Origin,
}

/// Checks that a request names an IP address, `localhost` or one of `hosts`, and that no web page
/// sent it.
///
/// A request that names no host passes: no browser sends one.
pub fn check_host(headers: &HeaderMap, uri: &Uri, hosts: &[String]) -> Result<(), Foreign> {
    let mut is_ours_all = uri
        .authority()
        .is_none_or(|authority| is_ours(authority.as_str().as_bytes(), hosts));
    // Going through some fields once costs less than looking for two of them.
    for (name, value) in headers {
        if name == ORIGIN {
            return Err(Foreign::Origin);
        }
        if name == HOST {
            is_ours_all &= is_ours(value.as_bytes(), hosts);
        }
    }
    if is_ours_all {
        Ok(())
    } else {
        Err(Foreign::Host)
    }
}

fn is_ours(authority: &[u8], hosts: &[String]) -> bool {
    if authority.is_empty() {
        return true;
    }
    let Ok(authority) = Authority::try_from(authority) else {
        return false;
    };
    // `127.0.0.1@stranger` names the stranger; nobody honest writes either.
    if authority.as_str().contains('@') {
        return false;
    }
    let host = authority.host();
    let name = host.strip_suffix('.').unwrap_or(host);
    is_address(host)
        || name.eq_ignore_ascii_case("localhost")
        || hosts.iter().any(|known| known.eq_ignore_ascii_case(name))
}

fn is_address(host: &str) -> bool {
    let bracketed = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    match bracketed {
        Some(address) => address.parse::<Ipv6Addr>().map(IpAddr::from),
        None => host.parse::<Ipv4Addr>().map(IpAddr::from),
    }
    .is_ok()
}

impl Foreign {
    /// The code of the API's error shape.
    pub fn code(self) -> &'static str {
        match self {
            Self::Host => "forbidden_host",
            Self::Origin => "forbidden_origin",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn check(host: &[&'static str], uri: &'static str) -> Result<(), Foreign> {
        let mut headers = HeaderMap::new();
        for value in host {
            headers.append(HOST, HeaderValue::from_static(value));
        }
        let hosts = ["cache.lan".to_owned()];
        check_host(&headers, &Uri::from_static(uri), &hosts)
    }

    #[test]
    fn addresses_localhost_and_configured_names_are_ours() {
        let ours = [
            "127.0.0.1",
            "127.0.0.1:8585",
            "10.1.2.3:80",
            "[::1]:8585",
            "[fd00::7]",
            "localhost",
            "LOCALHOST:8586",
            "localhost.",
            "cache.lan",
            "Cache.Lan:8585",
            "cache.lan.",
            "",
        ];
        for host in ours {
            assert_eq!(check(&[host], "/"), Ok(()), "{host:?}");
        }
        assert_eq!(check(&[], "/"), Ok(()));
        assert_eq!(check(&["localhost"], "http://127.0.0.1:8585/x"), Ok(()));
    }

    #[test]
    fn any_other_name_is_foreign() {
        let foreign = [
            "evil.example",
            "evil.example:8585",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "evil.localhost",
            "xcache.lan",
            "127.0.0.1@evil.example",
            "evil.example@127.0.0.1",
            "127.1",
            "2130706433",
            "::1",
            "[::1",
            "local host",
            "localhost/..",
            "localhost..",
        ];
        for host in foreign {
            assert_eq!(check(&[host], "/"), Err(Foreign::Host), "{host:?}");
        }
    }

    #[test]
    fn every_name_in_the_request_counts() {
        assert_eq!(
            check(&["localhost", "evil.example"], "/"),
            Err(Foreign::Host)
        );
        assert_eq!(
            check(&["localhost"], "http://evil.example/metrics"),
            Err(Foreign::Host)
        );
        assert_eq!(
            check(&["evil.example"], "http://localhost/metrics"),
            Err(Foreign::Host)
        );
    }

    #[test]
    fn an_origin_is_foreign_whatever_it_says() {
        for origin in ["http://localhost:8586", "null", "https://evil.example", ""] {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_static("localhost"));
            headers.insert(ORIGIN, HeaderValue::from_static(origin));
            let checked = check_host(&headers, &Uri::from_static("/"), &[]);
            assert_eq!(checked, Err(Foreign::Origin), "{origin:?}");
        }
    }
}
