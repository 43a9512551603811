//! The data listeners in TLS: everything as in clear text, and what a handshake may cost others.

mod clients;
mod names;
mod reload;

use std::fs;

use rustls::ProtocolVersion;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{
    Agreed, Certificate, Client, Ended, Larder, Origin, Request, Setup, Trust, artifact,
    assert_bytes, assert_whole, bytes, error_code, eventually, script, within,
};

const MIB: usize = 1 << 20;

/// Clients that begin a handshake and fall silent: many more than there are threads.
const SILENT: usize = 100;

/// Which lets a handshake take so long.
async fn secured_within(time: &str) -> (Larder, Certificate) {
    let certificate = Certificate::new();
    let setup = Setup::alone().secured(&certificate);
    let larder = setup.set("server.handshake_timeout", time).start().await;
    (larder, certificate)
}

async fn secured() -> (Larder, Certificate) {
    let certificate = Certificate::new();
    let larder = Setup::alone().secured(&certificate).start().await;
    (larder, certificate)
}

async fn connect(larder: &Larder) -> TcpStream {
    TcpStream::connect(larder.address()).await.expect("a port")
}

/// Handshakes that ended so, as the metrics have it.
async fn handshakes(larder: &Larder, result: &str) -> f64 {
    let metrics = larder.metrics().await;
    metrics.sum("larder_tls_handshakes_total", &[("result", result)])
}

/// Waits until something has been printed so often: access lines are written a moment later.
async fn printed(larder: &Larder, what: &str, times: usize) {
    eventually(what, async || {
        larder.printed().matches(what).count() == times
    })
    .await;
}

#[tokio::test]
async fn misses_hits_and_uploads_are_what_they_are_in_clear_text() {
    let origin = Origin::start();
    let large = bytes(1, 16 * MIB);
    origin.hold("aa", b"body".as_slice());
    let larder = Setup::before(&origin)
        .secured(&Certificate::new())
        .start()
        .await;
    let mut client = larder.client();
    let miss = client.get(&artifact("aa")).await;
    miss.assert_body(b"body");
    assert!(!miss.is_hit());
    larder.settled().await;
    let hit = client.get(&artifact("aa")).await;
    hit.assert_body(b"body");
    assert!(hit.is_hit());
    assert_eq!(client.put(&artifact("bb"), &large).await.status, 202);
    let chunked = Request::new("PUT", &artifact("cc")).body(&large[..MIB]);
    assert_eq!(client.ask(&chunked.chunked()).await.status, 202);
    for hash in ["bb", "cc"] {
        let hit = client.get(&artifact(hash)).await;
        assert!(hit.is_hit(), "{hash}");
        hit.assert_body(&large[..if hash == "bb" { 16 * MIB } else { MIB }]);
    }
    let head = client.head(&artifact("bb")).await;
    assert_eq!(head.header("content-length"), Some("16777216"));
    assert!(
        (handshakes(&larder, "full").await - 1.0).abs() < 0.5,
        "kept alive"
    );
    printed(&larder, " tls=true ", 7).await;
    let access = larder.printed();
    let api = format!("export TURBO_API=https://{}\n", larder.address());
    assert!(access.contains(&api), "{access}");
}

#[tokio::test]
async fn requests_sent_ahead_are_answered_in_their_order() {
    let (larder, _) = secured().await;
    let mut client = larder.client();
    for (hash, body) in [("aa", bytes(1, 300_000)), ("bb", bytes(2, 2 * MIB))] {
        assert_eq!(client.put(&artifact(hash), &body).await.status, 202);
    }
    for hash in ["aa", "bb", "aa"] {
        client
            .send_head(&Request::new("GET", &artifact(hash)))
            .await;
    }
    for body in [bytes(1, 300_000), bytes(2, 2 * MIB), bytes(1, 300_000)] {
        client.reply().await.assert_body(&body);
    }
}

