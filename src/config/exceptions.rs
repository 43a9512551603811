//! Hosts that are reached past the proxies: what `NO_PROXY` says.
//!
//! Programs differ in how they read it. Whatever one of the usual ones understands is understood here:
//! `*`, names with or without a dot or `*.` before them, addresses, networks, each with a port or
//! without, separated by commas or blanks.

use std::collections::HashMap;
use std::fmt;

use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;

use super::address::explicit_port;

/// Whoever is reached directly.
pub struct Exceptions {
    is_everybody: bool,
    /// By the entries without a port.
    everywhere: Matcher,
    /// By those for a port, and those without one.
    at_port: HashMap<u16, Matcher>,
}

// === impl Exceptions ===

impl Exceptions {
    /// Reads a list such as `localhost, .corp.example, 10.0.0.0/8, cache.example:8443`.
    pub fn new(list: &str) -> Self {
        let entries: Vec<_> = list
            .split([',', ' ', '\t'])
            .filter(|entry| !entry.is_empty())
            .map(entry)
            .collect();
        let matcher = |at: Option<u16>| {
            let fits = entries
                .iter()
                .filter(|(_, port)| port.is_none() || *port == at);
            let hosts: Vec<_> = fits.map(|(host, _)| *host).collect();
            // A stand-in, so that the exceptions are asked whatever the proxy itself is worth.
            let stand_in = Matcher::builder().all("http://proxy.invalid");
            stand_in.no(hosts.join(",")).build()
        };
        Self {
            is_everybody: entries.contains(&("*", None)),
            everywhere: matcher(None),
            at_port: entries
                .iter()
                .filter_map(|(_, port)| *port)
                .map(|port| (port, matcher(Some(port))))
                .collect(),
        }
    }

    /// Whether requests to `target` go past the proxies.
    pub fn spare(&self, target: &Uri) -> bool {
        let port = target.authority().and_then(|at| explicit_port(at).ok()?);
        let port = port.or_else(|| match target.scheme_str() {
            Some("http") => Some(80),
            Some("https") => Some(443),
            _ => None,
        });
        let matcher = port.and_then(|port| self.at_port.get(&port));
        let matcher = matcher.unwrap_or(&self.everywhere);
        self.is_everybody || matcher.intercept(target).is_none()
    }
}

impl fmt::Debug for Exceptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exceptions").finish_non_exhaustive()
    }
}

/// A host as the matcher reads it, and the port it is meant for.
fn entry(text: &str) -> (&str, Option<u16>) {
    // Of an IPv6 address the last colon tells nothing, unless there are brackets.
    let is_plain_v6 = !text.starts_with('[') && text.matches(':').count() > 1;
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !is_plain_v6 => match port.parse() {
            Ok(port) => (host, Some(port)),
            Err(_) => (text, None),
        },
        _ => (text, None),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match host.strip_prefix('*') {
        Some(domain) if domain.starts_with('.') => (domain, port),
        _ => (host, port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spares(list: &str, target: &str) -> bool {
        Exceptions::new(list).spare(&target.parse().unwrap())
    }

    #[test]
    fn every_usual_way_to_name_a_host_is_understood() {
        for (list, direct) in [
            ("cache.corp.example", "https://cache.corp.example/"),
            ("corp.example", "https://cache.CORP.example/"),
            (".corp.example", "https://cache.corp.example/"),
            ("*.corp.example", "https://cache.corp.example/"),
            ("other, corp.example", "http://corp.example:8080/"),
            ("other corp.example", "http://corp.example:8080/"),
            ("10.0.0.0/8", "https://10.1.2.3/"),
            ("10.1.2.3", "https://10.1.2.3:8443/"),
            ("fd00::/8", "https://[fd00::1]/"),
            ("::1", "https://[::1]:8443/"),
            ("[::1]", "https://[::1]:8443/"),
            ("[::1]:8443", "https://[::1]:8443/"),
            ("corp.example:443", "https://cache.corp.example/"),
            ("corp.example:80", "http://cache.corp.example/"),
            ("10.1.2.3:8443", "https://10.1.2.3:8443/"),
            ("other, a:8443, corp.example", "https://corp.example:8443/"),
            ("*", "https://anything.example/"),
            ("*", "https://10.1.2.3/"),
        ] {
            assert!(spares(list, direct), "{list} {direct}");
        }
    }

    #[test]
    fn whoever_is_not_named_is_reached_through_the_proxy() {
        for (list, proxied) in [
            ("", "https://cache.corp.example/"),
            ("corp.example", "https://notcorp.example/"),
            ("cache.corp.example", "https://corp.example/"),
            ("10.0.0.0/8", "https://11.1.2.3/"),
            ("10.0.0.0/8", "https://cache.example/"),
            ("corp.example:443", "https://corp.example:8443/"),
            ("corp.example:443", "http://corp.example/"),
            ("10.1.2.3:8443", "https://10.1.2.3/"),
            ("[::1]:8443", "https://[::1]/"),
            ("corp.example:https", "https://corp.example/"),
            ("*:8443", "https://cache.example/"),
        ] {
            assert!(!spares(list, proxied), "{list} {proxied}");
        }
    }
}
