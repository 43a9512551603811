//! Who may ask the admin listener: no web page, whoever is on this machine for what can be read, and
//! from anywhere and for everything whoever has the admin token.
//!
//! What is free for everybody is not decided here.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{Digest, SHA256, digest};
use data_encoding::BASE64;
use http::header::{AUTHORIZATION, HeaderMap};
use http::{Method, Uri};

use crate::config::Secret;
use crate::server::{Foreign, Peer, check_host};

/// The door before everything that the admin listener has.
pub struct Door {
    hosts: Vec<String>,
    token: Digest,
}

/// Somebody who shows no admin token where it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this wants the admin token, as a bearer token or as the password of any user")]
pub(super) struct Stranger;

// === impl Door ===

impl Door {
    /// A door that `token` opens; besides addresses and `localhost`, this server is known under
    /// `hosts`.
    pub fn new(hosts: Vec<String>, token: &Secret) -> Self {
        Self {
            hosts,
            token: digest(&SHA256, token.expose().as_bytes()),
        }
    }

    /// Whether a request means this server, and no web page sent it.
    pub(super) fn is_meant(&self, headers: &HeaderMap, uri: &Uri) -> Result<(), Foreign> {
        check_host(headers, uri, &self.hosts)
    }

    /// Whether a request for something that is not free may be answered.
    pub(super) fn admits(
        &self,
        peer: Peer,
        method: &Method,
        headers: &HeaderMap,
    ) -> Result<(), Stranger> {
        let is_reading = matches!(*method, Method::GET | Method::HEAD);
        if peer.is_local && is_reading {
            return Ok(());
        }
        let shown = digest(&SHA256, &shown(headers).ok_or(Stranger)?);
        verify_slices_are_equal(self.token.as_ref(), shown.as_ref()).map_err(|_| Stranger)
    }
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door")
            .field("hosts", &self.hosts)
            .finish_non_exhaustive()
    }
}

/// The secret that a request shows: a bearer token, or the password of whatever user. Of two nobody
/// can say which is meant.
fn shown(headers: &HeaderMap) -> Option<Vec<u8>> {
    let mut shown = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (shown.next(), shown.next()) else {
        return None;
    };
    let value = value.as_bytes();
    let space = value.iter().position(|byte| *byte == b' ')?;
    let (scheme, secret) = value.split_at(space);
    let secret = secret.trim_ascii();
    if scheme.eq_ignore_ascii_case(b"bearer") {
        return Some(secret.to_vec());
    }
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return None;
    }
    let pair = BASE64.decode(secret).ok()?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    Some(pair.split_at(colon + 1).1.to_vec())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::server::ListenerId;

    const HERE: Peer = Peer {
        address: None,
        listener: ListenerId(0),
        is_local: true,
        is_secure: false,
    };
    const ELSEWHERE: Peer = Peer {
        address: None,
        listener: ListenerId(0),
        is_local: false,
        is_secure: false,
    };

    fn door() -> Door {
        Door::new(Vec::new(), &Secret::new("open:sesame"))
    }

    fn headers(values: &[&str]) -> HeaderMap {
        let values = values.iter().map(|value| {
            let value = HeaderValue::from_str(value).unwrap();
            (AUTHORIZATION, value)
        });
        let mut headers = HeaderMap::new();
        values.for_each(|(name, value)| {
            headers.append(name, value);
        });
        headers
    }

    #[test]
    fn who_is_on_this_machine_may_read_and_no_more() {
        let (door, none) = (door(), HeaderMap::new());
        let token = headers(&["Bearer open:sesame"]);
        for method in [Method::GET, Method::HEAD] {
            assert_eq!(door.admits(HERE, &method, &none), Ok(()));
            assert_eq!(door.admits(ELSEWHERE, &method, &none), Err(Stranger));
        }
        for method in [Method::DELETE, Method::POST, Method::PUT, Method::PATCH] {
            assert_eq!(door.admits(HERE, &method, &none), Err(Stranger));
            assert_eq!(door.admits(HERE, &method, &token), Ok(()));
            assert_eq!(door.admits(ELSEWHERE, &method, &token), Ok(()));
        }
    }

    #[test]
    fn only_the_token_opens_in_whichever_of_two_schemes() {
        let basic = |pair: &str| format!("Basic {}", BASE64.encode(pair.as_bytes()));
        let right = [
            "Bearer open:sesame".to_owned(),
            "bearer   open:sesame ".to_owned(),
            basic(":open:sesame"),
            basic("admin:open:sesame"),
            basic("anybody:open:sesame").replace("Basic", "BASIC"),
        ];
        for value in right {
            let admitted = door().admits(ELSEWHERE, &Method::GET, &headers(&[&value]));
            assert_eq!(admitted, Ok(()), "{value}");
        }
        let wrong = [
            String::new(),
            "Bearer".to_owned(),
            "Bearer ".to_owned(),
            "Bearer open:sesam".to_owned(),
            "Bearer OPEN:SESAME".to_owned(),
            "open:sesame".to_owned(),
            "Token open:sesame".to_owned(),
            "Basic open:sesame".to_owned(),
            basic("open:sesame"),
            basic("open:sesame:"),
            basic("admin:"),
            basic("admin"),
        ];
        for value in wrong {
            let admitted = door().admits(ELSEWHERE, &Method::GET, &headers(&[&value]));
            assert_eq!(admitted, Err(Stranger), "{value}");
        }
    }

    #[test]
    fn of_two_credentials_neither_counts() {
        for pair in [
            ["Bearer open:sesame"; 2],
            ["Bearer open:sesame", "Bearer x"],
        ] {
            let admitted = door().admits(ELSEWHERE, &Method::GET, &headers(&pair));
            assert_eq!(admitted, Err(Stranger), "{pair:?}");
        }
    }

    #[test]
    fn debug_shows_nothing_of_the_token() {
        assert_eq!(format!("{:?}", door()), "Door { hosts: [], .. }");
    }
}
