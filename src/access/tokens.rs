//! The operator's own list: who may do what for which team, by a token or a certificate. Pure.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};

use super::evidence::Right;
use super::teams;
use crate::artifact::Ground;
use crate::caller::Caller;
use crate::certificate::{Certificate, Validity};
use crate::config::{Proof, Rights, Token};

/// Why somebody is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// No token, an unknown one, or one whose time is up.
    #[error("this token is not known here")]
    UnknownToken,
    /// The token is for other teams.
    #[error("this token may not use this team")]
    OtherTeam,
    /// The token is a job's, and there is no grant for such jobs.
    #[error("nothing is granted here to what this token claims")]
    NoGrant,
    /// The token may only download.
    #[error("this token may download but not upload")]
    ReadOnly,
    /// Larder's own credential is for artifacts.
    #[error("with a credential of its own, this Larder passes on artifact requests only")]
    OtherRoute,
}

/// Whom the list knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    /// The name of the certificate that counted.
    pub(super) certificate: Option<Arc<str>>,
    /// What the list calls whoever uploads.
    pub(super) name: Option<Arc<str>>,
}

impl Denial {
    /// What is written down of it.
    pub fn ground(self) -> Ground {
        match self {
            Self::UnknownToken => Ground::UnknownToken,
            Self::OtherTeam => Ground::OtherTeam,
            Self::NoGrant => Ground::NoGrant,
            Self::ReadOnly => Ground::ReadOnly,
            Self::OtherRoute => Ground::OtherRoute,
        }
    }
}

/// Judges a caller by the tokens on the list.
pub(super) fn judge(
    list: &[Token],
    caller: &Caller,
    certificate: Option<&Certificate>,
    query: &str,
    right: Right,
) -> Result<Known, Denial> {
    let bearer = caller.bearer();
    let presented = digest(&SHA256, bearer.unwrap_or_default());
    let is_presented = |sha256: &[u8; 32]| {
        verify_slices_are_equal(sha256, presented.as_ref()).is_ok() && bearer.is_some()
    };
    let known = the_one(list, |token| {
        let is_presented = token.proof.sha256().is_some_and(is_presented);
        let is_shown = token.proof.certificate().is_none_or(shown(certificate));
        is_presented && is_shown
    });
    use_of(known, query, right)
}

/// Judges a caller that presents no known token by what it has shown alone.
pub(super) fn judge_shown(
    list: &[Token],
    certificate: &Certificate,
    query: &str,
    right: Right,
) -> Result<Known, Denial> {
    let known = the_one(list, |token| match &token.proof {
        Proof::Certificate(name) => counts_for(certificate, name),
        Proof::Token(_) | Proof::Both(..) => false,
    });
    use_of(known, query, right)
}

/// The first entry that is a caller's. Every one is looked at, whichever it is: time must not tell how far
/// the list was read.
fn the_one(list: &[Token], is_known: impl Fn(&Token) -> bool) -> Option<&Token> {
    let mut known = None;
    for token in list {
        if is_known(token) && !has_expired(token) {
            known = known.or(Some(token));
        }
    }
    known
}

/// Names are no secrets: whoever shows a certificate knows what stands in it.
fn shown(certificate: Option<&Certificate>) -> impl Fn(&Arc<str>) -> bool {
    move |name| certificate.is_some_and(|certificate| counts_for(certificate, name))
}

/// A connection may last longer than the certificate that was shown when it began.
fn counts_for(certificate: &Certificate, name: &str) -> bool {
    certificate.is_for(name) && certificate.at(SystemTime::now()) == Validity::Valid
}

fn use_of(known: Option<&Token>, query: &str, right: Right) -> Result<Known, Denial> {
    let token = known.ok_or(Denial::UnknownToken)?;
    judge_use(&token.teams, token.rights, query, right)?;
    Ok(Known {
        certificate: token.proof.certificate().cloned(),
        // Nobody asks what a reader is called, and readers are many.
        name: (right == Right::Write).then(|| token.name.as_str().into()),
    })
}

/// Judges what somebody known wants to do.
pub(super) fn judge_use(
    teams: &[String],
    rights: Rights,
    query: &str,
    right: Right,
) -> Result<(), Denial> {
    if !teams::may_use(teams, query) {
        return Err(Denial::OtherTeam);
    }
    match (right, rights) {
        (Right::Write, Rights::Read) => Err(Denial::ReadOnly),
        (Right::Read | Right::Write, _) => Ok(()),
    }
}

