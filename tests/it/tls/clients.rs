//! Certificates of clients: who is let in by one, and as whom.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::{connect, handshakes, printed};
use crate::listeners::addresses;
use crate::support::{
    Authority, Badge, Certificate, Client, Larder, Setup, Trust, artifact, eventually,
};

/// Where the artifacts of whoever asks are.
const PERSONAL: &str = "/v8/artifacts/aa";

/// A server whose clients this authority vouches for.
struct Guarded {
    setup: Setup,
    certificate: Certificate,
}

impl Guarded {
    fn by(authority: &Authority) -> Self {
        let certificate = Certificate::new();
        let setup = Setup::alone().secured(&certificate);
        Self {
            setup: setup.secret("server.tls.client_ca", &authority.pem()),
            certificate,
        }
    }

    fn listing(self, entries: &str) -> Self {
        let setup = self.setup.set("access.mode", "tokens");
        Self {
            setup: setup.toml("access.tokens", entries),
            ..self
        }
    }

    fn revoking(self, lists: &[String]) -> Self {
        Self {
            setup: self.setup.secret("server.tls.client_crl", &lists.concat()),
            ..self
        }
    }

    async fn start(self) -> Larder {
        self.setup.start().await
    }
}

/// The status of a request by whoever shows this; 0 where there is no answer.
async fn status(larder: &Larder, badge: &Badge) -> u16 {
    let mut client = larder.client_showing("any", badge);
    client.get(&artifact("aa")).await.status
}

#[tokio::test]
async fn whoever_shows_no_certificate_is_refused_in_the_handshake() {
    let authority = Authority::new("Acme clients");
    let guarded = Guarded::by(&authority);
    let certificate = guarded.certificate.clone();
    let larder = guarded.start().await;
    let badge = authority.certify("ci.acme.example");
    for (number, version) in [&rustls::version::TLS12, &rustls::version::TLS13]
        .into_iter()
        .enumerate()
    {
        let trust = Trust::only(&certificate, version);
        let mut nobody = Client::new(larder.address()).trusting(Some(trust.clone()));
        assert_eq!(nobody.get(&artifact("aa")).await.status, 0);
        let failed = f64::from(u32::try_from(number).expect("small") + 1);
        eventually("the failure counted", async || {
            (handshakes(&larder, "failed").await - failed).abs() < 0.5
        })
        .await;
        let trust = trust.showing(&badge);
        let mut known = Client::new(larder.address()).trusting(Some(trust));
        assert_eq!(known.get(&artifact("aa")).await.status, 404, "{version:?}");
    }
    let named = r#" tls=true certificate="ci.acme.example" team="acme""#;
    printed(&larder, named, 2).await;
}

#[tokio::test]
async fn a_certificate_of_others_or_past_its_time_or_for_servers_or_revoked_is_none() {
    let (authority, stranger) = (
        Authority::new("Acme clients"),
        Authority::new("Acme clients"),
    );
    let (good, revoked) = (
        authority.certify("a.example"),
        authority.certify("b.example"),
    );
    let larder = Guarded::by(&authority)
        .revoking(&[authority.revoking(&[&revoked])])
        .start()
        .await;
    assert_eq!(status(&larder, &good).await, 404);
    for (what, badge) in [
        ("revoked", revoked),
        ("foreign", stranger.certify("a.example")),
        ("expired", authority.certify_once("a.example")),
        ("a server's", authority.certify_server("a.example")),
    ] {
        assert_eq!(status(&larder, &badge).await, 0, "{what}");
    }
    assert!((handshakes(&larder, "failed").await - 4.0).abs() < 0.5);
}

