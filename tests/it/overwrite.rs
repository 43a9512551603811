//! Uploads of what is already there: one unit replaces another, or the key is forgotten.

use crate::support::{
    Artifact, Client, Ended, Larder, Origin, Reply, Request, Seen, Setup, artifact, assert_whole,
    bytes, script,
};

const FILLED: &str = "larder; fwd=uri-miss; fwd-status=200; stored";
const MEMORY: &str = "larder; hit; detail=memory";
const DISK: &str = "larder; hit; detail=disk";

fn old() -> Vec<u8> {
    bytes(1, 6000)
}

fn new() -> Vec<u8> {
    bytes(2, 4000)
}

fn upload(hash: &str, body: &[u8], tag: &str) -> Request {
    Request::new("PUT", &artifact(hash))
        .header("x-artifact-tag", tag)
        .body(body)
}

/// The origin has the old artifact, Larder too, and the client may read it.
async fn with_old(origin: &Origin, larder: &Larder, hash: &str) -> Client {
    origin.hold(hash, Artifact::from(&old()).field("x-artifact-tag", "old"));
    let mut client = larder.client();
    client.get(&artifact(hash)).await.assert_body(&old());
    larder.settled().await;
    assert_eq!(client.get(&artifact(hash)).await.cache_status(), MEMORY);
    client
}

#[track_caller]
fn assert_is(reply: &Reply, body: &[u8], tag: &str) {
    reply.assert_body(body);
    assert_eq!(
        reply.header("x-artifact-tag"),
        Some(tag),
        "body of one, tag of another"
    );
}

#[tokio::test]
async fn body_and_headers_are_replaced_in_both_tiers_as_one_unit() {
    let origin = Origin::start();
    let larder = Larder::before(&origin).await;
    let mut client = with_old(&origin, &larder, "aa").await;
    assert_eq!(client.ask(&upload("aa", &new(), "new")).await.status, 202);
    let memory = client.get(&artifact("aa")).await;
    assert_is(&memory, &new(), "new");
    assert_eq!(memory.cache_status(), MEMORY);
    let larder = larder.restart().await;
    let disk = larder.client().get(&artifact("aa")).await;
    assert_is(&disk, &new(), "new");
    assert_eq!(disk.cache_status(), DISK);
    assert_eq!(origin.gets("aa"), 1);
}

#[tokio::test]
async fn the_same_bytes_with_another_tag_are_another_artifact() {
    let origin = Origin::start();
    let larder = Larder::before(&origin).await;
    let mut client = with_old(&origin, &larder, "aa").await;
    assert_eq!(
        client.ask(&upload("aa", &old(), "repaired")).await.status,
        202
    );
    assert_eq!(
        origin.seen("PUT", "aa").len(),
        1,
        "an upload always goes upstream"
    );
    assert_is(&client.get(&artifact("aa")).await, &old(), "repaired");
}

#[tokio::test]
async fn a_refused_upload_leaves_the_old_entry() {
    let origin = Origin::start();
    let larder = Larder::before(&origin).await;
    for refusal in [401, 403, 413, 500] {
        let hash = format!("refused{refusal}");
        let mut client = with_old(&origin, &larder, &hash).await;
        origin.always("PUT", &hash, script().head(refusal).chunk(b"{}"));
        assert!(client.ask(&upload(&hash, &new(), "new")).await.status >= 400);
        let reply = client.get(&artifact(&hash)).await;
        assert_is(&reply, &old(), "old");
        if refusal < 500 {
            assert_eq!(
                (reply.cache_status(), origin.gets(&hash)),
                (MEMORY, 1),
                "{refusal}"
            );
        }
    }
}

#[tokio::test]
async fn a_cut_upload_leaves_the_old_entry() {
    let origin = Origin::start();
    let larder = Larder::before(&origin).await;
    let mut client = with_old(&origin, &larder, "aa").await;
    let mut writer = larder.client();
    let length = new().len().to_string();
    writer
        .send_head(&upload("aa", b"", "new").header("content-length", &length))
        .await;
    writer.send(&new()[..2000]).await;
    origin
        .until("a part", |seen| {
            seen.is("PUT", "aa") && !seen.body.is_empty()
        })
        .await;
    writer.leave();
    let cut = |seen: &Seen| seen.is("PUT", "aa") && seen.ended == Some(Ended::Cut);
    origin.until("the cut", cut).await;
    let reply = client.get(&artifact("aa")).await;
    assert_is(&reply, &old(), "old");
    assert_eq!((reply.cache_status(), origin.gets("aa")), (MEMORY, 1));
}

#[tokio::test]
async fn a_fill_older_than_an_upload_does_not_overwrite_it() {
    let origin = Origin::start();
    let larder = Larder::before(&origin).await;
    let (first, second) = (&old()[..3000], &old()[3000..]);
    let slow = script()
        .head(200)
        .length(6000)
        .header("x-artifact-tag", "old");
    origin.once("GET", "aa", slow.chunk(first).hold("rest").chunk(second));
    let mut reader = larder.client();
    reader
        .send_head(&Request::new("GET", &artifact("aa")))
        .await;
    let head = reader.read_head().await.expect("a head");
    assert_eq!(head.get("x-artifact-tag"), Some("old"));

    let mut client = larder.client();
    assert_eq!(client.ask(&upload("aa", &new(), "new")).await.status, 202);
    assert_is(&client.get(&artifact("aa")).await, &new(), "new");
    origin.release("rest");
    // Its readers finish what they began.
    assert_whole(&reader.read_rest().await, &old());
    larder.settled().await;
    let memory = client.get(&artifact("aa")).await;
    assert_is(&memory, &new(), "new");
    assert_eq!(memory.cache_status(), MEMORY);
    let larder = larder.restart().await;
    assert_is(&larder.client().get(&artifact("aa")).await, &new(), "new");
}