fn has_expired(token: &Token) -> bool {
    token.expires.is_some_and(|expires| expires <= now())
}

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};

    use super::*;
    use crate::caller::Sealer;

    fn caller(authorization: Option<&str>) -> Caller {
        let mut headers = HeaderMap::new();
        if let Some(value) = authorization {
            headers.insert(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        Sealer::new(&[0; 32], Vec::new()).seal(&headers).unwrap()
    }

    fn token(text: &str, teams: &[&str], rights: Rights, expires: Option<u64>) -> Token {
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
        let teams = teams.iter().map(|&team| team.to_owned()).collect();
        Token {
            name: text.to_owned(),
            proof: Proof::Token(sha256),
            teams,
            rights,
            expires,
        }
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table is as long as it is")]
    fn the_list_is_followed_to_the_letter() {
        let list = [
            token("all", &["*"], Rights::ReadWrite, None),
            token("acme", &["acme", "ü b"], Rights::ReadWrite, None),
            token("reader", &["acme"], Rights::Read, None),
            token("old", &["*"], Rights::ReadWrite, Some(1)),
        ];
        let table = [
            (Some("Bearer all"), "", Right::Write, Ok(())),
            (Some("Bearer all"), "slug=any", Right::Read, Ok(())),
            (Some("Bearer acme"), "slug=acme", Right::Write, Ok(())),
            (
                Some("Bearer acme"),
                "teamId=acme&slug=acme",
                Right::Read,
                Ok(()),
            ),
            (Some("Bearer acme"), "slug=%C3%BC+b", Right::Read, Ok(())),
            (
                Some("Bearer acme"),
                "slug=acme&slug=other",
                Right::Read,
                Err(Denial::OtherTeam),
            ),
            (
                Some("Bearer acme"),
                "teamId=other&slug=acme",
                Right::Read,
                Err(Denial::OtherTeam),
            ),
            (Some("Bearer acme"), "", Right::Read, Err(Denial::OtherTeam)),
            (
                Some("Bearer acme"),
                "slug=",
                Right::Read,
                Err(Denial::OtherTeam),
            ),
            (Some("Bearer reader"), "slug=acme", Right::Read, Ok(())),
            (
                Some("Bearer reader"),
                "slug=acme",
                Right::Write,
                Err(Denial::ReadOnly),
            ),
            (
                Some("Bearer old"),
                "slug=acme",
                Right::Read,
                Err(Denial::UnknownToken),
            ),
            (
                Some("Bearer ALL"),
                "slug=acme",
                Right::Read,
                Err(Denial::UnknownToken),
            ),
            (
                Some("Basic all"),
                "slug=acme",
                Right::Read,
                Err(Denial::UnknownToken),
            ),
            (
                Some("Bearer "),
                "slug=acme",
                Right::Read,
                Err(Denial::UnknownToken),
            ),
            (None, "slug=acme", Right::Read, Err(Denial::UnknownToken)),
        ];
        for (authorization, query, right, expected) in table {
            let judged = judge(&list, &caller(authorization), None, query, right);
            if let Ok(known) = &judged {
                let is_named = known.name.is_some();
                assert_eq!(is_named, right == Right::Write, "{authorization:?}");
            }
            assert_eq!(
                judged.map(drop),
                expected,
                "{authorization:?} {query} {right:?}"
            );
        }
    }

    /// Of `ci`, for these years.
    fn certificate(begins: i32, ends: i32) -> Certificate {
        let mut params = rcgen::CertificateParams::new(vec!["ci".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(begins, 1, 1);
        params.not_after = rcgen::date_time_ymd(ends, 1, 1);
        let own = params.self_signed(&rcgen::KeyPair::generate().unwrap());
        Certificate::read(own.unwrap().der()).unwrap()
    }

    #[test]
    fn a_certificate_counts_in_its_own_time_only() {
        let bound = token("both", &["*"], Rights::Read, None);
        let Proof::Token(sha256) = bound.proof else {
            unreachable!()
        };
        let entry = |proof| Token {
            proof,
            ..bound.clone()
        };
        let both = [entry(Proof::Both(sha256, "ci".into()))];
        let alone = [entry(Proof::Certificate("ci".into()))];
        let caller = caller(Some("Bearer both"));
        for (begins, ends, counts) in [(2020, 2021, false), (2020, 3000, true), (2999, 3000, false)]
        {
            let certificate = certificate(begins, ends);
            let by_both = judge(&both, &caller, Some(&certificate), "", Right::Read);
            let by_itself = judge_shown(&alone, &certificate, "", Right::Read);
            for judged in [by_both, by_itself] {
                let expected = if counts {
                    Ok(Known {
                        certificate: Some("ci".into()),
                        name: None,
                    })
                } else {
                    Err(Denial::UnknownToken)
                };
                assert_eq!(judged, expected, "{begins} {ends}");
            }
        }
    }
}
