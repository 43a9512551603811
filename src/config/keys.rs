//! Every key there is, and what holds where nobody says anything.
//!
//! What a key's text means is not known here: `check` reads it.

use super::raw::Setting;

/// What the names of our variables begin with.
pub(super) const PREFIX: &str = "LARDER_";

/// Stands in a key's path for a name that the operator chose.
const NAME: &str = "NAME";

/// The table whose tables the operator names.
const NAMED: &str = "listener.";

/// Longest name of a listener: it stands in lines of a log.
const MAX_NAME: usize = 32;

/// What a listener may be called.
pub(super) const NAMES: &str = "is no name of a listener: 1 to 32 of a-z, 0-9 and `-`";

/// One key of the configuration.
#[derive(Debug)]
pub struct Key {
    /// Its path, parts separated by dots; `NAME` stands for any name of a listener.
    pub name: &'static str,
    /// What this version makes of it.
    pub standing: Standing,
}

/// What this version makes of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Known; this text holds where nobody sets it.
    Preset(&'static str),
    /// Known; nothing holds where nobody sets it, or something that depends on the surroundings.
    Unset,
}

/// Every key, in the order in which people are shown them.
pub const KEYS: &[Key] = &[
    unset("data_dir"),
    preset("server.listen", "127.0.0.1:8585"),
    preset("server.allow", ""),
    preset("server.proxy_protocol", ""),
    preset("server.socket_mode", "0600"),
    preset("server.hosts", ""),
    preset("server.handshake_timeout", "10s"),
    preset("server.header_timeout", "10s"),
    preset("server.idle_timeout", "130s"),
    preset("server.body_timeout", "30s"),
    preset("server.stall_timeout", "1m"),
    preset("server.min_rate", "1KiB"),
    preset("server.max_head", "16KiB"),
    preset("server.max_fields", "64"),
    preset("server.max_streams", "128"),
    preset("server.max_connections", "4096"),
    preset("server.max_connections_per_address", "1024"),
    preset("server.max_handshakes", "512"),
    preset("server.drain_delay", "0s"),
    preset("server.shutdown_grace", "30s"),
    unset("server.tls.cert"),
    unset("server.tls.key"),
    unset("server.tls.client_ca"),
    unset("server.tls.client_crl"),
    unset("listener.NAME.address"),
    unset("listener.NAME.tls"),
    unset("listener.NAME.access"),
    preset("admin.listen", "127.0.0.1:8586"),
    unset("admin.token"),
    unset("admin.token_file"),
    preset("upstream.url", "none"),
    unset("upstream.token_file"),
    preset("upstream.max_concurrent", "32"),
    preset("upstream.http2", "false"),
    preset("upstream.absent_ttl", "0s"),
    preset("upstream.forward_headers", ""),
    unset("upstream.ca_file"),
    unset("upstream.client_cert"),
    unset("upstream.client_key"),
    unset("upstream.proxy"),
    preset("upstream.resolve", ""),
    preset("upstream.connect_timeout", "5s"),
    preset("upstream.first_byte_timeout", "5s"),
    preset("upstream.idle_timeout", "10s"),
    preset("upstream.min_rate", "1KiB"),
    preset("upstream.head_timeout", "15s"),
    preset("upstream.probe_timeout", "2s"),
    preset("upstream.answer_timeout", "50s"),
    preset("upstream.exchange_timeout", "15m"),
    preset("upstream.breaker_failures", "3"),
    preset("upstream.breaker_cooldown", "2s"),
    preset("upstream.on_read_failure", "miss"),
    unset("access.mode"),
    preset("access.tokens", ""),
    preset(
        "access.credential_headers",
        "cookie, x-api-key, cf-access-client-id, cf-access-client-secret",
    ),
    unset("access.signature_key_file"),
    preset("access.oidc", ""),
    preset("access.verdict_ttl", "5m"),
    preset("access.offline_grace", "72h"),
    unset("tier.memory.capacity"),
    unset("tier.memory.max_artifact"),
    preset("tier.disk.capacity", "20GiB"),
    preset("tier.disk.max_artifact", "2GiB"),
    preset("tier.disk.verify", "first-read"),
    preset("tier.disk.max_age", "7d"),
    unset("tier.disk.min_free"),
    preset("tier.disk.scrub_rate", "8MiB"),
    unset("tier.in_flight"),
    preset("upload.mode", "through"),
    preset("upload.max_size", "2GiB"),
    preset("upload.timeout", "55s"),
    preset("upload.patience", "10s"),
    preset("upload.on_failure", "refuse"),
    preset("log.format", "text"),
    preset("log.level", "info"),
    unset("traces.endpoint"),
    preset("traces.headers", ""),
    unset("traces.headers_file"),
    preset("traces.sample", "1"),
    preset("traces.service_name", "larder"),
];

