//! `SIGHUP`: the configuration is read once more while connections stay.

use crate::support::{Larder, Origin, Request, Setup, artifact, assert_whole, bytes, script};

const MEMORY: &str = "larder; hit; detail=memory";

fn listed(setup: Setup, tokens: &[&str]) -> Setup {
    let entries: Vec<_> = tokens
        .iter()
        .map(|token| format!("{{ name = {token:?}, token = {token:?} }}"))
        .collect();
    setup.toml("access.tokens", &format!("[{}]", entries.join(", ")))
}

#[tokio::test]
async fn another_list_counts_from_the_next_request_on_the_same_connection() {
    let setup = listed(Setup::alone().set("access.mode", "tokens"), &["one", "two"]);
    let mut larder = setup.start().await;
    let (mut one, mut two) = (larder.client_as("one"), larder.client_as("two"));
    let mut three = larder.client_as("three");
    assert_eq!(one.put(&artifact("aa"), b"x").await.status, 202);
    assert_eq!(two.get(&artifact("aa")).await.status, 200);
    assert_eq!(three.get(&artifact("aa")).await.status, 401);
    let half = Request::new("PUT", &artifact("bb")).body(&bytes(1, 4000));
    one.send_head(&half).await;
    one.send(&bytes(1, 4000)[..1000]).await;

    larder
        .reload(|setup| listed(setup, &["two", "three"]))
        .await;
    assert_eq!(two.get(&artifact("aa")).await.status, 200);
    assert_eq!(three.get(&artifact("aa")).await.status, 200);
    // Who was let in before finishes what it began, and no more.
    one.send(&bytes(1, 4000)[1000..]).await;
    assert_eq!(one.reply().await.status, 202);
    assert_eq!(one.get(&artifact("aa")).await.status, 401);
    let connections = larder.metrics().await.sum("larder_connections", &[]);
    assert!(
        (connections - 3.0).abs() < 0.5,
        "none was dropped: {connections}"
    );
    two.get(&artifact("bb")).await.assert_body(&bytes(1, 4000));
}

#[tokio::test]
async fn a_mistake_leaves_everything_as_it_was_and_is_said() {
    let setup = listed(Setup::alone().set("access.mode", "tokens"), &["one"]);
    let mut larder = setup.start().await;
    let mut one = larder.client_as("one");
    assert_eq!(one.put(&artifact("aa"), b"x").await.status, 202);
    let said = larder
        .reload(|setup| listed(setup, &["two", "canary two"]).set("log.level", "loud"))
        .await;
    assert!(said.contains("stays as it was"), "{said}");
    for mistake in ["log.level", "access.tokens"] {
        assert!(said.contains(mistake), "{mistake}: {said}");
    }
    assert!(!said.contains("canary\""), "{said}");
    assert_eq!(one.get(&artifact("aa")).await.status, 200);
    assert_eq!(
        larder.client_as("two").get(&artifact("aa")).await.status,
        401
    );
}

#[tokio::test]
async fn what_cannot_be_changed_while_running_is_named_and_kept() {
    let setup = listed(Setup::alone().set("access.mode", "tokens"), &["one"]);
    let mut larder = setup.start().await;
    let said = larder
        .reload(|setup| {
            listed(setup, &["two"])
                .set("tier.memory.capacity", "1MiB")
                .set("upload.max_size", "1KiB")
        })
        .await;
    for key in ["tier.memory.capacity", "upload.max_size"] {
        let line = format!("{key} takes effect at the next start");
        assert!(said.contains(&line), "{said}");
    }
    assert!(!said.contains("access.tokens takes"), "{said}");
    let mut two = larder.client_as("two");
    assert_eq!(two.put(&artifact("aa"), &bytes(1, 5000)).await.status, 202);
    two.get(&artifact("aa")).await.assert_body(&bytes(1, 5000));
}

