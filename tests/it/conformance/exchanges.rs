//! One connection and what follows what: waiting for a go-ahead, requests one behind the other, and
//! clients of HTTP/1.0.

use super::case::{Bodiless, Body, Case, Error, Place, Status, case, known, read, upload};
use super::passed::{Passed, asked, one, request, uploaded};
use super::player::KNOWN_BODY;

pub fn cases() -> Vec<Case> {
    let mut cases = expectations();
    cases.extend(in_a_row());
    cases.extend(cut());
    cases.extend(old());
    cases.extend(without_a_body());
    cases.extend(this_hop());
    cases
}

fn expectations() -> Vec<Case> {
    vec![
        upload("a client that waits is told to go on", b"expect: 100-continue\r\ncontent-length: 3\r\n", b"")
            .interim(100)
            .sends(b"abc")
            .gets(Status(202))
            .kept()
            .passes(uploaded(b"abc"))
            .leaves(b"abc"),
        upload("the same in capital letters", b"expect: 100-CONTINUE\r\ncontent-length: 3\r\n", b"")
            .interim(100)
            .sends(b"abc")
            .gets(Status(202))
            .kept()
            .passes(uploaded(b"abc"))
            .leaves(b"abc"),
        upload("whose head is refused is not told to go on", b"expect: 100-continue\r\ncontent-length: 90000\r\n", b"")
            .refused(413, "too_large"),
        read("whose body nobody wants is not told to go on", b"expect: 100-continue\r\ncontent-length: 3\r\n")
            .gets(Status(404))
            .closed()
            .passes(asked()),
        upload("another expectation", b"expect: 200-ok\r\ncontent-length: 3\r\n", b"abc")
            .refused(417, "expectation_failed"),
        read("another expectation of who sends no body", b"expect: 200-ok\r\n")
            .refused(417, "expectation_failed"),
        case(
            "a client of HTTP/1.0 is never told to go on",
            b"PUT /v8/artifacts/{}?slug=acme HTTP/1.0\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\nabc",
        )
        .gets(Status(202))
        .closed()
        .passes(uploaded(b"abc"))
        .leaves(b"abc"),
    ]
}

/// A body that looks like lines of a head, and not like good ones.
const AWKWARD: &[u8; 20] = b"\ncontent-length: 3\n\n";

fn in_a_row() -> Vec<Case> {
    let put = b"PUT /v8/artifacts/{}?slug=acme HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\n\r\nabc";
    let again =
        b"PUT /v8/artifacts/{}?slug=acme HTTP/1.1\r\nhost: localhost\r\ncontent-length: 20\r\n";
    let get = b"GET /v8/artifacts/{}?slug=acme HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let hit = known("GET", "1.1", "");
    vec![
        case("three requests at once", &[&hit[..], get, &hit].concat())
            .gets(Body(200, KNOWN_BODY))
            .gets(Status(404))
            .gets(Body(200, KNOWN_BODY))
            .kept()
            .passes(asked()),
        case("requests behind a body", &[&put[..], get, &hit].concat())
            .gets(Status(202))
            .gets(Body(200, b"abc"))
            .gets(Body(200, KNOWN_BODY))
            .kept()
            .passes(uploaded(b"abc"))
            .leaves(b"abc"),
        case(
            "a head of which half came before its turn",
            &[&put[..], &again[..again.len() - 1]].concat(),
        )
        .gets(Status(202))
        .sends(&[&b"\n\r\n"[..], AWKWARD].concat())
        .gets(Status(202))
        .kept()
        .passes(Passed::All(vec![
            request("PUT /v8/artifacts/{}?slug=acme", "content-length", b"abc"),
            request("PUT /v8/artifacts/{}?slug=acme", "content-length", AWKWARD),
        ]))
        .leaves(AWKWARD),
        case(
            "nothing is read behind a request that says it is the last",
            &[&known("GET", "1.1", "connection: close\r\n")[..], get].concat(),
        )
        .gets(Body(200, KNOWN_BODY))
        .closed(),
        case(
            "nothing is read behind a refused head",
            &[&b"GET / HTTP/1.1\r\nx : y\r\n\r\n"[..], get].concat(),
        )
        .refused_below(400),
        case(
            "nothing is read behind a request of two readings",
            &[&b"GET / HTTP/1.1\r\n\r\n"[..], get].concat(),
        )
        .refused(400, "bad_request"),
    ]
}

