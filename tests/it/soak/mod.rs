//! Mixed traffic before an origin that fails at random, for as long as one likes: never a wrong byte,
//! and nothing left behind.
//!
//! `SOAK_SECONDS` says for how long, `SOAK_SEED` which luck.

mod faults;
mod ledger;
mod origin;
mod traffic;

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep, sleep_until};

use crate::support::{Larder, Setup, eventually};
use ledger::{KEYS, Ledger, target};
use origin::Origin;
use traffic::{Tally, Traffic};

const STATUS: &str = "/v8/artifacts/status?slug=acme";
const CLIENTS: u64 = 12;
/// Memory by which a process may grow over what it had after a quarter of the time.
const GROWTH: u64 = 48 << 20;
/// Threads for calls that may block, and a few for the rest, besides one for each processor.
const THREADS: usize = 64 + 8;

/// What an environment variable says.
fn told(name: &str, otherwise: u64) -> u64 {
    let told = env::var_os(name);
    let told = told.as_deref().and_then(OsStr::to_str);
    told.map_or(otherwise, |number| number.parse().expect("a number"))
}

/// Small tiers and short waits, so that misses and faults are many.
fn setup(origin: &Origin) -> Setup {
    let soon = |setup: Setup, key: &str| setup.set(key, "300ms");
    let setup = Setup::alone().set("upstream.url", &format!("http://{}", origin.address()));
    let waits = ["connect_timeout", "first_byte_timeout", "idle_timeout"];
    let setup = waits
        .iter()
        .fold(setup, |setup, key| soon(setup, &format!("upstream.{key}")));
    setup
        .set("access.verdict_ttl", "1s")
        .set("tier.memory.capacity", "512KiB")
        .set("tier.memory.max_artifact", "64KiB")
        .set("tier.disk.capacity", "6MiB")
        .set("tier.disk.max_age", "1s")
        // The lines of each request would fill the memory of the test.
        .set("log.level", "warn")
}

/// Descriptors of the process that are no connection to the origin and no entry that is kept open.
async fn descriptors(larder: &Larder, origin: &Origin) -> usize {
    let open = figure(larder, "process_open_fds").await;
    let entries = larder.setup().data_dir().join("v1/entries");
    let kept = larder.process().open_below(&entries);
    open.saturating_sub(origin.connections() + kept)
}

async fn figure(larder: &Larder, name: &str) -> usize {
    let value = larder.metrics().await.sum(name, &[]);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count"
    )]
    let value = value as usize;
    value
}

/// Watches the process until the end; returns its memory after a quarter of the time.
async fn watch(larder: &Larder, begun: Instant, length: Duration) -> u64 {
    sleep_until(begun + length / 4).await;
    let settled = larder.process().resident();
    let threads = available_parallelism().map_or(1, usize::from) + THREADS;
    while begun.elapsed() < length {
        sleep(length / 20).await;
        assert!(figure(larder, "process_threads").await <= threads);
    }
    settled
}

/// Waits until nothing of the traffic is left.
async fn assert_nothing_is_left(larder: &Larder, origin: &Origin, idle: usize) {
    larder.settled().await;
    eventually("connections to end", async || {
        figure(larder, "larder_connections").await == 0
    })
    .await;
    eventually("descriptors to be closed", async || {
        descriptors(larder, origin).await <= idle
    })
    .await;
    let tmp = larder.setup().data_dir().join("v1/tmp");
    eventually("drafts to go", async || {
        fs::read_dir(&tmp).expect("a folder").count() == 0
    })
    .await;
}

/// Asserts that a well origin is served as ever.
async fn assert_all_is_well(larder: &Larder, ledger: &Ledger) {
    let mut client = larder.client();
    eventually("the origin to be asked again", async || {
        client.get(STATUS).await.status == 200
    })
    .await;
    for key in 0..KEYS {
        // Reads may still be spared for a moment.
        eventually("what the origin has", async || {
            let asked = ledger.ask(key);
            let reply = client.get(&target(key)).await;
            ledger.check(asked, &reply);
            reply.is_clean() && reply.status == 200 || ledger.current(key).is_none()
        })
        .await;
    }
    let version = ledger.begin(1);
    let upload = version.upload().body(&version.body());
    // And so may uploads.
    eventually("an upload to be taken", async || {
        client.ask(&upload).await.status == 202
    })
    .await;
    let reply = client.get(&target(1)).await;
    reply.assert_body(&version.body());
    assert!(reply.is_hit());
}

#[expect(clippy::print_stdout, reason = "shown where it is asked for")]
fn say(line: &str) {
    println!("{line}");
}

#[tokio::test]
async fn whatever_the_origin_does_no_byte_is_wrong_and_nothing_is_left() {
    let (length, seed) = (told("SOAK_SECONDS", 5), told("SOAK_SEED", 1));
    // Printed if the test fails.
    say(&format!("SOAK_SECONDS={length} SOAK_SEED={seed}"));
    let length = Duration::from_secs(length);
    let ledger = Arc::new(Ledger::new());
    let origin = Origin::start(Arc::clone(&ledger), seed);
    let larder = setup(&origin).start().await;
    assert_eq!(larder.client().get(STATUS).await.status, 200);
    let idle = descriptors(&larder, &origin).await;

    origin.be_well(false);
    let (begun, tally) = (Instant::now(), Tally::default());
    let traffic = Traffic {
        address: larder.address(),
        ledger: &ledger,
        until: begun + length,
        tally: &tally,
    };
    let clients = (1..=CLIENTS).map(|client| traffic.go_on(seed << 8 | client));
    let (settled, _) = tokio::join!(watch(&larder, begun, length), join_all(clients));
    origin.be_well(true);
    say(&tally.to_string());

    ledger.assert_nothing_is_wrong();
    assert_nothing_is_left(&larder, &origin, idle).await;
    let grown = larder.process().resident().saturating_sub(settled);
    say(&format!(
        "{} KiB after a quarter, {} more at the end",
        settled >> 10,
        grown >> 10
    ));
    assert!(grown < GROWTH, "grew by {grown} bytes");
    assert_all_is_well(&larder, &ledger).await;
    ledger.assert_nothing_is_wrong();
    let printed = larder.printed();
    assert!(!printed.contains("panicked"), "{printed}");
}
