//! What the data listeners show of themselves, where they speak TLS.

use super::super::raw::Raw;
use super::super::{Identity, Listen};
use super::pair::pair;

const CERT: &str = "server.tls.cert";
const KEY: &str = "server.tls.key";

/// Checks `server.tls.…`: a certificate and its key, or neither.
pub(super) fn tls(raw: &mut Raw, listen: &[Listen]) -> Option<Identity> {
    if !listen.is_empty() && listen.iter().all(|at| matches!(at, Listen::Unix(_))) {
        raw.without_effect(&[CERT, KEY], "unix sockets speak in clear text");
    }
    pair(raw, CERT, KEY)
}
