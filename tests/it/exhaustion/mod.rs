//! Clients that take what they can get: others are served meanwhile, memory stays within a sum that can be
//! said, and all is given back. How soon others are served is printed; nothing here asserts a time.
//!
//! `EXHAUSTION=full` makes them as many as bounds are made for, `just exhaustion`.

mod bound;
mod connections;
mod descriptors;
mod guest;
mod readers;
mod stage;
mod streams;
mod together;
mod uploads;

use std::env;

use bound::Takes;
use guest::Guest;
use stage::Stage;
use streams::Shared;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// Names the size.
const SIZE: &str = "EXHAUSTION";

/// What is `full` where that is asked for, else what a few seconds are enough for.
fn sized<T>(small: T, full: T) -> T {
    if env::var_os(SIZE).is_some_and(|size| size == "full") {
        full
    } else {
        small
    }
}

/// Prints a figure.
#[expect(clippy::print_stdout, reason = "shown where it is asked for")]
fn say(line: &str) {
    println!("{line}");
}

/// A number as metrics have it.
fn real(number: usize) -> f64 {
    f64::from(u32::try_from(number).expect("few"))
}
