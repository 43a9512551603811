//! Who may read a hit: nobody without the upstream's word for this token and this team.

use crate::support::{
    Larder, Origin, Reply, Request, Seen, Setup, artifact, bytes, error_code, script,
};

const MEMORY: &str = "larder; hit; detail=memory";
const FILLED: &str = "larder; fwd=uri-miss; fwd-status=200; stored";
const ABSENT: &str = "larder; fwd=uri-miss; fwd-status=404";
const DENIED: &str = "larder; detail=denied";

/// An artifact that Larder holds because the token `member` asked for it.
pub async fn held(origin: &Origin, larder: &Larder, hash: &str) -> Vec<u8> {
    let body = bytes(1, 5000);
    origin.hold(hash, &body);
    larder
        .client()
        .get(&artifact(hash))
        .await
        .assert_body(&body);
    larder.settled().await;
    body
}

#[track_caller]
pub fn assert_nothing_of(reply: &Reply, body: &[u8]) {
    let leaked = body.len() >= 16 && reply.body.windows(16).any(|part| body.starts_with(part));
    assert!(!leaked, "bytes of the artifact in a {}", reply.status);
    assert!(!reply.is_hit(), "{}", reply.cache_status());
}

#[tokio::test]
async fn same_hash_other_team_is_a_miss() {
    let origin = Origin::start();
    let larder = Larder::before(&origin).await;
    let body = held(&origin, &larder, "aa").await;
    let mut client = larder.client();
    for query in ["?slug=other", "?teamId=acme", "?slug=", "?slug=Acme", ""] {
        let reply = client.get(&format!("/v8/artifacts/aa{query}")).await;
        assert_eq!(
            (reply.status, reply.cache_status()),
            (404, ABSENT),
            "{query}"
        );
        assert_nothing_of(&reply, &body);
    }
    assert_eq!(client.get(&artifact("aa")).await.cache_status(), MEMORY);
}

#[tokio::test]
async fn a_garbage_token_never_reads_a_hit() {
    for refusal in [401, 403, 404] {
        let origin = Origin::start();
        origin.members(&["member"], refusal);
        let larder = Larder::before(&origin).await;
        let body = held(&origin, &larder, "aa").await;
        for mut stranger in [larder.client_as("garbage"), larder.stranger()] {
            let status = stranger.get("/v8/artifacts/status?slug=acme").await;
            assert_eq!(
                status.status, 200,
                "the status is public and proves nothing"
            );
            for _ in 0..2 {
                let reply = stranger.get(&artifact("aa")).await;
                assert_eq!(reply.status, refusal);
                assert_nothing_of(&reply, &body);
                let head = stranger.head(&artifact("aa")).await;
                assert_eq!((head.status, head.is_hit()), (refusal, false));
            }
        }
        assert_eq!(
            larder.client().get(&artifact("aa")).await.cache_status(),
            MEMORY
        );
    }
}

#[tokio::test]
async fn no_spelling_of_a_public_route_passes_for_an_artifact() {
    let origin = Origin::start();
    origin.members(&["member"], 403);
    let larder = Larder::before(&origin).await;
    let body = held(&origin, &larder, "aa").await;
    let before = origin.requests().len();
    let mut stranger = larder.client_as("garbage");
    for name in ["%73tatus", "Status", "STATUS", "%45vents", "events%20"] {
        for method in ["GET", "HEAD", "PUT"] {
            let request = Request::new(method, &artifact(name)).body(b"");
            assert_eq!(stranger.ask(&request).await.status, 400, "{method} {name}");
        }
    }
    assert_eq!(origin.requests().len(), before, "an origin may decode them");
    assert_nothing_of(&stranger.get(&artifact("aa")).await, &body);
}

#[tokio::test]
async fn the_origin_is_asked_for_what_was_read_here_however_it_was_written() {
    let origin = Origin::start();
    let larder = Larder::before(&origin).await;
    for target in [
        "/v8/artifacts/%61%62?slug=acme",
        "//api/v8/artifacts/a%62?slug=acme",
    ] {
        larder.client().get(target).await;
    }
    let asked: Vec<_> = origin.requests();
    let asked: Vec<_> = asked.iter().map(Seen::target).collect();
    assert_eq!(asked, [artifact("ab"), artifact("ab")]);
}

