//! Which Larder is warmed: the one that is named, else the one of this data directory.

use anyhow::{Context, bail};
use http::Uri;
use serde::Deserialize;

use crate::cli::inquiry::Inquiry;
use crate::config::{Config, Listen, Listener};

/// What a Larder says of itself, as far as it matters here.
#[derive(Deserialize)]
struct Stats {
    /// Where its clients reach it.
    api: Option<String>,
}

/// Its address as clients say it.
pub(super) async fn find(named: Option<&str>, config: &Config) -> anyhow::Result<Uri> {
    if let Some(named) = named {
        return url(named);
    }
    if let Some(said) = said(config).await {
        return url(&said);
    }
    match config.listeners().find_map(|listener| reachable(&listener)) {
        Some(configured) => url(&configured),
        None => bail!("it is not known where clients reach the Larder: name it by --url"),
    }
}

fn url(text: &str) -> anyhow::Result<Uri> {
    // There may be a password before the host.
    let written = text.rsplit_once('@').map_or(text, |(_, host)| host);
    let shown = || format!("{written:?} is not a URL such as http://127.0.0.1:8585");
    let url: Uri = text.parse().with_context(shown)?;
    let is_http = matches!(url.scheme_str(), Some("http" | "https"));
    if !is_http || url.host().is_none_or(str::is_empty) {
        bail!(shown());
    }
    Ok(url)
}

/// What the running process says; nothing where it does not, or none runs.
async fn said(config: &Config) -> Option<String> {
    let told = Inquiry::of(config).ok()?.get("/api/v1/stats").await.ok()?;
    let stats: Stats = serde_json::from_str(&told.text).ok()?;
    stats.api.filter(|_| told.status == 200)
}

/// A listener's address as a client on this machine says it, where the port is known.
fn reachable(listener: &Listener) -> Option<String> {
    let Listen::Tcp { host, port: 1.. } = &listener.address else {
        return None;
    };
    let scheme = if listener.is_secured() {
        "https"
    } else {
        "http"
    };
    let address = listener.address.to_string();
    let address = match host.as_str() {
        "0.0.0.0" => address.replace("0.0.0.0", "127.0.0.1"),
        "::" => address.replace("[::]", "[::1]"),
        _ => address,
    };
    Some(format!("{scheme}://{address}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{AccessMode, Secured};

    #[test]
    fn a_listener_is_called_as_its_clients_call_it() {
        let called = |address: &str, secured| {
            reachable(&Listener {
                address: address.parse().unwrap(),
                secured,
                access: AccessMode::Open,
            })
        };
        let clear = |address| called(address, Secured::Never);
        assert_eq!(clear("127.0.0.1:8585").unwrap(), "http://127.0.0.1:8585");
        assert_eq!(clear("0.0.0.0:80").unwrap(), "http://127.0.0.1:80");
        assert_eq!(clear("[::]:80").unwrap(), "http://[::1]:80");
        assert_eq!(clear("127.0.0.1:0"), None);
        assert_eq!(clear("unix:/run/larder"), None);
        let secured = called("cache.lan:443", Secured::Always).unwrap();
        assert_eq!(secured, "https://cache.lan:443");
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for bad in ["", "larder:8585", "ftp://larder", "/v8", "http://"] {
            assert!(url(bad).is_err(), "{bad}");
        }
        assert!(url("http://larder:8585/").is_ok());
        let told = format!("{:#}", url("http://me:canary@").unwrap_err());
        assert!(!told.contains("canary"), "{told}");
    }
}
