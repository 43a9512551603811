//! What origins do that they should not, or seldom do: each has its outcome, and the next request is
//! none the worse for it.

use bytes::Bytes;

use super::super::Fetched;
use super::origin::{Origin, Step, answer, say};
use super::{artifact, at, failed, found, upstream, whole};
use crate::artifact::Failure;

/// What the origin says to the first request, and what becomes of it.
const TABLE: [(&str, Result<&str, Failure>); 14] = [
    (
        "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc",
        Ok("abc"),
    ),
    (
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Wait\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc",
        Ok("abc"),
    ),
    // Nobody asked for another protocol.
    (
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        Err(Failure::Error),
    ),
    (
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-artifact-tag: late\r\n\r\n",
        Ok("abc"),
    ),
    ("HTTP/1.0 200 OK\r\ncontent-length: 3\r\n\r\nabc", Ok("abc")),
    // More than was said: the rest is nobody's.
    (
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\n",
        Ok("abc"),
    ),
    (
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 3\r\n\r\nabc",
        Ok("abc"),
    ),
    (
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
        Err(Failure::Error),
    ),
    (
        "HTTP/1.1 200 OK\r\ncontent-length: -3\r\n\r\nabc",
        Err(Failure::Error),
    ),
    (
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\nabc",
        Ok("abc"),
    ),
    (
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab",
        Err(Failure::Cut),
    ),
    (
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
        Err(Failure::Cut),
    ),
    (
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\nabc\r\n0\r\n\r\n",
        Err(Failure::Cut),
    ),
    (
        "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc",
        Err(Failure::Error),
    ),
];

#[tokio::test]
async fn odd_answers_have_their_outcome_and_the_next_request_is_none_the_worse() {
    for (said, expected) in TABLE {
        // Whatever is asked again gets the same; a last request then gets what it should.
        let origin = Origin::start(move |seen| match seen.header("x-artifact-client-ci") {
            Some("last") => vec![answer("200 OK", "good")],
            _ => vec![say(said), Step::Close],
        })
        .await;
        let upstream = upstream(&at(origin.address));
        let outcome = match upstream.fetch(&artifact()).await {
            Fetched::Found(fetch) => whole(fetch).await,
            fetched => Err(failed(&fetched)),
        };
        let expected = expected.map(Bytes::from);
        assert_eq!(outcome, expected, "{said:?}");
        let mut last = artifact();
        last.headers
            .insert("x-artifact-client-ci", "last".parse().unwrap());
        let fetch = found(upstream.fetch(&last).await);
        assert_eq!(whole(fetch).await.unwrap(), "good", "{said:?}");
    }
}

#[tokio::test]
async fn a_connection_half_closed_by_the_origin_carries_no_other_request() {
    let origin =
        Origin::start(|_| vec![answer("200 OK", "abc"), Step::Finish, Step::ReadToEnd]).await;
    let upstream = upstream(&at(origin.address));
    for connection in 1..=3 {
        let fetch = found(upstream.fetch(&artifact()).await);
        assert_eq!(whole(fetch).await.unwrap(), "abc");
        origin.deserted().await;
        assert_eq!(origin.seen().last().unwrap().connection, connection);
    }
}
