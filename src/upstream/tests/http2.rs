//! Which protocol is spoken with whom, and what goes over a shared connection.

use bytes::Bytes;
use futures_util::future::join_all;
use http::{Request, Version};
use http_body_util::{BodyExt, Empty, Full};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use super::super::{Delivered, Stated};
use super::frames::{END_STREAM, MAX_STREAMS, at_end, at_head};
use super::h2_origin::{Origin as Frames, Script, speaking};
use super::origin::{Origin, Step, answer, say};
use super::{artifact, backing, config, failed, found, upstream, whole};
use crate::artifact::Failure;
use crate::tasks::Tasks;

/// What an origin that is served by a library sees of a request, and its body.
type Seen = (http::request::Parts, Bytes);

/// Accepts one connection, answers its first request without a length, and tells what it was.
async fn library(tls: TlsAcceptor) -> (u16, oneshot::Receiver<Seen>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, told) = oneshot::channel();
    Tasks::new().spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let stream = tls.accept(stream).await.unwrap();
        let mut connection = h2::server::handshake(stream).await.unwrap();
        let (request, mut reply) = connection.accept().await.unwrap().unwrap();
        let (head, mut body) = request.into_parts();
        let exchange = async {
            let mut taken = Vec::new();
            while let Some(data) = body.data().await {
                taken.extend(data.unwrap());
            }
            let mut sent = reply.send_response(http::Response::new(()), false).unwrap();
            sent.send_data(Bytes::from_static(b"abc"), true).unwrap();
            drop(tell.send((head, taken.into())));
        };
        tokio::join!(exchange, async {
            while connection.accept().await.is_some() {}
        });
    });
    (port, told)
}

#[tokio::test]
async fn a_fetch_says_what_the_origin_must_know_and_nothing_of_a_connection() {
    let (tls, file) = speaking(&["h2"]);
    let (port, told) = library(tls).await;
    let mut config = config(&format!("https://localhost:{port}/base"));
    config.ca_file = Some(file.path().to_owned());
    config.http2 = true;
    let fetch = found(upstream(&config).fetch(&artifact()).await);
    assert_eq!(fetch.length, None, "its own end frames it");
    assert_eq!(whole(fetch).await.unwrap(), "abc");
    let (head, _) = told.await.unwrap();
    assert_eq!(head.version, Version::HTTP_2);
    assert_eq!(
        head.uri.to_string(),
        format!("https://localhost:{port}/base/v8/artifacts/a?slug=t%20x&b=")
    );
    assert_eq!(head.headers["authorization"], "Bearer secret");
    for name in ["host", "connection", "transfer-encoding", "content-length"] {
        assert!(!head.headers.contains_key(name), "{name}");
    }
}

#[tokio::test]
async fn a_body_without_a_length_is_passed_whole() {
    let (tls, file) = speaking(&["h2"]);
    let (port, told) = library(tls).await;
    let mut config = config(&format!("https://localhost:{port}"));
    config.ca_file = Some(file.path().to_owned());
    config.http2 = true;
    let pieces =
        ["ab", "", "cd"].map(|piece| Ok::<_, Failure>(http_body::Frame::data(piece.into())));
    let body = http_body_util::StreamBody::new(futures_util::stream::iter(pieces));
    let request = Request::post("/v9/else").body(body).unwrap();
    let response = upstream(&config).pass(request).await.unwrap();
    let answer = response.into_body().collect().await.unwrap();
    assert_eq!(answer.to_bytes(), "abc");
    let (head, body) = told.await.unwrap();
    assert_eq!(body, "abcd");
    assert!(!head.headers.contains_key("transfer-encoding"));
}

#[tokio::test]
async fn all_requests_share_a_connection() {
    let origin = Frames::start(at_end(|frame| frame.answered("200", "abc"))).await;
    let upstream = upstream(&origin.config());
    let fetch = || async { whole(found(upstream.fetch(&artifact()).await)).await };
    assert_eq!(fetch().await.unwrap(), "abc");
    for fetched in join_all((0..4).map(|_| fetch())).await {
        assert_eq!(fetched.unwrap(), "abc");
    }
    let upload = Full::new(Bytes::from_static(b"abc"));
    let delivered = upstream.store(artifact(), Some(3), upload, backing()).await;
    assert!(matches!(delivered, Delivered::Accepted(_)), "{delivered:?}");
    let expected = [1, 3, 5, 7, 9, 11].map(|stream| (1, stream));
    assert_eq!(origin.requests(), expected);
}

