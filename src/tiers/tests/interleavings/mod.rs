//! Every order of the locks and file calls of a few threads that do to one key what requests and the
//! upkeep do: the real code, on real files.
//!
//! A point where another thread may go on is the wait for a section, a folder or the index, the look at
//! an epoch and its bump, and each call on a file that others can see. What stands between two points
//! is one step here: the memory tier, which is told in a section, and figures that decide little.
//!
//! At the end of each schedule files and index agree, the bytes used are the sum, nothing is promised,
//! `tmp` is empty, and the key has one of the ends that are named. No look-up saw bytes that are not
//! whole, or that were replaced or forgotten before it began, or older ones than a look-up before it.
//!
//! What was taken away once, each by itself, to see a schedule that fails: names that are unique (by
//! key alone, for a file or for an eviction); the section of a landing or a promotion; `holds` and
//! `is_still` before a promotion, `is_still` before a fill; the epoch noted before the look-up; the
//! bump, or its place behind the change; the rename before the insert; a folder read before an upload
//! or a purge, the flag behind its reading, the removal of what lost in it; `holds` before quarantine;
//! the older file before the newer. An eviction needs neither section nor `holds` as long as names are
//! unique. What order matters only to a crash is not for this test.
//!
//! The tree is cut where a thread that could go on has given way too often, [`PAIR`] and [`TRIO`]
//! times; `just races` goes deeper and tells how many schedules that were.

mod acts;
mod history;
mod schedule;
mod stage;

use self::acts::Act::{
    DropDraft, EvictLate, Expire, Fill, Find, Forget, GiveUp, Purge, Read, ReadFolder,
    RemoveDoomed, Scrub, Trim, Upload, UploadGivenUp, WriteRecency,
};
use self::acts::{Act, Begin};
use self::schedule::{Schedule, explore};
use self::stage::{Stage, unhindered};
use super::*;

/// How often one of two threads gives way that could go on: each race found so far takes one …
const PAIR: usize = 2;
/// … and one of three, where so many more schedules are.
const TRIO: usize = 1;

const NEW: Act = Upload("a", "new");
const FILL: Act = Fill("a", "filled");

/// Runs every schedule of `acts`, after each of which the key has one of `ends`.
#[expect(
    clippy::print_stdout,
    reason = "how much was explored is told to who asks"
)]
fn explore_all(begin: Begin, acts: &[Act], ends: &[Option<&str>]) {
    let bound = if acts.len() > 2 { TRIO } else { PAIR } + deeper();
    let explored = explore(acts.len(), bound, |schedule| {
        let _shown = Shown(schedule);
        let _steered = unhindered();
        let stage = Stage::set(begin);
        let act = |act: &Act| {
            let (act, stage) = (*act, &stage);
            Box::new(move || stage.act(act, schedule)) as Box<dyn FnOnce() + Send + '_>
        };
        schedule.run(acts.iter().map(act).collect());
        stage.check(ends, schedule);
    });
    println!("{explored:7} schedules, bound {bound}: {begin:?}, {acts:?}");
}

/// How much deeper than usual.
#[expect(clippy::disallowed_methods, reason = "only who runs the tests can say")]
fn deeper() -> usize {
    std::env::var("RACES").map_or(0, |deeper| deeper.parse().unwrap())
}

/// A schedule that is printed where it fails.
struct Shown<'a>(&'a Schedule);

impl Drop for Shown<'_> {
    #[expect(clippy::print_stdout, reason = "it is how to see the failure again")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}", self.0);
        }
    }
}

#[test]
fn a_late_eviction_never_removes_a_newer_upload() {
    explore_all(Begin::Both, &[EvictLate, NEW], &[Some("new")]);
    explore_all(Begin::Aged, &[Expire, NEW], &[Some("new")]);
    explore_all(Begin::Full, &[Trim, NEW], &[Some("new")]);
}

