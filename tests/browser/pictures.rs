//! Pictures of the page in its states, for people: `just screenshots` writes them into `target/screenshots`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use crate::browser::{Browser, NARROW, Screen, WIDE};
use crate::larder::Home;
use crate::origin::Origin;
use crate::road::{self, rest};
use crate::stage::{Stage, gone};
use crate::{ANSWERED, is_shown};

/// Minutes of traffic before the pictures of a busy Larder; more have more to show.
const MINUTES: &str = "SCREENSHOT_MINUTES";

/// A build's artifacts.
const BUILD: usize = 40;

/// Tiers of which the first is smaller than a build.
const TIERS: &str = "tier.memory.capacity = \"2MiB\"\ntier.memory.max_artifact = \"1MiB\"\n\
                     tier.disk.capacity = \"256MiB\"\ntier.disk.min_free = \"1MiB\"\n";

#[test]
#[ignore = "pictures for people, after minutes of traffic"]
fn screenshots() {
    let browser = Browser::open().expect("Chromium and its driver");
    let origin = Origin::start();
    let elsewhere = origin.address().to_string();
    let upstream = format!("http://{}/api", road::to(origin.address()));
    let home = Home::with(&upstream, TIERS);
    let stage = Stage::set(&home);

    browser.go(&stage.page());
    browser.until(ANSWERED);
    browser.until(&is_shown("start"));
    take(&browser, "idle");

    build(&stage, &elsewhere);
    browser.go(&stage.page());
    browser.until(ANSWERED);
    take(&browser, "busy");

    gone(origin);
    for artifact in 0..5 {
        stage.download(&hash(u32::MAX, artifact));
    }
    browser.until("/keeps failing/.test(document.getElementById('upstream').textContent)");
    browser.until("document.querySelectorAll('.troubles li').length >= 3");
    take(&browser, "upstream-down");
}

/// The page as it is, by each screen.
fn take(browser: &Browser, state: &str) {
    let screens = [("wide", WIDE), ("phone", NARROW)];
    for (name, screen) in screens {
        for (scheme, is_dark) in [("light", false), ("dark", true)] {
            browser.look_at(Screen { is_dark, ..screen });
            // A chart follows its frame's size with the next frame.
            browser.run("window.settled = false; setTimeout(() => (window.settled = true), 500)");
            browser.until("window.settled");
            let file = folder().join(format!("{state}-{name}-{scheme}.png"));
            fs::write(file, browser.picture()).expect("a picture");
        }
    }
    browser.look_at(WIDE);
}

/// Builds like those of a team: much of each is as in those before, some was built elsewhere, some nobody had.
fn build(stage: &Stage<'_>, elsewhere: &str) {
    let minutes = std::env::var_os(MINUTES);
    let minutes = minutes.and_then(|text| text.to_str()?.parse().ok());
    let minutes = minutes.unwrap_or(1);
    let begun = Instant::now();
    let mut round: u32 = 0;
    while begun.elapsed() < Duration::from_secs(60 * minutes) {
        for artifact in 0..BUILD {
            let (bytes, changes) = (
                4096 + artifact * artifact * 120,
                [3, 30, 9, 60][artifact % 4],
            );
            let hash = hash(round / changes, artifact);
            if round.is_multiple_of(changes) && artifact % 8 == 2 {
                Stage::upload_to(elsewhere, "/api/v8/artifacts", &hash, bytes);
            }
            if stage.download(&hash).status == 404 {
                stage.upload(&hash, bytes);
            }
        }
        round += 1;
        // Longer between some builds than between others, in waves.
        rest(Duration::from_secs(u64::from(
            1 + (round % 9) * (round % 4),
        )));
    }
}

fn hash(build: u32, artifact: usize) -> String {
    format!("{build:08x}{artifact:08x}")
}

fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("screenshots");
    fs::create_dir_all(&folder).expect("a folder for pictures");
    folder
}
