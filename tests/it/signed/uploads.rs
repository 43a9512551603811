//! Uploads: stored where their tag fits; otherwise refused, and whole for nobody.

use super::*;
use crate::put::{STORED, announced};
use crate::support::{Client, Seen, assert_bytes};

const OTHER_KEY: &str = "another key of more than thirty-two bytes";

#[tokio::test]
async fn a_signed_upload_of_any_age_is_accepted_and_served() {
    let origin = Origin::start();
    let larder = before(&origin).await;
    let mut reader = member(&origin, &larder).await;
    for scheme in SCHEMES {
        for (size, tier) in [(SMALL, MEMORY), (LARGE, DISK)] {
            for is_chunked in [false, true] {
                let hash = format!("{scheme:?}-{size}-{is_chunked}");
                let body = bytes(1, size);
                let tag = tag(scheme, &hash, &body);
                let sent = upload(&hash, &tag, &body, is_chunked);
                let reply = larder.client_as(&hash).ask(&sent).await;
                assert_eq!((reply.status, reply.cache_status()), (202, STORED));
                assert_bytes(&origin.seen("PUT", &hash)[0].body, &body);
                let hit = reader.get(&artifact(&hash)).await;
                hit.assert_body(&body);
                assert_eq!(hit.cache_status(), tier, "{hash}");
                assert_eq!(hit.header("x-artifact-tag"), Some(&*tag));
            }
        }
    }
    assert_counted(&larder, "put", 0).await;
}

#[tokio::test]
async fn an_upload_with_a_wrong_tag_leaves_nothing_here_and_is_not_completed_upstream() {
    let origin = Origin::start();
    let larder = before(&origin).await;
    let mut reader = member(&origin, &larder).await;
    let mut count = 0;
    for scheme in SCHEMES {
        for size in [SMALL, LARGE] {
            let body = bytes(1, size);
            let mut flipped = body.clone();
            flipped[size / 2] ^= 1;
            for is_chunked in [false, true] {
                let hash = format!("{scheme:?}-{size}-{is_chunked}");
                let mut wrong = vec![tag(scheme, &hash, &flipped)];
                if size == SMALL {
                    wrong.extend([
                        tag_with(OTHER_KEY, scheme, (&hash, ""), &body),
                        tag_with(KEY, scheme, (&hash, "team_x"), &body),
                        tag_with(KEY, scheme, ("other", ""), &body),
                        tag(scheme, &hash, &body[..size - 1]),
                    ]);
                }
                for tag in wrong {
                    let sent = upload(&hash, &tag, &body, is_chunked);
                    assert_refused(&larder.client_as(&tag).ask(&sent).await);
                    count += 1;
                }
                let after = reader.get(&artifact(&hash)).await;
                assert_eq!((after.status, after.cache_status()), (404, ABSENT));
            }
        }
    }
    assert_counted(&larder, "put", count).await;
    assert_none_is_whole(&origin).await;
}

/// Asserts that every upload that began at the origin broke off, also those that are just breaking.
async fn assert_none_is_whole(origin: &Origin) {
    let is_upload = |seen: &Seen| seen.method() == "PUT";
    for begun in origin.requests().into_iter().filter(is_upload) {
        let connection = begun.connection;
        let over =
            |seen: &Seen| is_upload(seen) && seen.connection == connection && seen.ended.is_some();
        let over = origin.until("the end of an upload", over).await;
        assert_eq!(over.ended, Some(Ended::Cut), "{}", over.target());
    }
}

#[tokio::test]
async fn what_is_not_signed_at_all_is_refused_before_its_body_and_reaches_nobody() {
    let origin = Origin::start();
    let larder = before(&origin).await;
    let good = tag(Scheme::Framed, "aa", &bytes(1, SMALL));
    let head = || announced("aa", SMALL);
    for head in [
        head(),
        head().header("x-artifact-tag", "sig"),
        head().header("x-artifact-tag", good.trim_end_matches('=')),
        head()
            .header("x-artifact-tag", &good)
            .header("x-artifact-tag", &good),
    ] {
        let mut client = larder.client();
        client.send_head(&head).await;
        assert_refused(&client.reply().await);
    }
    assert!(origin.seen("PUT", "aa").is_empty());
    assert_counted(&larder, "put", 4).await;
}

#[tokio::test]
async fn a_team_is_signed_by_its_id_and_not_by_its_slug() {
    let origin = Origin::start();
    let larder = before(&origin).await;
    let body = bytes(1, SMALL);
    let tag = tag_with(KEY, Scheme::Framed, ("aa", "team_a b"), &body);
    for (query, status) in [
        ("teamId=team_a+b", 202),
        ("slug=acme&teamId=team_a%20b", 202),
        ("teamId=team_c", 403),
        ("slug=team_a+b", 403),
        ("teamId=team_a+b&teamId=team_a+b", 403),
    ] {
        let sent = Request::new("PUT", &format!("/v8/artifacts/aa?{query}"));
        let sent = sent.header("x-artifact-tag", &tag).body(&body);
        assert_eq!(larder.client().ask(&sent).await.status, status, "{query}");
    }
}

