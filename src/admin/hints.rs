//! What the figures mean for whoever runs this, in plain words and with what to do about it. Pure.

use serde::Serialize;

use super::figures::exact;
use crate::metrics::DiskState;
use crate::upstream::Breakers;

/// A tier that holds so much of what it may is full: eviction keeps the disk tier just above.
const FULL: f64 = 0.9;
/// What is evicted before it is so old was still of use to somebody: builds of the day before are what a
/// morning begins with.
const DAY: u64 = 24 * 60 * 60;
/// Fewer artifacts that were not kept are nothing to act upon …
const FEW: u64 = 10;
/// … nor is a smaller part of all that might have been.
const SMALL_PART: f64 = 0.05;

/// A word to the operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Hint {
    /// What it is about, for programs; it stays.
    code: &'static str,
    /// What is so and what to do, for people.
    text: String,
}

/// What hints follow from.
#[derive(Clone, Debug, Default)]
pub(super) struct Situation<'a> {
    /// Requests so far.
    pub(super) requests: u64,
    /// What clients would be pointed at.
    pub(super) api: Option<&'a str>,
    /// Which requests the upstream is not asked for.
    pub(super) breakers: Breakers,
    /// The upstream refuses Larder's own credential.
    pub(super) credential_refused: bool,
    /// What the disk tier can do; nothing where it is turned off.
    pub(super) disk: Option<Disk>,
    /// Artifacts that came by and were not kept …
    pub(super) bypassed: u64,
    /// … and those that were.
    pub(super) kept: u64,
}

/// The disk tier.
#[derive(Clone, Copy, Debug)]
pub(super) struct Disk {
    pub(super) state: DiskState,
    pub(super) bytes: u64,
    pub(super) capacity: u64,
    /// The age of its oldest entry in seconds.
    pub(super) oldest: Option<u64>,
}

/// All that there is to say, the most urgent first.
pub(super) fn hints(situation: &Situation<'_>) -> Vec<Hint> {
    let said = [
        credential_refused(situation),
        left_alone(situation),
        disk_fails(situation),
        nobody_asked(situation),
        disk_too_small(situation),
        not_kept(situation),
        disk_off(situation),
    ];
    said.into_iter().flatten().collect()
}

fn credential_refused(situation: &Situation<'_>) -> Option<Hint> {
    let text = "the upstream refuses Larder's own credential: reads are misses and uploads are refused. \
                Put one that it takes into the file of upstream.token_file and send SIGHUP";
    hint(
        situation.credential_refused,
        "upstream-credential",
        text.to_owned(),
    )
}

fn left_alone(situation: &Situation<'_>) -> Option<Hint> {
    let Breakers {
        reads,
        uploads,
        others,
    } = situation.breakers;
    let kinds = [
        (reads, "reads"),
        (uploads, "uploads"),
        (others, "other requests"),
    ];
    let open: Vec<_> = kinds
        .iter()
        .filter(|(is_open, _)| *is_open)
        .map(|(_, kind)| *kind)
        .collect();
    let text = format!(
        "the upstream keeps failing and is left alone ({}), but for one request now and then; hits are still \
         served. See that it can be reached from here, and the log for what failed",
        open.join(", ")
    );
    hint(!open.is_empty(), "upstream-left-alone", text)
}

fn disk_fails(situation: &Situation<'_>) -> Option<Hint> {
    let does = match situation.disk?.state {
        DiskState::Working => return None,
        DiskState::ReadOnly => "stores nothing; what it has is still found",
        DiskState::Off => "is off after a fault, and nothing in it is found",
    };
    let text = format!(
        "the disk tier {does}. The log says which file call failed: it comes back by itself once data_dir can be \
         written to again"
    );
    hint(true, "disk-not-working", text)
}

fn nobody_asked(situation: &Situation<'_>) -> Option<Hint> {
    let text = match situation.api {
        Some(api) => format!(
            "nobody has asked for anything yet. Point turbo here: TURBO_API={api}, with TURBO_TOKEN and \
             TURBO_TEAM set too"
        ),
        None => "nobody has asked for anything yet, and there are unix sockets only: turbo needs a TCP address \
                 in server.listen, or something before the socket"
            .to_owned(),
    };
    hint(situation.requests == 0, "no-requests", text)
}

fn disk_too_small(situation: &Situation<'_>) -> Option<Hint> {
    let disk = situation.disk?;
    let is_full = exact(disk.bytes) >= FULL * exact(disk.capacity);
    let age = disk.oldest.filter(|age| is_full && *age < DAY)?;
    let text = format!(
        "the disk tier is full and its oldest artifact landed {} ago: what is built today leaves before anybody \
         asks for it tomorrow. Give it more with tier.disk.capacity",
        rough(age)
    );
    hint(true, "disk-too-small", text)
}