#[tokio::test]
async fn what_is_in_effect_is_shown_before_and_after() {
    let mut larder = Setup::alone()
        .set("admin.token", "canary")
        .set("tier.memory.capacity", "8MiB")
        .start()
        .await;
    let shown = async |larder: &Larder, key: &str| {
        let reply = larder.admin().get("/api/v1/config").await;
        let text = String::from_utf8(reply.body).expect("text");
        assert!(!text.contains("canary"), "{text}");
        let told: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let rows = told["config"].as_array().expect("rows").clone();
        let row = rows.into_iter().find(|row| row["key"] == key);
        let row = row.expect("a key");
        (row["value"].to_string(), row["source"].to_string())
    };
    assert_eq!(shown(&larder, "log.level").await.0, r#""\"info\"""#);
    larder
        .reload(|setup| {
            setup
                .set("log.level", "debug")
                .set("tier.memory.capacity", "9MiB")
        })
        .await;
    let (level, source) = shown(&larder, "log.level").await;
    assert_eq!(level, r#""\"debug\"""#);
    assert!(source.contains("larder.toml:"), "{source}");
    let (capacity, _) = shown(&larder, "tier.memory.capacity").await;
    assert_eq!(capacity, r#""\"8MiB\"""#, "until the next start");
    assert_eq!(shown(&larder, "admin.token").await.0, r#""\"***\"""#);
}

#[tokio::test]
async fn another_credential_of_its_own_speaks_from_the_next_request_on() {
    let origin = Origin::start();
    origin.members(&["old", "new"], 403);
    let body = bytes(1, 8000);
    let halved = script().head(200).length(8000).chunk(&body[..4000]);
    origin.once("GET", "aa", halved.hold("rest").chunk(&body[4000..]));
    let setup = listed(
        Setup::before(&origin).set("access.mode", "tokens"),
        &["one"],
    );
    let mut larder = setup.secret("upstream.token_file", "old").start().await;
    let mut running = larder.client_as("one");
    running
        .send_head(&Request::new("GET", &artifact("aa")))
        .await;
    running.read_head().await.expect("a head");

    larder
        .reload(|setup| setup.secret("upstream.token_file", "new"))
        .await;
    larder.client_as("one").get(&artifact("bb")).await;
    assert_eq!(origin.seen("GET", "bb")[0].token(), "new");
    assert_eq!(origin.seen("GET", "aa")[0].token(), "old");
    origin.release("rest");
    assert_whole(&running.read_rest().await, &body);
    larder.settled().await;
    let hit = larder.client_as("one").get(&artifact("aa")).await;
    assert_eq!(hit.cache_status(), MEMORY);
}

#[tokio::test]
async fn a_credential_for_another_upstream_waits_for_it() {
    let (origin, other) = (Origin::start(), Origin::start());
    origin.members(&["old"], 403);
    let setup = listed(
        Setup::before(&origin).set("access.mode", "tokens"),
        &["one"],
    );
    let mut larder = setup.secret("upstream.token_file", "old").start().await;
    let said = larder
        .reload(|setup| {
            let setup = setup.set("upstream.url", &other.url());
            setup.secret("upstream.token_file", "new")
        })
        .await;
    assert!(
        said.contains("upstream.url takes effect at the next start"),
        "{said}"
    );
    assert_eq!(
        larder.client_as("one").get(&artifact("aa")).await.status,
        404
    );
    assert_eq!(origin.seen("GET", "aa")[0].token(), "old");
    assert_eq!(other.requests().len(), 0);
}

#[tokio::test]
async fn whoever_was_taken_off_the_list_is_out_also_where_it_was_the_last() {
    // Without a word about the mode it follows from the list, and would be another one after a start.
    for mode in [None, Some("tokens")] {
        let setup = listed(Setup::alone(), &["one"]);
        let setup = match mode {
            Some(mode) => setup.set("access.mode", mode),
            None => setup,
        };
        let mut larder = setup.start().await;
        let mut one = larder.client_as("one");
        assert_eq!(one.put(&artifact("aa"), b"x").await.status, 202);
        let said = larder.reload(|setup| listed(setup, &[])).await;
        assert_eq!(one.get(&artifact("aa")).await.status, 401, "{mode:?}");
        let word = match mode {
            Some(_) => "the list of tokens is empty: the one in this file",
            None => "access.mode takes effect at the next start",
        };
        assert!(said.contains(word), "{said}");
    }
}

#[tokio::test]
async fn a_list_that_judges_from_the_next_start_on_gets_its_first_token_there() {
    let mut larder = Setup::alone().set("access.mode", "open").start().await;
    let said = larder
        .reload(|setup| setup.set("access.mode", "tokens"))
        .await;
    assert!(
        said.contains("access.mode takes effect at the next start"),
        "{said}"
    );
    assert!(!said.contains("the list of tokens is empty"), "{said}");
    let mut anybody = larder.client_as("anything");
    assert_eq!(anybody.put(&artifact("aa"), b"x").await.status, 202);
}

#[tokio::test]
async fn a_hangup_with_nothing_to_change_changes_nothing() {
    let origin = Origin::start();
    origin.hold("aa", &bytes(1, 3000));
    let mut larder = Setup::before(&origin).start().await;
    larder.client().get(&artifact("aa")).await;
    larder.settled().await;
    let said = larder.reload(|setup| setup).await;
    assert!(!said.contains("takes effect"), "{said}");
    let hit = larder.client().get(&artifact("aa")).await;
    assert_eq!(hit.cache_status(), MEMORY);
}
