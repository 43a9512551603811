//! What this machine gives.

use std::io;
use std::path::Path;
use std::time::Duration;

use super::super::finding::Verdict;
use super::super::fitness::{
    Rates, Room, directory, memory, open_files, process, rate, room, speed,
};
use super::assert_is;

const GIB: u64 = 1 << 30;

#[test]
fn a_directory_is_there_or_can_be_made_or_is_a_failure() {
    let error = io::Error::from(io::ErrorKind::PermissionDenied);
    let told = |is_there, tried| directory(Path::new("/data"), is_there, tried);
    assert_is(&told(true, Ok(&())), Verdict::Ok, "/data can be written");
    assert_is(&told(false, Ok(&())), Verdict::Ok, "can be made");
    assert_is(&told(true, Err(&error)), Verdict::Failure, "--data-dir");
}

#[test]
fn a_larder_that_runs_is_told_with_its_address() {
    let at = || Some("127.0.0.1:8586".to_owned());
    assert_is(&process(None, at()), Verdict::Ok, "no Larder runs");
    assert_is(
        &process(Some(7), at()),
        Verdict::Ok,
        "(process 7); its admin listener is at 127",
    );
    assert_is(&process(Some(0), None), Verdict::Ok, "a Larder runs");
}

#[test]
fn room_is_what_is_left_above_what_others_get_and_what_is_held() {
    let told = |available, held| {
        room(&Room {
            available,
            held,
            capacity: 20 * GIB,
            min_free: GIB,
        })
    };
    assert_is(&told(Some(21 * GIB), 0), Verdict::Ok, "20.0 GiB");
    assert_is(&told(Some(6 * GIB), 15 * GIB), Verdict::Ok, "15.0 GiB held");
    assert_is(
        &told(Some(21 * GIB - 1), 0),
        Verdict::Warning,
        "evicted sooner",
    );
    assert_is(
        &told(Some(GIB), 20 * GIB),
        Verdict::Warning,
        "nothing can be stored",
    );
    assert_is(&told(None, 0), Verdict::NotTried, "does not say");
    let off = Room {
        available: None,
        held: 0,
        capacity: 0,
        min_free: 0,
    };
    assert_is(&room(&off), Verdict::Ok, "off");
}

#[test]
fn a_disk_slower_than_a_line_is_worth_a_word() {
    let told = |write: u64, read: u64| {
        speed(Ok(&Rates {
            written: write,
            writing: Duration::from_secs(1),
            read,
            reading: Duration::from_secs(1),
        }))
    };
    assert_is(
        &told(100 << 20, 64 << 20),
        Verdict::Ok,
        "writes 100.0 MiB a second, reads 64.0 MiB",
    );
    assert_is(&told(8 << 20, 64 << 20), Verdict::Warning, "another disk");
    assert_is(&told(64 << 20, 8 << 20), Verdict::Warning, "another disk");
    let error = io::Error::from(io::ErrorKind::TimedOut);
    assert_is(&speed(Err(&error)), Verdict::Failure, "hangs");
    assert!(rate(1, Duration::ZERO).is_finite());
}

#[test]
fn memory_and_open_files_are_held_against_their_limits() {
    assert_is(&memory(GIB, None), Verdict::Ok, "nobody bounds");
    assert_is(&memory(3 * GIB, Some(4 * GIB)), Verdict::Ok, "of 4.0 GiB");
    assert_is(
        &memory(3 * GIB + 1, Some(4 * GIB)),
        Verdict::Warning,
        "tier.memory.capacity",
    );
    assert_is(&open_files(None, 4096), Verdict::Ok, "as many");
    assert_is(&open_files(Some(4608), 4096), Verdict::Ok, "4608");
    assert_is(
        &open_files(Some(4607), 4096),
        Verdict::Warning,
        "LimitNOFILE",
    );
}