#[tokio::test]
async fn a_login_page_proves_nothing_and_is_no_artifact() {
    let origin = Origin::start();
    origin.members(&["member"], 403);
    let larder = Larder::before(&origin).await;
    let body = held(&origin, &larder, "aa").await;
    let page = || {
        let head = script()
            .head(200)
            .header("content-type", "text/html; charset=utf-8");
        head.chunk(b"<title>Sign in</title>")
    };
    for method in ["GET", "HEAD"] {
        origin.always(method, "login", page());
        let mut stranger = larder.client_as(&format!("garbage-{method}"));
        for _ in 0..2 {
            let request = Request::new(method, &artifact("login"));
            let reply = stranger.ask(&request).await;
            assert_eq!(reply.status, 404, "{method}");
            assert_eq!(
                reply.cache_status(),
                "larder; fwd=uri-miss; detail=upstream-page"
            );
        }
        assert_nothing_of(&stranger.get(&artifact("aa")).await, &body);
    }
}

#[tokio::test]
async fn a_login_page_accepts_no_upload() {
    let origin = Origin::start();
    origin.members(&["member"], 403);
    let larder = Larder::before(&origin).await;
    let body = held(&origin, &larder, "aa").await;
    let page = script().head(200).header("content-type", "text/html");
    origin.once("PUT", "aa", page.chunk(b"<title>Sign in</title>"));
    let mut stranger = larder.client_as("garbage");
    assert_eq!(stranger.put(&artifact("aa"), b"poison").await.status, 424);
    let mut member = larder.client();
    member.get(&artifact("aa")).await.assert_body(&body);
    // There are servers that call every text HTML.
    let word = script().head(200).header("content-type", "text/html");
    origin.once("PUT", "bb", word.chunk(b"ok"));
    assert_eq!(member.put(&artifact("bb"), &body).await.status, 200);
    assert!(member.get(&artifact("bb")).await.is_hit());
}

#[tokio::test]
async fn another_credential_header_is_another_caller() {
    let origin = Origin::start();
    let larder = Larder::before(&origin).await;
    held(&origin, &larder, "aa").await;
    let request = Request::new("GET", &artifact("aa")).header("cf-access-client-id", "laptop");
    let reply = larder.client().ask(&request).await;
    assert_eq!(reply.cache_status(), MEMORY);
    let probes = origin.seen("HEAD", "aa");
    assert_eq!(
        probes.len(),
        1,
        "the known token alone proves nothing about the pair"
    );
    assert_eq!(probes[0].header("cf-access-client-id"), Some("laptop"));
}

