//! The harness itself, against a plain client: what it tells of others it must do.

use std::time::Duration;

use tokio::time::Instant;

use crate::support::{
    Client, Ended, Larder, Line, Moment, Origin, Request, Setup, Speech, Width, artifact, bytes,
    script,
};

#[tokio::test]
async fn the_origin_is_a_store() {
    let origin = Origin::start();
    let mut client = Client::new(origin.address()).token("t");
    assert_eq!(client.get(&artifact("aa")).await.status, 404);
    let upload = Request::new("PUT", &artifact("aa"))
        .header("x-artifact-tag", "sig")
        .body(b"body");
    assert_eq!(client.ask(&upload.chunked()).await.status, 202);
    let found = client.get(&artifact("aa")).await;
    found.assert_body(b"body");
    assert_eq!(found.header("x-artifact-tag"), Some("sig"));
    assert_eq!(client.get("/v8/artifacts/aa?slug=other").await.status, 404);
    let head = client.head(&artifact("aa")).await;
    assert_eq!(
        (head.status, head.header("content-length"), head.body.len()),
        (200, Some("4"), 0)
    );
    let batch = client
        .post("/v8/artifacts?slug=acme", br#"{"hashes":["aa","bb"]}"#)
        .await;
    assert_eq!(
        batch.body,
        br#"{"aa":{"size":4,"tag":"sig","taskDurationMs":7},"bb":null}"#
    );
    let connections: Vec<_> = origin
        .requests()
        .iter()
        .map(|seen| seen.connection)
        .collect();
    assert_eq!(connections, [0; 6], "kept alive");
}

#[tokio::test]
async fn the_origin_refuses_whom_it_is_told_to() {
    let origin = Origin::start();
    origin.members(&["member"], 403);
    let mut stranger = Client::new(origin.address()).token("stranger");
    assert_eq!(stranger.get(&artifact("aa")).await.status, 403);
    assert_eq!(
        stranger.get("/v8/artifacts/status?slug=acme").await.status,
        200
    );
    let mut member = Client::new(origin.address()).token("member");
    assert_eq!(member.get(&artifact("aa")).await.status, 404);
    assert_eq!(origin.gets("aa"), 2);
}

#[tokio::test]
async fn a_script_is_played_in_order_and_gates_hold_it() {
    let origin = Origin::start();
    origin.once(
        "GET",
        "aa",
        script()
            .head(200)
            .length(8)
            .chunk(b"half")
            .hold("rest")
            .chunk(b"rest"),
    );
    let mut client = Client::new(origin.address());
    client
        .send_head(&Request::new("GET", "/v8/artifacts/aa"))
        .await;
    origin.wait_at("rest").await;
    assert_eq!(
        client.read_head().await.unwrap().get("content-length"),
        Some("8")
    );
    assert_eq!(client.read_some(4).await, b"half");
    origin.release("rest");
    assert_eq!(client.read_rest().await, (b"rest".to_vec(), Ended::Whole));
    assert_eq!(client.get("/v8/artifacts/aa").await.status, 404, "used up");
}

#[tokio::test]
async fn every_broken_ending_is_seen_as_cut_and_every_whole_one_as_whole() {
    let origin = Origin::start();
    let cases = [
        (
            "cut",
            script().head(200).length(9).chunk(b"half").cut(),
            Ended::Cut,
        ),
        (
            "reset",
            script().head(200).chunked().chunk(b"half").reset(),
            Ended::Cut,
        ),
        (
            "short",
            script().head(200).length(9).chunk(b"half"),
            Ended::Cut,
        ),
        (
            "no-last-chunk",
            script().head(200).chunked().chunk(b"half").cut(),
            Ended::Cut,
        ),
        (
            "long",
            script().head(200).length(2).chunk(b"half"),
            Ended::Whole,
        ),
        (
            "chunked",
            script().head(200).chunked().chunk(b"ha").chunk(b"lf"),
            Ended::Whole,
        ),
        (
            "unframed",
            script().head(200).unframed().chunk(b"half"),
            Ended::Whole,
        ),
    ];
    for (name, script, ended) in cases {
        origin.always("GET", name, script);
        let mut client = Client::new(origin.address());
        assert_eq!(client.get(&artifact(name)).await.ended, ended, "{name}");
    }
    origin.always("GET", "silent", script().reset());
    assert_eq!(
        Client::new(origin.address())
            .get(&artifact("silent"))
            .await
            .status,
        0
    );
}

#[tokio::test]
async fn an_early_answer_comes_before_the_body() {
    let origin = Origin::start();
    origin.once("PUT", "aa", script().early().head(403).chunk(b"no"));
    let mut client = Client::new(origin.address());
    client
        .send_head(&Request::new("PUT", &artifact("aa")).header("content-length", "100"))
        .await;
    assert_eq!(client.reply().await.status, 403);
    client.send(&bytes(1, 40)).await;
    client.leave();
    let seen = origin
        .until("the cut", |seen| seen.ended == Some(Ended::Cut))
        .await;
    assert_eq!(seen.body, bytes(1, 40));
}

#[tokio::test]
async fn a_stopped_origin_refuses_and_comes_back_at_its_address() {
    let mut origin = Origin::start();
    let mut client = Client::new(origin.address());
    assert_eq!(client.get(&artifact("aa")).await.status, 404);
    origin.stop().await;
    assert_eq!(
        client.get(&artifact("aa")).await.status,
        0,
        "the old connection is broken"
    );
    assert_eq!(
        client.get(&artifact("aa")).await.status,
        0,
        "a new one is refused"
    );
    origin.resume();
    assert_eq!(client.get(&artifact("aa")).await.status, 404);
}

#[tokio::test]
async fn a_line_is_late_and_no_wider_than_it_is() {
    let width = Width {
        round_trip: Duration::from_millis(100),
        bytes_per_second: 100_000,
    };
    let origin = Origin::start();
    for hash in ["aa", "bb"] {
        origin.hold(hash, &bytes(1, 20_000));
    }
    let line = Line::to(origin.address(), width).await;
    let begun = Instant::now();
    let read = async |hash: &str| {
        let mut client = Client::new(line.address()).token("t");
        client.get(&artifact(hash)).await
    };
    let (one, other) = tokio::join!(read("aa"), read("bb"));
    one.assert_body(&bytes(1, 20_000));
    other.assert_body(&bytes(1, 20_000));
    // To connect, there and back, and four tenths of a second of bytes for the two of them.
    let least = Duration::from_millis(100 + 100 + 380);
    assert!(begun.elapsed() >= least, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_command_runs_to_its_end_and_its_output_is_kept() {
    let exit = Setup::alone().run(&["--no-such-flag"]).await;
    assert!(exit.code.is_some());
    assert!(exit.stdout.len() + exit.stderr.len() < 10_000);
}

#[test]
fn bytes_differ_by_seed_and_position() {
    assert_eq!(bytes(1, 1001).len(), 1001);
    assert_ne!(bytes(1, 64), bytes(2, 64));
    assert_ne!(bytes(1, 64)[..32], bytes(1, 64)[32..]);
    assert_eq!(bytes(1, 64), bytes(1, 128)[..64]);
}

#[tokio::test]
async fn a_greeting_takes_the_origins_place_until_it_is_forgotten() {
    let mut origin = Origin::start();
    origin.hold("aa", b"body".as_slice());
    origin.greet(
        Moment::Accepted,
        script().chunk(b"HTTP/1.1 204 No\r\n\r\n").cut(),
    );
    let mut client = Client::new(origin.address()).token("t");
    assert_eq!(client.get(&artifact("aa")).await.status, 204);
    client.leave();
    origin.forget();
    client.get(&artifact("aa")).await.assert_body(b"body");
    assert_eq!((origin.requests().len(), origin.accepted()), (1, 2));
    origin.jam().await;
    origin.resume();
    client.leave();
    client.get(&artifact("aa")).await.assert_body(b"body");
}

#[tokio::test]
async fn the_origin_fails_once_it_has_read_a_part() {
    let origin = Origin::start();
    let body = bytes(1, 4 << 20);
    origin.once("PUT", "aa", script().after(body.len() / 2).reset());
    let mut client = Client::new(origin.address()).token("t");
    assert_eq!(client.put(&artifact("aa"), &body).await.status, 0);
    let seen = &origin.seen("PUT", "aa")[0];
    assert!((body.len() / 2..body.len()).contains(&seen.body.len()));
    assert_eq!(seen.ended, None);
}

#[tokio::test]
async fn an_origin_that_keeps_nobody_closes_behind_every_answer() {
    let origin = Origin::start();
    origin.keep_nobody();
    let mut client = Client::new(origin.address()).token("t");
    for _ in 0..2 {
        let reply = client.get(&artifact("aa")).await;
        assert_eq!(
            (reply.status, reply.header("connection")),
            (404, Some("close"))
        );
    }
    assert_eq!(origin.accepted(), 2);
}

#[tokio::test]
async fn a_larder_trusts_the_certificate_of_its_origin() {
    let origin = Origin::narrow(Speech::http1_tls());
    origin.hold("aa", b"body".as_slice());
    let larder = Larder::before(&origin).await;
    larder
        .client()
        .get(&artifact("aa"))
        .await
        .assert_body(b"body");
    assert_eq!(origin.gets("aa"), 1);
}

#[tokio::test]
async fn loose_bytes_are_outside_a_bodys_framing() {
    let origin = Origin::start();
    let broken = script()
        .head(200)
        .chunked()
        .chunk(b"half")
        .loose(b"no size\r\n");
    origin.once("GET", "aa", broken.stall());
    let reply = Client::new(origin.address()).get(&artifact("aa")).await;
    assert_eq!(
        (reply.body.as_slice(), reply.ended),
        (b"half".as_slice(), Ended::Cut)
    );
}
