//! A certificate and its key, in two files that two keys name: both of them, or neither.

use super::super::identity::{Mismatch, chain, is_open_to_all, private_key};
use super::super::raw::Raw;
use super::super::{Identity, value};

/// Checks the pair that `cert_key` and `key_key` name, each mistake at the key whose it is.
pub(super) fn pair(raw: &mut Raw, cert_key: &str, key_key: &str) -> Option<Identity> {
    for (given, missing) in [(cert_key, key_key), (key_key, cert_key)] {
        if raw.is_set(given) && !raw.is_set(missing) {
            raw.mistake(given, format!("{missing} is not set: it takes both"));
        }
    }
    let cert = raw.take(cert_key, value::path);
    let key = raw.take(key_key, value::path);
    if key.as_deref().is_some_and(is_open_to_all) {
        raw.warn(key_key, "may be read by every user of this machine");
    }
    let chain = cert
        .as_deref()
        .and_then(|path| noted(raw, cert_key, chain(path)));
    let signer = key
        .as_deref()
        .and_then(|path| noted(raw, key_key, private_key(path)));
    let (cert, key) = (cert?.display().to_string(), key?.display().to_string());
    let identity = Identity::new(chain?, signer?).map_err(|mismatch| match mismatch {
        Mismatch::Certificate(why) => (
            cert_key,
            format!("the first certificate of {cert} is of no use: {why}"),
        ),
        Mismatch::Key => (
            key_key,
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
