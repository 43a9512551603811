//! A file that was written and not synced: what of it may be on the disk. Pure.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, OnceLock};

use super::image::{Content, PAGE, overlay};

/// Combinations of a file's pages under one length; where there are more, most pages are alike.
const MOST_COMBINED: usize = 4096;

/// What each page of a file held at some time, and how long the file was.
#[derive(Clone, Debug)]
pub(super) struct Pages {
    lengths: BTreeSet<usize>,
    /// Oldest first.
    was: Vec<Vec<Vec<u8>>>,
    now: Vec<u8>,
    all: OnceLock<Vec<Arc<Content>>>,
    plain: OnceLock<Vec<Arc<Content>>>,
}

// === impl Pages ===

impl Pages {
    /// A file that is on the disk as it is.
    pub(super) fn durable(bytes: &[u8]) -> Self {
        Self {
            lengths: BTreeSet::from([bytes.len()]),
            was: bytes.chunks(PAGE).map(|page| vec![full(page)]).collect(),
            now: bytes.to_vec(),
            all: OnceLock::new(),
            plain: OnceLock::new(),
        }
    }

    /// Writes; a file grows page by page.
    pub(super) fn write(&mut self, offset: usize, bytes: &[u8]) {
        let before = self.now.len();
        overlay(&mut self.now, offset, bytes);
        let pages = (before..self.now.len()).filter(|length| length.is_multiple_of(PAGE));
        self.lengths.extend(pages.chain([self.now.len()]));
        self.see();
    }

    /// Cuts the file to nothing.
    pub(super) fn empty(&mut self) {
        self.now.clear();
        self.lengths.insert(0);
        for was in &mut self.was {
            was.push(vec![0; PAGE]);
        }
        self.see();
    }

    /// Makes it durable.
    pub(super) fn sync(&mut self) {
        *self = Self::durable(&self.now);
    }

    /// Everything the file may be.
    pub(super) fn all(&self) -> &[Arc<Content>] {
        self.all.get_or_init(|| {
            let mut seen = HashSet::new();
            let lengths = self.lengths.iter();
            lengths
                .flat_map(|length| self.as_long_as(*length))
                .filter(|bytes| seen.insert(bytes.clone()))
                .map(Content::new)
                .collect()
        })
    }

    /// Of those the whole, the empty and the one of zeros.
    pub(super) fn plain(&self) -> &[Arc<Content>] {
        self.plain.get_or_init(|| {
            let is_plain = |bytes: &[u8]| {
                let is_zero = bytes.iter().all(|byte| *byte == 0);
                bytes == self.now || bytes.is_empty() || (is_zero && bytes.len() == self.now.len())
            };
            let all = self.all().iter();
            all.filter(|content| is_plain(&content.bytes))
                .cloned()
                .collect()
        })
    }

    fn see(&mut self) {
        self.all.take();
        self.plain.take();
        for (number, page) in self.now.chunks(PAGE).enumerate() {
            if number == self.was.len() {
                self.was.push(vec![vec![0; PAGE]]);
            }
            let (was, page) = (&mut self.was[number], full(page));
            if was.last() != Some(&page) {
                was.push(page);
            }
        }
    }

    fn as_long_as(&self, length: usize) -> Vec<Vec<u8>> {
        let pages = length.div_ceil(PAGE);
        let versions: Vec<_> = self.was[..pages].iter().map(Vec::len).collect();
        let bytes = |chosen: Vec<usize>| {
            let pages = self.was.iter().zip(chosen);
            let mut bytes: Vec<u8> = pages.flat_map(|(was, at)| was[at].clone()).collect();
            bytes.truncate(length);
            bytes
        };
        choices(&versions).into_iter().map(bytes).collect()
    }
}

fn full(page: &[u8]) -> Vec<u8> {
    let mut page = page.to_vec();
    page.resize(PAGE, 0);
    page
}

