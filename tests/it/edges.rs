//! Requests that mean harm, or mean nothing: refused here, in the API's words.

use crate::support::{Larder, Origin, Request, Setup, artifact, error_code};

#[tokio::test]
async fn what_is_no_hash_is_a_400_and_goes_nowhere() {
    let long = format!("/v8/artifacts/{}", "a".repeat(513));
    let hostile = [
        "/v8/artifacts/..%2Fetc",
        "/v8/artifacts/%2e%2e",
        "/v8/artifacts/a%00b",
        "/v8/artifacts/a.tag",
        "/v8/artifacts/%252e",
        "/v8/artifacts/%FF",
        "/v8/artifacts/a%5Cb",
        "/v8/artifacts/a%0d%0aX:1",
        "/v8/artifacts/a%20b",
        "/v8/artifacts/%C3%BC",
        &long,
    ];
    let origin = Origin::start();
    for larder in [Larder::before(&origin).await, Larder::alone().await] {
        for target in hostile {
            for method in ["GET", "PUT"] {
                let reply = larder
                    .client()
                    .ask(&Request::new(method, target).body(b"x"))
                    .await;
                assert_eq!(reply.status, 400, "{method} {target}");
                error_code(&reply);
            }
            assert_eq!(
                larder.client().head(target).await.status,
                400,
                "HEAD {target}"
            );
        }
        let widest = artifact(&"a".repeat(512));
        assert_eq!(larder.client().get(&widest).await.status, 404);
    }
    assert_eq!(
        origin.requests().len(),
        1,
        "only the widest hash was worth asking for"
    );
}

#[tokio::test]
async fn dot_segments_do_not_leave_the_base_path() {
    let origin = Origin::start();
    let base = format!("{}/base", origin.url());
    let larder = Setup::before(&origin)
        .set("upstream.url", &base)
        .start()
        .await;
    for target in [
        "/../secret",
        "/v2/../../secret",
        "/%2e%2e/secret",
        "/v2/.%2E/x",
        "/v2/./x",
        "/v2/..%2f..%2Fsecret",
        "/v2%2F..%2F../secret",
        "/v2/..%5c..%5Csecret",
    ] {
        let reply = larder.client().get(target).await;
        assert_eq!(reply.status, 400, "{target}");
        error_code(&reply);
    }
    assert!(origin.requests().is_empty());
    assert_eq!(
        larder.client().get("/v2/..user").await.status,
        200,
        "dots in a name are none"
    );
}

#[tokio::test]
async fn an_absolute_target_does_not_choose_the_upstream() {
    let (origin, other) = (Origin::start(), Origin::start());
    let larder = Larder::before(&origin).await;
    let absolute = format!("{}/v2/user", other.url());
    let named = Request::new("GET", &absolute).header("host", &other.address().to_string());
    assert_eq!(larder.client().ask(&named).await.status, 200);
    assert!(other.requests().is_empty());
    assert_eq!(origin.requests()[0].target(), "/v2/user");
    // Here target and field name different hosts.
    assert_eq!(larder.client().get(&absolute).await.status, 400);
    assert_eq!(origin.requests().len(), 1);
}

#[tokio::test]
async fn what_belongs_to_operators_is_not_on_the_data_listener() {
    let larder = Larder::alone().await;
    for path in [
        "/",
        "/metrics",
        "/healthz",
        "/readyz",
        "/api/v1/stats",
        "/api/v1/entries",
        "/api/v1/conflicts",
    ] {
        let reply = larder.client().get(path).await;
        assert_eq!(reply.status, 404, "{path}");
        error_code(&reply);
    }
    let purge = larder
        .client()
        .ask(&Request::new("DELETE", "/api/v1/entries?hash=aa"))
        .await;
    assert_eq!(purge.status, 404);
}

#[tokio::test]
async fn without_authentication_other_sites_pages_are_refused() {
    let larder = Setup::alone()
        .toml("server.hosts", r#"["cache.example"]"#)
        .start()
        .await;
    let port = larder.address().port();
    let from = |name: &str, value: &str| Request::new("GET", &artifact("aa")).header(name, value);
    for host in [
        "evil.example",
        "evil.example:80",
        "127.0.0.1.evil.example",
        "localhost.evil",
    ] {
        let reply = larder.client().ask(&from("host", host)).await;
        assert_eq!(
            (reply.status, reply.cache_status()),
            (403, "larder; detail=denied"),
            "{host}"
        );
        error_code(&reply);
    }
    for origin in ["http://evil.example", "null", "http://localhost"] {
        let reply = larder.client().ask(&from("origin", origin)).await;
        assert_eq!(reply.status, 403, "{origin}");
    }
    let poison = Request::new("PUT", &artifact("aa"))
        .header("host", "evil.example")
        .body(b"x");
    assert_eq!(larder.client().ask(&poison).await.status, 403);
    let own = [
        "localhost".to_owned(),
        format!("localhost:{port}"),
        format!("127.0.0.1:{port}"),
        format!("[::1]:{port}"),
        format!("192.0.2.1:{port}"),
        format!("cache.example:{port}"),
    ];
    for host in own {
        assert_eq!(
            larder.client().ask(&from("host", &host)).await.status,
            404,
            "{host}"
        );
    }
}

#[tokio::test]
async fn where_the_upstream_judges_any_name_will_do() {
    let origin = Origin::start();
    let larder = Larder::before(&origin).await;
    let named = Request::new("GET", &artifact("aa")).header("host", "cache.example");
    assert_eq!(larder.client().ask(&named).await.status, 404);
    assert_eq!(origin.gets("aa"), 1);
}

#[tokio::test]
async fn the_admin_listener_is_not_for_other_sites_pages() {
    let larder = Larder::alone().await;
    for (name, value) in [("host", "evil.example"), ("origin", "http://evil.example")] {
        let reply = larder
            .admin()
            .ask(&Request::new("GET", "/metrics").header(name, value))
            .await;
        assert_eq!(reply.status, 403, "{name}: {value}");
    }
}

#[tokio::test]
async fn the_admin_listener_refuses_heads_that_could_be_read_in_two_ways() {
    let larder = Larder::alone().await;
    let ready = || Request::new("GET", "/readyz");
    for request in [
        ready()
            .header("host", "localhost")
            .header("host", "localhost"),
        ready().header("host", "user@localhost"),
        ready().header("transfer-encoding", "gzip, chunked"),
        ready()
            .header("content-length", "0")
            .header("transfer-encoding", "chunked"),
    ] {
        let reply = larder.admin().ask(&request).await;
        assert_eq!(
            (reply.status, reply.header("connection")),
            (400, Some("close")),
            "{request:?}"
        );
        error_code(&reply);
    }
}
