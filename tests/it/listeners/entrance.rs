//! What is spoken at which of several named listeners.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::House;
use crate::support::{Client, Origin, Setup, artifact, bytes, error_code, eventually, within};

/// From a balancer, which tells of somebody else.
const FOR_SOMEBODY: &[u8] = b"PROXY TCP4 203.0.113.5 192.0.2.1 56324 443\r\n";

const ASKED: &[u8] =
    b"GET /v8/artifacts/aa?slug=acme HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

async fn rest(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut answer = Vec::new();
    // Whoever was cut off may hear of it as a reset.
    within("the end", stream.read_to_end(&mut answer))
        .await
        .unwrap_or_default();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn one_with_tls_speaks_that_alone_and_one_without_speaks_none() {
    let origin = Origin::start();
    let house = House::of_two(Setup::before(&origin)).await;
    let body = bytes(1, 5000);
    origin.hold("aa", &body);
    let mut office = house.office("member");
    office.get(&artifact("aa")).await.assert_body(&body);
    house.local().get(&artifact("aa")).await.assert_body(&body);
    eventually("an access line of each", async || {
        let printed = house.larder.printed();
        let lines = printed.lines().filter(|line| line.contains(" GET get aa "));
        let secure: Vec<_> = lines.map(|line| line.contains(" tls=true")).collect();
        secure == [true, false]
    })
    .await;

    let clear = Client::new(house.office).get(&artifact("aa")).await;
    assert_eq!(error_code(&clear), "tls_required");
    let stream = TcpStream::connect(house.local).await.expect("a port");
    let trust = house.certificate.trust();
    let shaken = trust.secure(stream);
    assert!(within("no TLS", shaken).await.is_err());
    assert_eq!(origin.gets("aa"), 1);
}

#[tokio::test]
async fn a_balancers_header_is_wanted_at_each_before_tls_and_without() {
    let setup = Setup::alone().set("server.proxy_protocol", "127.0.0.0/8");
    let house = House::of_two(setup.set("access.mode", "open")).await;
    for address in [house.office, house.local] {
        let mut stream = TcpStream::connect(address).await.expect("a port");
        stream.write_all(ASKED).await.expect("room");
        assert_eq!(rest(&mut stream).await, "", "nobody told who it is for");
    }
    let mut secure = TcpStream::connect(house.office).await.expect("a port");
    secure.write_all(FOR_SOMEBODY).await.expect("room");
    let trust = house.certificate.trust();
    let mut secure = trust.secure(secure).await.expect("TLS");
    secure.write_all(ASKED).await.expect("room");
    let mut clear = TcpStream::connect(house.local).await.expect("a port");
    let whole = [FOR_SOMEBODY, ASKED].concat();
    clear.write_all(&whole).await.expect("room");
    for answer in [rest(&mut secure).await, rest(&mut clear).await] {
        assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    }
    eventually("whom it was for, in the access lines", async || {
        let printed = house.larder.printed();
        let theirs = printed
            .lines()
            .filter(|line| line.contains("203.0.113.5:56324"));
        theirs.count() == 2
    })
    .await;
}
