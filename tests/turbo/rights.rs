//! Tokens that Larder keeps a list of: what the real client makes of what they may and may not do.

use crate::client::{Client, Remote, Signing, Version};
use crate::larder::Home;
use crate::monorepo::{Monorepo, TASKS};
use crate::origin::{Origin, TOKEN};
use crate::{Builds, SLUG, assert_all_remote, remote, without_heads};

const TOKENS: &str = r#"
access.mode = "tokens"
access.tokens = [
    { name = "main", token = "writes", teams = ["acme"] },
    { name = "pull requests", token = "reads", teams = ["acme"], rights = "read" },
    { name = "others", token = "elsewhere", teams = ["other"] },
]
"#;

/// Tasks whose hash changes with the package `icons`: all but `core`.
const CHANGED: usize = TASKS - 1;

#[test]
fn a_token_that_only_reads_goes_on_reading_after_a_refused_upload_of_2_11() {
    let puts = reads_only(Version::V2_11);
    assert!((1..=CHANGED).contains(&puts), "{puts}");
}

#[test]
fn a_token_that_only_reads_goes_on_reading_after_a_refused_upload_of_2_0() {
    assert_eq!(reads_only(Version::V2_0), CHANGED);
}

#[test]
fn a_token_that_only_reads_goes_on_reading_after_a_refused_upload_of_1_10() {
    assert_eq!(reads_only(Version::V1_10), CHANGED);
}

/// Builds with a token that only reads, first what is there, then what nobody has built; returns how
/// many uploads were tried, of which none may leave anything.
fn reads_only(version: Version) -> usize {
    let Some(client) = Client::get(version) else {
        return CHANGED;
    };
    let home = Home::with("none", TOKENS);
    let larder = home.start();
    let monorepo = Monorepo::new(version, Signing::Off);
    let with = |token| Remote {
        token,
        ..remote(&larder.api, SLUG)
    };
    client.build(&monorepo, &with("writes"));
    assert_eq!(larder.requests("put", "stored"), TASKS);

    monorepo.forget_builds();
    assert_all_remote(&client.build(&monorepo, &with("reads")));
    assert_eq!(
        larder.requests("put", ""),
        TASKS,
        "nothing was left to upload"
    );

    monorepo.change_icons();
    monorepo.forget_builds();
    let before = larder.requests("get", "");
    let changed = client.build(&monorepo, &with("reads"));
    assert_eq!(changed.remote_hits, 1, "{}", changed.transcript);
    let asked = larder.requests("get", "") - before;
    assert_eq!(asked, TASKS, "reads go on: {}", changed.transcript);
    assert_eq!(larder.requests("put", "stored"), TASKS);
    larder.requests("put", "denied")
}

#[test]
fn a_token_of_another_team_costs_the_cache_and_not_the_build() {
    for version in [Version::V2_11, Version::V2_0, Version::V1_10] {
        let Some(client) = Client::get(version) else {
            return;
        };
        let home = Home::with("none", TOKENS);
        let larder = home.start();
        let monorepo = Monorepo::new(version, Signing::Off);
        let run = client.build(
            &monorepo,
            &Remote {
                token: "elsewhere",
                ..remote(&larder.api, SLUG)
            },
        );
        assert_eq!(run.cached, format!("0 cached, {TASKS} total"));
        assert_eq!(larder.requests("put", "stored"), 0);
    }
}

#[test]
fn a_credential_of_larders_own_spares_everybody_an_account_upstream() {
    let Some(client) = Client::get(Version::V2_11) else {
        return;
    };
    let origin = Origin::start();
    let further = format!("upstream.token_file = \"{{folder}}/own\"\n{TOKENS}");
    let home = Home::with(&origin.url(), &further);
    home.put("own", TOKEN);
    let larder = home.start();
    let monorepo = Monorepo::new(Version::V2_11, Signing::Off);
    let here = Remote {
        token: "writes",
        ..remote(&larder.api, SLUG)
    };

    let builds = Builds::run(&client, &monorepo, &here, || origin.take());

    builds.assert_warm_is_remote();
    assert_eq!(builds.cold_tally.puts, TASKS);
    assert_eq!(without_heads(builds.warm_tally), crate::Tally::default());
    assert_eq!(
        (builds.cold_tally.refused, builds.warm_tally.refused),
        (0, 0)
    );
    assert_eq!(larder.hits(), TASKS);
}
