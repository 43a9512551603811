//! What the disk tier's index takes: heap bytes an entry and nanoseconds a call, from a thousand
//! entries to a million: `just index`. The sources are those of the tier; no file is touched.
//!
//! `cargo bench --bench index -- ENTRIES FINDS` only builds and finds, for a tool that counts
//! instructions.

#![expect(
    unsafe_code,
    reason = "an allocator that counts is an allocator; it only counts"
)]
#![expect(
    clippy::cast_precision_loss,
    clippy::disallowed_types,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measurement reads a clock and may fail loudly"
)]
#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    reason = "the tier uses more of its sources than this does"
)]

#[path = "../../src/tiers/disk/checksum.rs"]
mod checksum;
#[path = "../../src/tiers/disk/doomed.rs"]
mod doomed;
#[path = "../../src/tiers/disk/ids.rs"]
mod ids;
#[path = "../../src/tiers/disk/index.rs"]
mod index;
#[path = "../../src/tiers/disk/layout.rs"]
mod layout;
#[path = "../../src/tiers/disk/ranking.rs"]
mod ranking;
#[path = "../../src/tiers/disk/slots.rs"]
mod slots;
#[path = "../../src/tiers/disk/usage.rs"]
mod usage;

/// What the sources know by this name.
mod artifact {
    pub(crate) use larder::artifact::{KeyDigest, Landed};
}

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use artifact::KeyDigest;
use index::Index;
use layout::{EntryName, Prefix, Serial};

const STARTED: u32 = 1_000_000_000;
const FINDS: u64 = 1_000_000;
/// Tables grow in steps; the bytes an entry are those right after the worst of this many.
const STEPS: u64 = 1000;

/// Counts the bytes that are allocated, as they were asked for.
struct Counting;

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static COUNTING: Counting = Counting;

// SAFETY: every call is the system allocator's own.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATED.fetch_add(size, Ordering::Relaxed);
        ALLOCATED.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

fn main() {
    let numbers: Vec<u64> = std::env::args()
        .filter_map(|argument| argument.parse().ok())
        .collect();
    if let [entries, finds] = numbers[..] {
        let mut index = build(entries).0;
        find(&mut index, entries, finds);
    } else if std::env::args().any(|argument| argument == "--bench") {
        for entries in [1_000, 10_000, 100_000, 1_000_000] {
            measure(entries);
        }
    }
}

fn measure(entries: u64) {
    let (mut index, bytes, worst) = build(entries);
    println!("{entries} entries: {bytes:.0} bytes each, at worst on the way {worst:.0}");
    let nanos = |calls: u64, start: Instant| start.elapsed().as_nanos() as f64 / calls as f64;
    let start = Instant::now();
    find(&mut index, entries, FINDS);
    println!("  find: {:.0} ns", nanos(FINDS, start));
    let start = Instant::now();
    let remembered: usize = (0..=u8::MAX)
        .map(|shard| index.remembered(shard).len())
        .sum();
    println!("  remembered: {:.0} µs a shard", nanos(256, start) / 1000.0);
    assert_eq!(remembered as u64, entries);
    // The worst that can be: nobody is where they belong.
    for number in 0..entries {
        index.touch(&prefix(number), STARTED + (1 << 20));
    }
    let start = Instant::now();
    let mut turns = 1;
    while !index.settle(128) {
        turns += 1;
    }
    println!(
        "  settle after all were used: {turns} turns, {:.0} µs each",
        nanos(turns, start) / 1000.0
    );
    let calls = entries / 2;
    let start = Instant::now();
    for number in 0..calls {
        let name = index.candidate().expect("an entry");
        index.remove(&name);
        index.insert(entry(entries + number));
    }
    println!("  evict one, insert one: {:.0} ns", nanos(calls, start));
    let start = Instant::now();
    let old = index.landed_until(u32::MAX, 0, 64);
    println!("  the 64 oldest: {:.1} µs", nanos(1, start) / 1000.0);
    black_box(old);
}

/// An index of so many entries, its bytes an entry, and the most on the way from a half on.
fn build(entries: u64) -> (Index, f64, f64) {
    let before = ALLOCATED.load(Ordering::Relaxed);
    let mut index = Index::new(u64::MAX, STARTED);
    let (mut bytes, mut worst) = (0.0, 0.0_f64);
    for number in 0..entries {
        index.insert(entry(number));
        if number % (entries / STEPS) == 0 && number > entries / 2 || number + 1 == entries {
            let taken = ALLOCATED.load(Ordering::Relaxed) - before;
            bytes = taken as f64 / (number + 1) as f64;
            worst = worst.max(bytes);
        }
    }
    (index, bytes, worst)
}

/// Finds entries here and there, half of them in a tenth of all.
fn find(index: &mut Index, entries: u64, finds: u64) {
    for number in 0..finds {
        let chance = mix(number);
        let among = if chance & 1 == 0 {
            entries / 10
        } else {
            entries
        };
        let now = STARTED + u32::try_from(number >> 6).expect("few enough");
        let prefix = prefix((chance >> 1) % among);
        black_box(index.find(&prefix, now));
    }
}

fn entry(number: u64) -> EntryName {
    EntryName {
        prefix: prefix(number),
        serial: Serial::from_number(number),
        length: 1 << (10 + mix(number) % 16),
        landed: STARTED + u32::try_from(number >> 3).expect("few enough"),
        millis: 1000,
    }
}

/// Digests look like chance.
fn prefix(number: u64) -> Prefix {
    let mut digest = [0; 32];
    for (part, bytes) in digest.chunks_exact_mut(8).enumerate() {
        bytes.copy_from_slice(&mix(number ^ ((part as u64) << 56)).to_le_bytes());
    }
    Prefix::of(&KeyDigest::from_bytes(digest))
}

fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
