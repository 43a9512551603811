//! What an origin says that is odd, and what of it reaches a client.
//!
//! Most of it stands in the upstream's own tests; here it goes all the way through, and the next request
//! goes over what is left of the connection.

use super::case::{Bodiless, Body, Case, Error, Status, case, upload};
use super::passed::{Passed, one};

/// What an origin might slip in as the answer to the next request.
const FORGED: &str = "HTTP/1.1 200 OK\r\ncontent-length: 19\r\n\r\n{\"passed\":\"forged\"}";

pub fn cases() -> Vec<Case> {
    let mut cases = interim();
    cases.extend(refused());
    cases.extend(taken());
    cases.extend(behind_the_end());
    cases.push(early());
    cases
}

/// A request that is passed on, and answered so.
fn passed(name: &'static str, says: &str) -> Case {
    case(name, b"GET /v2/{} HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .passes(one("GET /v2/{}", "", b""))
        .origin_says(says.to_owned().leak().as_bytes())
}

fn interim() -> Vec<Case> {
    let last = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc";
    let before = |name, interim: &str| {
        passed(name, &format!("{interim}{last}"))
            .gets(Body(200, b"abc"))
            .kept()
    };
    vec![
        before("100 before an answer", "HTTP/1.1 100 Continue\r\n\r\n"),
        before(
            "102 and 103 before an answer",
            "HTTP/1.1 102 Wait\r\n\r\nHTTP/1.1 103 Hints\r\nlink: </x>\r\n\r\n",
        ),
        passed(
            "another protocol that nobody asked for",
            "HTTP/1.1 101 Switch\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
        )
        .gets(Error(502, "upstream_failed"))
        .kept(),
    ]
}

/// Answers that could be read in two ways, or split into two.
fn refused() -> Vec<Case> {
    let refused = |name, lines: &str| {
        let says = format!("HTTP/1.1 200 OK\r\n{lines}\r\nabc");
        passed(name, &says)
            .origin_closes()
            .gets(Error(502, "upstream_failed"))
            .kept()
    };
    vec![
        refused(
            "two lengths in an answer",
            "content-length: 3\r\ncontent-length: 4\r\n",
        ),
        refused(
            "a length with a sign in an answer",
            "content-length: +3\r\n",
        ),
        refused(
            "another coding in an answer",
            "transfer-encoding: gzip, chunked\r\n",
        ),
        refused(
            "CR within a value of an answer",
            "content-length: 3\r\nx: a\rset-cookie: b\r\n",
        ),
        refused(
            "NUL within a value of an answer",
            "content-length: 3\r\nx: a\0b\r\n",
        ),
        refused(
            "a folded line of an answer",
            "content-length: 3\r\nx: a\r\n b\r\n",
        ),
        refused(
            "a space before a colon of an answer",
            "content-length : 3\r\n",
        ),
        passed("an answer that is no HTTP", "SSH-2.0-x\r\n")
            .origin_closes()
            .gets(Error(502, "upstream_failed"))
            .kept(),
    ]
}

fn taken() -> Vec<Case> {
    let abc = |name, says: &str| passed(name, says).gets(Body(200, b"abc")).kept();
    vec![
        abc(
            "chunks and a length in an answer",
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        ),
        abc(
            "trailers of an answer",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x\r\n\r\n3\r\nabc\r\n0\r\nx: 1\r\n\r\n",
        ),
        // Its end is the connection's, upstream. Here it has one of its own.
        abc("an origin of HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\nabc").origin_closes(),
        abc(
            "an origin of HTTP/1.0 that tells a length",
            "HTTP/1.0 200 OK\r\ncontent-length: 3\r\n\r\nabc",
        )
        .origin_closes(),
        abc(
            "an answer in lines that end in LF alone",
            "HTTP/1.1 200 OK\ncontent-length: 3\n\nabc",
        ),
    ]
}

/// Bytes behind the end of an answer are nobody's: not this client's, and not the next one's.
fn behind_the_end() -> Vec<Case> {
    vec![
        passed(
            "an answer behind an answer",
            &format!("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc{FORGED}"),
        )
        .gets(Body(200, b"abc"))
        .kept(),
        passed(
            "an answer as the body of a 204",
            &format!("HTTP/1.1 204 No\r\ncontent-length: 61\r\n\r\n{FORGED}"),
        )
        .gets(Body(204, b""))
        .kept(),
        passed(
            "an answer as the body of a 304",
            &format!("HTTP/1.1 304 Same\r\n\r\n{FORGED}"),
        )
        .gets(Status(304))
        .kept(),
        case(
            "an answer as the body of one that has none",
            b"HEAD /v2/{} HTTP/1.1\r\nhost: localhost\r\n\r\n",
        )
        .passes(one("HEAD /v2/{}", "", b""))
        .origin_says(
            format!("HTTP/1.1 200 OK\r\ncontent-length: 61\r\n\r\n{FORGED}")
                .leak()
                .as_bytes(),
        )
        .gets(Bodiless(200))
        .kept(),
    ]
}

/// An answer that does not wait for the body: what is left of it is read away, or the connection closed.
fn early() -> Case {
    let smuggled = b"GET /v2/smuggled-{} HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let body = [&b"x".repeat(20_000)[..], &smuggled.repeat(200)].concat();
    upload(
        "a refusal before the body is there",
        b"content-length: 30400\r\n",
        &body,
    )
    .gets(Body(403, b"no"))
    .kept_if_so_said()
    .passes(Passed::Something)
    .origin_says(b"HTTP/1.1 403 No\r\ncontent-length: 2\r\n\r\nno")
}
