//! `kill -9` at any moment, again and again on one data directory: nothing torn is ever found.
//!
//! A killed process takes nothing along that it has written, so not even a miss for damage is excused.

mod stock;
mod traffic;

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::Instant;

use crate::support::{Larder, Origin, Setup, eventually};
use stock::Stock;
use traffic::{Demand, Moment, Tally, Traffic};

/// Names how many rounds all stories have together; `just kill` sets it.
const ROUNDS: &str = "KILL_ROUNDS";
/// Enough to meet every kind of moment, in seconds.
const A_DOZEN: u64 = 12;
const STORIES: u64 = 3;

/// Bytes on the disk for half of what the keys would take.
const LITTLE: u64 = 8 << 20;
/// What a file system hands out; an entry counts in whole units.
const UNIT: u64 = 4096;

/// One data directory and the processes that die over it.
struct Story {
    setup: Setup,
    demand: Demand,
    capacity: u64,
    stock: Stock,
    tally: Tally,
    kills: u64,
    drafts_left: usize,
    slowest_start: Duration,
}

// === impl Story ===

impl Story {
    fn new(setup: Setup, demand: Demand, capacity: u64) -> Self {
        // Little rests in memory, so that readers meet the disk.
        let setup = setup
            .set("tier.memory.capacity", "1MiB")
            .set("tier.memory.max_artifact", "256KiB")
            .set("tier.disk.capacity", &format!("{capacity}B"));
        Self {
            setup,
            demand,
            capacity,
            stock: Stock::new(),
            tally: Tally::default(),
            kills: 0,
            drafts_left: 0,
            slowest_start: Duration::ZERO,
        }
    }

    /// One process, from its start to its kill. Each has its own `number`.
    async fn round(&mut self, number: u64) {
        // Printed if the test fails.
        let moment = Moment::of_round(number);
        say(&format!("round {number}, killed after {moment:?}"));
        if number % 4 == 3 {
            self.setup.clone().start_and_kill().await;
            self.kills += 1;
        }
        let mut larder = self.start(number).await;
        let traffic = Traffic::new(&larder, &self.stock, &self.tally, self.demand, number);
        // Every other time the keys are read while nobody has read a folder, and everybody writes.
        if number.is_multiple_of(2) {
            traffic.check_all().await;
        }
        let kill = async {
            if !number.is_multiple_of(2) {
                traffic.check_all().await;
            }
            assert_nothing_is_damaged(&larder).await;
            traffic.until(moment).await;
            larder.kill().await;
        };
        tokio::join!(traffic.go_on(), kill);
        self.kills += 1;
        self.drafts_left += self.files("tmp").len();
    }

    /// Starts a process on what the last one left.
    async fn start(&mut self, number: u64) -> Larder {
        let verify = ["first-read", "always"][usize::from(number % 4 > 1)];
        let setup = self.setup.clone().set("tier.disk.verify", verify);
        let begun = Instant::now();
        let larder = setup.start().await;
        self.slowest_start = self.slowest_start.max(begun.elapsed());
        for folder in ["tmp", "quarantine"] {
            assert_eq!(self.files(folder), [] as [PathBuf; 0]);
        }
        larder
    }

    /// Ends the story: one more process, with nothing but readers.
    async fn end(mut self) {
        let larder = self.start(0).await;
        let traffic = Traffic::new(&larder, &self.stock, &self.tally, self.demand, 0);
        traffic.check_all().await;
        self.until_room_is_kept().await;
        assert_nothing_is_damaged(&larder).await;
        say(&format!(
            "{:?}: {} kills survived, {} drafts left by them; {}, 0 wrong; slowest start {:?}",
            self.demand, self.kills, self.drafts_left, self.tally, self.slowest_start
        ));
    }

    /// Waits until entries take no more room than they may. What lands while folders are unread comes
    /// on top of what is in them; once all have been read, that gives way.
    async fn until_room_is_kept(&self) {
        eventually("room to be kept", async || {
            let files = self.files("entries").into_iter();
            // It may have given way meanwhile.
            let lengths = files.filter_map(|file| Some(fs::metadata(file).ok()?.len()));
            let taken: u64 = lengths.map(|length| length.next_multiple_of(UNIT)).sum();
            taken <= self.capacity
        })
        .await;
    }

    /// The files below one of the tier's folders.
    fn files(&self, folder: &str) -> Vec<PathBuf> {
        let mut folders = vec![self.setup.data_dir().join("v1").join(folder)];
        let mut files = Vec::new();
        while let Some(folder) = folders.pop() {
            for file in fs::read_dir(folder).expect("a folder of the tier") {
                let path = file.expect("a folder's entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    files.push(path);
                }
            }
        }
        files
    }
}

async fn assert_nothing_is_damaged(larder: &Larder) {
    let metrics = larder.metrics().await;
    let damaged = metrics.sum("larder_corrupt_total", &[]);
    assert!(damaged < 1.0, "{}", larder.printed());
}

/// The numbers of a story's rounds; no two stories have the same.
fn rounds(story: u64) -> impl Iterator<Item = u64> {
    let named = env::var_os(ROUNDS);
    let rounds = named.as_deref().and_then(OsStr::to_str);
    let rounds = rounds.map_or(A_DOZEN, |rounds| rounds.parse().expect("a number"));
    (0..rounds).filter(move |number| number % STORIES == story)
}

#[expect(clippy::print_stdout, reason = "shown where it is asked for")]
fn say(line: &str) {
    println!("{line}");
}

#[tokio::test]
async fn what_was_accepted_is_found_after_a_kill_at_any_moment() {
    let mut story = Story::new(Setup::alone(), Demand::Kept, 1 << 30);
    for number in rounds(0) {
        story.round(number).await;
    }
    story.end().await;
}

#[tokio::test]
async fn a_kill_at_any_moment_leaves_each_key_whole_or_missing_where_room_is_short() {
    let mut story = Story::new(Setup::alone(), Demand::MayGiveWay, LITTLE);
    for number in rounds(1) {
        story.round(number).await;
    }
    story.end().await;
}

#[tokio::test]
async fn a_kill_at_any_moment_leaves_each_key_whole_while_fills_are_under_way() {
    let mut origin = Origin::start();
    let mut story = Story::new(Setup::before(&origin), Demand::Upstream, LITTLE);
    for number in rounds(2) {
        story.round(number).await;
        // Else an upload of the killed process could still reach the origin, after a later one.
        origin.stop().await;
        origin.forget_requests();
        origin.resume();
    }
    story.end().await;
}
