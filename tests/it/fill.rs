//! Fills: one fetch for everybody, and no ending that is not the origin's.

use crate::support::{Client, Ended, Larder, Origin, Request, artifact, bytes, script};

const FILLED: &str = "larder; fwd=uri-miss; fwd-status=200; stored";
const MEMORY: &str = "larder; hit; detail=memory";

async fn ask(client: &mut Client, hash: &str) {
    client
        .send_head(&Request::new("GET", &artifact(hash)))
        .await;
}

#[tokio::test]
async fn cut_origin_never_ends_cleanly_and_leaves_nothing() {
    let body = bytes(1, 40_000);
    let part = |quarters: usize| &body[..body.len() * quarters / 4];
    let mut cases = Vec::new();
    for quarters in 0..4 {
        let sized = || script().head(200).length(body.len()).chunk(part(quarters));
        let chunked = || script().head(200).chunked().chunk(part(quarters));
        cases.push((format!("length-cut-{quarters}"), sized().cut()));
        cases.push((format!("length-reset-{quarters}"), sized().reset()));
        cases.push((format!("chunked-cut-{quarters}"), chunked().cut()));
        cases.push((format!("chunked-reset-{quarters}"), chunked().reset()));
    }
    let ten_more = body.len() + 10;
    cases.push((
        "length-lies".to_owned(),
        script().head(200).length(ten_more).chunk(&body),
    ));
    cases.push((
        "no-last-chunk".to_owned(),
        script().head(200).chunked().chunk(&body).cut(),
    ));

    let origin = Origin::start();
    let larder = Larder::before(&origin).await;
    for (hash, script) in cases {
        origin.always("GET", &hash, script);
        let reply = larder.client().get(&artifact(&hash)).await;
        assert!(
            !reply.is_clean(),
            "{hash}: {} bytes ended cleanly",
            reply.body.len()
        );
        assert!(
            reply.status != 200 || body.starts_with(&reply.body),
            "{hash}: other bytes"
        );
        larder.settled().await;
        origin.forget();
        origin.hold(&hash, &body);
        let fresh = larder.client().get(&artifact(&hash)).await;
        fresh.assert_body(&body);
        assert_eq!(fresh.cache_status(), FILLED, "{hash}");
    }
}

#[tokio::test]
async fn followers_of_a_cut_fill_are_cut_too() {
    let origin = Origin::start();
    let cut = script()
        .head(200)
        .length(9000)
        .chunk(&bytes(1, 4000))
        .hold("cut")
        .reset();
    origin.always("GET", "aa", cut);
    let larder = Larder::before(&origin).await;
    let mut readers = [larder.client(), larder.client(), larder.client()];
    for client in &mut readers {
        ask(client, "aa").await;
        client.read_head().await.expect("a head");
        client.read_some(4000).await;
    }
    origin.release("cut");
    for client in &mut readers {
        assert_eq!(client.read_rest().await, (Vec::new(), Ended::Cut));
    }
    assert_eq!(origin.gets("aa"), 1, "nothing is repeated after a head");
}

#[tokio::test]
async fn bytes_after_the_declared_length_reach_nobody() {
    let origin = Origin::start();
    let body = bytes(1, 10_000);
    origin.once("GET", "aa", script().head(200).length(9_990).chunk(&body));
    origin.hold("bb", &bytes(2, 3000));
    let larder = Larder::before(&origin).await;
    let mut client = larder.client();
    let declared = client.get(&artifact("aa")).await;
    assert!(!declared.is_clean() || declared.body == body[..9_990]);
    client
        .get(&artifact("bb"))
        .await
        .assert_body(&bytes(2, 3000));
}

#[tokio::test]
async fn an_unframed_body_is_never_a_clean_artifact() {
    let origin = Origin::start();
    let body = bytes(1, 4000);
    origin.always("GET", "aa", script().head(200).unframed().chunk(&body));
    let larder = Larder::before(&origin).await;
    assert!(!larder.client().get(&artifact("aa")).await.is_clean());
    larder.settled().await;
    origin.forget();
    origin.hold("aa", &body);
    let fresh = larder.client().get(&artifact("aa")).await;
    fresh.assert_body(&body);
    assert_eq!(fresh.cache_status(), FILLED);
}

#[tokio::test]
async fn a_chunked_artifact_is_stored_and_has_a_length_from_then_on() {
    let origin = Origin::start();
    let body = bytes(1, 4000);
    origin.once(
        "GET",
        "aa",
        script()
            .head(200)
            .chunked()
            .chunk(&body[..1000])
            .chunk(&body[1000..]),
    );
    let larder = Larder::before(&origin).await;
    let mut client = larder.client();
    let cold = client.get(&artifact("aa")).await;
    assert!(cold.is_clean() && cold.body == body);
    larder.settled().await;
    let warm = client.get(&artifact("aa")).await;
    warm.assert_body(&body);
    assert_eq!(warm.cache_status(), MEMORY);
}

#[tokio::test]
async fn what_breaks_right_behind_its_head_is_a_broken_answer_and_not_none() {
    let origin = Origin::start();
    let larder = Larder::before(&origin).await;
    let mut statuses = Vec::new();
    for number in 0..50 {
        let hash = format!("aa{number}");
        let head = script().head(200).length(9000);
        let broken = if number % 2 == 0 {
            head.chunk(b"some").reset()
        } else {
            head.reset()
        };
        origin.always("GET", &hash, broken);
        let reply = larder.client().get(&artifact(&hash)).await;
        assert!(!reply.is_clean());
        statuses.push(reply.status);
        // Not fifty failures in a row.
        larder.client().get(&artifact("absent")).await;
    }
    assert!(!statuses.contains(&0), "{statuses:?}");
}
