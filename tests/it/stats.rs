//! What Larder says of how it goes.

use serde_json::Value;

use crate::support::{Larder, Origin, Process, Reply, Request, Setup, artifact, bytes, eventually};

const STATS: &str = "/api/v1/stats";

#[track_caller]
fn parsed(reply: &Reply) -> Value {
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    serde_json::from_slice(&reply.body).expect("json")
}

async fn stats(larder: &Larder) -> Value {
    parsed(&larder.admin().get(STATS).await)
}

fn hints(stats: &Value) -> Vec<&str> {
    let hints = stats["hints"].as_array().expect("a list");
    hints
        .iter()
        .map(|hint| hint["code"].as_str().expect("a code"))
        .collect()
}

#[tokio::test]
async fn what_was_asked_and_answered_is_told_with_what_it_saved() {
    let origin = Origin::start();
    let larder = Larder::before(&origin).await;
    let before = stats(&larder).await;
    assert_eq!(
        (&before["state"], &before["access"]),
        (&"ready".into(), &"upstream".into())
    );
    assert_eq!(before["upstream"]["url"], origin.url());
    assert_eq!(before["api"], format!("http://{}", larder.address()));
    assert_eq!(hints(&before), ["no-requests"]);
    let mut client = larder.client();
    let upload = Request::new("PUT", &artifact("aa")).header("x-artifact-duration", "1500");
    client.ask(&upload.body(&bytes(1, 4000))).await;
    origin.hold("bb", &bytes(1, 2000));
    for hash in ["aa", "aa", "bb", "cc"] {
        client.get(&artifact(hash)).await;
    }
    larder.settled().await;
    eventually("the requests to be counted and the disk read", async || {
        let told = stats(&larder).await;
        told["reads"]["asked"] == 4 && told["tiers"]["disk"]["oldest_seconds"].is_u64()
    })
    .await;
    let after = stats(&larder).await;
    assert_eq!(
        after["reads"],
        serde_json::json!({"asked": 4, "memory": 2, "disk": 0, "missed": 2, "rate": 0.5})
    );
    assert_eq!(
        after["requests"],
        serde_json::json!({
            "get": {"hit-memory": 2, "filled": 1, "absent": 1},
            "put": {"stored": 1},
        })
    );
    assert_eq!(
        (&after["saved"]["task_seconds"], &after["bytes"]["saved"]),
        (&3.0.into(), &8000.into())
    );
    assert_eq!(after["saved"]["waiting_seconds"], Value::Null);
    for tier in ["memory", "disk"] {
        let tier = &after["tiers"][tier];
        assert_eq!(tier["entries"], 2);
        assert!(tier["oldest_seconds"].is_u64());
    }
    assert_eq!(after["tiers"]["disk"]["state"], "working");
    assert!(after["upstream"]["requests"]["get"]["ok"].is_u64());
    assert!(after["upstream"]["seconds"]["get"]["p95"].is_f64());
    assert_eq!(hints(&after), Vec::<&str>::new());
}

#[tokio::test]
async fn an_upstream_that_is_left_alone_is_told_with_a_hint() {
    let mut origin = Origin::start();
    let setup = Setup::before(&origin).toml("upstream.breaker_failures", "1");
    let larder = setup.start().await;
    origin.stop().await;
    larder.client().get(&artifact("aa")).await;
    let told = stats(&larder).await;
    assert_eq!(told["upstream"]["breakers"]["reads"], true);
    assert!(hints(&told).contains(&"upstream-left-alone"), "{told}");
}

#[tokio::test]
async fn without_upstream_disk_and_tcp_that_is_told_as_nothing() {
    let setup = Setup::alone().set("tier.disk.capacity", "0");
    let larder = setup.start().await;
    let told = stats(&larder).await;
    assert_eq!(told["upstream"]["url"], Value::Null);
    assert_eq!(told["tiers"]["disk"]["capacity_bytes"], 0);
    assert_eq!(told["tiers"]["disk"]["state"], "off");
    assert_eq!(hints(&told), ["no-requests", "disk-off"]);
}

#[tokio::test]
async fn the_command_shows_them_to_people_and_as_they_are() {
    let larder = Larder::alone().await;
    let mut client = larder.client();
    client.put(&artifact("aa"), &bytes(1, 4000)).await;
    client.get(&artifact("aa")).await;
    eventually("the request to be counted", async || {
        stats(&larder).await["reads"]["asked"] == 1
    })
    .await;
    let shown = larder.setup().run(&["stats", "--config", "{config}"]).await;
    assert_eq!((shown.code, shown.stderr.as_str()), (Some(0), ""));
    assert!(
        shown.stdout.contains("100.0 % of 1 reads: 1 from memory"),
        "{}",
        shown.stdout
    );
    let asked = ["stats", "--config", "{config}", "--json"];
    let shown = larder.setup().run(&asked).await;
    assert_eq!(shown.stdout.lines().count(), 1, "{}", shown.stdout);
    let told: Value = serde_json::from_str(&shown.stdout).expect("json");
    assert_eq!(told["reads"]["memory"], 1);
    let setup = larder.setup().clone();
    larder.stop().await;
    let shown = setup.run(&asked).await;
    assert_eq!((shown.code, shown.stderr.lines().count()), (Some(1), 1));
    assert!(shown.stderr.contains("no Larder uses"), "{}", shown.stderr);
}

#[tokio::test]
async fn who_watches_gets_a_line_each_time_until_enough_is_read() {
    let larder = Larder::alone().await;
    let script = r#""$0" stats --config "$1" --json --watch 1 | head -n 2"#;
    let watched = Process::spawn(larder.setup().script(script));
    let shown = { watched }.exit().await;
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    assert_eq!(shown.stdout.lines().count(), 2, "{}", shown.stdout);
}
