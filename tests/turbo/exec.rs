//! The real client beside a Larder of its own: `larder exec -- turbo run build`.

use crate::client::{Client, Run, Signing, Version};
use crate::larder::Home;
use crate::monorepo::{Monorepo, TASKS};
use crate::origin::Origin;
use crate::{SLUG, assert_all_remote, assert_same, remote};

/// What the summary says behind a row's name.
fn row<'a>(run: &'a Run, name: &str) -> &'a str {
    let prefix = format!("larder: {name} ");
    let mut lines = run.transcript.lines();
    let found = lines.find_map(|line| line.strip_prefix(&prefix));
    found
        .unwrap_or_else(|| panic!("no {name}:\n{}", run.transcript))
        .trim()
}

#[test]
fn a_cold_build_of_2_11_is_uploaded_and_a_warm_one_comes_from_what_the_last_run_left() {
    beside(Version::V2_11);
}

#[test]
fn a_cold_build_of_2_0_is_uploaded_and_a_warm_one_comes_from_what_the_last_run_left() {
    beside(Version::V2_0);
}

#[test]
fn a_cold_build_of_1_10_is_uploaded_and_a_warm_one_comes_from_what_the_last_run_left() {
    beside(Version::V1_10);
}

fn beside(version: Version) {
    let Some(client) = Client::get(version) else {
        return;
    };
    let origin = Origin::start();
    let home = Home::new(&origin.url());
    let monorepo = Monorepo::new(version, Signing::Off);
    let url = origin.url();
    let remote = remote(&url, SLUG);

    let cold = client.build_beside(&monorepo, &home, Some(&remote));
    assert_eq!(cold.remote_hits, 0, "{}", cold.transcript);
    let reads = format!("0 of {TASKS} reads");
    assert!(
        row(&cold, "hits").starts_with(&reads),
        "{}",
        cold.transcript
    );
    assert_eq!(row(&cold, "uploads"), format!("{TASKS} stored"));
    assert_eq!(origin.take().puts, TASKS);

    let built = monorepo.outputs();
    monorepo.forget_builds();
    let warm = client.build_beside(&monorepo, &home, Some(&remote));
    assert_all_remote(&warm);
    assert_same(&built, &monorepo.outputs());
    let reads = format!("{TASKS} of {TASKS} reads");
    assert!(
        row(&warm, "hits").starts_with(&reads),
        "{}",
        warm.transcript
    );
    assert_ne!(row(&warm, "not fetched"), "0 B");
    assert_eq!(origin.take().gets, 0);
}

#[test]
fn nobody_needs_an_account_where_it_stands_alone() {
    let Some(client) = Client::get(Version::V2_11) else {
        return;
    };
    let home = Home::new("none");
    let monorepo = Monorepo::new(Version::V2_11, Signing::Off);

    let cold = client.build_beside(&monorepo, &home, None);
    assert_eq!(row(&cold, "uploads"), format!("{TASKS} stored"));
    monorepo.forget_builds();
    assert_all_remote(&client.build_beside(&monorepo, &home, None));
}
