//! Keys whose files should be gone and could not be removed: nothing of theirs may be found. Pure.

use std::collections::BTreeSet;

use super::layout::Prefix;

/// Keys remembered, some two megabytes: while the tier is off every upload dooms its key. Where there
/// are more, nothing is found until every file is gone.
const MOST: usize = 1 << 16;

/// The keys that must not be found until their files are gone.
#[derive(Debug, Default)]
pub(crate) struct Doomed {
    keys: BTreeSet<Prefix>,
    /// Keys that were too many to be remembered.
    beyond: u64,
}

// === impl Doomed ===

impl Doomed {
    /// Remembers a key; returns whether that made it too many.
    pub(crate) fn insert(&mut self, prefix: Prefix) -> bool {
        if self.beyond == 0 && (self.keys.len() < MOST || self.keys.contains(&prefix)) {
            self.keys.insert(prefix);
            return false;
        }
        self.beyond += 1;
        self.beyond == 1
    }

    /// Forgets a key whose files are gone; returns whether it may be found again.
    pub(crate) fn remove(&mut self, prefix: &Prefix) -> bool {
        self.keys.remove(prefix);
        self.beyond == 0
    }

    /// Whether a key must not be found. Where they were too many to be remembered, no key may.
    pub(crate) fn contains(&self, prefix: &Prefix) -> bool {
        self.beyond > 0 || self.keys.contains(prefix)
    }

    /// How many keys were too many to be remembered.
    pub(crate) fn beyond(&self) -> u64 {
        self.beyond
    }

    /// Forgets all keys: no file of any key is left that was there when `beyond` were too many.
    /// Returns whether that is so: another may have come since.
    pub(crate) fn clear(&mut self, beyond: u64) -> bool {
        let is_so = self.beyond == beyond;
        if is_so {
            *self = Self::default();
        }
        is_so
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
        assert!(!doomed.clear(1), "another came since");
        assert!(doomed.clear(2));
        assert!(!doomed.contains(&prefix(0)));
    }
}
