//! A disk that fails under a running Larder: full, read-only, removed; and a process short of files.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

use rustix::process::geteuid;

use crate::put::{STORED, announced, member};
use crate::support::{Larder, Origin, Seen, Setup, artifact, bytes, eventually, script};

/// A small file system of its own; gone when dropped.
struct Small<'a>(&'a Path);

impl<'a> Small<'a> {
    /// Mounted at `at`; nothing where this process may not mount, which only where nobody checks may
    /// pass unseen.
    fn mount(at: &'a Path, size: &str) -> Option<Self> {
        fs::create_dir_all(at).expect("a folder");
        let options = format!("size={size},mode=700");
        let mounted = geteuid().is_root() && mount(&["-t", "tmpfs", "-o", &options, "larder"], at);
        let must = std::env::var_os("CI").is_some() && geteuid().is_root();
        assert!(mounted || !must, "root in CI may mount");
        mounted.then_some(Self(at))
    }

    /// Makes it read-only for whoever names it from now on. The system refuses to remount what has a
    /// file open for writing, as the lock is; so a read-only view is laid over it.
    fn make_read_only(&self) {
        let at = self.0.to_str().expect("a plain path");
        assert!(mount(&["--bind", at], self.0));
        assert!(mount(&["-o", "remount,bind,ro"], self.0));
    }

    fn make_writable(&self) {
        let unmounted = Command::new("umount").arg("-l").arg(self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()));
    }
}

impl Drop for Small<'_> {
    fn drop(&mut self) {
        // Lazily: the process on it may be a moment from its end.
        Command::new("umount").arg("-l").arg(self.0).status().ok();
    }
}

fn mount(arguments: &[&str], at: &Path) -> bool {
    let mounted = Command::new("mount").args(arguments).arg(at).output();
    mounted.is_ok_and(|output| output.status.success())
}

/// A setup whose artifacts rest on the disk only.
fn on_disk_only(origin: &Origin) -> Setup {
    Setup::before(origin)
        .set("tier.memory.capacity", "0")
        .set("tier.disk.min_free", "0")
}

async fn until_state(larder: &Larder, state: &str) {
    let labels = [("tier", "disk"), ("state", state)];
    eventually(&format!("the disk tier to be {state}"), async || {
        larder.metrics().await.sum("larder_tier_state", &labels) > 0.0
    })
    .await;
}

#[tokio::test]
async fn a_removed_data_directory_costs_hits_and_is_made_anew() {
    let origin = Origin::start();
    let larder = on_disk_only(&origin).start().await;
    let mut client = larder.client();
    let body = bytes(1, 100_000);
    for number in 0..10 {
        let put = client.put(&artifact(&format!("aa{number}")), &body).await;
        assert_eq!(put.status, 202);
    }
    assert!(client.get(&artifact("aa1")).await.is_hit());
    // Larder may put something there while the rest is being removed.
    while let Err(error) = fs::remove_dir_all(larder.setup().data_dir()) {
        assert_eq!(error.kind(), ErrorKind::DirectoryNotEmpty);
    }
    for number in 0..10 {
        let path = artifact(&format!("aa{number}"));
        client.get(&path).await.assert_body(&body);
    }
    eventually("the directory to be there again", async || {
        larder.setup().data_dir().join("v1/epoch").exists()
    })
    .await;
    until_state(&larder, "working").await;
    client.get(&artifact("aa1")).await.assert_body(&body);
    larder.settled().await;
    let again = client.get(&artifact("aa1")).await;
    assert!(again.is_hit());
    again.assert_body(&body);
    let metrics = larder.metrics().await;
    assert!(metrics.sum("larder_disk_faults_total", &[("kind", "gone")]) > 0.0);
}

