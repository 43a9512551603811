//! Behind a load balancer, and beyond a list of addresses: for whom a connection is, as everybody sees it.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Certificate, Larder, Setup, eventually, within};

const FOR_SOMEBODY: &[u8] = b"PROXY TCP4 203.0.113.5 192.0.2.1 56324 443\r\n";
const STATUS: &[u8] =
    b"GET /v8/artifacts/status HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

async fn connect(larder: &Larder) -> TcpStream {
    TcpStream::connect(larder.address()).await.expect("a port")
}

async fn rest(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut answer = Vec::new();
    let reading = stream.read_to_end(&mut answer);
    within("the end of an answer", reading)
        .await
        .expect("an answer");
    String::from_utf8(answer).expect("text")
}

/// Connections refused for this reason, as the metrics have it.
async fn refused(larder: &Larder, reason: &str) -> f64 {
    let metrics = larder.metrics().await;
    metrics.sum("larder_connections_refused_total", &[("reason", reason)])
}

#[tokio::test]
async fn a_header_in_front_of_tls_says_whose_address_is_logged() {
    let certificate = Certificate::new();
    let larder = Setup::alone()
        .secured(&certificate)
        .set("access.mode", "open")
        .set("server.proxy_protocol", "127.0.0.0/8")
        .set("server.allow", "203.0.113.0/24")
        .start()
        .await;
    let mut stream = connect(&larder).await;
    // The handshake's first message comes with the header, in one piece.
    stream.write_all(FOR_SOMEBODY).await.expect("room");
    let mut stream = certificate.trust().secure(stream).await.expect("TLS");
    stream.write_all(STATUS).await.expect("room");
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    eventually("an access line", async || {
        let printed = larder.printed();
        printed
            .lines()
            .any(|line| line.contains("203.0.113.5:56324") && line.contains("tls=true"))
    })
    .await;
    for (before, reason) in [
        (&b""[..], "proxy-protocol"),
        (b"PROXY TCP4 198.51.100.1 192.0.2.1 1 2\r\n", "address"),
    ] {
        let mut stream = connect(&larder).await;
        let hello = certificate.trust().hello();
        stream
            .write_all(&[before, &hello].concat())
            .await
            .expect("room");
        assert_eq!(rest(&mut stream).await, "");
        assert!(
            (refused(&larder, reason).await - 1.0).abs() < 0.5,
            "{reason}"
        );
    }
}

#[tokio::test]
async fn whom_a_list_leaves_out_still_sees_health_and_nothing_else() {
    let larder = Setup::alone()
        .set("server.allow", "192.0.2.7")
        .start()
        .await;
    let mut stream = connect(&larder).await;
    assert_eq!(rest(&mut stream).await, "");
    assert!((refused(&larder, "address").await - 1.0).abs() < 0.5);
    assert_eq!(larder.admin().get("/healthz").await.status, 200);
    assert!(
        !larder.printed().contains("outcome"),
        "{}",
        larder.printed()
    );
}