#[tokio::test]
async fn a_list_past_its_time_lets_nobody_in_and_an_authority_without_one_revokes_nobody() {
    let (stale, silent) = (Authority::new("Stale"), Authority::new("Silent"));
    let below = silent.below("Below");
    let guarded = Guarded::by(&stale);
    let both = stale.pem() + &silent.pem();
    let setup = guarded.setup.secret("server.tls.client_ca", &both);
    let guarded = Guarded { setup, ..guarded };
    let larder = guarded
        .revoking(&[stale.revoking_until(2021, &[])])
        .start()
        .await;
    assert_eq!(status(&larder, &stale.certify("a.example")).await, 0);
    assert_eq!(status(&larder, &silent.certify("a.example")).await, 404);
    assert_eq!(status(&larder, &below.certify("a.example")).await, 404);
    let printed = larder.printed();
    for said in [
        "of which a list has expired, on 2021-01-01T00:00:00Z",
        "holds no list of 1 of the authorities",
    ] {
        assert!(printed.contains(said), "{said}: {printed}");
    }
}

#[tokio::test]
async fn who_is_revoked_resumes_nothing_and_an_open_connection_goes_on() {
    let authority = Authority::new("Acme clients");
    let badge = authority.certify("ci.acme.example");
    let guarded = Guarded::by(&authority);
    let mut larder = guarded.revoking(&[authority.revoking(&[])]).start().await;
    let (mut open, mut other) = (
        larder.client_showing("any", &badge),
        larder.client_showing("any", &badge),
    );
    assert_eq!(open.get(&artifact("aa")).await.status, 404);
    assert_eq!(other.get(&artifact("aa")).await.status, 404);
    let list = authority.revoking(&[&badge]);
    larder
        .reload(|setup| setup.secret("server.tls.client_crl", &list))
        .await;
    assert_eq!(open.get(&artifact("aa")).await.status, 404);
    other.leave();
    assert_eq!(other.get(&artifact("aa")).await.status, 0);
    assert!(handshakes(&larder, "resumed").await < 0.5);
}

#[tokio::test]
async fn a_resumed_session_is_still_its_clients() {
    let authority = Authority::new("Acme clients");
    let guarded = Guarded::by(&authority);
    let certificate = guarded.certificate.clone();
    let larder = guarded
        .listing(r#"[{ name = "ci", certificate = "spiffe://acme/ci" }]"#)
        .start()
        .await;
    let badge = authority.certify("spiffe://acme/ci");
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let before = handshakes(&larder, "resumed").await;
        let trust = Trust::only(&certificate, version).showing(&badge);
        let mut client = Client::new(larder.address()).trusting(Some(trust));
        for _ in 0..2 {
            assert_eq!(client.put(&artifact("aa"), b"x").await.status, 202);
            client.leave();
        }
        let resumed = handshakes(&larder, "resumed").await - before;
        assert!((resumed - 1.0).abs() < 0.5, "{version:?}: {resumed}");
    }
    printed(&larder, r#" certificate="spiffe://acme/ci""#, 4).await;
}

#[tokio::test]
async fn an_entry_lets_in_who_shows_its_certificate_and_presents_its_token_where_it_has_one() {
    let authority = Authority::new("Acme clients");
    let larder = Guarded::by(&authority)
        .listing(
            r#"[
            { name = "ci", certificate = "ci.acme.example" },
            { name = "reader", certificate = "spiffe://acme/reader", teams = ["acme"], rights = "read" },
            { name = "bound", token = "bound", certificate = "Bound.acme.example" },
            { name = "free", token = "free", teams = ["acme"], rights = "read" },
            { name = "old", certificate = "old.acme.example", expires = 2021-01-01 },
            ]"#,
        )
        .start()
        .await;
    let other = artifact("aa").replace("acme", "other");
    for (name, token, get, put, elsewhere) in [
        ("ci.acme.example", "any", 404, 202, 404),
        ("CI.acme.example", "any", 200, 202, 404),
        ("spiffe://acme/reader", "any", 200, 403, 403),
        ("spiffe://acme/Reader", "any", 401, 401, 401),
        ("bound.acme.example", "bound", 200, 202, 404),
        ("bound.acme.example", "any", 401, 401, 401),
        // A token in other hands than those that it is bound to is none; the certificate counts.
        ("ci.acme.example", "bound", 200, 202, 404),
        ("nobody.acme.example", "bound", 401, 401, 401),
        // A token that is known decides.
        ("ci.acme.example", "free", 200, 403, 403),
        ("nobody.acme.example", "free", 200, 403, 403),
        ("old.acme.example", "any", 401, 401, 401),
    ] {
        let mut client = larder.client_showing(token, &authority.certify(name));
        let asked = format!("{name} {token}");
        assert_eq!(client.get(&artifact("aa")).await.status, get, "{asked}");
        assert_eq!(
            client.put(&artifact("aa"), b"x").await.status,
            put,
            "{asked}"
        );
        assert_eq!(client.get(&other).await.status, elsewhere, "{asked}");
    }
    let metrics = larder.metrics().await;
    let refused = [("result", "refused"), ("source", "list")];
    assert!(metrics.sum("larder_verdicts_total", &refused) > 0.5);
}

