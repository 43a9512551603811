//! Many who ask for more than they take.

use std::time::Duration;

use tokio::time::sleep;

use super::{Guest, MIB, Shared, Stage, Takes, sized};
use crate::support::{Certificate, Setup, Trust};

/// Memory for bodies: less than the readers would have.
const IN_FLIGHT: u64 = 4 * MIB;
const SIPS: usize = 4;

fn large() -> usize {
    sized(16, 64) << 20
}

/// Readers that take a KiB now and then.
async fn sipping(stage: &Stage, readers: usize, trust: Option<&Trust>) -> Vec<Guest> {
    let mut guests = Vec::new();
    for _ in 0..readers {
        let mut guest = match trust {
            None => Guest::new(&stage.larder).await,
            Some(trust) => Guest::secured(&stage.larder, trust).await,
        };
        guest.ask("GET", "large", "member", 0).await;
        guests.push(guest);
    }
    for _ in 0..SIPS {
        for guest in &mut guests {
            guest.sip(1024).await;
        }
        sleep(sized(Duration::from_millis(50), Duration::from_secs(1))).await;
    }
    guests
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_readers_of_a_file_take_no_memory_for_it() {
    let readers = sized(20, 50);
    let stage = Stage::new(IN_FLIGHT, |setup| setup).await;
    stage.holds("large", large()).await;
    let bound = stage.bound().and(readers, Takes::Connection);
    let story = async {
        let _guests = sipping(&stage, readers, None).await;
        stage.serves("among slow readers").await;
    };
    stage.withstands("slow readers", bound, story).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_readers_of_memory_share_what_they_read() {
    let readers = sized(20, 50);
    let length = 16 << 20;
    let in_memory = |setup: Setup| {
        setup
            .set("tier.memory.capacity", "64MiB")
            .set("tier.memory.max_artifact", "16MiB")
            .set("tier.in_flight", "32MiB")
    };
    let stage = Stage::new(2 * length as u64, in_memory).await;
    stage.holds("large", length).await;
    // It rests in memory, once.
    let bound = stage.bound().and(readers, Takes::Connection);
    let story = async {
        let _guests = sipping(&stage, readers, None).await;
        // Whatever takes its place, they go on with what they have.
        stage.holds("large", length).await;
        stage.serves("among slow readers of memory").await;
    };
    stage.withstands("slow readers, memory", bound, story).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_readers_in_tls_make_do_with_little_where_memory_is_short() {
    let readers = sized(100, 500);
    let certificate = Certificate::new();
    let stage = Stage::new(IN_FLIGHT, |setup| setup.secured(&certificate)).await;
    stage.holds("large", large()).await;
    let each = stage.bound().and(readers, Takes::Secured);
    let bound = each.and(readers, Takes::Pieces);
    let story = async {
        let _guests = sipping(&stage, readers, Some(&certificate.trust())).await;
        stage.serves("among slow readers in TLS").await;
        assert!(stage.limited("memory").await > 0.0);
    };
    stage.withstands("slow readers, TLS", bound, story).await;
}

/// A hundred streams on each of a few connections.
async fn streams_that_take_nothing(trust: Option<&Certificate>, what: &str) {
    const STREAMS: usize = 100;
    let connections = sized(1, 10);
    let stage = Stage::new(IN_FLIGHT, |setup| match trust {
        Some(certificate) => setup.secured(certificate),
        None => setup,
    })
    .await;
    stage.holds("large", large()).await;
    let streams = connections * STREAMS;
    let bound = stage.bound().and(connections, Takes::Secured);
    let bound = bound.and(streams, Takes::Stream);
    let bound = bound.and(streams, Takes::Piece);
    let trust = trust.map(Certificate::trust);
    let story = async {
        let mut shared = Vec::new();
        let mut bodies = Vec::new();
        for _ in 0..connections {
            let one = Shared::new(&stage.larder, trust.as_ref()).await;
            for _ in 0..STREAMS {
                bodies.push(one.get("large").await);
            }
            shared.push(one);
        }
        stage.serves(what).await;
        assert!(stage.limited("memory").await > 0.0);
    };
    stage.withstands(what, bound, story).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_that_take_nothing_make_do_with_little_where_memory_is_short() {
    streams_that_take_nothing(None, "streams that take nothing").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_they_do_in_tls() {
    let certificate = Certificate::new();
    streams_that_take_nothing(Some(&certificate), "streams that take nothing, TLS").await;
}