#[tokio::test]
async fn a_file_system_that_fills_up_and_becomes_read_only_costs_hits_only() {
    let origin = Origin::start();
    let setup = on_disk_only(&origin);
    let data_dir = setup.data_dir();
    let Some(small) = Small::mount(&data_dir, "4m") else {
        return;
    };
    let larder = setup.start().await;
    let mut client = larder.client();
    let body = bytes(1, 300_000);
    for number in 0..40 {
        let path = artifact(&format!("aa{number}"));
        assert_eq!(client.put(&path, &body).await.status, 202, "{number}");
        client.get(&path).await.assert_body(&body);
    }
    // Somebody else takes what is left.
    let others = data_dir.join("others");
    fs::write(&others, vec![0; 16 << 20]).expect_err("it is that small");
    for number in 0..20 {
        let path = artifact(&format!("bb{number}"));
        assert_eq!(client.put(&path, &body).await.status, 202, "{number}");
        client.get(&path).await.assert_body(&body);
    }
    let metrics = larder.metrics().await;
    assert!(
        metrics.sum("larder_evictions_total", &[("tier", "disk")]) > 0.0
            || metrics.sum("larder_disk_faults_total", &[("kind", "full")]) > 0.0
    );
    fs::remove_file(&others).expect("a file");
    until_state(&larder, "working").await;
    eventually("uploads to be kept again", async || {
        client.put(&artifact("cc"), &body).await;
        client.get(&artifact("cc")).await.is_hit()
    })
    .await;
    small.make_read_only();
    for number in 0..5 {
        let path = artifact(&format!("dd{number}"));
        let put = client.put(&path, &body).await;
        assert_eq!(put.status, 202);
        let said = put.header("cache-status").expect("a status").to_owned();
        let is_told = said.contains("detail=disk-fault") || said.contains("detail=no-room");
        assert!(is_told, "{said}");
        client.get(&path).await.assert_body(&body);
        let hit = client.get(&artifact("cc")).await;
        assert!(hit.is_hit(), "what is there is read");
        hit.assert_body(&body);
    }
    until_state(&larder, "read-only").await;
    small.make_writable();
    until_state(&larder, "working").await;
    client.put(&artifact("ee"), &body).await;
    assert!(client.get(&artifact("ee")).await.is_hit());
    let exit = larder.stop().await;
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    let said = |what: &str| exit.stderr.matches(what).count();
    assert!(said("it is only read") <= 3, "{}", exit.stderr);
}

#[tokio::test]
async fn a_process_short_of_files_answers_rightly_and_recovers() {
    let origin = Origin::start();
    let larder = on_disk_only(&origin).start().await;
    let body = bytes(1, 300_000);
    let mut client = larder.client();
    assert_eq!(client.put(&artifact("aa"), &body).await.status, 202);
    assert!(client.get(&artifact("aa")).await.is_hit());
    let id = larder.process().id();
    let open = fs::read_dir(format!("/proc/{id}/fd")).expect("a live process");
    // None left but for the probe's questions.
    let limit = |most: usize| {
        let limited = Command::new("prlimit")
            .args(["--pid", &id.to_string(), &format!("--nofile={most}:")])
            .status();
        limited.is_ok_and(|status| status.success())
    };
    if !limit(open.count()) {
        return;
    }
    for number in 0..20 {
        let path = artifact(&format!("bb{number}"));
        let put = client.put(&path, &body).await;
        assert!(matches!(put.status, 202 | 424), "{}", put.status);
        let got = client.get(&artifact("aa")).await;
        match got.status {
            200 => got.assert_body(&body),
            status => assert_eq!(status, 404),
        }
    }
    assert!(limit(1024));
    until_state(&larder, "working").await;
    eventually("uploads to be kept again", async || {
        client.put(&artifact("cc"), &body).await;
        client.get(&artifact("cc")).await.is_hit()
    })
    .await;
    let hit = client.get(&artifact("aa")).await;
    assert!(hit.is_hit(), "no entry was given up");
    hit.assert_body(&body);
}

#[tokio::test]
async fn for_what_strangers_say_that_they_send_no_room_is_kept_from_members() {
    let origin = Origin::start();
    let larder = on_disk_only(&origin)
        .set("tier.disk.capacity", "64MiB")
        .start()
        .await;
    let mut member = member(&origin, &larder).await;
    let body = bytes(1, 8 << 20);
    assert_eq!(member.put(&artifact("aa"), &body).await.status, 202);
    let mut strangers = Vec::new();
    for number in 0..9 {
        let hash = format!("strange{number}");
        let begun = script().early().stall();
        origin.always("PUT", &hash, begun);
        let mut stranger = larder.client_as("stranger");
        stranger.send_head(&announced(&hash, 7 << 20)).await;
        stranger.send(&body[..1 << 20]).await;
        let asked = |seen: &Seen| seen.is("PUT", &hash);
        origin.until("a stranger's upload", asked).await;
        strangers.push(stranger);
    }
    let put = member.put(&artifact("bb"), &body).await;
    assert_eq!((put.status, put.cache_status()), (202, STORED));
}

#[tokio::test]
async fn check_says_what_other_versions_left() {
    let setup = Setup::alone();
    let folder = setup.data_dir().join("v2/entries/ab");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("entry"), vec![1; 100_000]).expect("a file");
    let check = setup.run(&["check", "--config", "{config}"]).await;
    assert_eq!(check.code, Some(0), "{}", check.stderr);
    let line = check.stdout.lines().last().expect("a line");
    assert!(
        line.starts_with("# v2 (another version's entries): "),
        "{line}"
    );
    assert!(line.ends_with(" KiB in 1 files, left alone"), "{line}");
    let larder = setup.start().await;
    eventually("the log to say so", async || {
        larder
            .printed()
            .contains("another version's entries are left alone")
    })
    .await;
    assert!(folder.join("entry").exists());
}
