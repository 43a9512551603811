//! Who asks: a credential, sealed.
//!
//! A [`Caller`] can be passed on to the upstream and remembered by digest; it cannot be printed. The
//! digest is keyed, so that a table or a file of digests tells nobody which tokens it knows.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};

/// What a digest begins with that is made of another one: what a request carries begins with the length of
/// a header's name, and none is as long.
const CERTIFIED: u64 = u64::MAX;
const SPOKEN_FOR: u64 = u64::MAX - 1;

/// Makes callers from requests, under the key of one data directory.
pub struct Sealer {
    key: hmac::Key,
    credentials: Vec<HeaderName>,
}

/// A request carried `Authorization` twice; which one counts would be anybody's guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request carries more than one Authorization header")]
pub struct RepeatedAuthorization;

/// Who asks: the credential headers of one request and their keyed digest.
///
/// No credential at all is a caller like any other. Cheap to clone.
#[derive(Clone)]
pub struct Caller {
    digest: CallerDigest,
    credentials: Arc<[(HeaderName, HeaderValue)]>,
}

/// The keyed digest of a credential: what maps, verdicts and personal scopes know a caller by.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CallerDigest([u8; 32]);

// === impl Sealer ===

impl Sealer {
    /// Seals with `key`; besides `Authorization`, the headers in `credentials` identify a caller.
    pub fn new(key: &[u8; 32], credentials: Vec<HeaderName>) -> Self {
        let mut names = vec![AUTHORIZATION];
        for name in credentials {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, key),
            credentials: names,
        }
    }

    /// The caller that presents `token`; none where no header can hold it.
    pub fn bearer(&self, token: &str) -> Option<Caller> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, format!("Bearer {token}").try_into().ok()?);
        self.seal(&headers).ok()
    }

    /// Takes the credential out of a request's headers.
    pub fn seal(&self, headers: &HeaderMap) -> Result<Caller, RepeatedAuthorization> {
        if headers.get_all(AUTHORIZATION).iter().nth(1).is_some() {
            return Err(RepeatedAuthorization);
        }
        let mut context = hmac::Context::with_key(&self.key);
        let mut credentials = Vec::new();
        for name in &self.credentials {
            for value in headers.get_all(name) {
                context.update(&(name.as_str().len() as u64).to_le_bytes());
                context.update(name.as_str().as_bytes());
                context.update(&(value.len() as u64).to_le_bytes());
                context.update(value.as_bytes());
                credentials.push((name.clone(), sealed(value)));
            }
        }
        Ok(Caller {
            digest: CallerDigest::of(context),
            credentials: credentials.into(),
        })
    }

    /// What a caller's artifacts without a team are known by where somebody else spoke for it: in the
    /// upstream's eyes they are not those that it has by its own credential.
    pub fn spoken_for(&self, caller: CallerDigest) -> CallerDigest {
        self.derived(SPOKEN_FOR, caller, "")
    }

    /// The same credential in the hands of somebody whose certificate is for `name`: another caller for each
    /// name, and none of those that no certificate stands for.
    pub fn certified(&self, caller: &Caller, name: &str) -> Caller {
        Caller {
            digest: self.derived(CERTIFIED, caller.digest, name),
            credentials: Arc::clone(&caller.credentials),
        }
    }

    fn derived(&self, lead: u64, caller: CallerDigest, name: &str) -> CallerDigest {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&lead.to_le_bytes());
        context.update(caller.as_bytes());
        context.update(name.as_bytes());
        CallerDigest::of(context)
    }

    /// Whether these headers carry what `caller` was sealed from, to the last byte: then sealing
    /// them would give it again.
    pub fn is_same(&self, headers: &HeaderMap, caller: &Caller) -> bool {
        let presented = self
            .credentials
            .iter()
            .flat_map(|name| headers.get_all(name).iter().map(move |value| (name, value)));
        let mut known = caller.credentials.iter();
        let is_known = |(name, value): (&HeaderName, &HeaderValue)| {
            // The connection may be one that a proxy shares among its own clients: time must not tell
            // how much of another one's token was guessed.
            known.next().is_some_and(|(known, sealed)| {
                known == name
                    && verify_slices_are_equal(sealed.as_bytes(), value.as_bytes()).is_ok()
            })
        };
        let strange = presented.map(is_known).filter(|is_known| !is_known).count();
        strange == 0 && known.next().is_none()
    }
}

