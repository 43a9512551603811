//! What turbo's own variables say of who asks, for commands that ask in its place.

use super::env::Environment;
use super::secret::Secret;

/// What an id of a team begins with; turbo sends no other as `teamId`.
pub const TEAM_ID: &str = "team_";

/// Who turbo would be in this environment.
#[derive(Clone, Debug, Default)]
pub struct Asker {
    /// `TURBO_TOKEN`
    pub token: Option<Secret>,
    /// `TURBO_TEAMID`
    pub team_id: Option<String>,
    /// `TURBO_TEAM`
    pub slug: Option<String>,
}

impl Asker {
    /// Reads the variables.
    pub fn of(environment: &Environment) -> Self {
        let text = |name| environment.text(name).map(str::to_owned);
        Self {
            token: environment.text("TURBO_TOKEN").map(Secret::new),
            team_id: text("TURBO_TEAMID"),
            slug: text("TURBO_TEAM"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variables_are_read_and_the_token_is_not_printed() {
        let pairs = [
            ("TURBO_TOKEN", "canary"),
            ("TURBO_TEAM", "acme"),
            ("TURBO_TEAMID", ""),
        ];
        let pairs = pairs.map(|(name, text)| (name.into(), text.into()));
        let asker = Asker::of(&Environment::new(pairs));
        assert_eq!(asker.token.as_ref().map(Secret::expose), Some("canary"));
        assert_eq!(
            (asker.team_id.as_deref(), asker.slug.as_deref()),
            (None, Some("acme"))
        );
        assert!(!format!("{asker:?}").contains("canary"));
    }
}