#[tokio::test]
async fn both_versions_are_spoken_and_http_1_1_is_agreed_on_where_it_is_asked_for() {
    let (larder, certificate) = secured().await;
    let (old, new) = (&rustls::version::TLS12, &rustls::version::TLS13);
    for version in [old, new] {
        let trust = Trust::only(&certificate, version);
        for (offered, agreed) in [
            (&[][..], None),
            (
                &[b"spdy/3".as_slice(), b"http/1.1"],
                Some(b"http/1.1".to_vec()),
            ),
            (&[b"http/1.0".as_slice()], Some(b"http/1.0".to_vec())),
        ] {
            let trust = trust.clone().offering(offered);
            let stream = trust.secure(connect(&larder).await).await.expect("TLS");
            let expected = Agreed {
                version: Some(version.version),
                protocol: agreed,
            };
            assert_eq!(Agreed::on(&stream), expected);
            let mut client = Client::new(larder.address()).trusting(Some(trust));
            assert_eq!(client.get(&artifact("aa")).await.status, 404);
        }
        let both = trust.clone().offering(&[b"http/1.1", b"h2"]);
        let stream = both.secure(connect(&larder).await).await.expect("TLS");
        assert_eq!(Agreed::on(&stream).protocol, Some(b"h2".to_vec()));
        let neither = trust.offering(&[b"spdy/3"]);
        let refused = neither.secure(connect(&larder).await).await;
        assert!(refused.is_err(), "{version:?}: nothing in common");
    }
    assert_eq!(new.version, ProtocolVersion::TLSv1_3);
}

#[tokio::test]
async fn a_certificate_made_as_documented_is_trusted_by_who_is_told_of_it() {
    let Some(certificate) = Certificate::documented("cache.acme.example") else {
        return;
    };
    let larder = Setup::alone().secured(&certificate).start().await;
    let trust = certificate.trust();
    trust.secure(connect(&larder).await).await.expect("TLS");
    assert_eq!(larder.client().get(&artifact("aa")).await.status, 404);
}

