//! What holds for every data listener, and the admin listener.

use std::collections::BTreeMap;

use super::super::raw::Raw;
use super::super::secret::{Secret, token, token_file};
use super::super::{Admin, Listen, Server, address, units, value};
use super::listeners::Asked;
use super::tls::tls;

/// Checks `server.…`; the listeners with a table of their own are for whoever knows who judges there.
pub(super) fn server(raw: &mut Raw, asked: &Asked) -> Server {
    Server {
        tls: tls(raw, asked),
        listen: asked.listen.clone(),
        named: BTreeMap::new(),
        hosts: raw
            .take("server.hosts", |value| value::list(value, address::host))
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

/// Checks `admin.…`.
pub(super) fn admin(raw: &mut Raw, data: &Asked) -> Admin {
    let listen = raw.take("admin.listen", |value| address::listen(value::text(value)?));
    if let Some(listen) = &listen
        && data.places().any(|place| place.is_at(listen))
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
