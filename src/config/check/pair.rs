//! A certificate and its key, in two files that two keys name: both of them, or neither.

use super::super::identity::is_open_to_all;
use super::super::raw::Raw;
use super::super::tls::Source;
use super::super::{Identity, value};

/// Checks the pair that `cert_key` and `key_key` name, each mistake at the key whose it is.
pub(super) fn pair(
    raw: &mut Raw,
    cert_key: &'static str,
    key_key: &'static str,
) -> Option<Identity> {
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
    let (cert, key) = (Source::read(&cert?), Source::read(&key?));
    let identity = Identity::read(&cert, &key, [cert_key, key_key]);
    identity
        .map_err(|mistakes| {
            for mistake in mistakes {
                raw.mistake(mistake.key, mistake.text);
            }
        })
        .ok()
}
