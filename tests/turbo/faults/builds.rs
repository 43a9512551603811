//! The real client builds through Larder while the upstream is bad, for each row of the table: no build
//! fails, no client stops asking, and what Larder holds is a hit.

use parking_lot::Mutex;

use super::{CLASSES, Class, Fault, Front, Hits};
use crate::client::{Client, Signing, Version};
use crate::larder::Home;
use crate::monorepo::{Monorepo, TASKS};
use crate::origin::Origin;
use crate::{SLUG, assert_all_remote, assert_same, remote};

/// Faults are mostly waits, so several are played at once.
const AT_ONCE: usize = 4;

#[test]
fn a_cold_build_of_2_11_goes_on_whatever_is_wrong_upstream() {
    cold(Version::V2_11);
}

#[test]
fn a_cold_build_of_2_0_goes_on_whatever_is_wrong_upstream() {
    cold(Version::V2_0);
}

#[test]
fn what_is_held_is_a_hit_of_2_11_whatever_is_wrong_upstream() {
    held(Version::V2_11);
}

#[test]
fn what_is_held_is_a_hit_of_2_0_whatever_is_wrong_upstream() {
    held(Version::V2_0);
}

/// Nothing rests in Larder; upstream rests all of it where the fault is not in the uploads.
fn cold(version: Version) {
    let Some(client) = Client::get(version) else {
        return;
    };
    let origin = Origin::start();
    client.build(
        &Monorepo::new(version, Signing::Off),
        &remote(&origin.url(), SLUG),
    );
    for_each_class(|class| build_cold(&client, version, class, &origin));
}

fn build_cold(client: &Client, version: Version, class: Class, full: &Origin) {
    let empty = Origin::start();
    let uploads = class.hits == Hits::Uploads;
    let origin = if uploads { &empty } else { full };
    let mut front = Front::before(origin.address());
    front.turn(class);
    let home = Home::new(&front.url(class.fault));
    let larder = home.start();
    let monorepo = Monorepo::new(version, Signing::Off);

    let run = client.run(&monorepo, Some(&remote(&larder.api, SLUG)), &[]);

    let said = format!("{}: {}\n{}", class.name, run.status, run.transcript);
    assert!(run.status.success(), "{said}");
    assert_eq!(larder.requests("get", ""), TASKS, "reads go on: {said}");
    if uploads {
        let tried = larder.requests("put", "");
        // Whom the upstream itself forbids to write, 2.11 does not let try again.
        if class.fault == Fault::Status(403) {
            assert!((1..=TASKS).contains(&tried), "{said}");
        } else {
            assert_eq!(tried, TASKS, "uploads go on: {said}");
        }
        assert_eq!(larder.requests("put", "stored"), 0, "{said}");
    }
    // What only comes late may come, and so may the little that drips in while it is waited for.
    if !matches!(class.fault, Fault::Late | Fault::Drip) {
        assert_eq!(run.remote_hits, 0, "{said}");
    }
}

/// All of it rests in Larder, which has heard that the client may read.
fn held(version: Version) {
    let Some(client) = Client::get(version) else {
        return;
    };
    for_each_class(|class| build_held(&client, version, class));
}

fn build_held(client: &Client, version: Version, class: Class) {
    let origin = Origin::start();
    let mut front = Front::before(origin.address());
    let (url, cure) = (front.url(class.fault), front.cure(class.fault));
    let home = Home::with(&url, &cure);
    home.put("authority.pem", front.certificate());
    let mut larder = home.start();
    let monorepo = Monorepo::new(version, Signing::Off);
    client.build(&monorepo, &remote(&larder.api, SLUG));
    let built = monorepo.outputs();
    monorepo.forget_builds();
    assert_all_remote(&client.build(&monorepo, &remote(&larder.api, SLUG)));

    front.turn(class);
    if !cure.is_empty() {
        assert!(larder.stop().success(), "{}", class.name);
        home.configure(&url, "");
        larder = home.start();
    }
    monorepo.forget_builds();
    let run = client.build(&monorepo, &remote(&larder.api, SLUG));

    let said = format!("{}\n{}", class.name, run.transcript);
    assert_eq!(run.remote_hits, TASKS, "{said}");
    assert_same(&built, &monorepo.outputs());
}

fn for_each_class(test: impl Fn(Class) + Sync) {
    let classes = Mutex::new(CLASSES.iter());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let next = classes.lock().next().copied();
                    let Some(class) = next else { return };
                    test(class);
                }
            });
        }
    });
}