/// Every choice of one of so many versions for each page; of very many only those in which at most
/// two pages are not the newest, or at most one is not the oldest.
fn choices(versions: &[usize]) -> Vec<Vec<usize>> {
    let combined = versions.iter().copied().fold(1, usize::saturating_mul);
    let newest: Vec<_> = versions.iter().map(|count| count - 1).collect();
    let oldest = vec![0; versions.len()];
    if combined > MOST_COMBINED {
        let mut chosen = differing(&newest, versions);
        let pairs: Vec<_> = chosen
            .iter()
            .flat_map(|one| differing(one, versions))
            .collect();
        chosen.extend(pairs);
        chosen.extend(differing(&oldest, versions));
        chosen.sort_unstable();
        chosen.dedup();
        return chosen;
    }
    let mut all = vec![Vec::new()];
    for count in versions {
        all = all
            .iter()
            .flat_map(|begun| {
                (0..*count).map(move |version| {
                    let mut chosen: Vec<usize> = begun.clone();
                    chosen.push(version);
                    chosen
                })
            })
            .collect();
    }
    all
}

/// `chosen` and all that differ from it in one page.
fn differing(chosen: &[usize], versions: &[usize]) -> Vec<Vec<usize>> {
    let others = versions.iter().enumerate().flat_map(|(page, count)| {
        (0..*count).map(move |version| {
            let mut other = chosen.to_vec();
            other[page] = version;
            other
        })
    });
    std::iter::once(chosen.to_vec()).chain(others).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(pages: &Pages) -> Vec<Vec<u8>> {
        let all = pages.all().iter();
        all.map(|content| content.bytes.clone()).collect()
    }

    #[test]
    fn a_page_is_as_written_or_zeros_under_every_length_on_the_way() {
        let mut pages = Pages::durable(b"");
        let body = vec![7; PAGE + 3];
        pages.write(0, &body);
        let all = contents(&pages);
        let (zero, seven) = ([0; PAGE], [7; PAGE]);
        let joined = |first: &[u8], second: &[u8]| [first, second].concat();
        let expected = [
            Vec::new(),
            zero.to_vec(),
            seven.to_vec(),
            joined(&zero, &[0; 3]),
            joined(&zero, &[7; 3]),
            joined(&seven, &[0; 3]),
            body.clone(),
        ];
        assert_eq!(
            all.iter().collect::<HashSet<_>>(),
            expected.iter().collect()
        );
        assert_eq!(all.len(), expected.len());
        let plain: Vec<_> = pages.plain().iter().map(|it| it.bytes.clone()).collect();
        assert_eq!(plain, [Vec::new(), vec![0; PAGE + 3], body]);
    }

    #[test]
    fn a_page_written_twice_may_be_as_it_was_between() {
        let mut pages = Pages::durable(b"");
        pages.write(0, b"ab");
        pages.write(2, b"cd");
        let all = contents(&pages);
        for expected in ["", "ab", "\0\0", "abcd", "ab\0\0", "\0\0\0\0"] {
            assert!(all.contains(&expected.as_bytes().to_vec()), "{expected:?}");
        }
        assert_eq!(all.len(), 6);
    }

    #[test]
    fn what_is_synced_is_as_it_was_written() {
        let mut pages = Pages::durable(b"old");
        pages.empty();
        pages.write(0, b"newer");
        assert!(contents(&pages).contains(&b"old".to_vec()));
        assert!(contents(&pages).contains(&Vec::new()));
        assert!(contents(&pages).contains(&b"\0\0\0\0\0".to_vec()));
        pages.sync();
        assert_eq!(contents(&pages), [b"newer"]);
    }

    #[test]
    fn of_very_many_pages_most_are_alike() {
        assert_eq!(choices(&[2; 12]).len(), 4096);
        let chosen = choices(&[2; 16]);
        // All newest, one or two older; all oldest, one newer.
        assert_eq!(chosen.len(), (1 + 16 + 120) + (1 + 16));
        assert!(chosen.contains(&vec![0; 16]) && chosen.contains(&vec![1; 16]));
    }
}