#[tokio::test]
async fn a_forwarded_header_tells_callers_apart() {
    let origin = Origin::start();
    let larder = Setup::before(&origin)
        .toml("upstream.forward_headers", r#"["x-gate"]"#)
        .start()
        .await;
    held(&origin, &larder, "aa").await;
    let request = Request::new("GET", &artifact("aa")).header("x-gate", "other");
    let reply = larder.client().ask(&request).await;
    assert_eq!(reply.cache_status(), MEMORY);
    let probes = origin.seen("HEAD", "aa");
    assert_eq!(
        probes.len(),
        1,
        "what the upstream judges by is part of the verdict"
    );
    assert_eq!(probes[0].header("x-gate"), Some("other"));
}

#[tokio::test]
async fn two_authorization_headers_are_refused() {
    let origin = Origin::start();
    let larder = Larder::before(&origin).await;
    held(&origin, &larder, "aa").await;
    let before = origin.requests().len();
    for method in ["GET", "HEAD", "PUT"] {
        let twice = Request::new(method, &artifact("aa"))
            .header("authorization", "Bearer member")
            .header("authorization", "Bearer member");
        let reply = larder.stranger().ask(&twice).await;
        assert_eq!(reply.status, 400, "{method}");
        if method != "HEAD" {
            error_code(&reply);
        }
    }
    assert_eq!(origin.requests().len(), before);
}

#[tokio::test]
async fn without_a_team_artifacts_belong_to_the_token() {
    let origin = Origin::start();
    let larder = Larder::before(&origin).await;
    let (mut one, mut two) = (larder.client_as("t1"), larder.client_as("t2"));
    assert_eq!(
        one.put("/v8/artifacts/aa", &bytes(1, 500)).await.status,
        202
    );
    let other = two.get("/v8/artifacts/aa").await;
    assert_eq!((other.status, other.cache_status()), (404, ABSENT));
    assert_eq!(
        two.put("/v8/artifacts/aa", &bytes(2, 500)).await.status,
        202
    );
    one.get("/v8/artifacts/aa")
        .await
        .assert_body(&bytes(1, 500));
    two.get("/v8/artifacts/aa")
        .await
        .assert_body(&bytes(2, 500));
    assert_eq!(larder.stranger().get("/v8/artifacts/aa").await.status, 404);
}

#[tokio::test]
async fn teams_are_as_distinct_as_their_queries() {
    let queries = [
        "teamId=t",
        "slug=t",
        "teamId=t&slug=t",
        "teamId=t&teamId=u",
        "teamId=u&teamId=t",
        "slug=t&slug=t",
        "teamId=t&x=1",
        "teamId=t&x=2",
        "teamId=%74",
        "teamid=t&slug=t",
    ];
    let origin = Origin::start();
    for (seed, query) in (0..).zip(queries) {
        origin.hold_at(query, "aa", &bytes(seed, 500));
    }
    let larder = Larder::before(&origin).await;
    let mut client = larder.client();
    for expected in [FILLED, MEMORY] {
        for (seed, query) in (0..).zip(queries) {
            let reply = client.get(&format!("/v8/artifacts/aa?{query}")).await;
            reply.assert_body(&bytes(seed, 500));
            assert_eq!(reply.cache_status(), expected, "{query}");
        }
        larder.settled().await;
    }
    let turned = client.get("/v8/artifacts/aa?slug=t&teamId=t").await;
    assert_eq!(
        turned.cache_status(),
        MEMORY,
        "Go and Rust clients write them in another order"
    );
}

#[tokio::test]
async fn a_list_of_tokens_decides_where_there_is_no_upstream() {
    let tokens = r#"[
        { name = "ci", token = "writer-token", teams = ["acme"], rights = "read-write" },
        { name = "laptop", token = "reader-token", teams = ["*"], rights = "read" },
    ]"#;
    let larder = Setup::alone()
        .set("access.mode", "tokens")
        .toml("access.tokens", tokens)
        .start()
        .await;
    let body = bytes(1, 500);
    let mut writer = larder.client_as("writer-token");
    assert_eq!(writer.put(&artifact("aa"), &body).await.status, 202);
    writer.get(&artifact("aa")).await.assert_body(&body);
    let mut reader = larder.client_as("reader-token");
    reader.get(&artifact("aa")).await.assert_body(&body);
    let read_only = reader.put(&artifact("aa"), b"poison").await;
    assert_eq!((read_only.status, read_only.cache_status()), (403, DENIED));
    error_code(&read_only);
    for mut nobody in [
        larder.client_as("garbage"),
        larder.client_as(""),
        larder.stranger(),
    ] {
        for reply in [
            nobody.get(&artifact("aa")).await,
            nobody.put(&artifact("aa"), b"poison").await,
            nobody
                .post("/v8/artifacts?slug=acme", br#"{"hashes":[]}"#)
                .await,
            nobody
                .post("/v8/artifacts?slug=acme", br#"{"hashes":["aa"]}"#)
                .await,
        ] {
            assert!([401, 403].contains(&reply.status), "{}", reply.status);
            assert_nothing_of(&reply, &body);
        }
    }
    let elsewhere = writer.put("/v8/artifacts/aa?slug=other", b"poison").await;
    assert!(
        [401, 403].contains(&elsewhere.status),
        "{}",
        elsewhere.status
    );
    reader.get(&artifact("aa")).await.assert_body(&body);
}
