//! All of it at once.

use futures_util::future::join_all;
use tokio::time::{Duration, sleep};

use super::{Guest, MIB, Stage, Takes, real, sized};

/// As the default has it, and for few of each a part of it.
fn in_flight() -> u64 {
    sized(8, 128) * MIB
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_clients_do_at_once_others_are_served() {
    let most = sized(500, 4096);
    let (idle, halves) = sized((600, 200), (5000, 500));
    let (uploads, upload) = sized((20, 12 << 20), (200, 100 << 20));
    let (readers, artifact, sips) = sized((20, 16 << 20, 4), (50, 64 << 20, 10));
    let stage = Stage::new(in_flight(), |setup| {
        setup
            .toml("server.max_connections", &most.to_string())
            .set("server.body_timeout", sized("4s", "10s"))
    })
    .await;
    stage.holds("large", artifact).await;
    let bound = stage.bound().and(most, Takes::Connection);
    let bound = bound.and(uploads, Takes::Upload);
    let story = async {
        let mut all = Vec::new();
        for _ in 0..idle {
            all.push(Guest::new(&stage.larder).await);
        }
        let begin = async |number: usize| {
            let mut guest = Guest::new(&stage.larder).await;
            guest
                .ask("PUT", &format!("half{number}"), "member", upload)
                .await;
            // Taken once somebody idle has gone.
            guest.stuff(upload / 2).await;
            guest
        };
        all.extend(join_all((0..uploads).map(begin)).await);
        let mut slow = Vec::new();
        for _ in 0..readers {
            let mut guest = Guest::new(&stage.larder).await;
            guest.ask("GET", "large", "member", 0).await;
            slow.push(guest);
        }
        for _ in 0..halves {
            let mut guest = Guest::new(&stage.larder).await;
            guest.say("GET / HTTP/1.1\r\nx-half: ").await;
            all.push(guest);
        }
        stage.serves("among all of them").await;
        for _ in 0..sips {
            join_all(slow.iter_mut().map(|guest| guest.sip(1024))).await;
            sleep(sized(Duration::from_millis(100), Duration::from_secs(1))).await;
        }
        let cut = [("limit", "body-time")];
        stage
            .until("larder_limits_total", &cut, sized(uploads, 1))
            .await;
        stage.serves("among all of them, later").await;
        assert!(stage.limited("connections").await >= real(idle - most));
    };
    stage.withstands("all together", bound, story).await;
}
