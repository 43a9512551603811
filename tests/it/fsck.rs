//! `larder fsck` on the directory of a real process, and what the next process makes of it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::support::{Larder, Setup, artifact, bytes};

/// Small ones, and some of several blocks.
const SIZES: [usize; 6] = [0, 10, 5000, 65_536, 200_000, 700_000];

/// A directory with an artifact of each size, which no process uses.
async fn furnished() -> Setup {
    let larder = Larder::alone().await;
    let mut client = larder.client();
    for (number, size) in SIZES.into_iter().enumerate() {
        let name = artifact(&format!("size{number}"));
        let put = client.put(&name, &bytes(number as u64, size)).await;
        assert!(put.status < 300, "{}", put.status);
    }
    let setup = larder.setup().clone();
    assert_eq!(larder.stop().await.code, Some(0));
    setup
}

/// Runs it; returns its code and what it printed.
async fn fsck(setup: &Setup, flags: &[&str]) -> (Option<i32>, String) {
    let arguments = [&["fsck", "--config", "{config}"], flags].concat();
    let exit = setup.run(&arguments).await;
    (exit.code, exit.stdout + &exit.stderr)
}

/// Every entry, the smallest first.
fn entries(setup: &Setup) -> Vec<PathBuf> {
    let shards = fs::read_dir(setup.data_dir().join("v1/entries")).expect("a folder");
    let mut found: Vec<_> = shards
        .flat_map(|shard| fs::read_dir(shard.expect("a shard").path()).expect("a shard"))
        .map(|entry| entry.expect("an entry").path())
        .collect();
    found.sort_by_key(|path| fs::metadata(path).expect("an entry").len());
    found
}

fn name(path: &Path) -> &str {
    path.file_name()
        .and_then(|name| name.to_str())
        .expect("a name")
}

fn flip(path: &Path, offset: usize) {
    let mut bytes = fs::read(path).expect("an entry");
    bytes[offset] ^= 1;
    fs::write(path, bytes).expect("an entry");
}

/// The figure in the line that begins with `what`.
#[track_caller]
fn figure(printed: &str, what: &str) -> u64 {
    let line = printed.lines().find_map(|line| line.strip_prefix(what));
    let word = line.and_then(|line| line.split_whitespace().next());
    word.and_then(|word| word.trim_end_matches(',').parse().ok())
        .unwrap_or_else(|| panic!("no {what} in {printed}"))
}

/// Asserts which of the artifacts a process started on the directory serves.
async fn assert_hits(setup: &Setup, hits: [bool; 6]) {
    let larder = setup.clone().start().await;
    let mut client = larder.client();
    for (number, is_hit) in hits.into_iter().enumerate() {
        let reply = client.get(&artifact(&format!("size{number}"))).await;
        if is_hit {
            reply.assert_body(&bytes(number as u64, SIZES[number]));
        } else {
            assert_eq!(reply.status, 404, "{number}");
        }
    }
    larder.stop().await;
}

#[tokio::test]
async fn a_clean_directory_is_left_as_it_is() {
    let setup = furnished().await;
    let (code, printed) = fsck(&setup, &[]).await;
    assert_eq!(code, Some(0), "{printed}");
    assert_eq!(figure(&printed, "entries"), 6);
    assert_eq!(figure(&printed, "intact"), 6);
    for none in [
        "damaged",
        "outdated",
        "drafts",
        "removed",
        "quarantine",
        "foreign",
    ] {
        assert_eq!(figure(&printed, none), 0, "{printed}");
    }
    assert!(
        !printed.contains('\x1b'),
        "no bar without a terminal: {printed}"
    );
    assert_hits(&setup, [true; 6]).await;
}

#[tokio::test]
async fn what_is_damaged_is_named_and_removed_and_everything_else_is_served() {
    let setup = furnished().await;
    let entries = entries(&setup);
    flip(&entries[5], 300_000);
    let length = fs::metadata(&entries[4]).expect("an entry").len();
    let file = fs::File::options().write(true).open(&entries[4]);
    file.expect("an entry")
        .set_len(length - 1)
        .expect("shorter");
    let stray = setup.data_dir().join("v1/tmp/000000000000002a.draft");
    fs::write(&stray, b"half").expect("a draft");
    let (code, printed) = fsck(&setup, &[]).await;
    assert_eq!(code, Some(0), "{printed}");
    assert_eq!(figure(&printed, "entries"), 6);
    assert_eq!(figure(&printed, "intact"), 4);
    assert_eq!(figure(&printed, "damaged"), 2);
    assert_eq!(figure(&printed, "drafts"), 1);
    assert_eq!(figure(&printed, "removed"), 3);
    let told = |path: &Path| {
        let line = printed.lines().find(|line| line.contains(name(path)));
        line.unwrap_or_else(|| panic!("{path:?} in {printed}"))
    };
    assert!(
        told(&entries[5]).contains("artifact size5 of team acme"),
        "{printed}"
    );
    assert!(
        !told(&entries[4]).contains("artifact"),
        "its footer is gone"
    );
    assert!(!entries[5].exists() && !entries[4].exists() && !stray.exists());
    assert_hits(&setup, [true, true, true, true, false, false]).await;
}

