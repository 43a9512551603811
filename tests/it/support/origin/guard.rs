//! Whom the origin lets in: tokens, their teams, and the ways in which servers say no.

use std::collections::{HashMap, HashSet};

use super::Seen;

/// How an origin guards its artifacts: the ways met in the field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// Everybody may do everything.
    #[default]
    Open,
    /// This status to whoever names the slug `acme` and is no member; other teams are for everybody.
    OneTeam(u16),
    /// 401 to tokens it does not know, 403 to members of other teams. Its status is for everybody.
    StatusPublic,
    /// The same, and the status is guarded like the rest.
    StatusGuarded,
    /// 404 to everybody but the team's members. Its status is for everybody.
    AllHidden,
    /// 401 to tokens it does not know, 404 to members of other teams. Its status is for everybody.
    TeamsHidden,
}

/// The tokens an origin knows, each with its teams, and what it does about them.
#[derive(Debug, Default)]
pub struct Guard {
    pub style: Style,
    teams: HashMap<String, HashSet<String>>,
}

/// What a token is to the team that a request names.
#[derive(Clone, Copy)]
enum Standing {
    Member,
    Elsewhere,
    Unknown,
}

// === impl Guard ===

impl Guard {
    /// Takes a token into a team.
    pub fn admit(&mut self, token: &str, team: &str) {
        let teams = self.teams.entry(token.to_owned()).or_default();
        teams.insert(team.to_owned());
    }

    /// Takes a token out of all its teams; it is known all the same.
    pub fn dismiss(&mut self, token: &str) {
        self.teams.insert(token.to_owned(), HashSet::new());
    }

    /// Forgets a token.
    pub fn expire(&mut self, token: &str) {
        self.teams.remove(token);
    }

    /// Forgets every token.
    pub fn clear(&mut self) {
        self.teams.clear();
    }

    /// The status that refuses a request, where something does.
    pub(super) fn refusal(&self, seen: &Seen) -> Option<u16> {
        let asks_status = seen.path().ends_with("/status");
        match (self.style, self.standing(seen)) {
            (Style::OneTeam(_), _) if !seen.query().contains("slug=acme") => None,
            (style, _) if asks_status && style != Style::StatusGuarded => None,
            (Style::Open, _) | (_, Standing::Member) => None,
            (Style::OneTeam(refusal), _) => Some(refusal),
            (Style::AllHidden, _) | (Style::TeamsHidden, Standing::Elsewhere) => Some(404),
            (_, Standing::Unknown) => Some(401),
            (_, Standing::Elsewhere) => Some(403),
        }
    }

    fn standing(&self, seen: &Seen) -> Standing {
        match (self.teams.get(seen.token()), team_of(seen.query())) {
            (None, _) => Standing::Unknown,
            (Some(teams), Some(team)) if !teams.contains(team) => Standing::Elsewhere,
            // Whoever names no team is in a space of its own.
            (Some(_), _) => Standing::Member,
        }
    }
}

/// The team that a query names, by its id before its slug: the id of `acme` is `team_acme`.
fn team_of(query: &str) -> Option<&str> {
    let value = |name: &str| {
        let parts = query.split('&').filter_map(|part| part.split_once('='));
        let mut named = parts.filter(|(known, value)| *known == name && !value.is_empty());
        named.next().map(|(_, value)| value)
    };
    let id = value("teamId").map(|id| id.strip_prefix("team_").unwrap_or(id));
    id.or_else(|| value("slug"))
}
