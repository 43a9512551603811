//! A credential of Larder's own upstream: for whom it speaks, where it goes, and what its refusal means.

use crate::access::assert_nothing_of;
use crate::support::{
    Client, Larder, Origin, Request, Setup, artifact, bytes, error_code, eventually, script,
};

const MEMORY: &str = "larder; hit; detail=memory";
const FILLED: &str = "larder; fwd=uri-miss; fwd-status=200; stored";
const STORED: &str = "larder; fwd=method; stored";
const DENIED: &str = "larder; detail=denied";
const MISFORTUNE: &str = "larder; fwd=uri-miss; detail=upstream-credential";

const TOKENS: &str = r#"[
    { name = "ci", token = "lan-ci", teams = ["acme"] },
    { name = "laptop", token = "lan-laptop", teams = ["acme"], rights = "read" },
    { name = "docs", token = "lan-docs", teams = ["docs"] },
    { name = "admin", token = "lan-admin" },
]"#;

/// Queries that a token for the team `acme` may not make.
const BEYOND: [&str; 7] = [
    "?slug=docs",
    "?teamId=docs&slug=acme",
    "?slug=acme&slug=acme",
    "?slug=acme&slug=docs",
    "?slug=acme&team=docs",
    "?slug=",
    "",
];

/// Before an origin that knows nobody but `own`.
fn setup(origin: &Origin) -> Setup {
    origin.members(&["own"], 403);
    Setup::before(origin)
        .set("access.mode", "tokens")
        .toml("access.tokens", TOKENS)
        .secret("upstream.token_file", "own")
}

/// Asserts that a client's own token never went upstream, and no cookie either.
#[track_caller]
fn assert_only_own_was_sent(origin: &Origin) {
    for seen in origin.requests() {
        assert_eq!(seen.token(), "own", "{} {}", seen.method(), seen.target());
        for name in ["cookie", "x-api-key"] {
            assert_eq!(seen.header(name), None, "{}", seen.target());
        }
    }
}

async fn refused_gauge(larder: &Larder) -> f64 {
    let metrics = larder.metrics().await;
    metrics.sum("larder_upstream_credential_refused", &[])
}