#[tokio::test]
async fn an_empty_upload_is_decided_about_before_anything_goes_upstream() {
    let origin = Origin::start();
    let larder = before(&origin).await;
    let mut client = member(&origin, &larder).await;
    for is_chunked in [false, true] {
        for scheme in SCHEMES {
            let hash = format!("{scheme:?}-{is_chunked}");
            let wrong = tag(scheme, &hash, b"x");
            assert_refused(&client.ask(&upload(&hash, &wrong, b"", is_chunked)).await);
            assert!(origin.seen("PUT", &hash).is_empty(), "{hash}");
            let right = tag(scheme, &hash, b"");
            let reply = client.ask(&upload(&hash, &right, b"", is_chunked)).await;
            assert_eq!(reply.cache_status(), STORED);
            client.get(&artifact(&hash)).await.assert_body(b"");
        }
    }
}

#[tokio::test]
async fn a_refused_upload_leaves_the_entry_that_was_there() {
    let origin = Origin::start();
    let larder = before(&origin).await;
    let mut client = member(&origin, &larder).await;
    for (hash, size) in [("aa", SMALL), ("bb", LARGE)] {
        let old = bytes(1, size);
        let tag = tag(Scheme::Framed, hash, &old);
        let stored = client.ask(&upload(hash, &tag, &old, false)).await;
        assert_eq!(stored.status, 202);
        for is_chunked in [false, true] {
            let sent = upload(hash, &tag, &bytes(2, size), is_chunked);
            assert_refused(&client.ask(&sent).await);
            let hit = client.get(&artifact(hash)).await;
            hit.assert_body(&old);
            assert!(hit.is_hit(), "{}", hit.cache_status());
        }
        assert_eq!(origin.gets(hash), 0);
    }
}

#[tokio::test]
async fn a_signed_upload_that_its_client_cuts_leaves_nothing() {
    let origin = Origin::start();
    let larder = before(&origin).await;
    let mut reader = member(&origin, &larder).await;
    let body = bytes(1, 100_000);
    let mut writer = larder.client();
    // The tag of what has come by then: it is the length that is wrong.
    let tag = tag(Scheme::Joined, "aa", &body[..60_000]);
    let head = announced("aa", body.len()).header("x-artifact-tag", &tag);
    writer.send_head(&head).await;
    writer.send(&body[..60_000]).await;
    origin.until("its head", |seen| seen.is("PUT", "aa")).await;
    writer.leave();
    let cut = |seen: &Seen| seen.is("PUT", "aa") && seen.ended == Some(Ended::Cut);
    origin.until("the cut", cut).await;
    assert_eq!(reader.get(&artifact("aa")).await.cache_status(), ABSENT);
    assert_counted(&larder, "put", 0).await;
}

#[tokio::test]
async fn without_an_upstream_only_signed_uploads_are_kept() {
    let larder = with_key(Setup::alone(), KEY).start().await;
    let mut client = larder.client();
    for size in [SMALL, LARGE] {
        for is_chunked in [false, true] {
            assert_kept_only_signed(&mut client, size, is_chunked).await;
        }
    }
}

#[tokio::test]
async fn what_the_upstream_cannot_take_is_kept_only_signed() {
    let mut origin = Origin::start();
    let setup = Setup::before(&origin).set("upload.on_failure", "keep");
    let larder = with_key(setup, KEY).start().await;
    let mut client = member(&origin, &larder).await;
    let tag = tag(Scheme::Json, "proof-of-writing", b"x");
    let proof = upload("proof-of-writing", &tag, b"x", false);
    assert_eq!(client.ask(&proof).await.status, 202);
    origin.stop().await;
    for is_chunked in [false, true] {
        assert_kept_only_signed(&mut client, SMALL, is_chunked).await;
    }
}

async fn assert_kept_only_signed(client: &mut Client, size: usize, is_chunked: bool) {
    let (hash, body) = (format!("{size}-{is_chunked}"), bytes(1, size));
    let wrong = tag(Scheme::Framed, "other", &body);
    assert_refused(&client.ask(&upload(&hash, &wrong, &body, is_chunked)).await);
    assert_eq!(client.get(&artifact(&hash)).await.status, 404);
    let right = tag(Scheme::Framed, &hash, &body);
    let reply = client.ask(&upload(&hash, &right, &body, is_chunked)).await;
    assert_eq!(reply.cache_status(), STORED);
    client.get(&artifact(&hash)).await.assert_body(&body);
}
