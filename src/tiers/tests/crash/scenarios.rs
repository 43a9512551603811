//! What the tier does, and where it may be cut.

use super::super::*;
use super::{extra, stays_bounded, survives};

/// One page with the footer.
const TINY: u64 = 300;

/// Whole pages, with the footer in one of its own.
fn on_pages() -> u64 {
    2 * 4096 + extra()
}

/// A little less, so that the footer lies across the end of a page.
fn astride() -> u64 {
    on_pages() - 50
}

fn roomy() -> config::Tier {
    config(0, 64 * MIB)
}

#[test]
fn a_crash_in_a_first_upload_leaves_all_of_it_or_nothing() {
    survives("first upload", roomy(), async |tale| {
        tale.start();
        tale.upload("b", "still", TINY).await;
        tale.record();
        tale.upload("a", "new", astride()).await;
    });
}

#[test]
fn a_crash_in_a_first_upload_through_a_draft_leaves_all_of_it_or_nothing() {
    survives("first upload, draft", roomy(), async |tale| {
        tale.start();
        tale.upload("b", "still", TINY).await;
        tale.record();
        let longer = usize::try_from(extra()).unwrap();
        tale.upload_in_pieces("a", "new", &[5000, 192, 2950 + longer])
            .await;
    });
}

#[test]
fn a_crash_in_a_replacement_leaves_the_old_the_new_or_nothing() {
    survives("upload over an old entry", roomy(), async |tale| {
        tale.start();
        tale.upload("b", "still", TINY).await;
        tale.upload("a", "old", on_pages()).await;
        tale.record();
        tale.upload("a", "new", on_pages()).await;
    });
    survives("draft over an old entry", roomy(), async |tale| {
        tale.start();
        tale.upload("a", "old", astride()).await;
        tale.record();
        let longer = usize::try_from(extra()).unwrap();
        tale.upload_in_pieces("a", "new", &[4096, 4046 + longer])
            .await;
    });
}

#[test]
fn a_crash_in_an_upload_with_a_long_footer_leaves_all_of_it_or_nothing() {
    survives("a footer over three pages", roomy(), async |tale| {
        tale.start();
        tale.upload("a", "old", TINY).await;
        tale.record();
        tale.upload_of_team("a", "new", 4000, 5000).await;
    });
}

#[test]
fn a_crash_in_two_uploads_that_overlap_leaves_one_of_the_three_or_nothing() {
    survives("uploads in the other order", roomy(), async |tale| {
        tale.start();
        tale.upload("a", "old", TINY).await;
        tale.record();
        tale.upload_overtaken("a", ("first", "second"), TINY + extra());
    });
}

#[test]
fn a_crash_in_two_replacements_leaves_one_of_the_three_or_nothing() {
    survives("two uploads over an old entry", roomy(), async |tale| {
        tale.start();
        tale.upload("a", "old", TINY).await;
        tale.record();
        tale.upload("a", "new", on_pages()).await;
        tale.upload("a", "newer", 4096).await;
    });
}

#[test]
fn a_forgotten_key_comes_back_only_where_power_was_lost() {
    survives("forget", roomy(), async |tale| {
        tale.start();
        tale.upload("b", "still", TINY).await;
        tale.upload("a", "old", on_pages()).await;
        tale.record();
        tale.forget("a").await;
    });
    survives("upload, forget, upload", roomy(), async |tale| {
        tale.start();
        tale.upload("a", "old", TINY).await;
        tale.record();
        tale.upload("a", "new", TINY).await;
        tale.forget("a").await;
        tale.upload("a", "newer", TINY).await;
    });
}

#[test]
fn a_crash_in_an_eviction_leaves_whole_entries_of_both_keys() {
    survives(
        "eviction",
        config(0, 24 * KIB + extra() * 3 / 2),
        async |tale| {
            tale.start();
            tale.upload("a", "old", on_pages()).await;
            tale.upload("b", "still", TINY).await;
            tale.record();
            tale.begin("a", None);
            tale.upload("c", "new", on_pages()).await;
            tale.end_with("a", None);
        },
    );
}

#[test]
fn a_crash_in_a_quarantine_brings_no_damaged_entry_back() {
    survives("quarantine, then an upload", roomy(), async |tale| {
        tale.start();
        tale.upload("b", "still", TINY).await;
        tale.upload("a", "damaged", on_pages()).await;
        tear(&tale.entry("a").await);
        tale.start();
        tale.end_with("a", None);
        tale.record();
        tale.miss("a").await;
        tale.upload("a", "new", on_pages()).await;
    });
}

#[test]
fn a_crash_while_a_crash_is_mended_leaves_whole_entries() {
    survives("torn over old, mended", roomy(), async |tale| {
        tale.start();
        tale.upload("a", "old", on_pages()).await;
        let old = tale.entry("a").await;
        let saved = fs::read(&old).unwrap();
        tale.upload("a", "torn", on_pages()).await;
        tear(&tale.entry("a").await);
        // As a loss of power left it.
        fs::write(&old, saved).unwrap();
        fs::write(tale.path("v1/tmp/0000000000000007.draft"), b"half").unwrap();
        tale.end_with("a", None);
        tale.record();
        // Its removal may be lost, as any.
        tale.begin("a", Some("old"));
        tale.end_with("a", None);
        tale.start();
        tale.miss("a").await;
        tale.upload("a", "new", TINY).await;
    });
}

#[test]
fn a_crash_in_the_first_starts_leaves_whole_entries_below_the_next_serials() {
    survives(
        "first start, upload, start, upload",
        roomy(),
        async |tale| {
            tale.record();
            tale.end_with("a", None);
            tale.start();
            tale.upload("a", "one", TINY).await;
            tale.start();
            tale.upload("a", "two", TINY).await;
        },
    );
}

#[test]
fn a_crash_in_later_starts_leaves_whole_entries_below_the_next_serials() {
    survives(
        "later start, upload, start, upload",
        roomy(),
        async |tale| {
            tale.start();
            tale.upload("b", "still", TINY).await;
            tale.upload("a", "old", TINY).await;
            fs::write(tale.path("v1/tmp/0000000000000000.draft"), b"half").unwrap();
            tale.record();
            tale.start();
            tale.upload("a", "new", on_pages()).await;
            tale.start();
            tale.upload("a", "newer", TINY).await;
        },
    );
}

#[test]
fn a_crash_in_an_orderly_end_leaves_whole_entries() {
    survives("stop", roomy(), async |tale| {
        tale.start();
        tale.upload("a", "still", TINY).await;
        tale.close().await;
        tale.start();
        tale.upload("a", "new", TINY).await;
        tale.record();
        tale.close().await;
    });
}

/// Thirty-two units, so that one may be stored before it is known what rests.
fn tight() -> config::Tier {
    config(0, 128 * KIB)
}

#[test]
fn whatever_word_of_what_rests_a_crash_leaves_the_capacity_is_exceeded_by_its_bound_at_most() {
    stays_bounded("full, evicting, word left", tight(), async |tale| {
        tale.start();
        tale.upload("a", "old", 60 * KIB).await;
        tale.upload("b", "old", 60 * KIB).await;
        tale.record();
        tale.upload("c", "new", TINY).await;
        tale.leave_word();
    });
    stays_bounded("word left, start, upload", tight(), async |tale| {
        tale.start();
        tale.upload("b", "still", 120 * KIB).await;
        tale.record();
        tale.leave_word();
        tale.start();
        tale.upload("a", "new", TINY).await;
    });
}

/// Puts zeros in the place of a file's second page.
fn tear(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    bytes[4096..8192].fill(0);
    fs::write(path, bytes).unwrap();
}