#[tokio::test]
async fn a_burst_before_the_protocol_is_known_is_served() {
    let origin = Frames::start(at_end(|frame| frame.answered("200", "abc"))).await;
    let upstream = upstream(&origin.config());
    let fetches = (0..4).map(|_| async { whole(found(upstream.fetch(&artifact()).await)).await });
    for fetched in join_all(fetches).await {
        assert_eq!(fetched.unwrap(), "abc");
    }
    assert_eq!(origin.requests().len(), 4);
}

#[tokio::test]
async fn who_comes_when_the_origin_admits_no_more_waits() {
    let script = Script::new().with(MAX_STREAMS, 1);
    let origin = script.start(at_end(|frame| frame.answered("200", "abc")));
    let origin = origin.await;
    let upstream = upstream(&origin.config());
    found(upstream.fetch(&artifact()).await);
    let fetches = (0..4).map(|_| async { whole(found(upstream.fetch(&artifact()).await)).await });
    for fetched in join_all(fetches).await {
        assert_eq!(fetched.unwrap(), "abc");
    }
    assert!(
        origin
            .requests()
            .iter()
            .all(|(connection, _)| *connection == 1)
    );
}

#[tokio::test]
async fn a_stat_hears_of_a_length_without_a_body() {
    let origin = Frames::start(at_head(|frame| {
        vec![frame.head("200", &[("content-length", "12")], END_STREAM)]
    }))
    .await;
    let stated = upstream(&origin.config()).stat(artifact()).await;
    assert!(
        matches!(stated, Stated::Present(_, Some(12), _)),
        "{stated:?}"
    );
}

#[tokio::test]
async fn an_origin_that_does_not_offer_it_is_spoken_to_in_http_1() {
    for protocols in [&["http/1.1"][..], &[]] {
        let (tls, file) = speaking(protocols);
        let origin = Origin::with_tls(tls, |_| vec![answer("200 OK", "abc")]).await;
        let mut config = config(&format!("https://localhost:{}", origin.address.port()));
        config.ca_file = Some(file.path().to_owned());
        config.http2 = true;
        let upstream = upstream(&config);
        for _ in 0..2 {
            let fetch = found(upstream.fetch(&artifact()).await);
            assert_eq!(whole(fetch).await.unwrap(), "abc");
        }
        let seen = &origin.seen()[1];
        assert!(seen.line().ends_with(" HTTP/1.1"), "{}", seen.line());
        assert_eq!(seen.connection, 1);
    }
}

#[tokio::test]
async fn it_is_offered_only_where_it_is_configured() {
    let (tls, file) = speaking(&["h2", "http/1.1"]);
    let origin = Origin::with_tls(tls, |_| vec![answer("200 OK", "abc")]).await;
    let mut config = config(&format!("https://localhost:{}", origin.address.port()));
    config.ca_file = Some(file.path().to_owned());
    found(upstream(&config).fetch(&artifact()).await);
    assert!(origin.seen()[0].line().ends_with(" HTTP/1.1"));

    let deaf_to_others = Frames::start(|frame| frame.answered("200", "abc")).await;
    let mut config = deaf_to_others.config();
    config.http2 = false;
    let fetched = upstream(&config).fetch(&artifact()).await;
    assert_eq!(failed(&fetched), Failure::Unreachable);
}

#[tokio::test]
async fn a_proxy_is_spoken_to_in_http_1_and_the_origin_behind_it_in_http_2() {
    let origin = Frames::start(at_end(|frame| frame.answered("200", "abc"))).await;
    let target = origin.address;
    let proxy =
        Origin::start(move |_| vec![say("HTTP/1.1 200 Go on\r\n\r\n"), Step::Tunnel(target)]).await;
    let mut tunnelled = origin.config();
    tunnelled.proxy.https = Some(format!("http://{}", proxy.address));
    let fetch = found(upstream(&tunnelled).fetch(&artifact()).await);
    assert_eq!(whole(fetch).await.unwrap(), "abc");
    assert_eq!(origin.requests(), [(1, 1)]);

    let (tls, file) = speaking(&["h2", "http/1.1"]);
    let proxy = Origin::with_tls(tls, |_| vec![answer("200 OK", "by proxy")]).await;
    let mut plain = config("http://upstream.invalid");
    plain.ca_file = Some(file.path().to_owned());
    plain.http2 = true;
    plain.proxy.http = Some(format!("https://localhost:{}", proxy.address.port()));
    let request = Request::get("/v2/user").body(Empty::new()).unwrap();
    let response = upstream(&plain).pass(request).await.unwrap();
    let body = response.into_body().collect().await.unwrap();
    assert_eq!(body.to_bytes(), "by proxy");

    plain.ca_file = origin.config().ca_file;
    plain.proxy.http = Some(format!("https://localhost:{}", target.port()));
    let fetched = upstream(&plain).fetch(&artifact()).await;
    assert_eq!(failed(&fetched), Failure::Unreachable, "nothing in common");
}