fn cut() -> Vec<Case> {
    vec![
        read("a client that sends no more still has its answer", b"")
            .half_closes()
            .gets(Status(404))
            .closed()
            .passes(asked()),
        upload("an upload that is cut", b"content-length: 9\r\n", b"abc")
            .half_closes()
            .gets(Error(400, "bad_request"))
            .closed()
            .passes(Passed::NothingWhole),
    ]
}

fn old() -> Vec<Case> {
    vec![
        case("a client of HTTP/1.0", &known("GET", "1.0", ""))
            .gets(Body(200, KNOWN_BODY))
            .closed(),
        case(
            "a client of HTTP/1.0 that stays",
            &known("GET", "1.0", "connection: keep-alive\r\n"),
        )
        .gets(Body(200, KNOWN_BODY))
        .kept(),
        case(
            "a client of HTTP/1.0 that names no host",
            b"GET /v8/artifacts/known?slug=acme HTTP/1.0\r\n\r\n",
        )
        .gets(Body(200, KNOWN_BODY))
        .closed(),
        case(
            "a client of HTTP/1.0 that names two",
            b"GET /v8/artifacts/known?slug=acme HTTP/1.0\r\nhost: a\r\nhost: b\r\n\r\n",
        )
        .refused(400, "bad_request"),
        case(
            "an upgrade of HTTP/1.0",
            &known(
                "GET",
                "1.0",
                "connection: upgrade\r\nupgrade: websocket\r\n",
            ),
        )
        .refused(501, "not_implemented"),
    ]
}

fn without_a_body() -> Vec<Case> {
    let absent = b"HEAD /v8/artifacts/{}?slug=acme HTTP/1.1\r\nhost: localhost\r\n\r\n";
    vec![
        case("a look at what is here", &known("HEAD", "1.1", ""))
            .gets(Bodiless(200))
            .kept(),
        case("a look at what is not", absent)
            .gets(Bodiless(404))
            .kept()
            .passes(one("HEAD /v8/artifacts/{}?slug=acme", "", b"")),
        case("a look that is refused", b"HEAD / HTTP/1.1\r\n\r\n")
            .gets(Bodiless(400))
            .closed(),
    ]
}

/// What is said to this hop is not said to the next.
fn this_hop() -> Vec<Case> {
    let lines = b"connection: x-artifact-named, X-Other, keep-alive\r\nx-artifact-named: 1\r\nx-other: 1\r\n\
        keep-alive: timeout=5\r\nproxy-connection: keep-alive\r\nproxy-authorization: Basic eA==\r\nte: trailers\r\n\
        trailer: x-artifact-late\r\nx-artifact-kept: 1\r\ncontent-length: 3\r\n";
    let passed =
        b"POST /v2/{} HTTP/1.1\r\nhost: localhost\r\nconnection: content-length, host, via\r\n\
        content-length: 3\r\nx-kept: 1\r\n\r\nabc";
    vec![
        upload("what is meant for one connection", lines, b"abc")
            .gets(Status(202))
            .kept()
            .passes(one(
                "PUT /v8/artifacts/{}?slug=acme",
                "content-length x-artifact-kept",
                b"abc",
            ))
            .leaves(b"abc"),
        case("a length that is said to be for one connection", passed)
            .gets(Status(200))
            .kept()
            .passes(one("POST /v2/{}", "content-length x-kept", b"abc"))
            .only(Place::Before),
    ]
}
