//! What the head of a request may say in HTTP/2 (RFC 9113 §8.2, §8.3).

use super::case::{Case, PATH, case, fields, head, with};
use super::wire::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, HEADERS, NO_ERROR,
    PROTOCOL_ERROR, block, frame,
};
use crate::conformance::passed::{Passed, one};

pub fn cases() -> Vec<Case> {
    let tables = [pseudo(), names(), hosts(), large()];
    tables.into_iter().flatten().collect()
}

fn asked() -> Passed {
    one("GET /v2/{}", "", b"")
}

fn pseudo() -> Vec<Case> {
    let without = |name, left: &str| {
        let mut some = fields("GET", PATH);
        some.retain(|(known, _)| *known != left);
        case(name, &head(1, END_STREAM, &some))
    };
    let is_malformed = |case: Case| case.reset(1, &[PROTOCOL_ERROR]);
    let path = |name, path| case(name, &head(1, END_STREAM, &fields("GET", path)));
    let tunnel = [(":method", "CONNECT"), (":authority", "localhost:443")];
    let mut late = fields("GET", PATH);
    late.insert(1, ("x-early", "1"));
    vec![
        is_malformed(without("no method", ":method")),
        is_malformed(without("no scheme", ":scheme")),
        is_malformed(without("no path", ":path")),
        is_malformed(with("two methods", &[(":method", "GET")])),
        is_malformed(with("two paths", &[(":path", "/v2/other")])),
        is_malformed(with("two schemes", &[(":scheme", "https")])),
        is_malformed(with("two authorities", &[(":authority", "localhost")])),
        is_malformed(with("a status", &[(":status", "200")])),
        is_malformed(with(
            "a protocol without a tunnel",
            &[(":protocol", "websocket")],
        )),
        is_malformed(case("a path behind a field", &head(1, END_STREAM, &late))),
        is_malformed(path("an empty path", "")),
        path("a path without a slash", "v2/{}").reset_or(400),
        path("everything, asked for by GET", "*").reset_or(400),
        path("a path with a blank", "/v2/ {}").reset_or(400),
        case("a tunnel", &head(1, END_STREAM, &tunnel))
            .answered(1, 405)
            .kept(),
        is_malformed(case(
            "a tunnel with a path",
            &head(1, END_STREAM, &[&tunnel[..], &[(":path", "/{}")]].concat()),
        )),
        case("a tunnel to nowhere", &head(1, END_STREAM, &tunnel[..1])).reset_or(400),
        case(
            "a scheme of another protocol",
            &head(
                1,
                END_STREAM,
                &[
                    (":method", "GET"),
                    (":scheme", "ftp"),
                    (":authority", "localhost"),
                    (":path", PATH),
                ],
            ),
        )
        .reset_or(400),
    ]
}

/// What the library takes for no field at all costs the connection, as RFC 9113 §5.4.2 lets it.
fn names() -> Vec<Case> {
    let none = |name, field: (&str, &str)| with(name, &[field]).broken(&[PROTOCOL_ERROR]);
    let malformed = |name, field: (&str, &str)| with(name, &[field]).reset(1, &[PROTOCOL_ERROR]);
    vec![
        none("a name in capitals", ("X-Name", "1")),
        none("a name with a blank", ("x name", "1")),
        none("a name with a colon", ("x:name", "1")),
        none("no name", ("", "1")),
        none("a value with an end of line", ("x-name", "1\r\nx-other: 2")),
        none("a value with a zero", ("x-name", "1\0")),
        none("what no request has", (":whatever", "1")),
        malformed("a connection's field", ("connection", "close")),
        malformed("how long it is kept", ("keep-alive", "timeout=5")),
        malformed(
            "the same before a proxy",
            ("proxy-connection", "keep-alive"),
        ),
        malformed("a transfer coding", ("transfer-encoding", "chunked")),
        malformed("an upgrade", ("upgrade", "websocket")),
        malformed("more than trailers", ("te", "gzip")),
        with("trailers, which are taken", &[("te", "trailers")])
            .answered(1, 200)
            .kept()
            .passes(asked()),
        with("an expectation that nobody meets", &[("expect", "more")])
            .answered(1, 417)
            .kept(),
        with(
            "what is behind a cookie's crumbs",
            &[("cookie", "a=1"), ("cookie", "b=2")],
        )
        .answered(1, 200)
        .kept()
        .passes(one("GET /v2/{}", "cookie", b"")),
    ]
}