#[tokio::test]
async fn two_overlapping_uploads_leave_what_the_upstream_has() {
    let origin = Origin::start();
    let larder = Larder::before(&origin).await;
    let mut client = with_old(&origin, &larder, "aa").await;
    origin.once("PUT", "aa", script().hold("first").usual());
    let mut first = larder.client();
    let length = new().len().to_string();
    first
        .send_head(&upload("aa", b"", "first").header("content-length", &length))
        .await;
    first.send(&new()).await;
    origin.wait_at("first").await;
    assert_eq!(
        client
            .ask(&upload("aa", &bytes(3, 5000), "second"))
            .await
            .status,
        202
    );
    origin.release("first");
    assert_eq!(first.reply().await.status, 202);
    // Which of them the upstream keeps is its secret: neither is served without asking.
    let reply = client.get(&artifact("aa")).await;
    assert_eq!(reply.cache_status(), FILLED);
    assert_is(&reply, &new(), "first");
}

#[tokio::test]
async fn an_upload_that_may_not_be_one_costs_no_other_its_place() {
    let origin = Origin::start();
    origin.members(&["member"], 403);
    let larder = Larder::before(&origin).await;
    let mut strangers = [larder.client_as("garbage"), larder.client_as("cut")];
    for stranger in &mut strangers {
        stranger
            .send_head(&upload("aa", b"", "poison").header("content-length", "5000"))
            .await;
        stranger.send(&bytes(7, 1000)).await;
    }
    origin
        .until("both strangers", |seen| seen.token() == "cut")
        .await;
    let mut member = larder.client();
    assert_eq!(member.ask(&upload("aa", &new(), "new")).await.status, 202);
    let reply = member.get(&artifact("aa")).await;
    assert_eq!(reply.cache_status(), MEMORY);
    assert_is(&reply, &new(), "new");
    // Whatever becomes of theirs.
    let [garbage, cut] = &mut strangers;
    cut.leave();
    garbage.send(&bytes(7, 4000)).await;
    assert_eq!(garbage.reply().await.status, 403);
    let reply = member.get(&artifact("aa")).await;
    assert_eq!(reply.cache_status(), MEMORY);
    assert_is(&reply, &new(), "new");
}

#[tokio::test]
async fn without_an_upstream_the_last_of_two_overlapping_uploads_wins() {
    let larder = Larder::alone().await;
    let mut first = larder.client();
    let length = new().len().to_string();
    first
        .send_head(&upload("aa", b"", "first").header("content-length", &length))
        .await;
    first.send(&new()[..2000]).await;
    let mut second = larder.client();
    assert_eq!(
        second.ask(&upload("aa", &old(), "second")).await.status,
        202
    );
    assert_is(&second.get(&artifact("aa")).await, &old(), "second");
    first.send(&new()[2000..]).await;
    assert_eq!(first.reply().await.status, 202);
    assert_is(&second.get(&artifact("aa")).await, &new(), "first");
}

#[tokio::test]
async fn an_upload_of_unknown_outcome_forgets_the_key() {
    let origin = Origin::start();
    let larder = Larder::before(&origin).await;
    let mut client = with_old(&origin, &larder, "aa").await;
    origin.always("PUT", "aa", script().reset());
    let reply = client.ask(&upload("aa", &new(), "new")).await;
    assert!((400..500).contains(&reply.status), "{}", reply.status);
    let after = client.get(&artifact("aa")).await;
    assert_is(&after, &old(), "old");
    assert_eq!(
        after.cache_status(),
        FILLED,
        "only the upstream knows what it has"
    );
}

#[tokio::test]
async fn an_accepted_upload_ends_the_absence_for_those_who_asked_before() {
    let origin = Origin::start();
    let larder = Larder::before(&origin).await;
    let mut reader = larder.client();
    origin.once("GET", "aa", script().hold("absence").head(404).chunk(b"{}"));
    reader
        .send_head(&Request::new("GET", &artifact("aa")))
        .await;
    origin.wait_at("absence").await;
    assert_eq!(
        larder
            .client()
            .ask(&upload("aa", &new(), "new"))
            .await
            .status,
        202
    );
    origin.release("absence");
    assert_is(&reader.reply().await, &new(), "new");
}

#[tokio::test]
async fn nobody_new_follows_a_fill_that_an_upload_has_outdated() {
    let origin = Origin::start();
    let larder = Setup::before(&origin)
        .set("tier.disk.max_artifact", "64KiB")
        .set("tier.memory.max_artifact", "64KiB")
        .start()
        .await;
    let old = bytes(1, 50_000);
    origin.hold("aa", &old);
    let slow = script().head(200).length(old.len()).chunk(&old[..20_000]);
    origin.once("GET", "aa", slow.hold("rest").chunk(&old[20_000..]));
    let mut early = larder.client();
    early.send_head(&Request::new("GET", &artifact("aa"))).await;
    early.read_head().await.expect("a head");
    // Accepted, and too large to be kept: only the upstream has it.
    let new = bytes(2, 100_000);
    let mut client = larder.client();
    assert_eq!(client.put(&artifact("aa"), &new).await.status, 202);
    client.get(&artifact("aa")).await.assert_body(&new);
    origin.release("rest");
    assert_whole(&early.read_rest().await, &old);
}
