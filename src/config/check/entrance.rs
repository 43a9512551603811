//! Who may connect: networks, forwarders, the mode of socket files.

use figment::value::Value;

use super::super::network::{forwarder, network};
use super::super::problem::quoted;
use super::super::raw::Raw;
use super::super::{Forwarders, Listen, Networks, value};
use super::listeners::{Asked, Place};

const ALLOW: &str = "server.allow";
const FORWARDERS: &str = "server.proxy_protocol";
const MODE: &str = "server.socket_mode";

/// Read and write, for whomever: more makes no sense of a socket.
const ANY_RIGHT: u32 = 0o666;

/// What the process's own user needs.
const OWN_RIGHT: u32 = 0o600;

/// Read and write for every user of the machine.
const EVERYBODY: u32 = 0o006;

/// Checks `server.allow`.
pub(super) fn allow(raw: &mut Raw, asked: &Asked, forwarders: &Forwarders) -> Networks {
    let mut places = asked.places().peekable();
    let is_reached_by_name = places.peek().is_some() && places.all(|place| is_unix(&place));
    if is_reached_by_name && !forwarders.unix {
        raw.without_effect(&[ALLOW], "nobody comes by an address");
    }
    let networks = raw.take(ALLOW, |value| value::list(value, network));
    Networks(networks.unwrap_or_default())
}

/// Checks `server.proxy_protocol`.
pub(super) fn forwarders(raw: &mut Raw, asked: &Asked) -> Forwarders {
    let entries = raw.take(FORWARDERS, |value| value::list(value, forwarder));
    let forwarders: Forwarders = entries.unwrap_or_default().into_iter().collect();
    if let Some(all) = forwarders.networks.everybody() {
        let doubt = format!("names {all}: whoever connects from there may claim to be anybody");
        raw.warn(FORWARDERS, &doubt);
    }
    if forwarders.unix && !asked.places().any(|place| may_be_unix(&place)) {
        raw.warn(FORWARDERS, "names unix sockets, and there is none");
    }
    forwarders
}

/// Checks `server.socket_mode`.
pub(super) fn socket_mode(raw: &mut Raw) -> u32 {
    let mode = raw.take(MODE, mode).unwrap_or_default();
    if mode & EVERYBODY != 0 {
        raw.warn(MODE, "lets every user of this machine connect");
    }
    mode
}

fn mode(value: &Value) -> Result<u32, String> {
    let text = value::text(value)?;
    let is_octal = matches!(text.len(), 3 | 4) && text.bytes().all(|b| matches!(b, b'0'..=b'7'));
    let mode = u32::from_str_radix(text, 8).ok().filter(|_| is_octal);
    let mode = mode.ok_or_else(|| format!("{} is not a mode such as 0660", quoted(text)))?;
    if mode & !ANY_RIGHT != 0 {
        return Err(format!("{text} gives more than reading and writing"));
    }
    if mode & OWN_RIGHT != OWN_RIGHT {
        return Err(format!("{text} shuts out Larder's own user"));
    }
    Ok(mode)
}

/// A mode as it is written.
pub(in super::super) fn show_mode(mode: u32) -> String {
    format!("{mode:04o}")
}

fn is_unix(place: &Place) -> bool {
    matches!(place.table.address, Listen::Unix(_))
}

/// Of sockets that are passed only their owner knows what they are.
fn may_be_unix(place: &Place) -> bool {
    !matches!(place.table.address, Listen::Tcp { .. })
}
