//! Many askers of one artifact: one fetch, and each of them on its own otherwise.

use futures_util::future::join_all;

use crate::access::assert_nothing_of;
use crate::support::{
    Client, Larder, Origin, Request, Script, Setup, artifact, assert_whole, bytes, script,
};

const FILLED: &str = "larder; fwd=uri-miss; fwd-status=200; stored";
const COLLAPSED: &str = "larder; fwd=uri-miss; collapsed";
const MEMORY: &str = "larder; hit; detail=memory";

/// An artifact whose second half waits at the gate `rest`.
fn halved(body: &[u8]) -> Script {
    let (first, second) = body.split_at(body.len() / 2);
    script()
        .head(200)
        .length(body.len())
        .chunk(first)
        .hold("rest")
        .chunk(second)
}

async fn ask(client: &mut Client, hash: &str) {
    client
        .send_head(&Request::new("GET", &artifact(hash)))
        .await;
}

#[tokio::test]
async fn a_hundred_askers_cost_one_fetch_and_see_bytes_before_the_origin_has_sent_its_last() {
    let origin = Origin::start();
    let body = bytes(1, 200_000);
    origin.once("GET", "aa", halved(&body));
    let larder = Larder::before(&origin).await;
    let readers = (0..100).map(|_| async {
        let mut client = larder.client();
        ask(&mut client, "aa").await;
        let head = client
            .read_head()
            .await
            .expect("a head before the body is whole");
        let first = client.read_some(1).await;
        (client, head, first)
    });
    let readers = join_all(readers).await;
    assert_eq!(origin.gets("aa"), 1);
    origin.release("rest");

    let mut statuses = Vec::new();
    for (mut client, head, mut read) in readers {
        assert!(
            !read.is_empty(),
            "a first byte while the origin holds the rest"
        );
        assert_eq!(head.get("content-length"), Some("200000"));
        statuses.extend(head.get("cache-status").map(str::to_owned));
        let (rest, ended) = client.read_rest().await;
        read.extend_from_slice(&rest);
        assert_whole(&(read, ended), &body);
    }
    let filled = statuses.iter().filter(|status| *status == FILLED).count();
    let collapsed = statuses
        .iter()
        .filter(|status| *status == COLLAPSED)
        .count();
    assert_eq!((filled, collapsed), (1, 99));
    assert_eq!(origin.requests().len(), 1);
}

#[tokio::test]
async fn the_first_asker_leaves_and_the_fill_lands() {
    let origin = Origin::start();
    let body = bytes(1, 50_000);
    origin.once("GET", "aa", halved(&body));
    let larder = Larder::before(&origin).await;
    let mut first = larder.client();
    ask(&mut first, "aa").await;
    origin.wait_at("rest").await;
    assert!(!first.read_head().await.expect("a head").start.is_empty());
    first.leave();
    origin.release("rest");
    larder.settled().await;
    let later = larder.client().get(&artifact("aa")).await;
    later.assert_body(&body);
    assert_eq!(later.cache_status(), MEMORY);
    assert_eq!(origin.gets("aa"), 1);
}

#[tokio::test]
async fn the_first_asker_leaves_before_the_head_and_the_fill_lands() {
    let origin = Origin::start();
    origin.hold("aa", &bytes(1, 5000));
    origin.once("GET", "aa", script().hold("head").usual());
    let larder = Larder::before(&origin).await;
    let mut first = larder.client();
    ask(&mut first, "aa").await;
    origin.wait_at("head").await;
    first.leave();
    origin.release("head");
    larder.settled().await;
    assert_eq!(
        larder.client().get(&artifact("aa")).await.cache_status(),
        MEMORY
    );
    assert_eq!(origin.gets("aa"), 1);
}

#[tokio::test]
async fn a_slow_reader_holds_back_nobody_and_gets_all() {
    let origin = Origin::start();
    // More than the sockets between take: the slow reader's path is full.
    let body = bytes(1, 32 << 20);
    origin.hold("aa", &body);
    let larder = Setup::before(&origin)
        .set("tier.memory.capacity", "16MiB")
        .start()
        .await;
    let mut slow = larder.client();
    ask(&mut slow, "aa").await;
    slow.read_head().await.expect("a head");
    larder
        .client()
        .get(&artifact("aa"))
        .await
        .assert_body(&body);
    assert_whole(&slow.read_rest().await, &body);
    assert_eq!(origin.gets("aa"), 1);
}