#[tokio::test]
async fn it_speaks_for_everybody_on_the_list_within_their_teams_and_rights() {
    let origin = Origin::start();
    let body = bytes(1, 5000);
    origin.hold("aa", &body);
    let larder = setup(&origin).start().await;
    let request = Request::new("GET", &artifact("aa"))
        .header("cookie", "session=1")
        .header("x-api-key", "1");
    let filled = larder.client_as("lan-ci").ask(&request).await;
    filled.assert_body(&body);
    assert_eq!(filled.cache_status(), FILLED);
    larder.settled().await;
    let hit = larder.client_as("lan-laptop").get(&artifact("aa")).await;
    hit.assert_body(&body);
    assert_eq!(hit.cache_status(), MEMORY);
    let put = larder
        .client_as("lan-ci")
        .put(&artifact("bb"), &bytes(2, 700))
        .await;
    assert_eq!((put.status, put.cache_status()), (202, STORED));
    for path in [
        "/v8/artifacts/status?slug=acme",
        "/v8/artifacts/missing?slug=acme",
    ] {
        larder.client_as("lan-laptop").get(path).await;
    }
    let batch = larder
        .client_as("lan-laptop")
        .post("/v8/artifacts?slug=acme", br#"{"hashes":["aa"]}"#)
        .await;
    assert_eq!(batch.status, 200);
    assert!(String::from_utf8_lossy(&batch.body).contains("5000"));
    let events = larder
        .client_as("lan-laptop")
        .post("/v8/artifacts/events?slug=acme", b"[]")
        .await;
    assert_eq!(events.status, 200);
    origin
        .until("the events", |seen| seen.is("POST", "events"))
        .await;
    assert_only_own_was_sent(&origin);
    assert_eq!(origin.gets("aa"), 1);
}

#[tokio::test]
async fn it_speaks_for_nobody_beyond_their_teams_and_rights() {
    let origin = Origin::start();
    let body = bytes(1, 5000);
    for query in ["slug=acme", "slug=acme&slug=acme", "team=acme"] {
        origin.hold_at(query, "aa", &body);
    }
    let larder = setup(&origin).start().await;
    larder
        .client_as("lan-ci")
        .get(&artifact("aa"))
        .await
        .assert_body(&body);
    larder.settled().await;
    let before = origin.requests().len();
    for query in BEYOND {
        let mut client = larder.client_as("lan-ci");
        for reply in all_routes(&mut client, query).await {
            assert_eq!(
                (reply.status, reply.cache_status()),
                (403, DENIED),
                "{query}"
            );
            assert_nothing_of(&reply, &body);
        }
    }
    for mut client in [
        larder.client_as("garbage"),
        larder.client_as("own"),
        larder.stranger(),
    ] {
        for reply in all_routes(&mut client, "?slug=acme").await {
            assert_eq!((reply.status, reply.cache_status()), (401, DENIED));
            assert_nothing_of(&reply, &body);
        }
    }
    let read_only = larder
        .client_as("lan-laptop")
        .put(&artifact("aa"), b"poison")
        .await;
    assert_eq!(
        (read_only.status, error_code(&read_only)),
        (403, "forbidden".to_owned())
    );
    assert_eq!(
        origin.requests().len(),
        before,
        "nothing of it went upstream"
    );
    let twice = larder
        .client_as("lan-admin")
        .get("/v8/artifacts/aa?slug=acme&slug=acme")
        .await;
    twice.assert_body(&body);
}

/// Every artifact route that tells something, or changes it.
async fn all_routes(client: &mut Client, query: &str) -> Vec<crate::support::Reply> {
    let at = |name: &str| format!("/v8/artifacts/{name}{query}");
    vec![
        client.get(&at("aa")).await,
        client.head(&at("aa")).await,
        client.put(&at("aa"), b"poison").await,
        client.get(&at("status")).await,
        client.post(&at("events"), b"[]").await,
        client
            .post(&format!("/v8/artifacts{query}"), br#"{"hashes":["aa"]}"#)
            .await,
    ]
}

#[tokio::test]
async fn it_goes_to_artifact_routes_only() {
    let origin = Origin::start();
    let larder = setup(&origin).start().await;
    for token in ["lan-admin", "lan-ci", "garbage"] {
        let mut client = larder.client_as(token);
        for path in [
            "/v2/user?slug=acme",
            "/v2/teams?slug=acme",
            "/v8/artifactsx/aa?slug=acme",
            "/v8/artifacts/events?slug=acme",
            "/",
        ] {
            let reply = client.get(path).await;
            assert_eq!(
                (reply.status, reply.cache_status()),
                (403, DENIED),
                "{path}"
            );
            error_code(&reply);
        }
        let gone = client.ask(&Request::new("DELETE", &artifact("aa"))).await;
        assert_eq!(gone.status, 403);
    }
    assert_eq!(origin.requests().len(), 0);
}

#[tokio::test]
async fn its_refusal_is_a_miss_that_says_so_and_never_a_clients_refusal() {
    for refusal in [401, 402, 403] {
        let origin = Origin::start();
        let larder = setup(&origin).start().await;
        let body = bytes(1, 5000);
        origin.hold("aa", &body);
        let mut client = larder.client_as("lan-ci");
        client.get(&artifact("aa")).await.assert_body(&body);
        larder.settled().await;
        assert!(refused_gauge(&larder).await < 0.5);

        origin.members(&[], refusal);
        for _ in 0..2 {
            let miss = client.get(&artifact("bb")).await;
            assert_eq!((miss.status, miss.cache_status()), (404, MISFORTUNE));
            error_code(&miss);
            let head = client.head(&artifact("bb")).await;
            assert_eq!((head.status, head.cache_status()), (404, MISFORTUNE));
            let put = client.put(&artifact("cc"), &bytes(2, 500)).await;
            assert_eq!(put.status, 424, "a soft refusal");
            let batch = client
                .post("/v8/artifacts?slug=acme", br#"{"hashes":["aa"]}"#)
                .await;
            assert_eq!(
                batch.status, 404,
                "clients then ask one by one, and find the hits"
            );
        }
        let hit = client.get(&artifact("aa")).await;
        hit.assert_body(&body);
        assert_eq!(hit.cache_status(), MEMORY, "what is here is served on");
        assert!(refused_gauge(&larder).await > 0.5);
        let lines = || {
            let said = larder.printed();
            said.matches("refuses Larder's own credential (").count()
        };
        eventually("the refusal in the log", async || lines() > 0).await;
        assert_eq!(lines(), 1, "{}", larder.printed());

        origin.members(&["own"], refusal);
        origin.hold("bb", &bytes(3, 500));
        client
            .get(&artifact("bb"))
            .await
            .assert_body(&bytes(3, 500));
        assert!(refused_gauge(&larder).await < 0.5);
    }
}

#[tokio::test]
async fn an_upload_refused_with_it_leaves_nothing_and_the_old_entry_stays() {
    let origin = Origin::start();
    let larder = setup(&origin).start().await;
    let mut client = larder.client_as("lan-ci");
    let old = bytes(1, 5000);
    assert_eq!(client.put(&artifact("aa"), &old).await.status, 202);
    origin.members(&[], 403);
    for (chunked, body) in [(false, bytes(2, 5000)), (true, bytes(2, 5000))] {
        let upload = Request::new("PUT", &artifact("aa")).body(&body);
        let upload = if chunked { upload.chunked() } else { upload };
        assert_eq!(client.ask(&upload).await.status, 424);
    }
    client.get(&artifact("aa")).await.assert_body(&old);
}

#[tokio::test]
async fn in_open_mode_it_speaks_for_whoever_comes() {
    let origin = Origin::start();
    origin.members(&["own"], 403);
    let body = bytes(1, 5000);
    origin.hold("aa", &body);
    let larder = Setup::before(&origin)
        .set("access.mode", "open")
        .secret("upstream.token_file", "own")
        .start()
        .await;
    for mut client in [larder.stranger(), larder.client_as("anything")] {
        client.get(&artifact("aa")).await.assert_body(&body);
        larder.settled().await;
        let put = client.put(&artifact("bb"), &body).await;
        assert_eq!((put.status, put.cache_status()), (202, STORED));
        assert_eq!(client.get("/v2/user").await.status, 403);
    }
    assert_only_own_was_sent(&origin);
    assert_eq!(origin.gets("aa"), 1);
}

#[tokio::test]
async fn who_was_let_in_by_the_list_is_a_stranger_once_the_upstream_judges() {
    let mut origin = Origin::start();
    let body = bytes(1, 5000);
    origin.hold("aa", &body);
    let listed = setup(&origin);
    let larder = listed.clone().start().await;
    let mut client = larder.client_as("lan-ci");
    client.get(&artifact("aa")).await.assert_body(&body);
    assert_eq!(client.put(&artifact("bb"), &body).await.status, 202);
    larder.settled().await;
    assert_eq!(larder.stop().await.code, Some(0));

    // The same data, and nobody to ask: only what the upstream itself has said would count now.
    origin.stop().await;
    let judged = listed.unset("access.mode").unset("access.tokens");
    let larder = judged.unset("upstream.token_file").start().await;
    for hash in ["aa", "bb"] {
        let reply = larder.client_as("lan-ci").get(&artifact(hash)).await;
        assert_eq!(reply.status, 404, "{hash}");
        assert_nothing_of(&reply, &body);
    }
}

#[tokio::test]
async fn one_absence_is_for_everybody_it_speaks_for() {
    let origin = Origin::start();
    let larder = setup(&origin).set("log.level", "debug").start().await;
    origin.once("GET", "aa", script().hold("absence").usual());
    let mut clients: Vec<_> = ["lan-ci", "lan-laptop", "lan-admin"]
        .iter()
        .map(|token| larder.client_as(token))
        .collect();
    for client in &mut clients {
        client
            .send_head(&Request::new("GET", &artifact("aa")))
            .await;
    }
    origin.wait_at("absence").await;
    eventually("the others to wait for it", async || {
        let log = larder.process().printed_errors();
        log.matches("follows a fetch that is under way").count() == 2
    })
    .await;
    origin.release("absence");
    for client in &mut clients {
        assert_eq!(client.reply().await.status, 404);
    }
    assert_eq!(origin.gets("aa"), 1);
}
