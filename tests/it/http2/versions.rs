//! Which version of HTTP was spoken, as either side is told it and as the access lines have it.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::each_way;
use crate::support::{
    Http2, Larder, Origin, Request, Setup, Speech, artifact, bytes, eventually, within,
};

/// The ways in which an answer of the upstream's comes back: its status and body, its body on the way, its head.
fn asked() -> [(Request, u16); 3] {
    [
        (Request::new("GET", &artifact("absent")), 404),
        (Request::new("GET", "/v2/user"), 200),
        (Request::new("HEAD", &artifact("held")), 200),
    ]
}

/// An origin that holds an artifact.
fn holding(speech: Speech) -> Origin {
    let origin = Origin::speaking(speech);
    origin.hold("held", &bytes(1, 5000));
    origin
}

/// Asserts that the origin was told that all requests came in this version.
#[track_caller]
fn assert_told(origin: &Origin, expected: &str) {
    let seen = origin.requests();
    assert!(!seen.is_empty());
    for seen in seen {
        let via = seen.header("via").unwrap_or_default();
        assert!(via.starts_with(expected), "{via}");
    }
}

async fn assert_line(larder: &Larder, expected: &str) {
    eventually("access lines", async || {
        let printed = larder.printed();
        let mut lines = printed.lines().filter(|line| line.contains(" total="));
        lines.clone().count() > 0 && lines.all(|line| line.contains(expected))
    })
    .await;
}

#[tokio::test]
async fn the_upstream_hears_in_which_version_a_request_came() {
    let origin = holding(Speech::Http1);
    for larder in &each_way(&origin).await {
        let client = Http2::of(larder).await;
        for (request, status) in asked() {
            let reply = client.ask(&request).await;
            assert_eq!(reply.status, status);
            assert_eq!(reply.header("via"), Some("1.1 larder"), "{:?}", reply.head);
        }
        assert_told(&origin, "2 larder-");
        assert_line(larder, " http=2").await;
    }
    for version in ["1.0", "1.1"] {
        let origin = holding(Speech::Http1);
        let larder = Larder::before(&origin).await;
        let head = format!(
            "GET {} HTTP/{version}\r\nhost: localhost\r\nauthorization: Bearer member\r\n\
             connection: close\r\n\r\n",
            artifact("held")
        );
        let stream = TcpStream::connect(larder.address()).await;
        let mut stream = stream.expect("a port");
        stream.write_all(head.as_bytes()).await.expect("room");
        let mut answer = Vec::new();
        let reading = stream.read_to_end(&mut answer);
        within("an answer", reading).await.expect("an answer");
        assert!(answer.ends_with(&bytes(1, 5000)));
        assert_told(&origin, &format!("{version} larder-"));
        assert_line(&larder, &format!(" http={version}")).await;
    }
}

#[tokio::test]
async fn a_client_hears_in_which_version_the_upstream_answered() {
    let origin = holding(Speech::http2_tls());
    let setup = Setup::before(&origin).toml("upstream.http2", "true");
    let larder = setup.start().await;
    let mut client = larder.client();
    for (request, status) in asked() {
        let reply = client.ask(&request).await;
        assert_eq!(reply.status, status);
        assert_eq!(reply.header("via"), Some("2 larder"), "{:?}", reply.head);
    }
    assert_told(&origin, "1.1 larder-");
}
