//! Listeners that differ in one process: who gets what by which of them, and what none may do to another.

mod between;
mod entrance;

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::access::assert_nothing_of;
use crate::support::{
    Certificate, Client, Larder, Origin, Request, Setup, artifact, bytes, error_code, eventually,
};

const MEMORY: &str = "larder; hit; detail=memory";
const FILLED: &str = "larder; fwd=uri-miss; fwd-status=200; stored";
const STORED: &str = "larder; fwd=method; stored";
const DENIED: &str = "larder; detail=denied";
const COLLAPSED: &str = "larder; fwd=uri-miss; collapsed";

const TOKENS: &str = r#"[{ name = "ci", token = "lan-ci", teams = ["acme"] }]"#;

/// A Larder with three ways in.
struct House {
    larder: Larder,
    certificate: Certificate,
    /// TLS, where the upstream judges.
    office: SocketAddr,
    /// Clear text, where nobody does.
    local: SocketAddr,
    /// A unix socket, where a list does.
    ci: PathBuf,
}

impl House {
    /// With a listener each for the upstream's members and for everybody.
    async fn of_two(setup: Setup) -> Self {
        let certificate = Certificate::new();
        let ci = setup.directory().join("ci.sock");
        let larder = setup
            .secured(&certificate)
            .unset("server.listen")
            .toml("listener.a-office", r#"{ address = "127.0.0.1:0" }"#)
            .toml(
                "listener.b-local",
                r#"{ address = "127.0.0.1:0", tls = false, access = "open" }"#,
            )
            .start()
            .await;
        let addresses = addresses(&larder, 2).await;
        Self {
            office: addresses[0],
            local: addresses[1],
            larder,
            certificate,
            ci,
        }
    }

    /// And one more for those on a list, for whom Larder itself speaks, as for everybody.
    async fn of_three(setup: Setup) -> Self {
        let ci = setup.directory().join("ci.sock");
        let table = format!(
            "{{ address = \"unix:{}\", access = \"tokens\" }}",
            ci.display()
        );
        let setup = setup
            .toml("listener.c-ci", &table)
            .toml("access.tokens", TOKENS)
            .secret("upstream.token_file", "own");
        Self::of_two(setup).await
    }

    fn office(&self, token: &str) -> Client {
        Client::new(self.office)
            .trusting(Some(self.certificate.trust()))
            .token(token)
    }

    fn local(&self) -> Client {
        Client::new(self.local)
    }

    fn ci(&self, token: &str) -> Client {
        Client::of_socket(&self.ci).token(token)
    }
}

/// The addresses on TCP that the log names, in the order of the listeners.
pub async fn addresses(larder: &Larder, count: usize) -> Vec<SocketAddr> {
    let mut addresses = Vec::new();
    eventually("the addresses in the log", async || {
        let log = larder.process().printed_errors();
        let lines = log.lines().filter(|line| line.contains(" listening "));
        let lines = lines.filter(|line| !line.contains("admin listening"));
        let named = lines.filter_map(|line| line.split_once("address=")?.1.split(' ').next());
        addresses = named.filter_map(|text| text.parse().ok()).collect();
        addresses.len() == count
    })
    .await;
    addresses
}

/// Before an origin whose team `acme` has these members; to others it answers `refusal`.
fn before(origin: &Origin, members: &[&str], refusal: u16) -> Setup {
    origin.members(members, refusal);
    Setup::before(origin)
}

async fn ask(client: &mut Client, hash: &str) {
    let request = Request::new("GET", &artifact(hash));
    client.send_head(&request).await;
}

fn tokens(origin: &Origin, method: &str, hash: &str) -> Vec<String> {
    let seen = origin.seen(method, hash);
    seen.iter().map(|seen| seen.token().to_owned()).collect()
}

#[tokio::test]
async fn one_artifact_is_given_by_each_listener_to_whom_its_own_judge_lets_in() {
    let origin = Origin::start();
    let house = House::of_three(before(&origin, &["member", "own"], 403)).await;
    let body = bytes(1, 5000);
    origin.hold("aa", &body);
    let filled = house.office("member").get(&artifact("aa")).await;
    filled.assert_body(&body);
    assert_eq!(filled.cache_status(), FILLED);
    house.larder.settled().await;

    for mut client in [
        house.office("member"),
        house.local(),
        house.local().token("anything"),
        house.ci("lan-ci"),
    ] {
        let hit = client.get(&artifact("aa")).await;
        hit.assert_body(&body);
        assert_eq!(hit.cache_status(), MEMORY);
        assert!(client.head(&artifact("aa")).await.is_hit());
    }
    // Being known by one way in is nothing by another.
    for token in ["garbage", "lan-ci"] {
        let mut client = house.office(token);
        let reply = client.get(&artifact("aa")).await;
        assert_eq!(reply.status, 403, "{token}");
        assert_nothing_of(&reply, &body);
        assert_eq!(client.head(&artifact("aa")).await.status, 403, "{token}");
    }
    for (token, team) in [("member", "acme"), ("own", "acme"), ("lan-ci", "docs")] {
        let mut client = house.ci(token);
        let target = format!("/v8/artifacts/aa?slug={team}");
        let reply = client.get(&target).await;
        assert_eq!(reply.cache_status(), DENIED, "{token}");
        assert_nothing_of(&reply, &body);
        let batch = client
            .post(&format!("/v8/artifacts?slug={team}"), b"{}")
            .await;
        assert_eq!(batch.cache_status(), DENIED, "{token}");
    }
    assert_eq!(
        origin.gets("aa"),
        3,
        "one fetch, and a refusal in words for each stranger"
    );
}

#[tokio::test]
async fn what_is_not_here_is_asked_for_with_whoever_speaks_at_the_listener() {
    let origin = Origin::start();
    let house = House::of_three(before(&origin, &["member", "own"], 403)).await;
    let body = bytes(1, 5000);
    for (hash, mut client, speaker) in [
        ("aa", house.office("member"), "member"),
        ("bb", house.local().token("garbage"), "own"),
        ("cc", house.ci("lan-ci"), "own"),
    ] {
        origin.hold(hash, &body);
        let filled = client.get(&artifact(hash)).await;
        assert_eq!(filled.cache_status(), FILLED, "{speaker}");
        assert_eq!(tokens(&origin, "GET", hash), [speaker]);
        let put = format!("{hash}0");
        let stored = client.put(&artifact(&put), &body).await;
        assert_eq!((stored.status, stored.cache_status()), (202, STORED));
        assert_eq!(tokens(&origin, "PUT", &put), [speaker]);
        // Every other path is for whoever speaks for itself.
        let other = client.get("/v2/user").await.status;
        assert_eq!(other == 200, speaker == "member", "{other}");
        let batch = client
            .post("/v8/artifacts?slug=acme", b"{\"hashes\":[]}")
            .await;
        assert_eq!(batch.status, 200);
    }
    let asked: Vec<_> = origin.seen_where(|seen| seen.method() == "POST");
    let asked: Vec<_> = asked.iter().map(|seen| seen.token().to_owned()).collect();
    assert_eq!(asked, ["member", "own", "own"]);
}

#[tokio::test]
async fn uploads_by_any_listener_are_for_readers_of_all_as_far_as_the_upstream_took_them() {
    let mut origin = Origin::start();
    let setup = before(&origin, &["member", "own"], 403).set("upload.on_failure", "keep");
    let house = House::of_three(setup).await;
    let body = bytes(1, 5000);
    let stored = house.ci("lan-ci").put(&artifact("aa"), &body).await;
    assert_eq!(stored.cache_status(), STORED);
    let read = house.office("member").get(&artifact("aa")).await;
    read.assert_body(&body);
    assert_eq!(read.cache_status(), MEMORY);
    let refused = house.office("garbage").put(&artifact("bb"), &body).await;
    assert_eq!(refused.status, 403);

    // What reached nobody is kept for whom a list lets write; who comes by an open door has proven nothing
    // to those whom the upstream judges.
    origin.stop().await;
    let kept = house.ci("lan-ci").put(&artifact("cc"), &body).await;
    assert_eq!(kept.status, 202);
    let poison = house.local().put(&artifact("dd"), &body).await;
    assert_ne!(poison.status, 202);
    assert_eq!(house.local().get(&artifact("dd")).await.status, 404);
    house.local().get(&artifact("cc")).await.assert_body(&body);
}

#[tokio::test]
async fn as_a_cache_by_itself_each_listener_has_its_own_door() {
    let setup = Setup::alone();
    let ci = setup.directory().join("ci.sock");
    let table = format!(
        "{{ address = \"unix:{}\", access = \"tokens\" }}",
        ci.display()
    );
    let larder = setup
        .toml("listener.ci", &table)
        .set("access.mode", "open")
        .start()
        .await;
    // The list was empty, and a listener wants one: a token was made.
    let made = std::fs::read_to_string(larder.setup().data_dir().join("token")).expect("a token");
    let body = bytes(1, 5000);
    let mut open = larder.stranger();
    assert_eq!(open.put(&artifact("aa"), &body).await.status, 202);
    let (mut known, mut unknown) = (
        Client::of_socket(&ci).token(made.trim()),
        Client::of_socket(&ci).token("garbage"),
    );
    known.get(&artifact("aa")).await.assert_body(&body);
    assert_eq!(unknown.get(&artifact("aa")).await.cache_status(), DENIED);
    let hashes = br#"{"hashes":["aa","bb"]}"#;
    for client in [&mut open, &mut known] {
        let reply = client.post("/v8/artifacts?slug=acme", hashes).await;
        let found: serde_json::Value = serde_json::from_slice(&reply.body).expect("JSON");
        assert_eq!(found["aa"]["size"], 5000);
        assert!(found["bb"].is_null());
    }
    let denied = unknown.post("/v8/artifacts?slug=acme", hashes).await;
    assert_eq!(denied.cache_status(), DENIED);
    let status = unknown.get("/v8/artifacts/status?slug=acme").await;
    assert_eq!(status.cache_status(), DENIED);
}

#[tokio::test]
async fn only_who_comes_by_an_open_listener_is_asked_which_host_it_means() {
    let origin = Origin::start();
    let house = House::of_three(before(&origin, &["member", "own"], 403)).await;
    let foreign = Request::new("GET", &artifact("aa")).header("host", "evil.example");
    let page = Request::new("GET", &artifact("aa")).header("origin", "https://evil.example");
    for request in [&foreign, &page] {
        let refused = house.local().ask(request).await;
        assert_eq!((refused.status, refused.cache_status()), (403, DENIED));
        assert!(error_code(&refused).starts_with("forbidden_"));
        for mut client in [house.office("member"), house.ci("lan-ci")] {
            assert_eq!(client.ask(request).await.status, 404);
        }
    }
}

#[tokio::test]
async fn each_address_is_named_with_its_scheme_and_the_first_with_what_it_wants() {
    let house = House::of_three(before(&Origin::start(), &["own"], 403)).await;
    let expected = format!(
        "export TURBO_API=https://{}\n# or http://{}, where access is `open`\n\
         export TURBO_TOKEN='your token upstream'\n",
        house.office, house.local
    );
    eventually("the lines that turbo needs", async || {
        house.larder.printed().contains(&expected)
    })
    .await;
}

#[tokio::test]
async fn listeners_change_at_the_next_start_only_and_that_is_said() {
    let office = r#"{ address = "127.0.0.1:0", access = "open" }"#;
    let mut larder = Setup::alone().toml("listener.a", office).start().await;
    let said = larder
        .reload(|setup| {
            let other = r#"{ address = "127.0.0.1:0", access = "tokens" }"#;
            let setup = setup.toml("listener.a", other);
            setup.toml("listener.b", r#"{ address = "127.0.0.1:0" }"#)
        })
        .await;
    for line in [
        "listener.a.access takes effect at the next start; until then listener.a.access = \"open\"",
        "listener.b.address takes effect at the next start; until then # listener.b.address is not set",
    ] {
        assert!(said.contains(line), "{said}");
    }
    assert!(!said.contains("listener.a.address takes effect"), "{said}");
    assert!(!said.contains("tier."), "{said}");
}