#[tokio::test]
async fn an_http_1_0_client_is_answered_and_told_goodbye() {
    let (larder, certificate) = secured().await;
    larder.client().put(&artifact("aa"), b"body").await;
    let mut stream = certificate
        .trust()
        .secure(connect(&larder).await)
        .await
        .expect("TLS");
    let ask = format!("GET {} HTTP/1.0\r\n\r\n", artifact("aa"));
    stream.write_all(ask.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    // Without the server's farewell this would be an error.
    within("an answer", stream.read_to_end(&mut answer))
        .await
        .expect("an orderly end");
    let text = String::from_utf8_lossy(&answer);
    assert!(text.starts_with("HTTP/1.0 200 "), "{text}");
    assert!(text.ends_with("\r\n\r\nbody"), "{text}");
}

#[tokio::test]
async fn half_a_handshake_holds_back_nobody_and_is_cut() {
    let (larder, _) = secured_within("300ms").await;
    // A handshake's first message, of which there is to be more.
    let mut half = Vec::new();
    for _ in 0..40 {
        let mut stream = connect(&larder).await;
        stream
            .write_all(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
            .await
            .expect("sent");
        half.push(stream);
    }
    assert_eq!(larder.client().get(&artifact("aa")).await.status, 404);
    for mut stream in half {
        let mut rest = Vec::new();
        within("the cut", stream.read_to_end(&mut rest)).await.ok();
        assert_eq!(rest, b"");
    }
    eventually("forty counted", async || {
        (handshakes(&larder, "left").await - 40.0).abs() < 0.5
    })
    .await;
}

#[tokio::test]
async fn many_handshakes_that_stop_after_their_first_message_hold_back_nobody() {
    let (larder, certificate) = secured_within("10m").await;
    let hello = certificate.trust().hello();
    let mut silent = Vec::new();
    for _ in 0..SILENT {
        let mut stream = connect(&larder).await;
        stream.write_all(&hello).await.expect("sent");
        // Larder's part of the arithmetic is done, and the rest is up to the client.
        within("an answer", stream.read_u8()).await.expect("one");
        silent.push(stream);
    }
    assert_eq!(larder.client().get(&artifact("aa")).await.status, 404);
    assert!(
        handshakes(&larder, "left").await < 0.5,
        "all are still there"
    );
    drop(silent);
}

#[tokio::test]
async fn http_in_clear_text_is_told_what_is_spoken_here() {
    let (larder, _) = secured().await;
    let mut clear = Client::new(larder.address());
    let large = Request::new("PUT", &artifact("aa")).body(&bytes(1, 10_000));
    for request in [Request::new("GET", &artifact("aa")), large] {
        let reply = clear.ask(&request).await;
        assert_eq!((reply.status, reply.ended), (400, Ended::Whole));
        assert_eq!(error_code(&reply), "tls_required");
    }
    // A handshake is counted when its end is known, which may be behind the answer.
    eventually("both counted", async || {
        (handshakes(&larder, "clear-text").await - 2.0).abs() < 0.5
    })
    .await;
    assert_eq!(larder.client().get(&artifact("aa")).await.status, 404);
}

#[tokio::test]
async fn who_does_not_trust_the_certificate_says_so_and_sends_nothing() {
    let (larder, _) = secured().await;
    let stranger = Trust::in_nobody();
    assert!(stranger.secure(connect(&larder).await).await.is_err());
    eventually("the failure counted", async || {
        handshakes(&larder, "failed").await > 0.5
    })
    .await;
    assert!(!larder.printed().contains(" GET "));
}

#[tokio::test]
async fn a_stop_finishes_what_runs_and_ends_half_handshakes() {
    let origin = Origin::start();
    let body = bytes(1, 10_000);
    let halved = script().head(200).length(10_000).chunk(&body[..5000]);
    origin.once("GET", "aa", halved.hold("rest").chunk(&body[5000..]));
    let mut larder = Setup::before(&origin)
        .secured(&Certificate::new())
        .start()
        .await;
    let mut client = larder.client();
    client
        .send_head(&Request::new("GET", &artifact("aa")))
        .await;
    client.read_head().await.expect("a head");
    assert_bytes(&client.read_some(5000).await, &body[..5000]);
    let mut half = connect(&larder).await;
    half.write_all(b"\x16\x03\x01\x02").await.expect("sent");
    larder.client().get(&artifact("bb")).await;
    larder.terminate();
    let mut rest = Vec::new();
    within("the end", half.read_to_end(&mut rest)).await.ok();
    origin.release("rest");
    assert_whole(&client.read_rest().await, &body[5000..]);
    let exit = larder.exit().await;
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
}

#[tokio::test]
async fn files_that_are_no_pair_are_one_clear_line_and_exit_2() {
    let (own, other) = (Certificate::new(), Certificate::new());
    let torn = own.key.replace("PRIVATE", "ENCRYPTED PRIVATE");
    for (key, mistake) in [
        (
            other.key.as_str(),
            "is not the key of the first certificate in ",
        ),
        (&torn, "holds an encrypted key"),
        (&own.cert, "holds no private key"),
    ] {
        let setup = Setup::alone().secured(&own).secret("server.tls.key", key);
        for command in ["serve", "check"] {
            let exit = setup.run(&[command, "--config", "{config}"]).await;
            assert_eq!(exit.code, Some(2), "{}", exit.stderr);
            assert_eq!(exit.stderr.lines().count(), 1, "{}", exit.stderr);
            assert!(exit.stderr.contains(mistake), "{}", exit.stderr);
            let path = setup.directory().join("server.tls.key.secret");
            assert!(
                exit.stderr.contains(path.to_str().expect("plain")),
                "{}",
                exit.stderr
            );
            let secret = key.lines().nth(1).expect("a key's second line");
            assert!(!exit.stderr.contains(secret), "{}", exit.stderr);
        }
    }
}

#[tokio::test]
async fn the_key_is_printed_nowhere_and_a_unix_socket_beside_stays_in_clear_text() {
    let certificate = Certificate::new();
    let setup = Setup::alone()
        .secured(&certificate)
        .set("log.level", "trace");
    let socket = setup.directory().join("larder.sock");
    let listen = format!(r#"["127.0.0.1:0", "unix:{}"]"#, socket.display());
    let larder = setup.toml("server.listen", &listen).start().await;
    larder.client().put(&artifact("aa"), b"body").await;
    let mut unix = tokio::net::UnixStream::connect(&socket)
        .await
        .expect("a socket");
    let ask = format!(
        "GET {} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer member\r\nconnection: close\r\n\r\n",
        artifact("aa")
    );
    unix.write_all(ask.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    unix.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.ends_with("\r\n\r\nbody"), "{answer}");
    let metrics = larder.admin().get("/metrics").await;
    let setup = larder.setup().clone();
    let exit = larder.stop().await;
    let mut printed = exit.stdout + &exit.stderr + &String::from_utf8_lossy(&metrics.body);
    printed += &setup.run(&["check", "--config", "{config}"]).await.stdout;
    for secret in certificate
        .key
        .lines()
        .filter(|line| !line.starts_with('-'))
    {
        assert!(!printed.contains(secret));
    }
    let admin = fs::read_to_string(setup.data_dir().join("admin.json")).expect("a file");
    assert!(!admin.contains("https"), "{admin}");
}
