//! Fills: passed on as they come, and stored where their tag fits.

use super::*;
use crate::support::{assert_bytes, script};

const FILLED: &str = "larder; fwd=uri-miss; fwd-status=200; stored";
const BYPASS: &str = "larder; fwd=bypass; detail=invalid-signature";

/// What an origin sends for a hash.
struct Answer<'a> {
    tag: Option<&'a str>,
    body: &'a [u8],
    is_chunked: bool,
}

impl Answer<'_> {
    /// Lets the origin answer so, and asks Larder twice for it. Gives what was said of the artifact,
    /// which came whole both times, and how often the origin was asked.
    async fn asked_twice(
        &self,
        origin: &Origin,
        larder: &Larder,
        hash: &str,
    ) -> ([String; 2], usize) {
        let mut answer = script().head(200);
        if self.is_chunked {
            answer = answer.chunked();
        }
        if let Some(tag) = self.tag {
            answer = answer.header("x-artifact-tag", tag);
        }
        for piece in self.body.chunks(100_000) {
            answer = answer.chunk(piece);
        }
        origin.always("GET", hash, answer);
        let mut client = larder.client();
        let mut said = [String::new(), String::new()];
        for said in &mut said {
            let reply = client.get(&artifact(hash)).await;
            assert!(reply.is_clean(), "{hash}");
            assert_bytes(&reply.body, self.body);
            reply.cache_status().clone_into(said);
            larder.settled().await;
        }
        (said, origin.gets(hash))
    }
}

fn twice(said: &str) -> ([String; 2], usize) {
    ([said.to_owned(), said.to_owned()], 2)
}

#[tokio::test]
async fn a_fill_whose_tag_fits_is_stored_and_one_whose_tag_does_not_is_passed_on() {
    let origin = Origin::start();
    let larder = before(&origin).await;
    let mut count = 0;
    for scheme in SCHEMES {
        for (size, tier) in [(SMALL, MEMORY), (LARGE, DISK)] {
            let body = bytes(1, size);
            for is_chunked in [false, true] {
                let good = format!("good-{scheme:?}-{size}-{is_chunked}");
                let answer = Answer {
                    tag: Some(&tag(scheme, &good, &body)),
                    body: &body,
                    is_chunked,
                };
                let came = answer.asked_twice(&origin, &larder, &good).await;
                assert_eq!(came, ([FILLED.to_owned(), tier.to_owned()], 1), "{good}");
                // The same answer, which is another artifact's.
                let bad = format!("bad-{scheme:?}-{size}-{is_chunked}");
                let came = answer.asked_twice(&origin, &larder, &bad).await;
                assert_eq!(came, twice(FILLED), "{bad}");
                count += 2;
            }
        }
    }
    assert_counted(&larder, "fill", count).await;
}

#[tokio::test]
async fn a_fill_that_is_not_signed_is_passed_on_and_says_so() {
    let origin = Origin::start();
    let larder = before(&origin).await;
    for (index, tag) in [None, Some("sig")].into_iter().enumerate() {
        for size in [0, SMALL, LARGE] {
            let body = bytes(1, size);
            for is_chunked in [false, true] {
                let hash = format!("{index}-{size}-{is_chunked}");
                let answer = Answer {
                    tag,
                    body: &body,
                    is_chunked,
                };
                let came = answer.asked_twice(&origin, &larder, &hash).await;
                assert_eq!(came, twice(BYPASS), "{hash}");
            }
        }
    }
    assert_counted(&larder, "fill", 24).await;
}

#[tokio::test]
async fn whoever_follows_a_fill_that_will_not_rest_is_told_of_no_hit() {
    let origin = Origin::start();
    let larder = before(&origin).await;
    let body = bytes(1, SMALL);
    let wrong = tag(Scheme::Joined, "other", &body);
    let answer = script().head(200).header("x-artifact-tag", &wrong);
    let answer = answer
        .length(SMALL)
        .chunk(&body[..1000])
        .hold("rest")
        .chunk(&body[1000..]);
    origin.always("GET", "aa", answer);
    let (mut first, mut late) = (larder.client(), larder.client());
    for (client, said) in [
        (&mut first, FILLED),
        (&mut late, "larder; fwd=uri-miss; collapsed"),
    ] {
        client
            .send_head(&Request::new("GET", &artifact("aa")))
            .await;
        let head = client.read_head().await.expect("a head");
        assert_eq!(head.get("cache-status"), Some(said));
    }
    origin.release("rest");
    for client in [&mut first, &mut late] {
        assert_eq!(client.read_rest().await, (body.clone(), Ended::Whole));
    }
    assert_eq!(origin.gets("aa"), 1);
    larder.settled().await;
    first.get(&artifact("aa")).await.assert_body(&body);
    assert_eq!(origin.gets("aa"), 2);
}