#[test]
fn a_late_eviction_meets_two_others_at_once() {
    explore_all(
        Begin::Both,
        &[EvictLate, NEW, Forget("a")],
        &[Some("new"), None],
    );
    explore_all(Begin::Disk, &[EvictLate, NEW, Read("a")], &[Some("new")]);
}

#[test]
fn of_an_upload_and_a_forgetting_the_later_counts() {
    explore_all(Begin::Both, &[Forget("a"), NEW], &[Some("new"), None]);
    explore_all(
        Begin::Disk,
        &[Forget("a"), NEW, Read("a")],
        &[Some("new"), None],
    );
}

#[test]
fn a_purge_takes_what_was_listed_and_nothing_that_came_since() {
    for begin in [Begin::Both, Begin::Disk] {
        explore_all(begin, &[Purge, NEW], &[Some("new")]);
        explore_all(begin, &[Purge, FILL], &[Some("filled"), None]);
        explore_all(begin, &[Purge, Read("a")], &[None]);
    }
    explore_all(Begin::Both, &[Purge, EvictLate], &[None]);
    explore_all(Begin::Both, &[Purge, GiveUp("a")], &[None]);
    explore_all(Begin::Outlived, &[Purge, Read("a")], &[None]);
    explore_all(Begin::Stuck, &[Purge, Read("a")], &[None]);
    explore_all(Begin::Damaged, &[Purge, Read("a")], &[None]);
    explore_all(Begin::Disk, &[Purge, Scrub], &[None]);
}

#[test]
fn of_two_uploads_one_is_left_whole() {
    let ends = &[Some("new"), Some("newer")];
    explore_all(Begin::Both, &[NEW, Upload("a", "newer")], ends);
    explore_all(Begin::Disk, &[NEW, Upload("a", "newer"), Read("a")], ends);
}

#[test]
fn whoever_found_a_name_that_an_upload_replaces_reads_all_of_one_of_them() {
    explore_all(Begin::Disk, &[Find("a"), NEW], &[Some("new")]);
    explore_all(Begin::Frames, &[Find("a"), NEW], &[Some("new")]);
}

#[test]
fn an_open_reader_keeps_its_bytes_through_eviction_and_upload() {
    explore_all(Begin::Frames, &[Read("a"), EvictLate, NEW], &[Some("new")]);
    explore_all(Begin::Frames, &[Read("a"), Forget("a")], &[None]);
}

#[test]
fn a_file_that_stays_open_is_not_found_once_its_entry_is_gone() {
    for begin in [Begin::Open, Begin::Frames] {
        explore_all(begin, &[Find("a"), NEW], &[Some("new")]);
        explore_all(begin, &[Read("a"), Forget("a")], &[None]);
    }
    explore_all(Begin::Open, &[Read("a"), EvictLate], &[None]);
    explore_all(Begin::Open, &[Read("a"), FILL], &[Some("filled")]);
    explore_all(Begin::Open, &[Read("a"), GiveUp("a")], &[None]);
    explore_all(Begin::Open, &[Read("a"), EvictLate, NEW], &[Some("new")]);
}

#[test]
fn a_promotion_brings_nothing_forgotten_back() {
    explore_all(Begin::Disk, &[Read("a"), Forget("a")], &[None]);
    explore_all(Begin::Stuck, &[Read("a"), Forget("a")], &[None]);
}

#[test]
fn a_promotion_gives_way_to_a_fill_after_an_eviction() {
    explore_all(Begin::Disk, &[Read("a"), FILL], &[Some("filled")]);
    explore_all(
        Begin::Disk,
        &[Read("a"), EvictLate, FILL],
        &[Some("filled")],
    );
}

#[test]
fn a_fill_gives_way_to_what_changed_since_it_was_noted() {
    explore_all(Begin::Disk, &[FILL, NEW], &[Some("new"), Some("filled")]);
    explore_all(Begin::Disk, &[FILL, Forget("a")], &[Some("filled"), None]);
}

