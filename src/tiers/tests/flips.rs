//! Single bits that flip while nobody looks, anywhere in entries of all sizes: nobody is served one.
//!
//! A round flips one bit in each entry; `FLIP_ROUNDS` (`just flips`) asks for more of them.

use super::*;

const ROUNDS: u64 = 12;
/// Bodies of one block, of several, and one that is checked only while it leaves.
const SIZES: [u64; 7] = [0, 1, 300, 4096, 70_000, 300_000, 17 * MIB];

/// Places that look like chance and are the same in each run.
struct Dice(u64);

// === impl Dice ===

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        // Marsaglia's xorshift64.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

fn flip_a_bit(entry: &Path, dice: &mut Dice) {
    use std::os::unix::fs::FileExt;
    let file = fs::OpenOptions::new().read(true).write(true).open(entry);
    let file = file.unwrap();
    let place = dice.below(file.metadata().unwrap().len());
    let mut byte = [0];
    file.read_exact_at(&mut byte, place).unwrap();
    byte[0] ^= 1 << dice.below(8);
    file.write_all_at(&byte, place).unwrap();
}

async fn store_all(house: &House) {
    for (size, hash) in SIZES.iter().zip('a'..) {
        let large = house.large(&hash.to_string(), &bytes(*size, 7)).await;
        house.tiers.publish(large).await.unwrap();
    }
}

#[tokio::test]
#[expect(clippy::print_stdout, reason = "for whoever asks for the figures")]
async fn a_flipped_bit_is_served_to_nobody_wherever_it_is() {
    let asked = std::env::var_os("FLIP_ROUNDS").and_then(|rounds| rounds.into_string().ok());
    let rounds = asked.map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut house = House::with(config(MIB, 64 * MIB));
    let (mut flipped, mut served) = (0, 0);
    for _ in 0..rounds {
        store_all(&house).await;
        for entry in house.entries() {
            flip_a_bit(&entry, &mut dice);
            flipped += 1;
        }
        house = house.restart();
        for (_, hash) in SIZES.iter().zip('a'..) {
            served += u64::from(house.lookup(&hash.to_string()).await.is_some());
        }
        // What breaks on its way is put aside by a job of its own.
        while !house.tiers.shared.jobs.are_idle() {
            tokio::task::yield_now().await;
        }
        for path in house.files_in("quarantine") {
            fs::remove_file(path).unwrap();
        }
    }
    println!("{flipped} bits flipped, {served} served");
    assert_eq!((flipped, served), (rounds * SIZES.len() as u64, 0));
    let found = house.metrics.tier(Tier::Disk).corrupt.get();
    assert_eq!(found, flipped, "each is counted once");
}