/// A copy of its own: a value off the wire is a view into the whole buffer it was read with, and a
/// caller is remembered for as long as its connection.
fn sealed(value: &HeaderValue) -> HeaderValue {
    let mut sealed = HeaderValue::from_bytes(value.as_bytes()).unwrap_or_else(|_| value.clone());
    sealed.set_sensitive(true);
    sealed
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer")
            .field("credentials", &self.credentials)
            .finish_non_exhaustive()
    }
}

// === impl Caller ===

impl Caller {
    /// What tables know this caller by.
    pub fn digest(&self) -> CallerDigest {
        self.digest
    }

    /// Puts the credential on a request to the upstream: the one place where it leaves its seal.
    pub fn apply(&self, headers: &mut HeaderMap) {
        for (name, value) in self.credentials.iter() {
            headers.append(name.clone(), value.clone());
        }
    }

    /// The token behind `Authorization: Bearer`, for comparison with a list kept here.
    pub fn bearer(&self) -> Option<&[u8]> {
        let (_, value) = self
            .credentials
            .iter()
            .find(|(name, _)| name == AUTHORIZATION)?;
        let (scheme, token) = value.as_bytes().split_at_checked(7)?;
        scheme
            .eq_ignore_ascii_case(b"bearer ")
            .then(|| token.trim_ascii())
    }

    /// Whether the request came with no credential.
    pub fn is_anonymous(&self) -> bool {
        self.credentials.is_empty()
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_anonymous() {
            "Caller(anonymous)"
        } else {
            "Caller(***)"
        })
    }
}

// === impl CallerDigest ===

impl CallerDigest {
    fn of(context: hmac::Context) -> Self {
        let mut digest = [0; 32];
        digest.copy_from_slice(context.sign().as_ref());
        Self(digest)
    }

