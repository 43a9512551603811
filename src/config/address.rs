//! Addresses: where to listen, which names are ours, where the upstream is.

use std::net::IpAddr;
use std::path::PathBuf;

use figment::value::Value;
use http::Uri;
use http::uri::Authority;

use super::problem::quoted;
use super::{Listen, Target, value};

/// Longest path of a unix socket on every platform, less its final zero.
const MAX_SOCKET_PATH: usize = 103;

/// Longest name of a passed socket.
const MAX_NAME: usize = 255;

/// What `upstream.url = "vercel"` stands for.
const VERCEL: &str = "https://vercel.com/api";

/// Said of what is no target.
const NO_TARGET: &str = "is not `vercel`, `none`, or a URL such as https://cache.example/api";

/// Schemes of object stores: documented, and refused by this version.
const RESERVED: [&str; 3] = ["s3://", "gs://", "az://"];

/// What stands where a port should is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its port is not a number from 1 to 65535")]
pub struct BadPort;

/// What stands for the sockets that the service manager passes.
const PASSED: &str = "systemd";

/// An address to listen at: `HOST:PORT`, `unix:PATH`, `systemd` or `systemd:NAME`.
pub(super) fn listen(text: &str) -> Result<Listen, String> {
    if let Some(path) = text.strip_prefix("unix:") {
        return socket(path);
    }
    if let Some(rest) = text.strip_prefix(PASSED)
        && (rest.is_empty() || rest.starts_with(':'))
    {
        return passed(rest);
    }
    let wrong = || format!("{} is neither HOST:PORT nor unix:PATH", quoted(text));
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    if host.is_empty() || host == "*" {
        return Err(format!(
            "{} names no host: write 0.0.0.0:{port} for every address",
            quoted(text)
        ));
    }
    let host = match host.strip_prefix('[').map(|rest| rest.strip_suffix(']')) {
        Some(Some(inner)) if inner.contains(':') => inner,
        Some(_) => return Err(wrong()),
        None if host.contains(':') => {
            return Err(format!(
                "{}: an IPv6 address goes in brackets",
                quoted(text)
            ));
        }
        None => host,
    };
    // `u16::from_str` takes a sign.
    let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
    let port = port.parse().ok().filter(|_| is_number).ok_or_else(wrong)?;
    let host = canonical_host(host).ok_or_else(wrong)?;
    Ok(Listen::Tcp { host, port })
}

fn socket(path: &str) -> Result<Listen, String> {
    match path.len() {
        0 => Err("names no socket: write unix:PATH".to_owned()),
        1..=MAX_SOCKET_PATH => Ok(Listen::Unix(PathBuf::from(path))),
        _ => Err(format!(
            "{} is too long for a socket: {MAX_SOCKET_PATH} bytes at most",
            quoted(path)
        )),
    }
}

/// What is behind `systemd`: nothing, or a colon and a name as systemd allows it.
fn passed(rest: &str) -> Result<Listen, String> {
    let Some(name) = rest.strip_prefix(':') else {
        return Ok(Listen::Passed(None));
    };
    let is_name = (1..=MAX_NAME).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b':');
    if is_name {
        Ok(Listen::Passed(Some(name.to_owned())))
    } else {
        Err(format!("{} is no name of a socket", quoted(name)))
    }
}

/// A host in one spelling: addresses as the system prints them, names in lower case.
fn canonical_host(host: &str) -> Option<String> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Some(address.to_string());
    }
    let is_name = !host.is_empty()
        && host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    is_name.then(|| host.to_ascii_lowercase())
}

/// A name this server answers to.
pub(super) fn host(text: &str) -> Result<String, String> {
    canonical_host(text).ok_or_else(|| {
        format!(
            "{} is not a host name: write it without scheme, port and path",
            quoted(text)
        )
    })
}

/// Where misses go: `vercel`, `none`, or a base URL.
pub(super) fn target(value: &Value) -> Result<Target, String> {
    match value::text(value)? {
        "none" => Ok(Target::None),
        "vercel" => base_url(VERCEL, NO_TARGET).map(Target::Http),
        text if RESERVED.iter().any(|scheme| text.starts_with(scheme)) => {
            Err("object stores are not in this version".to_owned())
        }
        text => base_url(text, NO_TARGET).map(Target::Http),
    }
}

/// A base URL in one spelling: the upstream's is part of every entry's key. `wrong` says what it is not.
pub(super) fn base_url(text: &str, wrong: &str) -> Result<Uri, String> {
    let wrong = || wrong.to_owned();
    if text.contains(['?', '#']) {
        return Err("a base URL has neither query nor fragment".to_owned());
    }
    let uri: Uri = text.parse().map_err(|_| wrong())?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(wrong());
    };
    if authority.as_str().contains('@') {
        // The value stays unsaid: it holds a password.
        return Err("a base URL holds no user and password".to_owned());
    }
    let usual = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return Err(wrong()),
    };
    let host = authority.host().to_ascii_lowercase();
    if host.is_empty() {
        return Err(wrong());
    }
    let port = match explicit_port(authority) {
        Ok(Some(port)) if port != usual => format!(":{port}"),
        Ok(_) => String::new(),
        Err(error) => return Err(error.to_string()),
    };
    let path = uri.path().trim_end_matches('/');
    if has_dot_segments(path) {
        return Err("a base URL has no `.` and `..` in its path".to_owned());
    }
    format!("{scheme}://{host}{port}{path}")
        .parse()
        .map_err(|_| wrong())
}

