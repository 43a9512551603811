//! Crashes, simulated: real work of the tier is recorded call by call, every state in which a crash
//! could leave its directory is laid out, and the tier is started on each.
//!
//! Bodies have two pages here, and of a scenario with more than [`MOST_TRIED`] states every so-manieth
//! is tried. With `CRASH_STATES=all` (`just crash`) bodies have four pages, every state is tried, and
//! the last line tells how many that were.

mod histories;
mod image;
mod journal;
mod pages;
mod scenarios;
mod starts;
mod states;
mod tale;

use std::panic;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::{Builder, Runtime};

use self::starts::Yard;
use self::states::{State, States};
use self::tale::{Story, Tale};
use super::*;

/// Threads of the tier under these tests, whose panics the tier would pass off as misses.
const THREADS: &str = "crash-simulation";
/// Combinations of unsynced files behind one choice of names that are all tried.
const MOST_COMBINED: usize = 10_000;
/// States of one scenario that are tried; of more, every so-manieth, unless all are asked for.
const MOST_TRIED: usize = 2_500;
/// Violations told in full.
const TOLD: usize = 5;

static PANICS: AtomicUsize = AtomicUsize::new(0);
/// States of all scenarios that came to their end, and those of them that were tried.
static STATES: AtomicUsize = AtomicUsize::new(0);
static TRIED: AtomicUsize = AtomicUsize::new(0);

/// Records what `scenario` does and starts the tier on every state that it may leave.
fn survives(title: &str, config: config::Tier, scenario: impl AsyncFnOnce(&mut Tale)) {
    explore(
        title,
        config,
        scenario,
        &async |yard, story, state, number| {
            // Half of the states each for the two ways in which bodies are checked.
            yard.try_out(story, state, number.is_multiple_of(2)).await
        },
    );
}

/// The same, of a tier that is all but full: how much rests stays bounded, whatever is left of what
/// was written down of it.
fn stays_bounded(title: &str, config: config::Tier, scenario: impl AsyncFnOnce(&mut Tale)) {
    explore(title, config, scenario, &async |yard, story, state, _| {
        yard.try_filling(story, state).await
    });
}

fn explore(
    title: &str,
    config: config::Tier,
    scenario: impl AsyncFnOnce(&mut Tale),
    try_out: &impl AsyncFn(&Yard, &Story, &State, usize) -> Result<(), String>,
) {
    let runtime = runtime();
    let story = runtime.block_on(async {
        let mut tale = Tale::new(config);
        scenario(&mut tale).await;
        tale.end()
    });
    let states = States::of(&story.recording, &story.known, MOST_COMBINED);
    let yard = Yard::new();
    let mut violations = Vec::new();
    let step = if tries_all() {
        1
    } else {
        states.list.len().div_ceil(MOST_TRIED)
    };
    for (number, state) in states.list.iter().step_by(step).enumerate() {
        if let Err(what) = runtime.block_on(try_out(&yard, &story, state, number)) {
            violations.push(format!(
                "{:?}: {what}\n{}",
                state.crash,
                state.image.shown()
            ));
        }
    }
    report(title, &states, step, violations.len());
    violations.truncate(TOLD);
    assert!(violations.is_empty(), "{title}: {}", violations.join("\n"));
    assert_eq!(PANICS.load(Ordering::SeqCst), 0, "{title}");
}

/// What bodies are longer by where everything is to be tried, in bytes: whole pages.
fn extra() -> u64 {
    if tries_all() { 8 * KIB } else { 0 }
}

fn tries_all() -> bool {
    std::env::var_os("CRASH_STATES").is_some_and(|states| states == "all")
}

#[expect(clippy::print_stdout, reason = "for whoever asks for the figures")]
fn report(title: &str, states: &States, step: usize, violations: usize) {
    let counts: Vec<_> = states.counts.iter().collect();
    let tried = states.list.iter().step_by(step).count();
    let of = states.list.len();
    let (all, all_tried) = (add(&STATES, of), add(&TRIED, tried));
    println!(
        "{title}: {counts:?}, {tried} of {of} tried, {violations} violations; so far {all_tried} of {all}"
    );
}

fn add(sum: &AtomicUsize, number: usize) -> usize {
    sum.fetch_add(number, Ordering::SeqCst) + number
}

fn runtime() -> Runtime {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if std::thread::current().name() == Some(THREADS) {
                PANICS.fetch_add(1, Ordering::SeqCst);
            }
            before(info);
        }));
    });
    // Time stands still, so no wait for the disk ends early however busy the machine is.
    let mut builder = Builder::new_current_thread();
    let builder = builder
        .enable_time()
        .start_paused(true)
        .thread_name(THREADS);
    builder.build().unwrap()
}
