//! What the data listeners show of themselves, where they speak TLS.

use super::super::identity::{Mismatch, chain, is_open_to_all, private_key};
use super::super::raw::Raw;
use super::super::{Identity, value};
use super::listeners::Asked;

const CERT: &str = "server.tls.cert";
const KEY: &str = "server.tls.key";

/// Checks `server.tls.…`: a certificate and its key, or neither.
pub(super) fn tls(raw: &mut Raw, asked: &Asked) -> Option<Identity> {
    for (given, missing) in [(CERT, KEY), (KEY, CERT)] {
        if raw.is_set(given) && !raw.is_set(missing) {
            raw.mistake(given, format!("{missing} is not set: it takes both"));
        }
    }
    if !asked.is_secured() {
        let why = if asked.places().any(|place| place.table.address.is_tcp()) {
            "no listener speaks TLS"
        } else {
            "unix sockets speak in clear text"
        };
        raw.without_effect(&[CERT, KEY], why);
    }
    let cert = raw.take(CERT, value::path);
    let key = raw.take(KEY, value::path);
    if key.as_deref().is_some_and(is_open_to_all) {
        raw.warn(KEY, "may be read by every user of this machine");
    }
    let chain = cert
        .as_deref()
        .and_then(|path| noted(raw, CERT, chain(path)));
    let signer = key
        .as_deref()
        .and_then(|path| noted(raw, KEY, private_key(path)));
    let (cert, key) = (cert?.display().to_string(), key?.display().to_string());
    let identity = Identity::new(chain?, signer?).map_err(|mismatch| match mismatch {
        Mismatch::Certificate(why) => (
            CERT,
            format!("the first certificate of {cert} is of no use: {why}"),
        ),
        Mismatch::Key => (
            KEY,
            format!("{key} is not the key of the first certificate in {cert}"),
        ),
    });
    identity
        .map_err(|(at, mistake)| raw.mistake(at, mistake))
        .ok()
}

/// What was read for `key`; a mistake is noted, and reads as nothing.
fn noted<T>(raw: &mut Raw, key: &str, read: Result<T, String>) -> Option<T> {
    read.map_err(|mistake| raw.mistake(key, mistake)).ok()
}
