//! Who a command is to the server that it asks: a token and a team, from its flags or from turbo's own
//! variables.

use std::path::PathBuf;

use clap::Args;
use http::header::{HeaderValue, USER_AGENT};
use http::{HeaderMap, Version};

use crate::caller::{Caller, Sealer};
use crate::config::{Asker, Secret, TEAM_ID, token_file};
use crate::upstream::artifact_headers;

/// Who asks: servers and firewalls refuse whoever does not say.
const AGENT: &str = concat!("larder/", env!("CARGO_PKG_VERSION"));

/// Who asks.
#[derive(Args, Debug)]
pub(super) struct CredentialFlags {
    /// Asks with the token in this file
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Asks for the team of this id, as `TURBO_TEAMID` does
    #[arg(long, value_name = "TEAM")]
    team: Option<String>,
    /// Asks for the team of this name, as `TURBO_TEAM` does
    #[arg(long, value_name = "SLUG")]
    slug: Option<String>,
}

/// Whose word a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// `--token-file`
    Flag,
    /// `upstream.token_file`
    Own,
    /// `TURBO_TOKEN`
    Variable,
}

/// A token and a team.
#[derive(Debug)]
pub(super) struct Credential {
    pub(super) token: Option<(Secret, Given)>,
    /// What names the team, as turbo would write it; empty where nothing does.
    pub(super) query: String,
    /// An id of a team that turbo does not send, and is not sent.
    pub(super) unsent: Option<String>,
    caller: Caller,
}

/// A token that no header can hold.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the token has characters that no header may have")]
struct NoHeader;

// === impl CredentialFlags ===

impl CredentialFlags {
    /// The credential: of the flags, else Larder's `own`, else of turbo's variables.
    pub(super) fn read(&self, own: Option<&Secret>, asker: Asker) -> anyhow::Result<Credential> {
        let token = match (&self.token_file, own, asker.token) {
            (Some(path), _, _) => {
                let token = token_file(path).map_err(anyhow::Error::msg)?;
                Some((token, Given::Flag))
            }
            (None, Some(own), _) => Some((own.clone(), Given::Own)),
            (None, None, variable) => variable.map(|token| (token, Given::Variable)),
        };
        // Nothing is remembered by this digest, so that any key will do.
        let sealer = Sealer::new(&[0; 32], Vec::new());
        let caller = match &token {
            Some((token, _)) => sealer.bearer(token.expose()),
            None => sealer.seal(&HeaderMap::new()).ok(),
        };
        let is_named = self.team.is_some() || self.slug.is_some();
        let (sent, unsent) = match asker.team_id.filter(|_| !is_named) {
            Some(id) if !id.starts_with(TEAM_ID) => (None, Some(id)),
            sent => (sent, None),
        };
        let slug = asker.slug.filter(|_| !is_named);
        let parts = [
            ("teamId", self.team.as_ref().or(sent.as_ref())),
            ("slug", self.slug.as_ref().or(slug.as_ref())),
        ];
        let parts = parts
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)));
        let parts: Vec<_> = parts
            .map(|(name, value)| format!("{name}={}", encoded(value)))
            .collect();
        Ok(Credential {
            token,
            query: parts.join("&"),
            unsent,
            caller: caller.ok_or(NoHeader)?,
        })
    }
}

// === impl Credential ===

impl Credential {
    /// A target with the team in its query.
    pub(super) fn target(&self, path: &str) -> String {
        if self.query.is_empty() {
            path.to_owned()
        } else {
            format!("{path}?{}", self.query)
        }
    }

    /// The headers of a request, as Larder would send them: these, who asks, and the token.
    pub(super) fn headers(&self, own: &HeaderMap) -> HeaderMap {
        let mut client = own.clone();
        client.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        artifact_headers((&client, Version::HTTP_11), &self.caller, &[])
    }
}

/// A value as turbo writes it in a query, which tells scopes apart to the letter.
fn encoded(value: &str) -> String {
    let encoded = value.bytes().map(|byte| match byte {
        b'*' | b'-' | b'.' | b'_' => char::from(byte).to_string(),
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        b' ' => "+".to_owned(),
        byte => format!("%{byte:02X}"),
    });
    encoded.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turbo() -> Asker {
        Asker {
            token: Some(Secret::new("of turbo")),
            team_id: Some("team_1".to_owned()),
            slug: Some("acme".to_owned()),
        }
    }

    fn flags(
        token_file: Option<PathBuf>,
        team: Option<&str>,
        slug: Option<&str>,
    ) -> CredentialFlags {
        CredentialFlags {
            token_file,
            team: team.map(str::to_owned),
            slug: slug.map(str::to_owned),
        }
    }

    #[test]
    fn a_flag_comes_before_larders_own_token_and_that_before_turbos() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "of-a-file\n").unwrap();
        let own = Secret::new("own");
        let named = Some(file.path().to_owned());
        for (path, own, expected) in [
            (named, Some(&own), Some(("of-a-file", Given::Flag))),
            (None, Some(&own), Some(("own", Given::Own))),
            (None, None, Some(("of turbo", Given::Variable))),
        ] {
            let read = flags(path, None, None).read(own, turbo()).unwrap();
            let token = read.token.as_ref();
            assert_eq!(
                token.map(|(token, given)| (token.expose(), *given)),
                expected
            );
            assert!(!format!("{read:?}").contains("of turbo"));
        }
        let nobody = flags(None, None, None)
            .read(None, Asker::default())
            .unwrap();
        assert!(
            nobody.token.is_none()
                && !nobody
                    .headers(&HeaderMap::new())
                    .contains_key("authorization")
        );
        let token = Some(Secret::new("two\nlines"));
        let odd = flags(None, None, None).read(None, Asker { token, ..turbo() });
        assert!(!format!("{:?}", odd.unwrap_err()).contains("lines"));
    }

    #[test]
    fn a_team_is_named_to_the_letter_as_turbo_names_it() {
        let query = |team, slug, turbo| flags(None, team, slug).read(None, turbo).unwrap().query;
        assert_eq!(query(None, None, turbo()), "teamId=team_1&slug=acme");
        assert_eq!(query(Some("team_2"), None, turbo()), "teamId=team_2");
        assert_eq!(query(None, Some("a b/ü.c"), turbo()), "slug=a+b%2F%C3%BC.c");
        assert_eq!(query(None, None, Asker::default()), "");
        let team_id = Some("acme".to_owned());
        let odd = flags(None, None, None)
            .read(None, Asker { team_id, ..turbo() })
            .unwrap();
        assert_eq!(
            (odd.query.as_str(), odd.unsent.as_deref()),
            ("slug=acme", Some("acme"))
        );
        assert_eq!(odd.target("/v8/artifacts"), "/v8/artifacts?slug=acme");
    }
}
