//! The configuration in effect, a line a key, in words that would bring it about again.
//!
//! Secrets are masked here, so that whoever shows these lines need not think of it.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use http::header::HeaderName;
use toml_edit::{Array, Value};

use super::raw::Raw;
use super::{
    AccessMode, Admin, Config, Listener, LogFormat, OnReadFailure, OnUploadFailure, Roster, Server,
    Target, Tier, Upload, Upstream, Verify, address, proxy, shown, units,
};

/// What a secret is shown as.
pub(super) const MASK: &str = "***";

/// One key in effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    /// The key's path.
    pub key: String,
    /// Its value as TOML; nothing where it is not set.
    pub value: Option<String>,
    /// `default`, `FILE:LINE`, a variable's name, or a flag.
    pub source: String,
}

/// A key and its value, if it has one.
type Row = (&'static str, Option<Value>);

/// Every key this version reads, in their order, and those of each listener that is named.
pub(super) fn rows(config: &Config, raw: &Raw) -> Vec<Effective> {
    let before = [
        vec![set("data_dir", path(&config.data_dir))],
        server(&config.server, raw),
    ];
    let after = [
        admin(&config.admin, raw),
        upstream(&config.upstream, raw),
        access(config, raw),
        tier(&config.tier),
        upload(&config.upload),
        log(&config.log),
    ];
    let fixed = |sections: Vec<Row>| {
        let rows = sections.into_iter();
        rows.map(|(key, value)| (key.to_owned(), value))
    };
    fixed(before.concat())
        .chain(config.server.named.iter().flat_map(listener))
        .chain(fixed(after.concat()))
        .map(|(key, value)| Effective {
            value: value.map(|value| value.to_string()),
            source: raw.source(&key),
            key,
        })
        .collect()
}

fn listener((name, listener): (&String, &Listener)) -> [(String, Option<Value>); 3] {
    let set = |field, value| (format!("listener.{name}.{field}"), Some(value));
    [
        set("address", Value::from(listener.address.to_string())),
        set("tls", Value::from(listener.is_secured)),
        set("access", Value::from(listener.access.as_str())),
    ]
}

fn server(server: &Server, raw: &Raw) -> Vec<Row> {
    let text = |key| (key, raw.text(key).map(Value::from));
    vec![
        (
            "server.listen",
            (!server.listen.is_empty()).then(|| texts(&server.listen)),
        ),
        set("server.hosts", texts(&server.hosts)),
        set("server.header_timeout", duration(server.header_timeout)),
        set("server.idle_timeout", duration(server.idle_timeout)),
        set("server.max_connections", count(server.max_connections)),
        set("server.shutdown_grace", duration(server.shutdown_grace)),
        text("server.tls.cert"),
        text("server.tls.key"),
    ]
}

fn admin(admin: &Admin, raw: &Raw) -> Vec<Row> {
    let file = raw.text("admin.token_file");
    let token = admin.token.as_ref().filter(|_| file.is_none());
    vec![
        set("admin.listen", admin.listen.to_string()),
        ("admin.token", token.map(|_| Value::from(MASK))),
        ("admin.token_file", file.map(Value::from)),
    ]
}

fn upstream(upstream: &Upstream, raw: &Raw) -> Vec<Row> {
    let (url, proxy) = match &upstream.target {
        // The keys of issuers are reached by it.
        Target::None => ("none".to_owned(), upstream.proxy.https.as_deref()),
        Target::Http(uri) if uri.scheme_str() == Some("http") => {
            (address::show(uri), upstream.proxy.http.as_deref())
        }
        Target::Http(uri) => (address::show(uri), upstream.proxy.https.as_deref()),
    };
    let on_read_failure = match upstream.on_read_failure {
        OnReadFailure::Miss => "miss",
        OnReadFailure::Error => "error",
    };
    // One of the usual variables that does not concern this upstream is not in effect.
    let proxy = proxy.filter(|_| raw.is_set("upstream.proxy"));
    vec![
        set("upstream.url", url),
        (
            "upstream.token_file",
            raw.text("upstream.token_file").map(Value::from),
        ),
        set("upstream.max_concurrent", count(upstream.max_concurrent)),
        set("upstream.http2", upstream.http2),
        set("upstream.absent_ttl", duration(upstream.absent_ttl)),
        set("upstream.forward_headers", names(&upstream.forward_headers)),
        ("upstream.ca_file", upstream.ca_file.as_deref().map(path)),
        (
            "upstream.proxy",
            proxy.map(|url| Value::from(proxy::masked(url))),
        ),
        set(
            "upstream.connect_timeout",
            duration(upstream.connect_timeout),
        ),
        set(
            "upstream.first_byte_timeout",
            duration(upstream.first_byte_timeout),
        ),
        set("upstream.idle_timeout", duration(upstream.idle_timeout)),
        set("upstream.min_rate", size(upstream.min_rate)),
        set("upstream.head_timeout", duration(upstream.head_timeout)),
        set("upstream.probe_timeout", duration(upstream.probe_timeout)),
        set("upstream.answer_timeout", duration(upstream.answer_timeout)),
        set(
            "upstream.exchange_timeout",
            duration(upstream.exchange_timeout),
        ),
        set(
            "upstream.breaker_failures",
            count(upstream.breaker.failures),
        ),
        set(
            "upstream.breaker_cooldown",
            duration(upstream.breaker.cooldown),
        ),
        set("upstream.on_read_failure", on_read_failure),
    ]
}

fn access(config: &Config, raw: &Raw) -> Vec<Row> {
    let (access, nobody) = (&config.access, Roster::default());
    let roster = if config.has(AccessMode::Tokens) {
        &access.roster
    } else {
        &nobody
    };
    vec![
        set("access.mode", access.mode.as_str()),
        set("access.tokens", shown::tokens(&roster.tokens)),
        set(
            "access.credential_headers",
            names(&access.credential_headers),
        ),
        (
            "access.signature_key_file",
            raw.text("access.signature_key_file").map(Value::from),
        ),
        set("access.oidc", shown::issuers(&roster.issuers)),
        set("access.verdict_ttl", duration(access.verdict_ttl)),
        set("access.offline_grace", duration(access.offline_grace)),
    ]
}

fn tier(tier: &Tier) -> Vec<Row> {
    let verify = match tier.disk.verify {
        Verify::FirstRead => "first-read",
        Verify::Always => "always",
    };
    vec![
        set("tier.memory.capacity", size(tier.memory.capacity)),
        set("tier.memory.max_artifact", size(tier.memory.max_artifact)),
        set("tier.disk.capacity", size(tier.disk.capacity)),
        set("tier.disk.max_artifact", size(tier.disk.max_artifact)),
        set("tier.disk.verify", verify),
        set("tier.disk.max_age", duration(tier.disk.max_age)),
        set("tier.disk.min_free", size(tier.disk.min_free)),
        set("tier.disk.scrub_rate", size(tier.disk.scrub_rate)),
    ]
}

fn upload(upload: &Upload) -> Vec<Row> {
    let on_failure = match upload.on_failure {
        OnUploadFailure::Refuse => "refuse",
        OnUploadFailure::Keep => "keep",
    };
    vec![
        set("upload.mode", "through"),
        set("upload.max_size", size(upload.max_size)),
        set("upload.timeout", duration(upload.timeout)),
        set("upload.patience", duration(upload.patience)),
        set("upload.on_failure", on_failure),
    ]
}

fn log(log: &super::Log) -> Vec<Row> {
    let format = match log.format {
        LogFormat::Text => "text",
        LogFormat::Json => "json",
    };
    vec![
        set("log.format", format),
        set("log.level", log.level.as_str()),
    ]
}

/// A key that always has a value.
fn set(key: &'static str, value: impl Into<Value>) -> Row {
    (key, Some(value.into()))
}

fn size(bytes: u64) -> Value {
    Value::from(units::show_size(bytes))
}

fn duration(duration: Duration) -> Value {
    Value::from(units::show_duration(duration))
}

fn count(count: usize) -> Value {
    Value::from(i64::try_from(count).unwrap_or(i64::MAX))
}

fn path(path: &Path) -> Value {
    Value::from(path.to_string_lossy().into_owned())
}

pub(super) fn texts(items: &[impl fmt::Display]) -> Value {
    Value::from(items.iter().map(ToString::to_string).collect::<Array>())
}

fn names(names: &[HeaderName]) -> Value {
    Value::from(names.iter().map(HeaderName::as_str).collect::<Array>())
}

impl fmt::Display for Effective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{} = {value}  # {}", self.key, self.source),
            None => write!(f, "# {} is not set", self.key),
        }
    }
}