/// The port that `authority` says, if it says one.
///
/// [`http`] itself takes for none what is not a port, and would lead to the scheme's own.
pub fn explicit_port(authority: &Authority) -> Result<Option<u16>, BadPort> {
    let (_, after_user) = authority
        .as_str()
        .rsplit_once('@')
        .unwrap_or(("", authority.as_str()));
    let rest = after_user.strip_prefix(authority.host()).ok_or(BadPort)?;
    if rest.is_empty() {
        return Ok(None);
    }
    let digits = rest.strip_prefix(':').ok_or(BadPort)?;
    // `u16::from_str` takes a sign.
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    let port = digits.parse().ok().filter(|port| is_number && *port > 0);
    port.map(Some).ok_or(BadPort)
}

/// Whether a path has segments that somebody on the way may resolve away: `.` and `..`, plain or
/// percent-encoded, between slashes of any kind, encoded ones included.
pub fn has_dot_segments(path: &str) -> bool {
    let plain = path
        .to_ascii_lowercase()
        .replace("%2e", ".")
        .replace("%2f", "/")
        .replace("%5c", "/")
        .replace('\\', "/");
    plain
        .split('/')
        .any(|segment| matches!(segment, "." | ".."))
}

/// A base URL as it was written, with no slash at its end.
pub(super) fn show(uri: &Uri) -> String {
    uri.to_string().trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_printed_in_one_spelling() {
        for (text, shown) in [
            ("127.0.0.1:8585", "127.0.0.1:8585"),
            ("LocalHost:0", "localhost:0"),
            ("[0:0::1]:1", "[::1]:1"),
            ("build-1.office.lan:65535", "build-1.office.lan:65535"),
            ("unix:/run/larder.sock", "unix:/run/larder.sock"),
            ("systemd", "systemd"),
            ("systemd:larder.socket", "systemd:larder.socket"),
            ("systemd-1.lan:80", "systemd-1.lan:80"),
        ] {
            assert_eq!(listen(text).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_advice() {
        for (text, advice) in [
            ("8585", "neither"),
            (":8585", "0.0.0.0:8585"),
            ("*:8585", "0.0.0.0:8585"),
            ("::1:8585", "brackets"),
            ("[::1]", "neither"),
            ("[localhost]:1", "neither"),
            ("localhost:+1", "neither"),
            ("localhost:65536", "neither"),
            ("localhost:", "neither"),
            ("http://localhost:1", "brackets"),
            ("a b:1", "neither"),
            ("unix:", "unix:PATH"),
            ("systemd:", "no name"),
            ("systemd:a:b", "no name"),
        ] {
            let message = listen(text).unwrap_err();
            assert!(message.contains(advice), "{text}: {message}");
        }
        assert!(listen(&format!("unix:/{}", "x".repeat(MAX_SOCKET_PATH))).is_err());
    }

    fn url(text: &str) -> Result<String, String> {
        target(&Value::from(text)).map(|target| match target {
            Target::Http(uri) => show(&uri),
            Target::None => "none".to_owned(),
        })
    }

    #[test]
    fn a_base_url_has_one_spelling() {
        for (text, shown) in [
            ("none", "none"),
            ("vercel", "https://vercel.com/api"),
            ("https://vercel.com/api/", "https://vercel.com/api"),
            ("HTTPS://Cache.Example:443", "https://cache.example"),
            ("http://cache:80//", "http://cache"),
            ("http://cache:0080/", "http://cache"),
            ("https://cache:08443/", "https://cache:8443"),
            ("https://cache/a%2Fb/c..d", "https://cache/a%2Fb/c..d"),
            ("http://[::1]:8080/A/b", "http://[::1]:8080/A/b"),
        ] {
            assert_eq!(url(text).unwrap(), shown, "{text}");
        }
    }

    #[test]
    fn what_is_no_base_url_is_refused() {
        for text in [
            "",
            "cache.example",
            "ftp://cache",
            "https://",
            "https://:443",
            "https://cache/?a=b",
            "https://cache/#a",
            "https://cache/a/../b",
            "https://cache/a/%2E%2e",
            "https://cache/a/..%2F..%2fb",
            "https://cache/a%5c..",
            "https://ca che/",
            "https://cache:",
            "https://cache:0",
            "https://cache:99999",
            "https://cache:+443",
            "https://cache:https",
            "https://[::1]:99999",
        ] {
            assert!(url(text).is_err(), "{text}");
        }
        assert!(
            url("s3://bucket")
                .unwrap_err()
                .contains("not in this version")
        );
        let secret = url("https://me:canary@cache").unwrap_err();
        assert!(!secret.contains("canary"), "{secret}");
    }
}
