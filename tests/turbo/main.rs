//! The main job, by the real client: build, forget everything, build again out of the cache.
//!
//! `turbo` comes from npm in the versions that speak the protocol differently. Where npm or its
//! registry is missing the tests say so on standard error and pass; with `CI` set they fail.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "the helpers of a test may fail loudly"
)]

mod client;
mod exec;
mod faults;
mod install;
mod larder;
mod monorepo;
#[path = "../it/support/openssl.rs"]
mod openssl;
mod origin;
mod outages;
mod packages;
mod rights;
mod secured;

use client::{Client, Remote, Run, SIGNATURE_KEY, Signing, Team, Version};
use larder::Home;
use monorepo::{Monorepo, Outputs, TASKS};
use origin::{Origin, TOKEN, Tally};

const SLUG: Team = Team::Slug("acme");
const ID: Team = Team::Id("team_acme");

// The client alone with the origin: what the other tests rely on.

#[test]
fn fixture_is_cacheable_by_2_11() {
    directly(Version::V2_11, Signing::Off);
    directly(Version::V2_11, Signing::On);
}

#[test]
fn fixture_is_cacheable_by_2_0() {
    directly(Version::V2_0, Signing::Off);
    directly(Version::V2_0, Signing::On);
}

#[test]
fn fixture_is_cacheable_by_1_10() {
    directly(Version::V1_10, Signing::Off);
    directly(Version::V1_10, Signing::On);
}

#[test]
fn client_asks_by_options_when_told_to() {
    let Some(client) = Client::get(Version::V2_11) else {
        return;
    };
    let origin = Origin::start();
    let monorepo = Monorepo::new(Version::V2_11, Signing::Off);
    let url = origin.url();
    let remote = Remote {
        preflight: true,
        ..remote(&url, SLUG)
    };

    let builds = Builds::run(&client, &monorepo, &remote, || origin.take());

    builds.assert_warm_is_remote();
    assert!(
        builds.warm_tally.preflights >= TASKS,
        "{:?}",
        builds.warm_tally
    );
}

// The same with Larder between them.

#[test]
fn warm_build_of_2_11_leaves_the_origin_alone() {
    through_larder(Version::V2_11, Signing::Off, SLUG);
}

#[test]
fn warm_signed_build_of_2_11_leaves_the_origin_alone() {
    through_larder(Version::V2_11, Signing::On, ID);
}

#[test]
fn warm_build_of_2_0_leaves_the_origin_alone() {
    through_larder(Version::V2_0, Signing::Off, ID);
}

#[test]
fn warm_signed_build_of_2_0_leaves_the_origin_alone() {
    through_larder(Version::V2_0, Signing::On, SLUG);
}

#[test]
fn warm_build_of_1_10_leaves_the_origin_alone() {
    through_larder(Version::V1_10, Signing::Off, SLUG);
}

#[test]
fn warm_signed_build_of_1_10_leaves_the_origin_alone() {
    through_larder(Version::V1_10, Signing::On, ID);
}

// The same where the key is not the one that Larder was given.

#[test]
fn what_2_11_signs_with_another_key_is_stored_nowhere_and_fails_no_build() {
    with_another_key(Version::V2_11, ID);
}

#[test]
fn what_2_0_signs_with_another_key_is_stored_nowhere_and_fails_no_build() {
    with_another_key(Version::V2_0, SLUG);
}

#[test]
fn what_1_10_signs_with_another_key_is_stored_nowhere_and_fails_no_build() {
    with_another_key(Version::V1_10, ID);
}

#[test]
fn preflight_is_answered_before_the_origin() {
    let Some(client) = Client::get(Version::V2_11) else {
        return;
    };
    let origin = Origin::start();
    let home = Home::new(&origin.url());
    let larder = home.start();
    let monorepo = Monorepo::new(Version::V2_11, Signing::Off);
    let remote = Remote {
        preflight: true,
        ..remote(&larder.api, SLUG)
    };

    let builds = Builds::run(&client, &monorepo, &remote, || origin.take());

    builds.assert_warm_is_remote();
    assert_eq!(
        (builds.cold_tally.preflights, builds.warm_tally.preflights),
        (0, 0)
    );
    assert_eq!((builds.warm_tally.gets, builds.warm_tally.refused), (0, 0));
}

#[test]
fn restart_keeps_what_was_built() {
    let Some(client) = Client::get(Version::V2_11) else {
        return;
    };
    let origin = Origin::start();
    let home = Home::new(&origin.url());
    let monorepo = Monorepo::new(Version::V2_11, Signing::Off);

    let larder = home.start();
    client.build(&monorepo, &remote(&larder.api, SLUG));
    let built = monorepo.outputs();
    assert!(larder.stop().success(), "a stop on SIGTERM is no failure");
    origin.take();

    monorepo.forget_builds();
    let larder = home.start();
    let warm = client.build(&monorepo, &remote(&larder.api, SLUG));

    assert_all_remote(&warm);
    assert_same(&built, &monorepo.outputs());
    assert_eq!(origin.take().gets, 0);
    assert_eq!(larder.hits(), TASKS);
}

#[test]
fn alone_it_is_the_cache() {
    let Some(client) = Client::get(Version::V2_11) else {
        return;
    };
    let home = Home::new("none");
    let larder = home.start();
    let monorepo = Monorepo::new(Version::V2_11, Signing::Off);

    let builds = Builds::run(
        &client,
        &monorepo,
        &remote(&larder.api, SLUG),
        Tally::default,
    );

    builds.assert_warm_is_remote();
    assert_eq!(larder.hits(), TASKS);
}