#[tokio::test]
async fn a_follower_with_another_accepted_credential_is_served_and_a_refused_one_gets_no_byte() {
    let origin = Origin::start();
    origin.members(&["t1", "t2"], 403);
    let body = bytes(1, 40_000);
    origin.hold("aa", &body);
    origin.once("GET", "aa", halved(&body));
    let larder = Larder::before(&origin).await;
    let mut leader = larder.client_as("t1");
    ask(&mut leader, "aa").await;
    leader.read_head().await.expect("a head");

    let mut member = larder.client_as("t2");
    ask(&mut member, "aa").await;
    let head = member.read_head().await.expect("a head");
    assert_eq!(head.word(1), "200");
    let refused = larder.client_as("t3").get(&artifact("aa")).await;
    assert_eq!(refused.status, 403);
    assert!(!body.starts_with(&refused.body) || refused.body.is_empty());
    let anonymous = larder.stranger().get(&artifact("aa")).await;
    assert_eq!(anonymous.status, 403);

    origin.release("rest");
    for client in [&mut leader, &mut member] {
        assert_whole(&client.read_rest().await, &body);
    }
    let fetched: Vec<_> = origin
        .seen("GET", "aa")
        .iter()
        .map(|seen| seen.token().to_owned())
        .collect();
    assert!(
        !fetched.contains(&"t2".to_owned()),
        "the follower needed no fetch: {fetched:?}"
    );
}

#[tokio::test]
async fn who_is_refused_meanwhile_does_not_follow_even_its_own_fill() {
    let origin = Origin::start();
    origin.members(&["t1"], 403);
    let body = bytes(1, 40_000);
    origin.hold("aa", &body);
    origin.once("GET", "aa", halved(&body));
    let larder = Larder::before(&origin).await;
    let mut leader = larder.client_as("t1");
    ask(&mut leader, "aa").await;
    leader.read_head().await.expect("a head");

    origin.members(&[], 403);
    let mut again = larder.client_as("t1");
    assert_eq!(again.get(&artifact("bb")).await.status, 403);
    let refused = again.get(&artifact("aa")).await;
    assert_eq!(refused.status, 403);
    assert_nothing_of(&refused, &body);

    origin.release("rest");
    assert_whole(&leader.read_rest().await, &body);
}

#[tokio::test]
async fn a_strangers_404_never_becomes_a_members_miss() {
    // Also where Larder itself judges nobody, and the upstream goes on judging each.
    for mode in ["upstream", "open"] {
        let origin = Origin::start();
        origin.members(&["member"], 404);
        let larder = Setup::before(&origin)
            .set("access.mode", mode)
            .start()
            .await;
        for round in 0..10 {
            let hash = format!("aa{round}");
            let (refusal, fetch) = (format!("refusal{round}"), format!("fetch{round}"));
            origin.hold(&hash, &bytes(1, 5000));
            origin.once("GET", &hash, script().hold(&refusal).usual());
            // What the member brings is open's to everybody, so it comes once the stranger is gone.
            origin.once("GET", &hash, script().hold(&fetch).usual());
            let (mut stranger, mut member) = (larder.client_as("stranger"), larder.client());
            ask(&mut stranger, &hash).await;
            origin.wait_at(&refusal).await;
            ask(&mut member, &hash).await;
            origin.release(&refusal);
            assert_eq!(stranger.reply().await.status, 404, "{mode}");
            origin.release(&fetch);
            member.reply().await.assert_body(&bytes(1, 5000));
        }
    }
}

#[tokio::test]
async fn a_strangers_login_page_or_limit_never_becomes_a_members_miss() {
    for status in [200, 429] {
        let origin = Origin::start();
        let larder = Larder::before(&origin).await;
        for round in 0..10 {
            let (hash, told) = (format!("aa{round}"), format!("told{round}"));
            origin.hold(&hash, &bytes(1, 5000));
            let head = script().hold(&told).head(status);
            let head = head.header("content-type", "text/html");
            let answer = head.header("retry-after", "60");
            origin.once("GET", &hash, answer.chunk(b"<title>Sign in</title>"));
            // Another one each time: whoever is told to wait is not asked about for a while.
            let mut stranger = larder.client_as(&format!("stranger{round}"));
            let mut member = larder.client();
            ask(&mut stranger, &hash).await;
            origin.wait_at(&told).await;
            ask(&mut member, &hash).await;
            origin.release(&told);
            assert_eq!(stranger.reply().await.status, 404, "{status}");
            member.reply().await.assert_body(&bytes(1, 5000));
        }
    }
}
