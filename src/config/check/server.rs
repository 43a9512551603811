//! What holds for every data listener, and the admin listener.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use figment::value::Value;

use super::super::raw::Raw;
use super::super::secret::{Secret, token, token_file};
use super::super::{Admin, Listen, Server, address, units, value};
use super::entrance::{allow, forwarders, socket_mode};
use super::listeners::Asked;
use super::tls::tls;

/// Bytes of a head: what the clients in the field send is a tenth of the least, and what is read of a
/// request at a time is twice the most.
const HEADS: RangeInclusive<u64> = 4 * 1024..=64 * 1024;

/// Fields of a head: fewer than the least no client sends, and room is made for all of them beforehand.
const FIELDS: RangeInclusive<u64> = 16..=1024;

/// Requests at once: with fewer than the least turbo waits for itself.
const STREAMS: RangeInclusive<u64> = 1..=1024;

/// Checks `server.…`; the listeners with a table of their own are for whoever knows who judges there.
pub(super) fn server(raw: &mut Raw, asked: &Asked) -> Server {
    let proxy_protocol = forwarders(raw, asked);
    Server {
        tls: tls(raw, asked),
        allow: allow(raw, asked, &proxy_protocol),
        proxy_protocol,
        socket_mode: socket_mode(raw),
        listen: asked.listen.clone(),
        named: BTreeMap::new(),
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
        body_timeout: raw
            .take("server.body_timeout", units::period)
            .unwrap_or_default(),
        stall_timeout: raw
            .take("server.stall_timeout", units::period)
            .unwrap_or_default(),
        min_rate: raw.take("server.min_rate", units::size).unwrap_or_default(),
        max_head: within(raw, "server.max_head", &HEADS, units::size),
        max_fields: within(raw, "server.max_fields", &FIELDS, whole),
        max_streams: within(raw, "server.max_streams", &STREAMS, whole),
        max_connections: raw
            .take("server.max_connections", value::count)
            .unwrap_or_default(),
        max_connections_per_address: raw
            .take("server.max_connections_per_address", value::count)
            .unwrap_or_default(),
        max_handshakes: raw
            .take("server.max_handshakes", value::count)
            .unwrap_or_default(),
        drain_delay: raw
            .take("server.drain_delay", units::duration)
            .unwrap_or_default(),
        shutdown_grace: raw
            .take("server.shutdown_grace", units::duration)
            .unwrap_or_default(),
    }
}

fn whole(value: &Value) -> Result<u64, String> {
    value::count(value).map(|count| count as u64)
}

/// A number in a range; the range's least where it is none.
fn within<T: TryFrom<u64> + Default>(
    raw: &mut Raw,
    key: &str,
    range: &RangeInclusive<u64>,
    parse: impl FnOnce(&Value) -> Result<u64, String>,
) -> T {
    let number = raw.take(key, |value| {
        let number = parse(value)?;
        if range.contains(&number) {
            Ok(number)
        } else {
            Err(format!("must be from {} to {}", range.start(), range.end()))
        }
    });
    number
        .and_then(|number| T::try_from(number).ok())
        .unwrap_or_default()
}

/// Checks `admin.…`.
pub(super) fn admin(raw: &mut Raw, data: &Asked) -> Admin {
    let listen = raw.take("admin.listen", |value| address::listen(value::text(value)?));
    if let Some(listen) = &listen
        && data.places().any(|place| place.is_at(listen))
    {
        raw.mistake("admin.listen", format!("{listen} is a data listener too"));
    }
    if let Some(listen) = &listen
        && matches!(listen, Listen::Tcp { .. })
        && !listen.is_local()
    {
        let doubt = format!("takes the admin token in clear text at {listen}");
        raw.warn("admin.listen", &doubt);
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
