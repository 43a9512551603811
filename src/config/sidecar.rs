//! What is different where Larder runs beside one command, in the same process that runs it.
//!
//! Everything else is as for `serve`: the same file, variables and flags.

use super::load::Flags;
use super::raw::{Raw, Setting};
use super::turbo::Turbo;

/// Who says what is said here.
const SOURCE: &str = "larder exec";

/// A port of the system's choice, on this machine only.
const ANY_PORT: &str = "127.0.0.1:0";

/// What is between Larder and clients elsewhere; the only client here is the command.
const ELSEWHERE: [&str; 7] = [
    "listener",
    "server.allow",
    "server.proxy_protocol",
    "server.tls.cert",
    "server.tls.key",
    "server.tls.client_ca",
    "server.tls.client_crl",
];

const UPSTREAM: &str = "upstream.url";

/// What holds where nobody says anything else: the upstream that the command would have asked itself, and
/// little in the log.
pub(super) fn defaults(turbo: &Turbo) -> impl Iterator<Item = Setting> {
    let upstream = match (&turbo.api, &turbo.token) {
        (Some(api), _) => Some(Setting::text(UPSTREAM, api, "TURBO_API")),
        (None, Some(token)) => Some(Setting::text(UPSTREAM, "vercel", token)),
        (None, None) => None,
    };
    let level = Setting::text("log.level", "warn", SOURCE);
    [level].into_iter().chain(upstream)
}

/// What holds whatever the file and the environment say: they may be those of a service on the same
/// machine. Only `flags` choose other addresses.
pub(super) fn insist(raw: &mut Raw, flags: &Flags, turbo: &Turbo) {
    raw.hide(&ELSEWHERE);
    let fixed = |key, text| Setting::text(key, text, SOURCE);
    let listen = flags.listen.is_empty();
    let listen = listen.then(|| fixed("server.listen", ANY_PORT));
    let admin = flags.admin_listen.is_none();
    let admin = admin.then(|| fixed("admin.listen", ANY_PORT));
    // Nobody else sends work here.
    let delay = fixed("server.drain_delay", "0s");
    raw.lay(listen.into_iter().chain(admin).chain([delay]));
    refuse_to_guess(raw, turbo);
}

/// A token that is meant for another server is not sent to Vercel.
fn refuse_to_guess(raw: &mut Raw, turbo: &Turbo) {
    let is_guessed = turbo.api.is_none()
        && turbo
            .token
            .as_ref()
            .is_some_and(|token| raw.source(UPSTREAM) == *token);
    if let Some(file) = turbo.elsewhere.as_ref().filter(|_| is_guessed) {
        let message = format!(
            "{} names a server (apiUrl), which is not read: say it by TURBO_API, or by --upstream",
            file.display()
        );
        raw.mistake(UPSTREAM, message);
    }
}
