//! The listeners and their limits.

use super::super::raw::Raw;
use super::super::secret::{Secret, token, token_file};
use super::super::{Admin, Listen, Server, address, units, value};
use super::tls::tls;

/// Checks `server.…`.
pub(super) fn server(raw: &mut Raw) -> Server {
    let listen = listeners(raw);
    Server {
        tls: tls(raw, &listen),
        listen,
        hosts: raw
            .take("server.hosts", |value| value::list(value, address::host))
            .unwrap_or_default(),
        handshake_timeout: raw
            .take("server.handshake_timeout", units::period)
            .unwrap_or_default(),
        header_timeout: raw
            .take("server.header_timeout", units::period)
            .unwrap_or_default(),
        idle_timeout: raw
            .take("server.idle_timeout", units::period)
            .unwrap_or_default(),
        max_connections: raw
            .take("server.max_connections", value::count)
            .unwrap_or_default(),
        shutdown_grace: raw
            .take("server.shutdown_grace", units::duration)
            .unwrap_or_default(),
    }
}

fn listeners(raw: &mut Raw) -> Vec<Listen> {
    let key = "server.listen";
    let Some(listeners) = raw.take(key, |value| value::list(value, address::listen)) else {
        return Vec::new();
    };
    if listeners.is_empty() {
        raw.mistake(key, "names no address");
    }
    for (index, one) in listeners.iter().enumerate() {
        let before = listeners.iter().take(index);
        if before.into_iter().any(|other| collide(one, other)) {
            raw.mistake(key, format!("names {one} twice"));
        }
    }
    listeners
}

/// Whether two listeners cannot both be had; any number of ports may be left to the system.
fn collide(one: &Listen, other: &Listen) -> bool {
    one == other && !matches!(one, Listen::Tcp { port: 0, .. })
}

/// Checks `admin.…`.
pub(super) fn admin(raw: &mut Raw, data: &[Listen]) -> Admin {
    let listen = raw.take("admin.listen", |value| address::listen(value::text(value)?));
    if let Some(listen) = &listen
        && data.iter().any(|other| collide(listen, other))
    {
        raw.mistake("admin.listen", format!("{listen} is a data listener too"));
    }
    Admin {
        listen: listen.unwrap_or(Listen::Tcp {
            host: String::new(),
            port: 0,
        }),
        token: secret(raw, "admin.token", "admin.token_file"),
    }
}

/// A secret from its key or from the file that another key names: from the higher layer of the two.
fn secret(raw: &mut Raw, key: &str, file_key: &str) -> Option<Secret> {
    raw.choose(key, file_key);
    let given = raw.take(key, |value| token(value::text(value)?));
    let read = raw.take(file_key, |value| token_file(&value::path(value)?));
    given.or(read)
}
