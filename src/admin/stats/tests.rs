//! What the answer says of what was counted.

use super::parts::FEWEST_FILLS;
use super::*;
use crate::artifact::{Failure, Ground, Outcome, RouteName, Tier};
use crate::metrics::{DiskState, Metrics};

const MEMORY: Outcome = Outcome::Hit {
    tier: Tier::Memory,
    grace: false,
};
const DISK: Outcome = Outcome::Hit {
    tier: Tier::Disk,
    grace: true,
};

fn told(metrics: &Metrics) -> serde_json::Value {
    told_of(metrics, true)
}

fn told_of(metrics: &Metrics, is_disk_read: bool) -> serde_json::Value {
    let about = About {
        started: Landed::from_secs(1_760_000_000),
        began: Instant::now(),
        access: AccessMode::Upstream,
        api: Some("http://127.0.0.1:8585".to_owned()),
        upstream: None,
    };
    let encoded = encode(&Sight {
        about: &about,
        state: "ready",
        standing: Standing {
            uploads: 2,
            is_disk_read,
            ..Standing::default()
        },
        figures: &Figures::of(metrics.registry()),
        history: &History::new(),
    });
    serde_json::from_slice(&encoded.unwrap()).unwrap()
}

fn read(metrics: &Metrics, outcome: Outcome, times: u64, seconds: f64) {
    let handles = metrics.request(RouteName::Get, outcome).unwrap();
    for _ in 0..times {
        handles.total.inc();
        handles.seconds.observe(seconds);
    }
}

#[test]
fn the_hit_rate_counts_wants_of_bodies_and_nothing_else() {
    let metrics = Metrics::new().unwrap();
    assert_eq!(told(&metrics)["reads"]["rate"], serde_json::Value::Null);
    read(&metrics, MEMORY, 5, 0.001);
    read(&metrics, DISK, 2, 0.001);
    read(&metrics, Outcome::Filled, 1, 0.1);
    read(&metrics, Outcome::Absent, 1, 0.1);
    read(&metrics, Outcome::Degraded(Failure::Cut), 1, 0.1);
    read(&metrics, Outcome::Denied(Ground::ReadOnly), 7, 0.1);
    let puts = metrics.request(RouteName::Put, Outcome::Stored).unwrap();
    puts.total.inc();
    let told = told(&metrics);
    let reads = serde_json::json!({"asked": 10, "memory": 5, "disk": 2, "missed": 3, "rate": 0.7});
    assert_eq!(told["reads"], reads);
    assert_eq!(told["requests"]["get"]["denied"], 7);
    assert_eq!(told["requests"]["head"], serde_json::Value::Null);
    assert_eq!(told["in_flight"]["uploads"], 2);
}

#[test]
fn the_waiting_that_hits_saved_is_estimated_from_ten_fills_on() {
    let metrics = Metrics::new().unwrap();
    read(&metrics, MEMORY, 4, 0.01);
    read(&metrics, Outcome::Filled, FEWEST_FILLS - 1, 0.5);
    let saved = |metrics: &Metrics| told(metrics)["saved"]["waiting_seconds"].as_f64();
    assert_eq!(saved(&metrics), None);
    read(&metrics, Outcome::Filled, 1, 0.5);
    let seconds = saved(&metrics).unwrap();
    assert!((seconds - 4.0 * (0.5 - 0.01)).abs() < 1e-9, "{seconds}");
    read(&metrics, MEMORY, 1, 1000.0);
    assert_eq!(saved(&metrics), Some(0.0));
}

#[test]
fn a_tier_with_nothing_has_no_oldest_entry_and_one_turned_off_is_off() {
    let metrics = Metrics::new().unwrap();
    metrics.tier(Tier::Memory).entries.set(3);
    metrics.tier(Tier::Memory).oldest.set(4);
    let before = told(&metrics);
    assert_eq!(before["tiers"]["memory"]["oldest_seconds"], 4);
    assert_eq!(
        before["tiers"]["disk"]["oldest_seconds"],
        serde_json::Value::Null
    );
    assert_eq!(before["tiers"]["disk"]["state"], "off");
    metrics.disk.show(Some(DiskState::ReadOnly));
    assert_eq!(told(&metrics)["tiers"]["disk"]["state"], "read-only");
}

#[test]
fn a_full_disk_that_is_not_read_yet_after_a_start_is_not_called_too_small() {
    let metrics = Metrics::new().unwrap();
    metrics.disk.show(Some(DiskState::Working));
    let tier = metrics.tier(Tier::Disk);
    // As the last process left word of them, while no folder is read.
    tier.entries.set(7);
    tier.bytes.set(95);
    tier.capacity.set(100);
    let is_called_small = |told: &serde_json::Value| {
        let hints = told["hints"].as_array().unwrap();
        hints.iter().any(|hint| hint["code"] == "disk-too-small")
    };
    let before = told_of(&metrics, false);
    let oldest = &before["tiers"]["disk"]["oldest_seconds"];
    assert_eq!(oldest, &serde_json::Value::Null);
    assert!(!is_called_small(&before), "{before}");
    tier.oldest.set(3600);
    assert!(is_called_small(&told(&metrics)));
}
