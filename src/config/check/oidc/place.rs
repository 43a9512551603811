//! Where an issuer is, and where its keys are.
//!
//! Keys that somebody on the way can replace prove nothing: they come by TLS, or from this machine.

use std::net::IpAddr;
use std::path::PathBuf;

use figment::value::Value;
use http::Uri;

use super::super::super::address::explicit_port;
use super::super::super::{KeySource, key_file, value};

/// Where most CIs keep their keys, below their issuer.
const USUAL_KEYS: &str = "/.well-known/jwks";

/// What an issuer calls itself, to the letter.
pub(super) fn issuer(value: &Value) -> Result<String, String> {
    let text = value::text(value)?;
    let url = url(text)?;
    if url.query().is_some() {
        return Err("is a URL without a query".to_owned());
    }
    Ok(text.to_owned())
}

/// A URL of keys, or the absolute path of a file of them.
pub(super) fn keys(value: &Value) -> Result<KeySource, String> {
    let text = value::text(value)?;
    if text.starts_with('/') {
        let path = PathBuf::from(text);
        key_file(&path)?;
        return Ok(KeySource::File(path));
    }
    if !text.contains("://") {
        return Err("is neither a URL nor an absolute path".to_owned());
    }
    url(text).map(KeySource::Url)
}

/// Where the keys are of an issuer of which nobody says.
pub(super) fn usual_keys(issuer: &str) -> Result<KeySource, String> {
    let url = format!("{}{USUAL_KEYS}", issuer.trim_end_matches('/'));
    let url = url
        .parse()
        .map_err(|_| "needs keys: nobody can guess where they are")?;
    Ok(KeySource::Url(url))
}

/// A URL that nobody on the way can answer for. The text stays unsaid: it may hold a password.
fn url(text: &str) -> Result<Uri, String> {
    let wrong = || "is no URL such as https://ci.example".to_owned();
    if text.contains('#') {
        return Err("is a URL without a fragment".to_owned());
    }
    let url: Uri = text.parse().map_err(|_| wrong())?;
    let (Some(scheme), Some(authority)) = (url.scheme_str(), url.authority()) else {
        return Err(wrong());
    };
    if authority.as_str().contains('@') {
        return Err("is a URL without user and password".to_owned());
    }
    if authority.host().is_empty() {
        return Err(wrong());
    }
    explicit_port(authority).map_err(|error| error.to_string())?;
    match scheme {
        "https" => Ok(url),
        "http" if is_loopback(authority.host()) => Ok(url),
        "http" => {
            Err("must be https: whoever is on the way could put keys of his own there".to_owned())
        }
        _ => Err(wrong()),
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost")
        || bare
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}
