//! Who uploads, as it is kept with what was uploaded. Decides nothing.

use http::header::USER_AGENT;
use http::request::Parts;

use super::{Acquaintance, Ask, Proxy};
use crate::artifact::{Fields, Label, Uploader};
use crate::certificate::Certificate;

impl Proxy {
    /// The label of an upload of `client` that was let in with `ask`: what travels with it, and whose it is.
    pub fn label(&self, ask: &Ask, fields: Fields, head: &Parts, client: &Acquaintance) -> Label {
        Label::new(&ask.key, fields).from(uploader(ask, head, client))
    }
}

/// By the name on the operator's list, else the one in a certificate, else the digest of the credential.
fn uploader(ask: &Ask, head: &Parts, client: &Acquaintance) -> Uploader {
    let uploader = Uploader {
        // An address of IPv4 is the same one on a socket of IPv6.
        address: client.address().map(|address| address.to_canonical()),
        ..Uploader::default()
    };
    let uploader = match ask.outgoing.client.get(USER_AGENT) {
        Some(agent) => uploader.with_agent(agent.as_bytes()),
        None => uploader,
    };
    let shown = Certificate::of(&head.extensions).map(|shown| &**shown.client());
    let caller = &ask.known.caller;
    match ask.admitted.name().or(shown) {
        Some(name) => uploader.named(name),
        None => Uploader {
            digest: (!caller.is_anonymous()).then(|| caller.digest().into()),
            ..uploader
        },
    }
}