#[test]
fn quarantine_takes_only_what_is_damaged() {
    explore_all(Begin::Damaged, &[Read("a"), NEW], &[Some("new")]);
    explore_all(Begin::Damaged, &[Read("a"), EvictLate, NEW], &[Some("new")]);
    explore_all(Begin::Damaged, &[Read("a"), Forget("a")], &[None]);
}

#[test]
fn a_folder_that_is_read_late_brings_nothing_back() {
    for begin in [Begin::Unread, Begin::UnreadTwice] {
        explore_all(begin, &[ReadFolder, NEW], &[Some("new")]);
        explore_all(begin, &[ReadFolder, Forget("a")], &[None]);
        explore_all(begin, &[ReadFolder, Find("a")], &[Some("old")]);
    }
    explore_all(
        Begin::UnreadTwice,
        &[Read("a"), Forget("a"), NEW],
        &[Some("new"), None],
    );
}

#[test]
fn promises_are_kept_and_given_back_whoever_evicts() {
    let any = &[Some("old"), None];
    explore_all(Begin::Drafted, &[DropDraft, Trim], any);
    explore_all(Begin::Drafted, &[DropDraft, Trim, Upload("d", "d")], any);
    explore_all(Begin::Full, &[Trim, Upload("e", "e")], &[None]);
    explore_all(Begin::Full, &[Upload("e", "e"), NEW], &[Some("new")]);
    explore_all(Begin::Full, &[Trim, Upload("e", "e"), NEW], &[Some("new")]);
}

#[test]
fn what_could_not_be_removed_is_not_found_and_gives_way() {
    explore_all(Begin::Doomed, &[RemoveDoomed, NEW], &[Some("new")]);
    explore_all(Begin::Doomed, &[RemoveDoomed, Read("a")], &[None]);
    explore_all(Begin::Doomed, &[RemoveDoomed, FILL], &[Some("filled")]);
}

#[test]
fn an_older_file_that_could_not_be_removed_goes_before_the_newer_one() {
    explore_all(Begin::Stuck, &[NEW, Read("a")], &[Some("new")]);
    explore_all(Begin::Outlived, &[RemoveDoomed, NEW], &[Some("new")]);
    explore_all(Begin::Outlived, &[RemoveDoomed, Forget("a")], &[None]);
    explore_all(Begin::Outlived, &[EvictLate, FILL], &[Some("filled")]);
}

#[test]
fn an_upload_that_was_given_up_is_not_found_wherever_it_was() {
    let upload = UploadGivenUp("a", "late");
    for begin in [Begin::Both, Begin::Doomed] {
        explore_all(begin, &[upload, GiveUp("a")], &[None]);
    }
    explore_all(Begin::Disk, &[upload, GiveUp("a"), Read("a")], &[None]);
    explore_all(Begin::Disk, &[upload, GiveUp("a"), RemoveDoomed], &[None]);
    explore_all(
        Begin::Both,
        &[upload, GiveUp("a"), NEW],
        &[Some("new"), None],
    );
    explore_all(
        Begin::Disk,
        &[GiveUp("a"), FILL, Read("a")],
        &[Some("filled"), None],
    );
}

#[test]
fn looking_over_takes_only_what_is_damaged() {
    explore_all(Begin::Damaged, &[Scrub, NEW], &[Some("new")]);
    explore_all(Begin::Damaged, &[Scrub, Read("a"), NEW], &[Some("new")]);
    explore_all(Begin::Disk, &[Scrub, NEW], &[Some("new")]);
    explore_all(Begin::Disk, &[Scrub, Forget("a")], &[None]);
}

#[test]
fn what_is_written_down_of_uses_hinders_nobody() {
    explore_all(Begin::Both, &[WriteRecency, EvictLate, NEW], &[Some("new")]);
    explore_all(Begin::Unread, &[WriteRecency, ReadFolder], &[Some("old")]);
}