const fn preset(name: &'static str, text: &'static str) -> Key {
    Key {
        name,
        standing: Standing::Preset(text),
    }
}

const fn unset(name: &'static str) -> Key {
    Key {
        name,
        standing: Standing::Unset,
    }
}

/// The built-in defaults, the lowest layer.
pub(super) fn presets() -> impl Iterator<Item = Setting> {
    KEYS.iter().filter_map(|key| match key.standing {
        Standing::Preset(text) => Some(Setting::text(key.name, text, "default")),
        Standing::Unset => None,
    })
}

/// A key's built-in text.
pub(super) fn preset_of(path: &str) -> Option<&'static str> {
    find(path).and_then(|key| match key.standing {
        Standing::Preset(text) => Some(text),
        Standing::Unset => None,
    })
}

/// The key at `path`.
pub(super) fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.rest_behind(path) == Some(0))
}

/// Whether `path` is a table that keys live in.
pub(super) fn is_table(path: &str) -> bool {
    KEYS.iter().any(|key| key.rest_behind(path) > Some(0))
}

/// Whether `path` is the table of one listener.
pub(super) fn is_named_table(path: &str) -> bool {
    path.strip_prefix(NAMED).is_some_and(is_name)
}

/// Whether `path` is in the table of a listener whose name is none.
pub(super) fn is_misnamed(path: &str) -> bool {
    path.strip_prefix(NAMED)
        .and_then(|rest| rest.split('.').next())
        .is_some_and(|name| !is_name(name))
}

fn is_name(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(is_plain)
}

/// The variable that sets the key at `path`.
pub(super) fn variable(path: &str) -> String {
    let name = path.replace('.', "__").replace('-', "_");
    format!("{PREFIX}{}", name.to_uppercase())
}

/// The key path that a variable's name spells. Shells know no variable with a `-` in its name.
pub(super) fn path(variable: &str) -> String {
    let rest = variable.strip_prefix(PREFIX).unwrap_or(variable);
    let path = rest.replace("__", ".").to_lowercase();
    match path.strip_prefix(NAMED) {
        Some(named) => format!("{NAMED}{}", named.replace('_', "-")),
        None => path,
    }
}

// === impl Key ===

impl Key {
    /// The variable that sets it.
    pub fn variable(&self) -> String {
        variable(self.name)
    }

    /// Its path where what `path` calls a listener is called so.
    pub(super) fn called_as_in(&self, path: &str) -> String {
        let parts: Vec<&str> = path.split('.').collect();
        match *parts {
            [_, name, _] if is_name(name) => self.name.replace(NAME, name),
            _ => self.name.to_owned(),
        }
    }

    /// How many parts of the key are left behind `path`, where it begins as that does.
    fn rest_behind(&self, path: &str) -> Option<usize> {
        let mut parts = self.name.split('.');
        for written in path.split('.') {
            let part = parts.next()?;
            if part != written && !(part == NAME && is_name(written)) {
                return None;
            }
        }
        Some(parts.count())
    }
}