#[tokio::test]
async fn a_dry_run_removes_nothing_and_says_that_it_would() {
    let setup = furnished().await;
    assert_eq!(fsck(&setup, &["--dry-run"]).await.0, Some(0));
    let entries = entries(&setup);
    flip(&entries[3], 0);
    let (code, printed) = fsck(&setup, &["--dry-run"]).await;
    assert_eq!(code, Some(1), "{printed}");
    assert_eq!(figure(&printed, "damaged"), 1);
    assert!(printed.contains("a dry run"), "{printed}");
    assert!(entries[3].exists());
    assert_eq!(fsck(&setup, &[]).await.0, Some(0));
    assert!(!entries[3].exists());
    assert_eq!(fsck(&setup, &["--dry-run"]).await.0, Some(0));
}

#[tokio::test]
async fn links_and_foreign_files_are_counted_and_left_alone() {
    let setup = furnished().await;
    let entries = entries(&setup);
    let victim = setup.directory().join("victim");
    fs::write(&victim, b"theirs").expect("a file");
    let shard = entries[0].parent().expect("a shard");
    let v1 = setup.data_dir().join("v1");
    // A link that would be an entry, one that would be a draft, one that would be a shard.
    let mut link = name(&entries[0]).to_owned();
    link.replace_range(2..4, "zz");
    let link = link.replace("zz", "00");
    symlink(&victim, shard.join(&link)).expect("a link");
    symlink(&victim, v1.join("tmp/000000000000002a.draft")).expect("a link");
    let free = (0..=255_u8).map(|shard| v1.join(format!("entries/{shard:02x}")));
    let free = free.into_iter().find(|shard| !shard.exists());
    symlink(setup.directory(), free.expect("a free shard")).expect("a link");
    fs::write(shard.join("README"), b"").expect("a file");
    fs::write(v1.join("entries/notes"), b"").expect("a file");
    fs::create_dir(setup.data_dir().join("v7")).expect("a folder");
    let (code, printed) = fsck(&setup, &[]).await;
    assert_eq!(code, Some(0), "{printed}");
    assert_eq!(figure(&printed, "foreign"), 5, "{printed}");
    assert_eq!(figure(&printed, "removed"), 0);
    assert!(printed.contains("version     v7: "), "{printed}");
    assert_eq!(fs::read(&victim).expect("their file"), b"theirs");
    assert!(shard.join(&link).is_symlink());
    assert!(v1.join("tmp/000000000000002a.draft").is_symlink());
}

#[tokio::test]
async fn what_was_put_aside_earlier_is_told_and_kept() {
    let setup = furnished().await;
    flip(&entries(&setup)[2], 0);
    assert_hits(&setup, [true, true, false, true, true, true]).await;
    let (code, printed) = fsck(&setup, &[]).await;
    assert_eq!(code, Some(0), "{printed}");
    assert_eq!(figure(&printed, "quarantine"), 1);
    assert_eq!(figure(&printed, "intact"), 5);
    assert_eq!(figure(&printed, "removed"), 0);
}

#[tokio::test]
async fn a_directory_in_use_is_left_to_its_owner() {
    let larder = Larder::alone().await;
    let (code, printed) = fsck(larder.setup(), &[]).await;
    assert_eq!(code, Some(2), "{printed}");
    let owner = larder.process().id().to_string();
    assert!(printed.contains(&format!("process {owner}")), "{printed}");
    assert_eq!(printed.lines().count(), 1, "{printed}");
}

#[tokio::test]
async fn a_directory_that_is_not_there_is_not_made() {
    let setup = Setup::alone();
    let (code, printed) = fsck(&setup, &[]).await;
    assert_eq!(code, Some(2), "{printed}");
    assert!(!setup.data_dir().exists());
    let empty = setup.directory().join("empty");
    fs::create_dir(&empty).expect("a folder");
    let path = empty.to_str().expect("a plain path");
    let (code, printed) = fsck(&setup, &["--data-dir", path]).await;
    assert_eq!(code, Some(2), "{printed}");
    assert!(printed.contains(path), "{printed}");
    let left = fs::read_dir(&empty).expect("a folder").count();
    assert_eq!(left, 0, "nothing was put into it");
}

#[tokio::test]
async fn the_help_lists_it() {
    let help = Setup::alone().run(&["--help"]).await;
    assert!(help.stdout.contains("fsck"), "{}", help.stdout);
    let own = Setup::alone().run(&["fsck", "--help"]).await;
    assert_eq!(own.code, Some(0));
    assert!(own.stdout.contains("--dry-run"), "{}", own.stdout);
}
