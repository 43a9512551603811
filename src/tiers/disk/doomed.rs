//! Keys whose files should be gone and could not be removed: nothing of theirs may be found. Pure.

use std::collections::BTreeSet;

use super::layout::Prefix;

/// Keys remembered; a disk that leaves more behind is not read any more.
const MOST: usize = 1024;

/// The keys that must not be found until their files are gone.
#[derive(Debug, Default)]
pub(crate) struct Doomed {
    keys: BTreeSet<Prefix>,
    are_too_many: bool,
}

// === impl Doomed ===

impl Doomed {
    /// Remembers a key; returns whether that made it too many.
    pub(crate) fn insert(&mut self, prefix: Prefix) -> bool {
        if self.keys.contains(&prefix) {
            return false;
        }
        if self.keys.len() < MOST {
            self.keys.insert(prefix);
            return false;
        }
        !std::mem::replace(&mut self.are_too_many, true)
    }

    /// Forgets a key whose files are gone; returns whether it may be found again.
    pub(crate) fn remove(&mut self, prefix: &Prefix) -> bool {
        self.keys.remove(prefix);
        !self.are_too_many
    }

    /// Whether a key must not be found. Where they were too many to be remembered, no key may.
    pub(crate) fn contains(&self, prefix: &Prefix) -> bool {
        self.are_too_many || self.keys.contains(prefix)
    }

    /// The keys that are remembered.
    pub(crate) fn keys(&self) -> Vec<Prefix> {
        self.keys.iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::KeyDigest;

    fn prefix(number: usize) -> Prefix {
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&number.to_le_bytes());
        Prefix::of(&KeyDigest::from_bytes(digest))
    }

    #[test]
    fn a_key_is_doomed_until_its_files_are_gone() {
        let mut doomed = Doomed::default();
        assert!(!doomed.insert(prefix(1)));
        assert!(doomed.contains(&prefix(1)) && !doomed.contains(&prefix(2)));
        assert!(doomed.remove(&prefix(1)));
        assert!(!doomed.contains(&prefix(1)));
    }

    #[test]
    fn where_too_many_are_doomed_no_key_is_found_any_more() {
        let mut doomed = Doomed::default();
        for number in 0..MOST {
            assert!(!doomed.insert(prefix(number)));
        }
        assert!(!doomed.contains(&prefix(MOST)));
        assert!(doomed.insert(prefix(MOST)), "said once");
        assert!(!doomed.insert(prefix(MOST + 1)));
        assert!(!doomed.remove(&prefix(0)));
        assert!(
            doomed.contains(&prefix(0)),
            "who knows whose files are left"
        );
    }
}
