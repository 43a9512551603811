//! Who may read a hit, and which defaults follow from where Larder listens and what is behind it.

use super::super::problem::quoted;
use super::super::raw::Raw;
use super::super::secret::signature_key_file;
use super::super::tls::CLIENT_CA;
use super::super::{Access, AccessMode, Listen, Roster, Server, Target, units, value};
use super::upstream::headers;
use super::{oidc, tokens};
use crate::artifact::SignatureKey;

/// Bytes below which clients warn of their signature key: those of the MAC it is for.
const LONG_ENOUGH: usize = 32;

/// The words of `access.mode`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Upstream,
    Tokens,
    Open,
}

/// What is known of where Larder stands, when its access is checked.
struct Place<'a> {
    target: &'a Target,
    listen: &'a [Listen],
    /// Whether what it hears over a network is in clear text.
    is_clear: bool,
    /// Whether it has a credential of its own upstream.
    has_own: bool,
}

/// Checks `access.…`.
pub(super) fn access(raw: &mut Raw, target: &Target, server: &Server) -> Access {
    let roster = Roster {
        tokens: tokens::tokens(raw),
        issuers: oidc::issuers(raw),
    };
    let place = Place {
        target,
        listen: &server.listen,
        is_clear: server.tls.is_none(),
        has_own: raw.is_set("upstream.token_file"),
    };
    let words = [
        ("upstream", Mode::Upstream),
        ("tokens", Mode::Tokens),
        ("open", Mode::Open),
    ];
    let mode = raw
        .take("access.mode", |value| value::choice(value, &words))
        .unwrap_or_else(|| default_mode(&place, &roster));
    certificates(raw, &roster);
    judge(raw, mode, &place);
    warn(raw, mode, &place);
    Access {
        mode: match mode {
            Mode::Upstream => AccessMode::Upstream,
            Mode::Tokens => AccessMode::Tokens,
            Mode::Open => AccessMode::Open,
        },
        roster,
        credential_headers: raw
            .take("access.credential_headers", headers)
            .unwrap_or_default(),
        verdict_ttl: raw
            .take("access.verdict_ttl", units::duration)
            .unwrap_or_default(),
        offline_grace: raw
            .take("access.offline_grace", units::duration)
            .unwrap_or_default(),
        signature_key: signature_key(raw),
    }
}

/// Certificates count where clients are asked for them.
fn certificates(raw: &mut Raw, roster: &Roster) {
    let mut entries = roster.tokens.iter();
    let named = entries.find(|token| token.proof.certificate().is_some());
    if let Some(token) = named
        && !raw.is_set(CLIENT_CA)
    {
        let name = quoted(&token.name);
        let message =
            format!("{name} names a certificate, and without {CLIENT_CA} nobody shows one");
        raw.mistake("access.tokens", message);
    }
}

fn signature_key(raw: &mut Raw) -> Option<SignatureKey> {
    let key = "access.signature_key_file";
    let text = raw.take(key, |value| signature_key_file(&value::path(value)?))?;
    if text.len() < LONG_ENOUGH {
        raw.warn(key, "holds a key of fewer than 32 bytes: it may be guessed");
    }
    Some(SignatureKey::new(text.as_bytes()))
}

/// Who judges where nobody says: the upstream if there is one. Without, everybody on this machine
/// may read, but nobody beyond it, and a list is never passed over.
fn default_mode(place: &Place<'_>, roster: &Roster) -> Mode {
    let is_local = place.listen.iter().all(Listen::is_local);
    match place.target {
        Target::Http(_) => Mode::Upstream,
        Target::None if is_local && roster.is_empty() => Mode::Open,
        Target::None => Mode::Tokens,
    }
}

fn judge(raw: &mut Raw, mode: Mode, place: &Place<'_>) {
    match (mode, place.target) {
        (Mode::Upstream, Target::None) => {
            raw.mistake(
                "access.mode",
                "`upstream` needs an upstream to judge: set upstream.url, or use `tokens`",
            );
        }
        // It would be asked about its own credential, and accept everybody.
        (Mode::Upstream, Target::Http(_)) if place.has_own => {
            raw.mistake(
                "upstream.token_file",
                "takes the place of the clients' tokens, and the upstream could judge nobody: set \
                 access.mode to `tokens`, or to `open`",
            );
        }
        (Mode::Tokens, Target::Http(_)) if !place.has_own => {
            raw.mistake(
                "access.mode",
                "`tokens` before an upstream needs a credential for it: set upstream.token_file",
            );
        }
        _ => {}
    }
}

fn warn(raw: &mut Raw, mode: Mode, place: &Place<'_>) {
    let exposed: Vec<String> = place
        .listen
        .iter()
        .filter(|listen| !listen.is_local())
        .map(ToString::to_string)
        .collect();
    let exposed = exposed.join(", ");
    let with_own = if place.has_own {
        ", upstream too, with Larder's credential"
    } else {
        ""
    };
    match mode {
        Mode::Open if !exposed.is_empty() => {
            let who = if raw.is_set(CLIENT_CA) {
                "everyone with a certificate"
            } else {
                "everyone"
            };
            raw.warn(
                "access.mode",
                &format!("is `open`: {who} who reaches {exposed} reads and writes{with_own}"),
            );
        }
        Mode::Upstream if !exposed.is_empty() && place.is_clear => raw.warn(
            "server.listen",
            &format!("takes the upstream's tokens in clear text at {exposed}"),
        ),
        _ => {}
    }
    if mode != Mode::Tokens {
        let keys = ["access.tokens", "access.oidc"];
        raw.without_effect(&keys, "access.mode is not `tokens`");
    }
    if mode != Mode::Upstream {
        let keys = ["access.verdict_ttl", "access.offline_grace"];
        raw.without_effect(&keys, "access.mode is not `upstream`");
    }
}
