//! The origin and how to reach it.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::SystemTime;

use figment::value::Value;
use http::header::HeaderName;

use super::super::pinned::pinned;
use super::super::problem::quoted;
use super::super::proxy::{self, Ambient};
use super::super::raw::{Raw, Setting};
use super::super::secret::token_file;
use super::super::{
    Breaker, Identity, OnReadFailure, Proxy, Target, Upstream, address, authorities, units, value,
};
use super::pair::pair;

const CERT: &str = "upstream.client_cert";
const KEY: &str = "upstream.client_key";

/// Headers that belong to one connection, to one message's framing, or to what an artifact fetch
/// must not carry: naming them as credentials or as forwarded would break requests.
const NOT_FOR_FORWARDING: [&str; 18] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "expect",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "keep-alive",
    "range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];

/// What means nothing where there is no upstream.
const ONLY_WITH_UPSTREAM: [&str; 12] = [
    "upstream.token_file",
    CERT,
    KEY,
    "upstream.max_concurrent",
    "upstream.absent_ttl",
    "upstream.forward_headers",
    "upstream.head_timeout",
    "upstream.probe_timeout",
    "upstream.answer_timeout",
    "upstream.breaker_failures",
    "upstream.breaker_cooldown",
    "upstream.on_read_failure",
];

/// And what means nothing either, unless the keys of issuers are fetched by it.
const WAYS: [&str; 9] = [
    "upstream.http2",
    "upstream.ca_file",
    "upstream.proxy",
    "upstream.resolve",
    "upstream.connect_timeout",
    "upstream.first_byte_timeout",
    "upstream.idle_timeout",
    "upstream.min_rate",
    "upstream.exchange_timeout",
];

/// Checks `upstream.…`.
pub(super) fn upstream(raw: &mut Raw, ambient: Ambient) -> Upstream {
    let is_given = raw.take("upstream.url", address::target);
    if is_given == Some(Target::None) {
        raw.without_effect(&ONLY_WITH_UPSTREAM, "there is no upstream");
        if !raw.is_set("access.oidc") {
            raw.without_effect(&WAYS, "there is no upstream");
        }
    }
    let target = is_given.unwrap_or(Target::None);
    if raw.is_set("upstream.token_file") && raw.is_set("upstream.forward_headers") {
        raw.mistake(
            "upstream.forward_headers",
            "would let clients choose, by what they send in them, what Larder's own credential is used for: \
             there is upstream.token_file",
        );
    }
    let words = [
        ("miss", OnReadFailure::Miss),
        ("error", OnReadFailure::Error),
    ];
    let period = |raw: &mut Raw, key| raw.take(key, units::period).unwrap_or_default();
    Upstream {
        token: raw.take("upstream.token_file", |value| {
            token_file(&value::path(value)?)
        }),
        ca_file: raw.take("upstream.ca_file", ca_file),
        identity: identity(raw, &target),
        proxy: proxy(raw, &target, ambient),
        resolve: raw
            .take("upstream.resolve", |value| value::list(value, pinned))
            .unwrap_or_default(),
        target,
        connect_timeout: period(raw, "upstream.connect_timeout"),
        first_byte_timeout: period(raw, "upstream.first_byte_timeout"),
        idle_timeout: period(raw, "upstream.idle_timeout"),
        min_rate: raw
            .take("upstream.min_rate", units::size)
            .unwrap_or_default(),
        head_timeout: period(raw, "upstream.head_timeout"),
        probe_timeout: period(raw, "upstream.probe_timeout"),
        answer_timeout: period(raw, "upstream.answer_timeout"),
        exchange_timeout: period(raw, "upstream.exchange_timeout"),
        breaker: breaker(raw),
        absent_ttl: raw
            .take("upstream.absent_ttl", units::duration)
            .unwrap_or_default(),
        max_concurrent: raw
            .take("upstream.max_concurrent", value::count)
            .unwrap_or_default(),
        http2: raw
            .take("upstream.http2", value::switch)
            .unwrap_or_default(),
        forward_headers: raw
            .take("upstream.forward_headers", headers)
            .unwrap_or_default(),
        on_read_failure: raw
            .take("upstream.on_read_failure", |value| {
                value::choice(value, &words)
            })
            .unwrap_or(OnReadFailure::Miss),
    }
}

/// Of an upstream that is spoken to in clear text and is not on this machine.
pub(super) fn warn_of_clear_text(raw: &mut Raw, target: &Target) {
    let Target::Http(uri) = target else { return };
    let Some(host) = uri.host().filter(|_| uri.scheme_str() == Some("http")) else {
        return;
    };
    let address = host.trim_matches(['[', ']']).parse();
    if host != "localhost" && !address.is_ok_and(|address: IpAddr| address.is_loopback()) {
        let doubt = format!("has every token sent to {host} in clear text");
        raw.warn("upstream.url", &doubt);
    }
}

fn breaker(raw: &mut Raw) -> Breaker {
    Breaker {
        failures: raw
            .take("upstream.breaker_failures", value::count_or_none)
            .unwrap_or_default(),
        cooldown: raw
            .take("upstream.breaker_cooldown", units::period)
            .unwrap_or_default(),
    }
}

fn ca_file(value: &Value) -> Result<PathBuf, String> {
    let path = value::path(value)?;
    authorities(&path).map(|_| path)
}

/// The certificate for the upstream, which asks for it in TLS or not at all.
fn identity(raw: &mut Raw, target: &Target) -> Option<Identity> {
    if matches!(target, Target::Http(uri) if uri.scheme_str() == Some("http")) {
        raw.without_effect(&[CERT, KEY], "the upstream is spoken to in clear text");
    }
    let identity = pair(raw, CERT, KEY)?;
    if let Some(doubt) = identity.out_of_time(SystemTime::now(), "the upstream") {
        raw.warn(CERT, &doubt);
    }
    Some(identity)
}

/// The key's proxy, else that of the usual variables, which is then shown as the key's value.
fn proxy(raw: &mut Raw, target: &Target, ambient: Ambient) -> Proxy {
    if let Some(url) = raw.take("upstream.proxy", proxy::url) {
        return Proxy::always(url);
    }
    if let Target::Http(uri) = target
        && let Some(named) = ambient.used(uri)
        && !raw.is_set("upstream.proxy")
    {
        let shown = proxy::masked(&named.url);
        raw.lay([Setting::text("upstream.proxy", shown, named.variable)]);
        if !proxy::is_usable(&named.url) {
            raw.mistake("upstream.proxy", proxy::UNUSABLE);
        }
    }
    ambient.into_proxy()
}

/// Header names that may go upstream.
pub(super) fn headers(value: &Value) -> Result<Vec<HeaderName>, String> {
    value::list(value, |text| {
        let name: HeaderName = text
            .parse()
            .map_err(|_| format!("{} is not a header's name", quoted(text)))?;
        if !is_forwardable(&name) {
            return Err(format!("{name} cannot be passed on"));
        }
        Ok(name)
    })
}

/// Whether a header may be added to a request that goes somewhere else.
pub(in super::super) fn is_forwardable(name: &HeaderName) -> bool {
    !NOT_FOR_FORWARDING.contains(&name.as_str()) && !name.as_str().starts_with("proxy-")
}
