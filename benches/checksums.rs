//! Prints how many gigabytes a second one core sums up: what the disk tier uses, and what it might.
//!
//! Whatever the size, the checksum is one for each block of 64 KiB, as in an entry. The order changes
//! every round; a figure is the median of the rounds, with the slowest and the fastest behind it.
#![expect(clippy::print_stdout, reason = "it prints what it measured")]

use std::hint::black_box;

use aws_lc_rs::digest::{SHA256, digest};
use crc_fast::CrcAlgorithm;
use tokio::time::{Duration, Instant};

/// The block of an entry, in bytes.
const BLOCK: usize = 64 * 1024;
/// Bytes read again and again: small ones stay in the caches of the core.
const WARM: [(&str, usize); 3] = [
    ("1 KiB", 1024),
    ("64 KiB", 64 * 1024),
    ("16 MiB", 16 * 1024 * 1024),
];
/// More than the last cache of most machines: each byte comes from memory.
const COLD: usize = 1024 * 1024 * 1024;
/// Times that everything is measured.
const ROUNDS: usize = 9;
/// How long one sample takes at least.
const SAMPLE: Duration = Duration::from_millis(25);
/// The polynomial of CRC-64/NVME without its highest term.
const POLYNOMIAL: u64 = 0xad93_d235_94c9_3659;

type Sum = fn(&[u8]) -> u64;

const SUMS: [(&str, Sum); 5] = [
    ("CRC-64/NVME", |block| {
        crc_fast::checksum(CrcAlgorithm::Crc64Nvme, block)
    }),
    ("XXH3-64", xxhash_rust::xxh3::xxh3_64),
    ("CRC-32C", |block| u64::from(crc32c::crc32c(block))),
    ("BLAKE3", |block| {
        blake3::hash(block)
            .as_bytes()
            .first_chunk()
            .map_or(0, |head| u64::from_le_bytes(*head))
    }),
    ("SHA-256", |block| {
        digest(&SHA256, block)
            .as_ref()
            .first_chunk()
            .map_or(0, |head| u64::from_le_bytes(*head))
    }),
];

fn main() {
    let bytes: Vec<u8> = (0_u32..).map(noise).take(COLD).collect();
    let last = ("1 GiB", COLD);
    println!("GB/s on one core: median (slowest-fastest) of {ROUNDS} rounds\n");
    println!("| size | {} |", SUMS.map(|(name, _)| name).join(" | "));
    println!("|---|{}", "--:|".repeat(SUMS.len()));
    for (label, size) in WARM.into_iter().chain([last]) {
        let (part, _) = bytes.split_at(size);
        let mut figures: Vec<Vec<f64>> = vec![Vec::new(); SUMS.len()];
        for round in 0..ROUNDS {
            // Every algorithm has every place in the order.
            for place in 0..SUMS.len() {
                let at = (round + place) % SUMS.len();
                if let (Some((_, sum)), Some(kept)) = (SUMS.get(at), figures.get_mut(at)) {
                    kept.push(speed(*sum, part));
                }
            }
        }
        let cells: Vec<String> = figures.iter_mut().map(|kept| spread(kept)).collect();
        println!("| {label} | {} |", cells.join(" | "));
    }
    println!();
    for (label, length) in [("64 KiB", BLOCK), ("4 MiB", 64 * BLOCK)] {
        let missed = missed_in(8 * length + 64);
        println!("CRC-64/NVME misses {missed} errors of up to three bits in a block of {label}");
    }
}

/// Gigabytes a second.
fn speed(sum: Sum, bytes: &[u8]) -> f64 {
    let begun = Instant::now();
    let mut passes = 0_u32;
    loop {
        for _ in 0..(BLOCK / bytes.len()).max(1) {
            for block in black_box(bytes).chunks(BLOCK) {
                black_box(sum(block));
            }
            passes += 1;
        }
        let took = begun.elapsed();
        if took >= SAMPLE {
            return f64::from(passes) * as_f64(bytes.len()) / took.as_secs_f64() / 1e9;
        }
    }
}

fn spread(figures: &mut [f64]) -> String {
    figures.sort_by(f64::total_cmp);
    match (
        figures.first(),
        figures.get(figures.len() / 2),
        figures.last(),
    ) {
        (Some(slowest), Some(median), Some(fastest)) => {
            format!("{median:.1} ({slowest:.1}-{fastest:.1})")
        }
        _ => String::new(),
    }
}

/// Counts the errors of one, two or three bits that the checksum does not notice in a message of
/// `bits` bits, its checksum included.
///
/// Errors are missed when they add up to nothing modulo the polynomial, wherever they begin: the
/// first bit may as well be the lowest. So two bits are missed where a power of x is 1, three where
/// one power is another's successor.
fn missed_in(bits: usize) -> usize {
    let powers: Vec<u64> = std::iter::successors(Some(1_u64), |power| Some(times_x(*power)))
        .take(bits)
        .collect();
    let mut sorted = powers.clone();
    sorted.sort_unstable();
    let repeated = sorted.windows(2).filter(|pair| pair.first() == pair.last());
    let completed = powers
        .iter()
        .filter(|power| sorted.binary_search(&(*power ^ 1)).is_ok());
    repeated.count() + completed.count()
}

fn times_x(power: u64) -> u64 {
    let reduced = if power >> 63 == 1 { POLYNOMIAL } else { 0 };
    (power << 1) ^ reduced
}

/// Bytes without a pattern that anybody could use.
fn noise(number: u32) -> u8 {
    let [_, _, _, top] = number
        .wrapping_mul(0x9e37_79b1)
        .rotate_left(7)
        .to_le_bytes();
    top
}

#[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
fn as_f64(number: usize) -> f64 {
    number as f64
}