fn hosts() -> Vec<Case> {
    let named = |name, authority: Option<&str>, hosts: &[&str]| {
        let mut all = fields("GET", PATH);
        all.retain(|(known, _)| *known != ":authority");
        if let Some(authority) = authority {
            all.insert(1, (":authority", authority));
        }
        all.extend(hosts.iter().map(|host| ("host", *host)));
        case(name, &head(1, END_STREAM, &all))
    };
    vec![
        named("a host in a field alone", None, &["localhost"])
            .answered(1, 200)
            .kept()
            .passes(asked()),
        named("the same host twice", Some("localhost"), &["LOCALHOST:80"])
            .answered(1, 200)
            .kept()
            .passes(asked()),
        named("no host", None, &[]).reset_or(400),
        named("two hosts", Some("localhost"), &["127.0.0.1"])
            .answered(1, 400)
            .kept(),
        named("two hosts in fields", None, &["localhost", "localhost"])
            .answered(1, 400)
            .kept(),
        named("a user", Some("me@localhost"), &[]).reset_or(400),
        named("no host but a blank", Some(" "), &[]).reset_or(400),
    ]
}

fn large() -> Vec<Case> {
    let value = "x".repeat(5000);
    let fours = [&fields("GET", PATH)[..], &[("x-large", value.as_str()); 4]].concat();
    let many: Vec<_> = (0..65).map(|_| ("x-name", "1")).collect();
    let long = format!("/v2/{}", "x".repeat(8001));
    // Kept in the table by the first head, and named again and again by the second.
    let first = [
        &block(&fields("GET", PATH))[..],
        b"\x40\x01x\x7f\xa1\x1e",
        &[b'y'; 4000],
    ]
    .concat();
    let bomb = [&block(&fields("GET", PATH))[..], &[0xbe; 1000]].concat();
    let flags = END_HEADERS | END_STREAM;
    vec![
        with(
            "three large fields",
            &[("x-a", &value), ("x-b", &value), ("x-c", &value)],
        )
        .answered(1, 200)
        .kept()
        .passes(one("GET /v2/{}", "x-a x-b x-c", b"")),
        with("more fields than are taken", &many)
            .answered(1, 431)
            .kept(),
        case("a long path", &head(1, END_STREAM, &fields("GET", &long)))
            .answered(1, 414)
            .kept(),
        case(
            "a small head that unfolds",
            &[
                frame(HEADERS, flags, 1, &first),
                frame(HEADERS, flags, 3, &bomb),
            ]
            .concat(),
        )
        .broken(&[ENHANCE_YOUR_CALM])
        .passes(Passed::Anything),
        case("a head that is larger than heads are here", &in_two(&fours))
            .answered(1, 431)
            .kept(),
        case(
            "a body that nobody reads",
            &[
                head(1, 0, &fields("CONNECT", PATH)),
                frame(DATA, 0, 1, b"x"),
            ]
            .concat(),
        )
        .reset(1, &[PROTOCOL_ERROR, NO_ERROR]),
    ]
}

/// A request whose head is too large for one frame.
fn in_two(fields: &[(&str, &str)]) -> Vec<u8> {
    let block = block(fields);
    let (first, rest) = block.split_at(block.len() / 2);
    let first = frame(HEADERS, END_STREAM, 1, first);
    [first, frame(CONTINUATION, END_HEADERS, 1, rest)].concat()
}