#[tokio::test]
async fn without_a_team_artifacts_belong_to_the_certificate_that_let_their_owner_in() {
    let authority = Authority::new("Acme clients");
    let larder = Guarded::by(&authority)
        .listing(
            r#"[
            { name = "one", certificate = "one.example" },
            { name = "two", certificate = "two.example" },
            { name = "bound", token = "bound", certificate = "two.example" },
            { name = "free", token = "free" },
            ]"#,
        )
        .start()
        .await;
    let (one, two) = (
        authority.certify("one.example"),
        authority.certify("two.example"),
    );
    let other = authority.certify("other.example");
    let mut owner = larder.client_showing("same", &one);
    assert_eq!(owner.put(PERSONAL, b"mine").await.status, 202);
    owner.get(PERSONAL).await.assert_body(b"mine");
    // The same name in a certificate that was issued anew.
    let anew = authority.certify("one.example");
    let mut renewed = larder.client_showing("same", &anew);
    renewed.get(PERSONAL).await.assert_body(b"mine");
    for (token, badge) in [
        ("same", &two),
        ("other", &one),
        ("bound", &two),
        ("free", &one),
        ("free", &other),
    ] {
        let mut stranger = larder.client_showing(token, badge);
        assert_eq!(stranger.get(PERSONAL).await.status, 404, "{token}");
        let batch = stranger
            .post("/v8/artifacts", br#"{"hashes":["aa"]}"#)
            .await;
        assert_eq!(batch.body, br#"{"aa":null}"#, "{token}");
    }
    // A token that is listed by itself is the same caller with whatever certificate.
    let mut free = larder.client_showing("free", &one);
    assert_eq!(free.put(PERSONAL, b"free").await.status, 202);
    let mut elsewhere = larder.client_showing("free", &other);
    elsewhere.get(PERSONAL).await.assert_body(b"free");
}

#[tokio::test]
async fn whose_certificate_was_taken_off_the_list_is_out_on_the_same_connection() {
    let authority = Authority::new("Acme clients");
    let mut larder = Guarded::by(&authority)
        .listing(r#"[{ name = "a", certificate = "a.example" }, { name = "b", certificate = "b.example" }]"#)
        .start()
        .await;
    let [mut a, mut b, mut c] = ["a.example", "b.example", "c.example"]
        .map(|name| larder.client_showing("any", &authority.certify(name)));
    assert_eq!(a.put(&artifact("aa"), b"x").await.status, 202);
    assert_eq!(b.get(&artifact("aa")).await.status, 200);
    assert_eq!(c.get(&artifact("aa")).await.status, 401);
    let list =
        r#"[{ name = "b", certificate = "b.example" }, { name = "c", certificate = "c.example" }]"#;
    larder
        .reload(|setup| setup.toml("access.tokens", list))
        .await;
    assert_eq!(a.get(&artifact("aa")).await.status, 401);
    assert_eq!(b.get(&artifact("aa")).await.status, 200);
    assert_eq!(c.get(&artifact("aa")).await.status, 200);
}

#[tokio::test]
async fn each_listener_in_tls_asks_for_certificates_and_by_another_nobody_is_let_in_by_one() {
    let authority = Authority::new("Acme clients");
    let guarded = Guarded::by(&authority)
        .listing(r#"[{ name = "ci", certificate = "ci.example" }, { name = "t", token = "t" }]"#);
    let trust = guarded.certificate.trust();
    let table = |rest: &str| format!(r#"{{ address = "127.0.0.1:0"{rest} }}"#);
    let setup = guarded.setup.unset("server.listen");
    let setup = setup
        .toml("listener.a", &table(""))
        .toml("listener.b", &table(r#", access = "open""#))
        .toml("listener.c", &table(", tls = false"));
    let larder = setup.start().await;
    let addresses = addresses(&larder, 3).await;
    let ask = async |place: usize, token: &str, badge: Option<&Badge>| {
        let trust = badge.map_or_else(|| trust.clone(), |badge| trust.clone().showing(badge));
        // The last one speaks in clear text.
        let trust = Some(trust).filter(|_| place < 2);
        let mut client = Client::new(addresses[place]).token(token).trusting(trust);
        client.get(&artifact("aa")).await.status
    };
    let (listed, other) = (
        authority.certify("ci.example"),
        authority.certify("other.example"),
    );
    for (place, token, badge, status) in [
        (0, "any", Some(&listed), 404),
        (0, "any", Some(&other), 401),
        (0, "t", Some(&other), 404),
        (0, "t", None, 0),
        (1, "any", Some(&other), 404),
        (1, "any", None, 0),
        (2, "any", None, 401),
        (2, "t", None, 404),
    ] {
        assert_eq!(ask(place, token, badge).await, status, "{place} {token}");
    }
}

#[tokio::test]
async fn on_a_unix_socket_nobody_shows_a_certificate() {
    let authority = Authority::new("Acme clients");
    let guarded = Guarded::by(&authority)
        .listing(r#"[{ name = "ci", certificate = "ci.example" }, { name = "t", token = "t" }]"#);
    let socket = guarded.setup.directory().join("larder.sock");
    let listen = format!(r#"["127.0.0.1:0", "unix:{}"]"#, socket.display());
    let setup = guarded.setup.toml("server.listen", &listen);
    let larder = Guarded { setup, ..guarded }.start().await;
    for (token, status) in [("any", "401"), ("t", "404")] {
        let mut unix = UnixStream::connect(&socket).await.expect("a socket");
        let ask = format!(
            "GET {} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n",
            artifact("aa")
        );
        unix.write_all(ask.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        unix.read_to_string(&mut answer).await.expect("an answer");
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
    }
    drop(connect(&larder).await);
}

#[tokio::test]
async fn an_uploader_is_called_as_the_list_does_and_else_as_its_certificate() {
    let authority = Authority::new("Acme clients");
    let listed = Guarded::by(&authority)
        .listing(r#"[{ name = "builders", certificate = "ci.acme.example" }]"#);
    let unlisted = Guarded::by(&authority);
    for (guarded, name) in [(listed, "builders"), (unlisted, "ci.acme.example")] {
        let larder = guarded.start().await;
        let badge = authority.certify("ci.acme.example");
        let mut client = larder.client_showing("any", &badge);
        assert_eq!(client.put(&artifact("aa"), b"x").await.status, 202);
        let told = larder.admin().get("/api/v1/entries").await;
        let told: serde_json::Value = serde_json::from_slice(&told.body).expect("json");
        let uploader = &told["entries"][0]["uploader"];
        assert_eq!(
            (&uploader["name"], &uploader["digest"]),
            (&name.into(), &serde_json::Value::Null)
        );
    }
}
