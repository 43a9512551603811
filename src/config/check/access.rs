//! Who may read a hit, and which defaults follow from where Larder listens and what is behind it.

use std::collections::BTreeMap;

use super::super::problem::quoted;
use super::super::raw::Raw;
use super::super::secret::signature_key_file;
use super::super::tls::CLIENT_CA;
use super::super::{
    Access, AccessMode, Forwarders, Listen, Listener, Roster, Target, units, value,
};
use super::listeners::{Asked, Place, Table};
use super::upstream::headers;
use super::{oidc, tokens};
use crate::artifact::SignatureKey;

/// Who judges where a listener does not say.
const MODE: &str = "access.mode";

/// Bytes below which clients warn of their signature key: those of the MAC it is for.
const LONG_ENOUGH: usize = 32;

/// Who judges at each listener, and what stands behind all of them.
struct Judges<'a> {
    target: &'a Target,
    /// Whether Larder has a credential of its own upstream.
    has_own: bool,
    /// Who brings others to them.
    forwarders: &'a Forwarders,
    /// Each listener with its judge.
    places: Vec<(Place, AccessMode)>,
    /// Each key that names a judge.
    keys: BTreeMap<String, AccessMode>,
}

/// Checks `access.…` and what the listeners' tables say of it.
pub(super) fn access(
    raw: &mut Raw,
    target: &Target,
    asked: &Asked,
    forwarders: &Forwarders,
) -> Access {
    let roster = Roster {
        tokens: tokens::tokens(raw),
        issuers: oidc::issuers(raw),
    };
    let words = AccessMode::ALL.map(|mode| (mode.as_str(), mode));
    let mode = raw
        .take(MODE, |value| value::choice(value, &words))
        .unwrap_or_else(|| default_mode(target, asked, forwarders, &roster));
    certificates(raw, &roster);
    let judges = Judges::new(raw, target, asked, forwarders, mode);
    judges.judge(raw);
    judges.warn(raw);
    judges.warn_of_certificates(raw, &roster);
    Access {
        mode,
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

/// The listeners with a table of their own; `mode` judges where it does not say who does.
pub(super) fn named(asked: &Asked, mode: AccessMode) -> BTreeMap<String, Listener> {
    let listener = |table: &Table| Listener {
        address: table.address.clone(),
        secured: table.secured,
        access: table.access.unwrap_or(mode),
    };
    let tables = asked.tables.iter();
    tables
        .map(|(name, table)| (name.clone(), listener(table)))
        .collect()
}

/// Who judges where nobody says: the upstream if there is one. Without, everybody on this machine
/// may read, but nobody beyond it, and a list is never passed over.
fn default_mode(
    target: &Target,
    asked: &Asked,
    forwarders: &Forwarders,
    roster: &Roster,
) -> AccessMode {
    let mut unsaid = asked.places().filter(|place| place.table.access.is_none());
    let is_local = unsaid.all(|place| is_of_this_machine(&place.table.address, forwarders));
    match target {
        Target::Http(_) => AccessMode::Upstream,
        Target::None if is_local && roster.is_empty() => AccessMode::Open,
        Target::None => AccessMode::Tokens,
    }
}

/// Whether nobody beyond this machine comes by a listener: a balancer beside it brings them from there.
fn is_of_this_machine(address: &Listen, forwarders: &Forwarders) -> bool {
    address.is_local() && !forwarders.may_come_by(address)
}

/// Whether what the list knows crosses a network in requests. A balancer beside Larder may have had it in TLS,
/// and of a socket that is passed only who passes it knows whether it is a unix one.
fn wants_listed_tokens(place: &Place, mode: AccessMode) -> bool {
    let address = &place.table.address;
    let is_far = matches!(address, Listen::Tcp { .. }) && !address.is_local();
    mode == AccessMode::Tokens && is_far
}

// === impl Judges ===

impl<'a> Judges<'a> {
    fn new(
        raw: &Raw,
        target: &'a Target,
        asked: &Asked,
        forwarders: &'a Forwarders,
        mode: AccessMode,
    ) -> Self {
        let places: Vec<_> = asked
            .places()
            .map(|place| {
                let judge = place.table.access.unwrap_or(mode);
                (place, judge)
            })
            .collect();
        let named = places
            .iter()
            .map(|(place, judge)| (place.by.clone(), *judge));
        let mut keys: BTreeMap<String, AccessMode> = named.collect();
        // Where every listener has its own word, nobody's default is no mistake.
        if raw.is_set(MODE) || places.is_empty() {
            keys.insert(MODE.to_owned(), mode);
        }
        Self {
            target,
            has_own: raw.is_set("upstream.token_file"),
            forwarders,
            places,
            keys,
        }
    }

    fn has(&self, mode: AccessMode) -> bool {
        self.keys.values().any(|judge| *judge == mode)
    }

    fn judge(&self, raw: &mut Raw) {
        for (key, mode) in &self.keys {
            match (mode, self.target) {
                (AccessMode::Upstream, Target::None) => raw.mistake(
                    key,
                    "`upstream` needs an upstream to judge: set upstream.url, or use `tokens`",
                ),
                (AccessMode::Tokens, Target::Http(_)) if !self.has_own => raw.mistake(
                    key,
                    "`tokens` before an upstream needs a credential for it: set upstream.token_file",
                ),
                _ => {}
            }
        }
        // It would be asked about its own credential, and accept everybody; where it judges one listener
        // of several, it hears there what its callers say.
        let judges_all = self.keys.values().all(|mode| *mode == AccessMode::Upstream);
        if self.has_own && judges_all && matches!(self.target, Target::Http(_)) {
            raw.mistake(
                "upstream.token_file",
                "takes the place of the clients' tokens, and the upstream could judge nobody: set \
                 access.mode to `tokens`, or to `open`",
            );
        }
    }

    fn warn(&self, raw: &mut Raw) {
        self.warn_of_strangers(raw);
        self.warn_of_clear_text(raw);
        let is_named = self.keys.keys().any(|key| key != MODE);
        if raw.is_set(MODE) && self.places.iter().all(|(place, _)| place.by != MODE) {
            raw.warn(MODE, "has no effect: every listener says who judges");
        }
        for (mode, keys, alone, among) in [
            (
                AccessMode::Tokens,
                ["access.tokens", "access.oidc"],
                "access.mode is not `tokens`",
                "no listener's access is `tokens`",
            ),
            (
                AccessMode::Upstream,
                ["access.verdict_ttl", "access.offline_grace"],
                "access.mode is not `upstream`",
                "no listener's access is `upstream`",
            ),
        ] {
            if !self.has(mode) {
                raw.without_effect(&keys, if is_named { among } else { alone });
            }
        }
    }

    fn warn_of_strangers(&self, raw: &mut Raw) {
        let with_own = if self.has_own {
            ", upstream too, with Larder's credential"
        } else {
            ""
        };
        for key in self.keys.keys() {
            let is_open =
                |place: &Place, mode: AccessMode| mode == AccessMode::Open && place.by == *key;
            let open = self.exposed(is_open);
            let clear = self.exposed(|place, mode| is_open(place, mode) && place.is_clear());
            let who = if raw.is_set(CLIENT_CA) && clear.is_empty() {
                "everyone with a certificate"
            } else {
                "everyone"
            };
            if !open.is_empty() {
                let doubt =
                    format!("is `open`: {who} who reaches {open} reads and writes{with_own}");
                raw.warn(key, &doubt);
            }
        }
    }

    fn warn_of_clear_text(&self, raw: &mut Raw) {
        let mut keys: Vec<&str> = self.places.iter().map(|(place, _)| &*place.at).collect();
        keys.dedup();
        for key in keys {
            let clear = |wants: &dyn Fn(&Place, AccessMode) -> bool| {
                self.exposed(|place, mode| {
                    place.at == key && place.is_clear() && wants(place, mode)
                })
            };
            for (whose, clear) in [
                (
                    "the upstream's tokens",
                    clear(&|_, mode| self.wants_upstreams_tokens(mode)),
                ),
                ("tokens", clear(&wants_listed_tokens)),
            ] {
                if !clear.is_empty() {
                    raw.warn(key, &format!("takes {whose} in clear text at {clear}"));
                }
            }
        }
    }

    /// Nobody shows one in clear text, whatever other listeners speak.
    fn warn_of_certificates(&self, raw: &mut Raw, roster: &Roster) {
        let mut tokens = roster.tokens.iter();
        let mut listed = self
            .places
            .iter()
            .filter(|(_, mode)| *mode == AccessMode::Tokens)
            .peekable();
        if raw.is_set(CLIENT_CA)
            && tokens.any(|token| token.proof.certificate().is_some())
            && listed.peek().is_some()
            && listed.all(|(place, _)| place.is_clear())
        {
            let doubt = "names certificates, and no listener speaks TLS where the list judges";
            raw.warn("access.tokens", doubt);
        }
    }

    /// Whether what the upstream is to see of a caller comes in with its requests.
    fn wants_upstreams_tokens(&self, mode: AccessMode) -> bool {
        match mode {
            AccessMode::Upstream => true,
            AccessMode::Open => !self.has_own && matches!(self.target, Target::Http(_)),
            AccessMode::Tokens => false,
        }
    }

    /// Where strangers reach those of the listeners that are `such`, each with its judge.
    fn exposed(&self, such: impl Fn(&Place, AccessMode) -> bool) -> String {
        let places = self.places.iter();
        let addresses: Vec<String> = places
            .filter(|(place, mode)| such(place, *mode))
            .map(|(place, _)| &place.table.address)
            .filter(|address| !is_of_this_machine(address, self.forwarders))
            .map(ToString::to_string)
            .collect();
        addresses.join(", ")
    }
}
