//! For whom a hold is, what heals it, and what is left of it over a restart.

use super::*;
use crate::artifact::{OriginId, Scope};
use crate::caller::CallerDigest;

fn hash(text: &str) -> ArtifactHash {
    ArtifactHash::parse(text).unwrap()
}

fn key(name: &str, query: &str) -> ArtifactKey {
    by(1, name, query)
}

fn by(caller: u8, name: &str, query: &str) -> ArtifactKey {
    let scope = Scope::new(query, CallerDigest::from_bytes([caller; 32]));
    ArtifactKey::new(&OriginId::new("none"), scope, hash(name))
}

fn holding(team: Option<&str>) -> Holds {
    let holds = Holds::new();
    holds.hold(hash("aa"), team.map(str::to_owned)).unwrap();
    holds
}

#[test]
fn a_hold_is_for_its_hash_and_its_team_however_that_is_spelled() {
    let holds = holding(Some("acme"));
    for query in [
        "slug=acme",
        "teamId=acme",
        "slug=ac%6De",
        "slug=ACME",
        "slug=acme&x=1",
        "teamId=team_1&slug=acme",
    ] {
        assert!(holds.cover(&key("aa", query)), "{query}");
    }
    for query in ["slug=other", "", "slug=", "team=acme"] {
        assert!(!holds.cover(&key("aa", query)), "{query}");
    }
    assert!(!holds.cover(&key("bb", "slug=acme")));
    let of_all = holding(None);
    for query in ["slug=acme", "slug=other", ""] {
        assert!(of_all.cover(&key("aa", query)), "{query}");
    }
}

#[test]
fn an_upload_heals_the_scope_that_it_was_for() {
    let holds = holding(None);
    let acme = key("aa", "slug=acme");
    holds.heal(&acme, holds.mark());
    assert!(!holds.cover(&acme));
    assert!(holds.cover(&key("aa", "slug=other")));
    assert_eq!(holds.list().len(), 1);
    // Without a team everybody has artifacts of their own.
    holds.heal(&by(1, "aa", ""), holds.mark());
    assert!(!holds.cover(&by(1, "aa", "")));
    assert!(holds.cover(&by(2, "aa", "")));
}

#[test]
fn an_upload_of_the_held_team_heals_no_other_way_of_naming_it() {
    let holds = holding(Some("acme"));
    let healed = || holds.list().first().map(|held| held.healed);
    let acme = key("aa", "slug=acme");
    for _ in 0..2 {
        holds.heal(&acme, holds.mark());
        assert!(!holds.cover(&acme));
        assert_eq!(healed(), Some(1));
    }
    for query in ["teamId=acme", "slug=ACME", "slug=acme&x=1"] {
        assert!(holds.cover(&key("aa", query)), "{query}");
    }
    holds.heal(&key("aa", "teamId=acme"), holds.mark());
    assert_eq!(healed(), Some(2));
    assert!(holds.release(&hash("aa"), Some("acme")));
    assert_eq!(holds.list(), []);
}

#[test]
fn an_upload_that_began_before_the_hold_heals_nothing() {
    let holds = Holds::new();
    let begun = holds.mark();
    holds.hold(hash("aa"), None).unwrap();
    let acme = key("aa", "slug=acme");
    holds.heal(&acme, begun);
    assert!(holds.cover(&acme));
    let begun = holds.mark();
    holds.heal(&acme, begun);
    assert!(!holds.cover(&acme));
    holds.hold(hash("aa"), None).unwrap();
    assert!(holds.cover(&acme), "held anew");
    holds.heal(&acme, begun);
    assert!(holds.cover(&acme), "by what began before that");
}

#[test]
fn what_is_held_twice_is_held_once_and_released_as_it_was_held() {
    let holds = holding(Some("acme"));
    holds.hold(hash("aa"), Some("acme".to_owned())).unwrap();
    holds.hold(hash("aa"), None).unwrap();
    assert_eq!(holds.list().len(), 2);
    assert!(!holds.release(&hash("aa"), Some("other")));
    assert!(holds.release(&hash("aa"), None));
    assert!(holds.cover(&key("aa", "slug=acme")));
    assert!(holds.release(&hash("aa"), Some("acme")));
    assert!(!holds.release(&hash("aa"), Some("acme")));
    assert!(!holds.cover(&key("aa", "slug=acme")));
}

#[test]
fn holds_and_what_each_remembers_are_bounded() {
    let holds = Holds::new();
    for number in 0..MOST_HOLDS {
        holds.hold(hash(&format!("h{number}")), None).unwrap();
    }
    assert_eq!(holds.hold(hash("aa"), None), Err(NotHeld::TooMany));
    assert!(holds.hold(hash("h7"), None).is_ok(), "it is there already");
    let long = Some("t".repeat(LONGEST_TEAM + 1));
    for team in [Some(String::new()), long] {
        assert_eq!(holds.hold(hash("h7"), team), Err(NotHeld::Team));
    }
    for number in 0..100 {
        let one = key("h7", &format!("slug=team{number}"));
        holds.heal(&one, holds.mark());
        assert!(!holds.cover(&one));
    }
    assert!(
        holds.cover(&key("h7", "slug=team0")),
        "forgotten, so held again"
    );
}

#[test]
fn a_restart_knows_what_was_held_and_what_was_healed() {
    let holds = holding(None);
    let healed = key("aa", "slug=acme");
    holds.heal(&healed, holds.mark());
    holds
        .hold(hash("bb"), Some("a \"b\"\n".to_owned()))
        .unwrap();
    let again = Holds::from_bytes(&holds.to_bytes()).unwrap();
    assert_eq!(again.list(), holds.list());
    assert!(!again.cover(&healed));
    assert!(again.cover(&key("aa", "slug=other")));
    let begun = again.mark();
    again.heal(&key("aa", "slug=other"), begun);
    assert!(!again.cover(&key("aa", "slug=other")));
}

#[test]
fn what_is_damaged_anywhere_is_no_list() {
    let holds = holding(Some("acme"));
    holds.heal(&key("aa", "teamId=team_1&slug=acme"), holds.mark());
    let bytes = holds.to_bytes();
    for place in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[place] ^= 1;
        assert!(Holds::from_bytes(&flipped).is_err(), "{place}");
        assert!(Holds::from_bytes(&bytes[..place]).is_err(), "{place}");
    }
    assert_eq!(
        Holds::from_bytes(&Holds::new().to_bytes()).unwrap().list(),
        []
    );
}
