//! The variables that the command gets: this process's own, but for Larder's, and those that lead it here. Pure.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use http::Uri;

use crate::config::{Environment, Turbo};

/// Those that name a proxy for what turbo sends.
const PROXIES: [&str; 6] = [
    "http_proxy",
    "HTTP_PROXY",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
];

/// Those that name whom none is for: some programs read the one, some the other.
const EXCEPTIONS: [&str; 2] = ["no_proxy", "NO_PROXY"];

/// What makes turbo ask a Larder that asks for nothing: any token, and some team.
const ANY_TOKEN: (&str, &str) = ("TURBO_TOKEN", "anything");
const ANY_TEAM: (&str, &str) = ("TURBO_TEAM", "my-team");

/// All variables of the command: of `environment` what is not ours, and `changes` over that.
pub(super) fn variables(
    environment: &Environment,
    changes: &[(&'static str, OsString)],
) -> BTreeMap<OsString, OsString> {
    let kept = environment.without_ours();
    let kept = kept.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let over = changes.iter();
    let over = over.map(|(name, value)| (OsString::from(name), value.clone()));
    kept.chain(over).collect()
}

/// What leads turbo to `api`. Whatever `turbo` knows of a token and a team stays; where nobody asks for
/// any, it `needs_neither`, and gets what it lacks.
pub(super) fn changes(
    environment: &Environment,
    turbo: &Turbo,
    api: &str,
    needs_neither: bool,
) -> Vec<(&'static str, OsString)> {
    let lacks = [(turbo.has_token(), ANY_TOKEN), (turbo.has_team(), ANY_TEAM)];
    let lacking = lacks.into_iter().filter(|(has, _)| needs_neither && !has);
    let lacking = lacking.map(|(_, (name, value))| (name, value.into()));
    [("TURBO_API", OsString::from(api))]
        .into_iter()
        .chain(lacking)
        .chain(exceptions(environment, api))
        .collect()
}

/// No proxy is on the way to `api`, where one is on the way elsewhere.
fn exceptions(environment: &Environment, api: &str) -> Vec<(&'static str, OsString)> {
    let api = api.parse::<Uri>().unwrap_or_default();
    let here = api.host().unwrap_or_default();
    if PROXIES.iter().all(|name| environment.get(name).is_none()) {
        return Vec::new();
    }
    let before = EXCEPTIONS.iter().find_map(|name| environment.get(name));
    let with_here = |name: &'static str| {
        let before = environment.get(name).or(before).unwrap_or(OsStr::new(""));
        let mut exceptions = before.to_owned();
        // All hosts; to some programs only where it stands alone.
        if before == "*" {
            return (name, exceptions);
        }
        if !before.is_empty() {
            exceptions.push(",");
        }
        exceptions.push(here);
        (name, exceptions)
    };
    EXCEPTIONS.map(with_here).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        Environment::new(pairs.iter().map(|(name, text)| (name.into(), text.into())))
    }

    fn get(pairs: &[(&str, &str)], needs_neither: bool) -> BTreeMap<OsString, OsString> {
        let environment = environment(pairs);
        let turbo = Turbo::default();
        let changes = changes(&environment, &turbo, "http://127.0.0.1:1", needs_neither);
        variables(&environment, &changes)
    }

    fn text<'a>(variables: &'a BTreeMap<OsString, OsString>, name: &str) -> Option<&'a str> {
        variables.get(OsStr::new(name))?.to_str()
    }

    #[test]
    fn the_command_gets_everything_but_our_own_variables() {
        let pairs = [
            ("PATH", "/bin"),
            ("TURBO_API", "http://far"),
            ("TURBO_FORCE", "1"),
            ("LARDER_ADMIN__TOKEN", "canary"),
            ("EMPTY", ""),
        ];
        let variables = get(&pairs, false);
        assert_eq!(text(&variables, "PATH"), Some("/bin"));
        assert_eq!(text(&variables, "TURBO_FORCE"), Some("1"));
        assert_eq!(text(&variables, "EMPTY"), Some(""));
        assert_eq!(text(&variables, "TURBO_API"), Some("http://127.0.0.1:1"));
        assert_eq!(variables.len(), 4, "{variables:?}");
    }

    #[test]
    fn a_token_and_a_team_are_made_up_only_where_nobody_asks_for_them() {
        assert_eq!(get(&[], false).len(), 1);
        let variables = get(&[], true);
        assert_eq!(text(&variables, "TURBO_TOKEN"), Some("anything"));
        assert_eq!(text(&variables, "TURBO_TEAM"), Some("my-team"));
    }

    #[test]
    fn no_proxy_comes_between_where_one_is_named() {
        assert_eq!(text(&get(&[("NO_PROXY", "a")], false), "no_proxy"), None);
        let variables = get(&[("https_proxy", "p"), ("NO_PROXY", "a,b")], false);
        for name in EXCEPTIONS {
            assert_eq!(text(&variables, name), Some("a,b,127.0.0.1"));
        }
        let variables = get(&[("ALL_PROXY", "p")], false);
        assert_eq!(text(&variables, "NO_PROXY"), Some("127.0.0.1"));
        let variables = get(&[("ALL_PROXY", "p"), ("NO_PROXY", "*")], false);
        assert_eq!(text(&variables, "no_proxy"), Some("*"));
    }
}
