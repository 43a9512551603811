//! What the data listeners show of themselves, where they speak TLS, and whom they ask for the same.

use std::path::PathBuf;
use std::time::SystemTime;

use super::super::identity::is_open_to_all;
use super::super::raw::Raw;
use super::super::tls::{CERT, CLIENT_CA, CLIENT_CRL, KEY};
use super::super::{Listen, ServerTls, TlsFiles, value};
use super::listeners::Asked;

/// Each key, and the one without which it means nothing.
const NEEDS: [(&str, &str, &str); 4] = [
    (CERT, KEY, "it takes both"),
    (KEY, CERT, "it takes both"),
    (CLIENT_CA, CERT, "clients show certificates in TLS"),
    (CLIENT_CRL, CLIENT_CA, "nobody's certificate is looked at"),
];

/// Checks `server.tls.…`: certificates and their keys, or none at all.
pub(super) fn tls(raw: &mut Raw, asked: &Asked) -> Option<ServerTls> {
    for (given, missing, why) in NEEDS {
        if raw.is_set(given) && !raw.is_set(missing) {
            raw.mistake(given, format!("{missing} is not set: {why}"));
        }
    }
    if !asked.is_secured() {
        let mut places = asked.places();
        let why = if places.all(|place| matches!(place.table.address, Listen::Unix(_))) {
            "unix sockets speak in clear text"
        } else {
            "no listener speaks TLS"
        };
        raw.without_effect(&[CERT, KEY, CLIENT_CA, CLIENT_CRL], why);
    }
    let files = files(raw);
    if files.pairs.iter().any(|(_, key)| is_open_to_all(key)) {
        raw.warn(KEY, "may be read by every user of this machine");
    }
    let understood = files.read().understand().map_err(|mistakes| {
        for mistake in mistakes {
            raw.mistake(mistake.key, mistake.text);
        }
    });
    let tls = understood.ok().filter(|tls| !tls.identities.is_empty())?;
    for doubt in tls.doubts(SystemTime::now()) {
        raw.warn(doubt.key, &doubt.text);
    }
    Some(tls)
}

fn files(raw: &mut Raw) -> TlsFiles {
    let certs = raw.take(CERT, value::paths);
    let keys = raw.take(KEY, value::paths);
    if let (Some(certs), Some(keys)) = (&certs, &keys)
        && certs.len() != keys.len()
    {
        let (certs, keys) = (certs.len(), keys.len());
        let message =
            format!("names {keys} files for {certs} in {CERT}: each has its own, in order");
        raw.mistake(KEY, message);
    }
    TlsFiles {
        pairs: pairs(certs, keys),
        client_ca: raw.take(CLIENT_CA, value::path),
        client_crl: raw.take(CLIENT_CRL, value::path),
    }
}

/// Certificates with their keys, as far as it goes.
fn pairs(certs: Option<Vec<PathBuf>>, keys: Option<Vec<PathBuf>>) -> Vec<(PathBuf, PathBuf)> {
    certs
        .into_iter()
        .flatten()
        .zip(keys.into_iter().flatten())
        .collect()
}
