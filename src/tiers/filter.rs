//! Which entries an operator means. Pure.

use tokio::time::Duration;

use super::disk::{EntryName, longest_footer};
use crate::artifact::{ArtifactHash, Landed, Meta, form_decoded};

/// Which entries are meant: those that fit all that is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// With this hash.
    pub hash: Option<ArtifactHash>,
    /// Of this team, as it is written or as it was before it was encoded; those of none where it is empty.
    pub team: Option<String>,
    /// That landed so long ago, or longer.
    pub older_than: Option<Duration>,
    /// That landed less long ago.
    pub newer_than: Option<Duration>,
    /// With a body of so many bytes, or more.
    pub min_size: Option<u64>,
    /// With a body of so many bytes, or fewer.
    pub max_size: Option<u64>,
}

impl Filter {
    /// Whether every entry is meant.
    pub fn is_for_all(&self) -> bool {
        *self == Self::default()
    }

    /// Whether what lands from now on cannot be meant for a while.
    pub fn is_for_old_ones(&self) -> bool {
        self.older_than.is_some_and(|age| !age.is_zero())
    }

    /// Whether this one is meant.
    pub(super) fn takes(&self, meta: &Meta) -> bool {
        let label = &meta.label;
        let is_named = self.hash.as_ref().is_none_or(|hash| *hash == label.hash);
        let is_of_team = self.team.as_ref().is_none_or(|team| {
            let raw = label.team.as_deref().unwrap_or_default();
            team == raw || (!raw.is_empty() && team.as_bytes() == form_decoded(raw))
        });
        let is_large = self.min_size.is_none_or(|least| meta.size >= least);
        let is_small = self.max_size.is_none_or(|most| meta.size <= most);
        is_named && is_of_team && is_large && is_small && self.takes_age(meta.landed)
    }

    /// Whether an entry of this name can be meant: the name tells its age, and its size but for the footer.
    pub(super) fn may_take(&self, name: &EntryName) -> bool {
        let least_body = name.length.saturating_sub(longest_footer(name.length));
        let may_be_large = self.min_size.is_none_or(|least| name.length >= least);
        let may_be_small = self.max_size.is_none_or(|most| least_body <= most);
        may_be_large && may_be_small && self.takes_age(name.landed())
    }

    fn takes_age(&self, landed: Landed) -> bool {
        let age = landed.age();
        let is_old = self.older_than.is_none_or(|least| age >= least);
        let is_new = self.newer_than.is_none_or(|most| age < most);
        is_old && is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::{Fields, Label};

    fn meta(team: Option<&str>, size: u64, age: u64) -> Meta {
        Meta {
            label: Label {
                hash: ArtifactHash::parse("aa").unwrap(),
                team: team.map(str::to_owned),
                fields: Fields::default(),
                uploader: None,
            },
            size,
            landed: Landed::from_secs(Landed::now().as_secs() - age),
        }
    }

    #[track_caller]
    fn assert_takes(filter: &Filter, meta: &Meta, expected: bool) {
        assert_eq!(filter.takes(meta), expected, "{filter:?} {meta:?}");
    }

    #[test]
    fn all_that_is_said_must_fit() {
        let hash = |hash| Filter {
            hash: Some(ArtifactHash::parse(hash).unwrap()),
            min_size: Some(5),
            ..Filter::default()
        };
        assert_takes(&hash("aa"), &meta(None, 5, 0), true);
        assert_takes(&hash("AA"), &meta(None, 5, 0), false);
        assert_takes(&hash("aa"), &meta(None, 4, 0), false);
    }

    #[test]
    fn a_team_is_meant_as_it_is_written_and_as_it_reads() {
        let team = |team: &str| Filter {
            team: Some(team.to_owned()),
            ..Filter::default()
        };
        assert_takes(&team("a b"), &meta(Some("a%20b"), 1, 0), true);
        assert_takes(&team("a%20b"), &meta(Some("a%20b"), 1, 0), true);
        assert_takes(&team("a"), &meta(Some("a%20b"), 1, 0), false);
        assert_takes(&team(""), &meta(None, 1, 0), true);
        assert_takes(&team(""), &meta(Some("a"), 1, 0), false);
        assert_takes(&team("a"), &meta(None, 1, 0), false);
    }

    #[test]
    fn age_and_size_have_two_ends() {
        let ages = Filter {
            older_than: Some(Duration::from_secs(100)),
            newer_than: Some(Duration::from_secs(200)),
            ..Filter::default()
        };
        for (age, expected) in [(50, false), (150, true), (250, false)] {
            assert_takes(&ages, &meta(None, 1, age), expected);
        }
        let sizes = Filter {
            min_size: Some(10),
            max_size: Some(20),
            ..Filter::default()
        };
        for (size, expected) in [(9, false), (10, true), (20, true), (21, false)] {
            assert_takes(&sizes, &meta(None, size, 0), expected);
        }
    }

    #[test]
    fn a_name_rules_out_what_it_can_and_nothing_that_is_meant() {
        let name = |length: u64| {
            let text = format!("000102030405060708090a0b0c0d0e0f-0000010000000007-{length:x}-1-0");
            EntryName::parse(&text).unwrap()
        };
        let sizes = |min_size, max_size| Filter {
            min_size,
            max_size,
            ..Filter::default()
        };
        assert!(sizes(Some(1000), None).may_take(&name(1000)));
        assert!(!sizes(Some(1001), None).may_take(&name(1000)));
        assert!(
            sizes(None, Some(10)).may_take(&name(1000)),
            "most is footer"
        );
        assert!(!sizes(None, Some(10)).may_take(&name(1 << 20)));
        let young = Filter {
            newer_than: Some(Duration::from_secs(100)),
            ..Filter::default()
        };
        assert!(!young.may_take(&name(1000)), "it landed in 1970");
    }
}
