//! The requests that ended last: what is kept of each, who may see it, and what is not in it.

use serde_json::Value;

use crate::support::{
    Larder, Origin, Request, Setup, artifact, bytes, error_code, eventually, script,
};

/// What is told of the requests that meet `query`.
async fn recent(larder: &Larder, query: &str) -> Value {
    let reply = larder
        .admin()
        .get(&format!("/api/v1/requests{query}"))
        .await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    serde_json::from_slice(&reply.body).expect("json")
}

/// Requests are kept when their answers have ended, which a client may see first.
async fn kept(larder: &Larder, count: u64) -> Value {
    eventually("the requests", async || {
        recent(larder, "").await["kept"] == count
    })
    .await;
    recent(larder, "").await
}

fn outcomes(told: &Value) -> Vec<&str> {
    let requests = told["requests"].as_array().expect("a list").iter();
    requests
        .map(|request| request["outcome"].as_str().expect("a word"))
        .collect()
}

#[tokio::test]
async fn what_became_of_the_last_requests_is_told_also_where_no_line_is_written() {
    let origin = Origin::start();
    // No access lines.
    let larder = Setup::before(&origin)
        .set("log.level", "error")
        .start()
        .await;
    let body = bytes(1, 4000);
    let mut client = larder.client();
    origin.hold("aa", &body);
    let get = Request::new("GET", &artifact("aa")).header("user-agent", "turbo 2.11.11");
    client.ask(&get).await.assert_body(&body);
    larder.settled().await;
    client.ask(&get).await.assert_body(&body);
    client.get("/v8/artifacts/bb?teamId=team_x").await;
    client.put(&artifact("cc"), &body).await;
    client.get("/v2/user").await;
    let told = kept(&larder, 4).await;
    assert_eq!(
        outcomes(&told),
        ["stored", "absent", "hit-memory", "filled"]
    );
    let [put, absent, hit, filled] = [0, 1, 2, 3].map(|index| &told["requests"][index]);
    assert_eq!(
        (&put["route"], &put["bytes_in"]),
        (&"put".into(), &4000.into())
    );
    assert_eq!(
        (&absent["team"], &absent["status"]),
        (&"team_x".into(), &404.into())
    );
    for request in [hit, filled] {
        assert_eq!(
            (&request["hash"], &request["team"]),
            (&"aa".into(), &"acme".into())
        );
        assert_eq!(
            (&request["bytes_out"], &request["ended"]),
            (&4000.into(), &"whole".into())
        );
        assert_eq!(request["peer"], "127.0.0.1");
        let seconds = |name: &str| request[name].as_f64().expect("a number");
        assert!(seconds("first_byte_seconds") <= seconds("total_seconds"));
        assert!(
            request["time"]
                .as_str()
                .is_some_and(|time| time.ends_with('Z'))
        );
    }
    let agents = [hit, filled].map(|request| &request["user_agent"]);
    assert_eq!(agents, [&Value::Null, &"turbo 2.11.11".into()]);
    let of_it = recent(&larder, "?hash=aa&team=acme&limit=1").await;
    assert_eq!(outcomes(&of_it), ["hit-memory"]);
    assert_eq!(
        outcomes(&recent(&larder, "?outcome=absent").await),
        ["absent"]
    );
}

#[tokio::test]
async fn of_what_is_in_memory_and_was_refused_it_is_told_who_asked() {
    let larder = Setup::alone().set("admin.token", "sesame").start().await;
    let mut client = larder.client();
    client.put(&artifact("aa"), b"x").await;
    let hold = Request::new("PUT", "/api/v1/holds")
        .header("authorization", "Bearer sesame")
        .body(br#"{"hash":"aa","team":null}"#);
    assert_eq!(larder.admin().ask(&hold).await.status, 200);
    let get = Request::new("GET", &artifact("aa")).header("user-agent", "turbo 2.11.11");
    assert_eq!(client.ask(&get).await.status, 404);
    let told = kept(&larder, 2).await;
    assert_eq!(told["requests"][0]["detail"], "held");
    assert_eq!(told["requests"][0]["user_agent"], "turbo 2.11.11");
}

#[tokio::test]
async fn who_refused_and_what_helps_is_said_of_a_request_that_came_to_nothing() {
    let origin = Origin::start();
    origin.members(&["member"], 403);
    let larder = Larder::before(&origin).await;
    origin.always("PUT", "cc", script().head(413).length(0));
    larder.client_as("canary-token").get(&artifact("aa")).await;
    larder.client().put(&artifact("cc"), b"x").await;
    larder.client().get(&artifact("bb")).await;
    kept(&larder, 3).await;
    let told = recent(&larder, "?trouble=true").await;
    assert_eq!(outcomes(&told), ["refused", "refused"]);
    let said = |index: usize| told["requests"][index]["explanation"].to_string();
    assert!(said(0).contains("too large"), "{}", said(0));
    assert!(
        said(1).contains("the upstream refused this token for this team"),
        "{}",
        said(1)
    );
    assert!(!told.to_string().contains("canary"), "{told}");
}

#[tokio::test]
async fn a_refusal_of_our_own_says_which_rule_it_was() {
    let larder = Setup::alone()
        .set("access.mode", "tokens")
        .toml(
            "access.tokens",
            r#"[{ name = "reader", token = "reader", rights = "read", teams = ["acme"] }]"#,
        )
        .start()
        .await;
    let mut reader = larder.client_as("reader");
    reader.put(&artifact("aa"), b"x").await;
    reader.get("/v8/artifacts/aa?slug=other").await;
    larder.client_as("nobody").get(&artifact("aa")).await;
    let told = kept(&larder, 3).await;
    let details: Vec<_> = (0..3)
        .map(|index| &told["requests"][index]["detail"])
        .collect();
    assert_eq!(details, ["unknown-token", "other-team", "read-only"]);
    eventually("its line", async || {
        larder.printed().contains(" 403 denied:read-only ")
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_and_strangers_are_asked_for_the_token() {
    let setup = Setup::alone().set("admin.listen", "0.0.0.0:0");
    let larder = setup.set("admin.token", "sesame").start().await;
    let mut admin = larder.admin();
    assert_eq!(admin.get("/api/v1/requests").await.status, 401);
    let ask = |query: &str| {
        Request::new("GET", &format!("/api/v1/requests{query}"))
            .header("authorization", "Bearer sesame")
    };
    assert_eq!(admin.ask(&ask("")).await.status, 200);
    for query in [
        "?teem=acme",
        "?hash=aa&hash=bb",
        "?limit=501",
        "?trouble=maybe",
    ] {
        let reply = admin.ask(&ask(query)).await;
        assert_eq!(
            (reply.status, error_code(&reply).as_str()),
            (400, "bad_request"),
            "{query}"
        );
    }
    let elsewhere = larder.client().get("/api/v1/requests").await;
    assert_eq!(elsewhere.status, 404, "not on a data listener");
}