fn not_kept(situation: &Situation<'_>) -> Option<Hint> {
    let (bypassed, all) = (
        situation.bypassed,
        situation.bypassed.saturating_add(situation.kept),
    );
    let text = format!(
        "{bypassed} of {all} artifacts were passed on without being kept. The access lines say why: for too-large \
         raise tier.disk.max_artifact, for no-room tier.disk.capacity or lower tier.disk.min_free"
    );
    let is_much = bypassed >= FEW && exact(bypassed) >= SMALL_PART * exact(all);
    hint(is_much, "many-not-kept", text)
}

fn disk_off(situation: &Situation<'_>) -> Option<Hint> {
    let text = "the disk tier is turned off: nothing outlasts a restart, and large artifacts are not kept. Give it \
                room with tier.disk.capacity";
    hint(situation.disk.is_none(), "disk-off", text.to_owned())
}

fn hint(is_so: bool, code: &'static str, text: String) -> Option<Hint> {
    is_so.then_some(Hint { code, text })
}

/// A span below a day as people say it.
fn rough(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60) {
        (0, 0) => "less than a minute".to_owned(),
        (0, 1) => "a minute".to_owned(),
        (0, minutes) => format!("{minutes} minutes"),
        (1, _) => "an hour".to_owned(),
        (hours, _) => format!("{hours} hours"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DISK: Disk = Disk {
        state: DiskState::Working,
        bytes: 10,
        capacity: 100,
        oldest: Some(60),
    };

    fn well() -> Situation<'static> {
        Situation {
            requests: 1,
            api: Some("http://cache:8585"),
            disk: Some(DISK),
            ..Situation::default()
        }
    }

    #[track_caller]
    fn says(situation: &Situation<'_>, code: &str, words: &str) {
        let said = hints(situation);
        let [hint] = said.as_slice() else {
            panic!("{said:?}")
        };
        assert_eq!(hint.code, code);
        assert!(hint.text.contains(words), "{}", hint.text);
    }

    #[test]
    fn where_all_is_well_there_is_nothing_to_say() {
        assert_eq!(hints(&well()), []);
    }

    #[test]
    fn a_full_disk_that_forgets_within_a_day_is_too_small() {
        let full = |oldest| Situation {
            disk: Some(Disk {
                bytes: 94,
                oldest,
                ..DISK
            }),
            ..well()
        };
        says(&full(Some(7200)), "disk-too-small", "tier.disk.capacity");
        for (age, words) in [
            (7200, "landed 2 hours ago"),
            (3600, "landed an hour ago"),
            (150, "landed 2 minutes ago"),
            (60, "landed a minute ago"),
            (0, "landed less than a minute ago"),
        ] {
            says(&full(Some(age)), "disk-too-small", words);
        }
        // The process may be minutes old, and know of no yesterday.
        assert!(!hints(&full(Some(0)))[0].text.contains("yesterday"));
        assert_eq!(hints(&full(Some(DAY))), []);
        assert_eq!(hints(&full(None)), []);
    }

    #[test]
    fn whom_nobody_asked_is_told_how_to_be_asked() {
        let silent = Situation {
            requests: 0,
            ..well()
        };
        says(&silent, "no-requests", "TURBO_API=http://cache:8585");
        let hidden = Situation {
            api: None,
            ..silent
        };
        says(&hidden, "no-requests", "server.listen");
    }

    #[test]
    fn an_upstream_that_is_left_alone_is_named_with_what_it_is_left_alone_by() {
        let open = Situation {
            breakers: Breakers {
                reads: true,
                others: true,
                ..Breakers::default()
            },
            ..well()
        };
        says(&open, "upstream-left-alone", "(reads, other requests)");
        let refused = Situation {
            credential_refused: true,
            ..well()
        };
        says(&refused, "upstream-credential", "upstream.token_file");
    }

    #[test]
    fn a_disk_that_fails_is_another_thing_than_one_that_is_turned_off() {
        for (state, words) in [
            (DiskState::Off, "is off after a fault"),
            (DiskState::ReadOnly, "stores nothing"),
        ] {
            let sick = Situation {
                disk: Some(Disk { state, ..DISK }),
                ..well()
            };
            says(&sick, "disk-not-working", words);
        }
        let without = Situation {
            disk: None,
            ..well()
        };
        says(&without, "disk-off", "tier.disk.capacity");
    }

    #[test]
    fn many_artifacts_that_are_not_kept_are_told_and_a_few_are_not() {
        let bypassed = |bypassed, kept| Situation {
            bypassed,
            kept,
            ..well()
        };
        says(&bypassed(10, 90), "many-not-kept", "tier.disk.max_artifact");
        assert_eq!(hints(&bypassed(9, 0)), []);
        assert_eq!(hints(&bypassed(10, 1000)), []);
    }
}