    /// Takes a digest back from where it was remembered.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest's bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for CallerDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallerDigest(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer() -> Sealer {
        Sealer::new(&[7; 32], vec![HeaderName::from_static("x-api-key")])
    }

    fn caller(pairs: &[(&'static str, &'static str)]) -> Result<Caller, RepeatedAuthorization> {
        let mut headers = HeaderMap::new();
        for &(name, value) in pairs {
            headers.append(name, HeaderValue::from_static(value));
        }
        sealer().seal(&headers)
    }

    #[test]
    fn different_credentials_are_different_callers() {
        let digest = |pairs| caller(pairs).unwrap().digest();
        let all = [
            digest(&[]),
            digest(&[("authorization", "Bearer a")]),
            digest(&[("authorization", "Bearer b")]),
            digest(&[("authorization", "Bearer a"), ("x-api-key", "1")]),
            digest(&[("x-api-key", "Bearer a")]),
        ];
        for (index, one) in all.iter().enumerate() {
            assert!(all.iter().skip(index + 1).all(|other| other != one));
        }
        assert_eq!(
            digest(&[("authorization", "Bearer a"), ("user-agent", "x")]),
            digest(&[("authorization", "Bearer a")])
        );
    }

    #[test]
    fn who_is_spoken_for_is_somebody_else_and_the_same_each_time() {
        let digests = [&[][..], &[("authorization", "Bearer a")]].map(|pairs| {
            let own = caller(pairs).unwrap().digest();
            assert!(sealer().spoken_for(own) == sealer().spoken_for(own));
            [own, sealer().spoken_for(own)]
        });
        let all = digests.as_flattened();
        for (index, one) in all.iter().enumerate() {
            assert!(all.iter().skip(index + 1).all(|other| other != one));
        }
    }

    #[test]
    fn who_is_spoken_for_with_a_certificate_is_neither_one_nor_the_other() {
        let own = caller(&[("authorization", "Bearer a")]).unwrap();
        let (certified, unnamed) = (sealer().certified(&own, "ci"), sealer().certified(&own, ""));
        let spoken_for = |caller: &Caller| sealer().spoken_for(caller.digest());
        let all = [
            own.digest(),
            certified.digest(),
            unnamed.digest(),
            spoken_for(&own),
            spoken_for(&certified),
            spoken_for(&unnamed),
        ];
        for (index, one) in all.iter().enumerate() {
            let mut others = all.iter().skip(index + 1);
            assert!(others.all(|other| other != one), "{index}");
        }
    }

    #[test]
    fn a_credential_is_another_caller_for_each_certificate_and_goes_upstream_as_it_is() {
        let one = caller(&[("authorization", "Bearer a")]).unwrap();
        let two = caller(&[("authorization", "Bearer b")]).unwrap();
        let nobody = caller(&[]).unwrap();
        let certified = |caller, name| sealer().certified(caller, name);
        let all = [
            one.clone(),
            certified(&one, ""),
            certified(&one, "ci"),
            certified(&one, "CI"),
            certified(&two, "ci"),
            certified(&nobody, "ci"),
        ];
        for (index, one) in all.iter().enumerate() {
            let mut others = all.iter().skip(index + 1);
            assert!(
                others.all(|other| other.digest() != one.digest()),
                "{index}"
            );
        }
        let again = certified(&one, "ci");
        assert_eq!(again.digest(), all[2].digest());
        assert_eq!(again.bearer(), Some(&b"a"[..]));
    }

    #[test]
    fn a_header_named_twice_is_passed_on_once() {
        let name = HeaderName::from_static("x-api-key");
        let sealer = Sealer::new(&[7; 32], vec![name.clone(), AUTHORIZATION, name.clone()]);
        let mut headers = HeaderMap::new();
        headers.insert(&name, HeaderValue::from_static("1"));
        let mut sent = HeaderMap::new();
        sealer.seal(&headers).unwrap().apply(&mut sent);
        assert_eq!(sent.get_all(&name).iter().count(), 1);
    }

    #[test]
    fn headers_are_the_same_callers_only_where_nothing_differs() {
        let pairs = [("authorization", "Bearer a"), ("x-api-key", "1")];
        let known = caller(&pairs).unwrap();
        let is_same = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for &(name, value) in pairs {
                headers.append(name, HeaderValue::from_static(value));
            }
            sealer().is_same(&headers, &known)
        };
        assert!(is_same(&pairs));
        assert!(is_same(&[pairs[1], ("user-agent", "x"), pairs[0]]));
        for other in [
            &[][..],
            &pairs[..1],
            &pairs[1..],
            &[pairs[0], ("x-api-key", "2")],
            &[("authorization", "Bearer A"), pairs[1]],
            &[pairs[0], pairs[0], pairs[1]],
            &[pairs[0], pairs[1], pairs[1]],
        ] {
            assert!(!is_same(other), "{other:?}");
        }
    }

    #[test]
    fn two_authorization_headers_are_refused() {
        let twice = caller(&[("authorization", "Bearer a"), ("authorization", "Bearer a")]);
        assert_eq!(twice.unwrap_err(), RepeatedAuthorization);
    }

    #[test]
    fn debug_never_prints_tokens() {
        let caller =
            caller(&[("authorization", "Bearer canary"), ("x-api-key", "canary")]).unwrap();
        let mut headers = HeaderMap::new();
        caller.apply(&mut headers);
        let printed = format!(
            "{caller:?} {:?} {:?} {headers:?}",
            caller.digest(),
            sealer()
        );
        assert!(!printed.contains("canary"), "{printed}");
    }

    #[test]
    fn the_bearer_token_is_found_whatever_the_case_of_its_scheme() {
        assert_eq!(
            caller(&[("authorization", "bearer tok 1")])
                .unwrap()
                .bearer(),
            Some(&b"tok 1"[..])
        );
        assert_eq!(
            caller(&[("authorization", "Basic dG9r")]).unwrap().bearer(),
            None
        );
        assert_eq!(caller(&[]).unwrap().bearer(), None);
    }
}