/// A cold build, then the same from nothing but the remote cache.
struct Builds {
    cold: Run,
    cold_tally: Tally,
    built: Outputs,
    warm: Run,
    warm_tally: Tally,
    restored: Outputs,
}

// === impl Builds ===

impl Builds {
    fn run(
        client: &Client,
        monorepo: &Monorepo,
        remote: &Remote<'_>,
        tally: impl Fn() -> Tally,
    ) -> Self {
        let cold = client.build(monorepo, remote);
        let cold_tally = tally();
        let built = monorepo.outputs();
        monorepo.forget_builds();
        let warm = client.build(monorepo, remote);
        Self {
            cold,
            cold_tally,
            built,
            warm,
            warm_tally: tally(),
            restored: monorepo.outputs(),
        }
    }

    fn assert_warm_is_remote(&self) {
        assert_eq!(self.cold.cached, format!("0 cached, {TASKS} total"));
        assert_eq!(self.cold.remote_hits, 0);
        assert_all_remote(&self.warm);
        assert_same(&self.built, &self.restored);
    }
}

fn assert_all_remote(run: &Run) {
    assert_eq!(run.remote_hits, TASKS, "{}", run.transcript);
    assert_eq!(run.cached, format!("{TASKS} cached, {TASKS} total"));
    assert!(run.full_turbo, "{}", run.transcript);
}

/// Every build is random: equal bytes were not built again.
fn assert_same(built: &Outputs, restored: &Outputs) {
    let differ = built
        .iter()
        .find(|(path, bytes)| restored.get(*path) != Some(bytes));
    assert_eq!(differ.map(|(path, _)| path), None);
    assert_eq!(built.len(), restored.len());
}

fn remote(api: &str, team: Team) -> Remote<'_> {
    Remote {
        api,
        token: TOKEN,
        team,
        signature_key: SIGNATURE_KEY,
        preflight: false,
    }
}

fn directly(version: Version, signing: Signing) {
    let Some(client) = Client::get(version) else {
        return;
    };
    let origin = Origin::start();
    let monorepo = Monorepo::new(version, signing);
    let chunked_puts = match version {
        Version::V2_0 => TASKS,
        Version::V1_10 | Version::V2_11 => 0,
    };

    let builds = Builds::run(&client, &monorepo, &remote(&origin.url(), SLUG), || {
        origin.take()
    });

    builds.assert_warm_is_remote();
    let cold = Tally {
        gets: TASKS,
        puts: TASKS,
        chunked_puts,
        ..Tally::default()
    };
    let warm = Tally {
        gets: TASKS,
        ..Tally::default()
    };
    assert_eq!((builds.cold_tally, builds.warm_tally), (cold, warm));
}

fn without_heads(tally: Tally) -> Tally {
    Tally { heads: 0, ..tally }
}

fn through_larder(version: Version, signing: Signing, team: Team) {
    let Some(client) = Client::get(version) else {
        return;
    };
    let origin = Origin::start();
    let home = match signing {
        Signing::On => Home::signed(&origin.url(), SIGNATURE_KEY),
        Signing::Off => Home::new(&origin.url()),
    };
    let larder = home.start();
    let monorepo = Monorepo::new(version, signing);

    let builds = Builds::run(&client, &monorepo, &remote(&larder.api, team), || {
        origin.take()
    });

    builds.assert_warm_is_remote();
    // However the client frames its uploads, the origin is told their length.
    let cold = Tally {
        gets: TASKS,
        puts: TASKS,
        ..Tally::default()
    };
    // Uploads prove the right to write; the right to read is asked for once, while nobody waits.
    let asked = builds.cold_tally.heads + builds.warm_tally.heads;
    assert_eq!(asked, 1, "questions for one right");
    assert_eq!(without_heads(builds.cold_tally), cold);
    assert_eq!(without_heads(builds.warm_tally), Tally::default());
    assert_eq!(larder.hits(), TASKS);
}

/// Two builds that are refused every upload: neither fails, nor stops asking for what it may read.
fn with_another_key(version: Version, team: Team) {
    let Some(client) = Client::get(version) else {
        return;
    };
    let origin = Origin::start();
    let home = Home::signed(&origin.url(), SIGNATURE_KEY);
    let larder = home.start();
    let monorepo = Monorepo::new(version, Signing::On);
    let stranger = Remote {
        signature_key: "another key of more than thirty-two bytes",
        ..remote(&larder.api, team)
    };

    for refused in [TASKS, 2 * TASKS] {
        let build = client.build(&monorepo, &stranger);
        assert_eq!(build.remote_hits, 0, "{}", build.transcript);
        assert_eq!(larder.refused_signatures(), refused, "{}", build.transcript);
        let asked = Tally {
            gets: TASKS,
            ..Tally::default()
        };
        assert_eq!(origin.take(), asked, "{}", build.transcript);
        assert_eq!(larder.entries(), 0);
        monorepo.forget_builds();
    }

    // Whoever has the key is not disturbed.
    let builds = Builds::run(
        &client,
        &monorepo,
        &remote(&larder.api, team),
        Tally::default,
    );
    builds.assert_warm_is_remote();
    assert_eq!(larder.hits(), TASKS);
}
