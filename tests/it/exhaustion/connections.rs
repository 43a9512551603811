//! Many who are connected and want nothing, or do not say what.

use futures_util::future::join_all;

use super::{Guest, MIB, Stage, Takes, real, sized};
use crate::support::Certificate;

/// Begins a head, and never ends it.
const HALF_A_HEAD: &str = "GET /v8/artifacts/rests?slug=acme HTTP/1.1\r\nhost: localhost\r\nx-a: ";

/// Of `guests`, how many the server has closed.
async fn gone(guests: &mut [Guest]) -> usize {
    let gone = join_all(guests.iter_mut().map(Guest::is_gone)).await;
    gone.into_iter().filter(|gone| *gone).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_too_many_idle_connections_the_longest_idle_make_room() {
    let (most, idle) = sized((500, 600), (4096, 5000));
    let stage = Stage::new(MIB, |setup| {
        setup.toml("server.max_connections", &most.to_string())
    })
    .await;
    let bound = stage.bound().and(most, Takes::Connection);
    let story = async {
        let mut guests = Vec::new();
        for _ in 0..idle {
            guests.push(Guest::new(&stage.larder).await);
        }
        stage.until("larder_connections", &[], most).await;
        stage.serves("among idle connections").await;
        let metrics = stage.larder.metrics().await;
        let there = metrics.sum("larder_connections", &[]);
        assert!(there <= real(most), "{there} of {most}");
        // Each of the others, and of those who were served, had one of them go.
        let gone = gone(&mut guests).await;
        assert!(gone >= idle - most, "{gone}");
        assert!(stage.limited("connections").await >= real(idle - most));
    };
    stage.withstands("idle connections", bound, story).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_head_ends_in_its_time_however_many_there_are() {
    let halves = sized(200, 500);
    let stage = Stage::new(MIB, |setup| setup.set("server.header_timeout", "2s")).await;
    let bound = stage.bound().and(halves, Takes::Connection);
    let story = async {
        let mut guests = Vec::new();
        for _ in 0..halves {
            let mut guest = Guest::new(&stage.larder).await;
            guest.say(HALF_A_HEAD).await;
            guests.push(guest);
        }
        stage.serves("among half heads").await;
        let limits = [("limit", "head-time")];
        stage.until("larder_limits_total", &limits, halves).await;
        assert_eq!(gone(&mut guests).await, halves);
    };
    stage.withstands("half heads", bound, story).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_connections_in_tls_take_what_is_said_and_no_more() {
    let idle = sized(200, 2000);
    let certificate = Certificate::new();
    let stage = Stage::new(MIB, |setup| setup.secured(&certificate)).await;
    let bound = stage.bound().and(idle, Takes::Secured);
    let story = async {
        let mut guests = Vec::new();
        for _ in 0..idle {
            guests.push(Guest::secured(&stage.larder, &certificate.trust()).await);
        }
        stage.serves("among idle connections in TLS").await;
    };
    stage.withstands("idle, TLS", bound, story).await;
}
