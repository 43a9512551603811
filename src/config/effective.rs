//! The configuration in effect, a line a key, in words that would bring it about again.
//!
//! Secrets are masked here, so that whoever shows these lines need not think of it.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use http::header::HeaderName;
use toml_edit::{Array, Value};

use super::check::show_mode;
use super::raw::Raw;
use super::tls::{CERT, CLIENT_CA, CLIENT_CRL, KEY};
use super::{
    AccessMode, Admin, Config, Listener, LogFormat, OnReadFailure, OnUploadFailure, Roster,
    Secured, Server, Target, Tier, Traces, Upload, Upstream, Verify, address, proxy, shown, units,
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
        traces(&config.traces, raw),
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
    let row = |field, value| (format!("listener.{name}.{field}"), value);
    let secured = match listener.secured {
        Secured::Never => Some(false),
        Secured::Always => Some(true),
        // Either word would be another way to listen.
        Secured::OverTcp => None,
    };
    let address = listener.address.to_string();
    [
        row("address", Some(Value::from(address))),
        row("tls", secured.map(Value::from)),
        row("access", Some(Value::from(listener.access.as_str()))),
    ]
}

fn server(server: &Server, raw: &Raw) -> Vec<Row> {
    let text = |key| (key, raw.text(key).map(Value::from));
    let paths = |key| (key, raw.texts(key).map(|paths| one_or_more(&paths)));
    vec![
        (
            "server.listen",
            (!server.listen.is_empty()).then(|| texts(&server.listen)),
        ),
        set("server.allow", texts(&server.allow.0)),
        set(
            "server.proxy_protocol",
            texts(&server.proxy_protocol.shown()),
        ),
        set("server.socket_mode", show_mode(server.socket_mode)),
        set("server.hosts", texts(&server.hosts)),
        set(
            "server.handshake_timeout",
            duration(server.handshake_timeout),
        ),
        set("server.header_timeout", duration(server.header_timeout)),
        set("server.idle_timeout", duration(server.idle_timeout)),
        set("server.body_timeout", duration(server.body_timeout)),
        set("server.stall_timeout", duration(server.stall_timeout)),
        set("server.min_rate", size(server.min_rate)),
        set("server.max_head", size(server.max_head as u64)),
        set("server.max_fields", count(server.max_fields)),
        set("server.max_streams", i64::from(server.max_streams)),
        set("server.max_connections", count(server.max_connections)),
        set(
            "server.max_connections_per_address",
            count(server.max_connections_per_address),
        ),
        set("server.max_handshakes", count(server.max_handshakes)),
        set("server.drain_delay", duration(server.drain_delay)),
        set("server.shutdown_grace", duration(server.shutdown_grace)),
        paths(CERT),
        paths(KEY),
        text(CLIENT_CA),
        text(CLIENT_CRL),
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
    let text = |key| (key, raw.text(key).map(Value::from));
    vec![
        set("upstream.url", url),
        text("upstream.token_file"),
        set("upstream.max_concurrent", count(upstream.max_concurrent)),
        set("upstream.http2", upstream.http2),
        set("upstream.absent_ttl", duration(upstream.absent_ttl)),
        set("upstream.forward_headers", names(&upstream.forward_headers)),
        ("upstream.ca_file", upstream.ca_file.as_deref().map(path)),
        text("upstream.client_cert"),
        text("upstream.client_key"),
        (
            "upstream.proxy",
            proxy.map(|url| Value::from(proxy::masked(url))),
        ),
        set("upstream.resolve", texts(&upstream.resolve)),
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
        set("tier.in_flight", size(tier.in_flight)),
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

fn traces(traces: &Traces, raw: &Raw) -> Vec<Row> {
    let file = raw.text("traces.headers_file");
    let named = traces.headers.iter().filter(|_| file.is_none());
    let headers: Vec<_> = named.map(|(name, _)| format!("{name}: {MASK}")).collect();
    let endpoint = traces.endpoint.as_ref().map(ToString::to_string);
    vec![
        ("traces.endpoint", endpoint.map(Value::from)),
        set("traces.headers", texts(&headers)),
        ("traces.headers_file", file.map(Value::from)),
        set("traces.sample", traces.sample),
        set("traces.service_name", traces.service_name.as_str()),
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

fn one_or_more(items: &[String]) -> Value {
    match items {
        [single] => Value::from(single.as_str()),
        several => texts(several),
    }
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
