//! Chunks: how long each is, what stands beside it, and what comes behind the last.

use super::case::{Case, Error, Status, upload};
use super::passed::{Passed, uploaded};

const LINE: &[u8] = b"transfer-encoding: chunked\r\n";
/// Behind a chunk that is none stands what must not be read as a request.
const MORE: &[u8] =
    b"GET /v8/artifacts/smuggled-{}?slug=acme HTTP/1.1\r\nhost: localhost\r\n\r\n0\r\n\r\n";

pub fn cases() -> Vec<Case> {
    let mut cases = refused();
    cases.extend(taken());
    cases.extend(dropped());
    cases.extend(limits());
    cases
}

/// The body has no end that could be found.
fn broken(name: &'static str, body: &[u8]) -> Case {
    upload(name, LINE, &[body, MORE].concat())
        .refused(400, "bad_request")
        .passes(Passed::NothingWhole)
}

fn refused() -> Vec<Case> {
    vec![
        broken("a chunk with a plus", b"+3\r\nabc\r\n0\r\n\r\n"),
        broken("a chunk with a minus", b"-3\r\nabc\r\n0\r\n\r\n"),
        broken("a chunk in C's hexadecimal", b"0x3\r\nabc\r\n0\r\n\r\n"),
        broken("a chunk of no number", b"3g\r\nabc\r\n0\r\n\r\n"),
        broken("a chunk behind a space", b" 3\r\nabc\r\n0\r\n\r\n"),
        broken("a chunk without a length", b"\r\nabc\r\n0\r\n\r\n"),
        broken("a chunk with two lengths", b"3 3\r\nabc\r\n0\r\n\r\n"),
        broken(
            "a chunk of 2^64 bytes",
            b"10000000000000000\r\nabc\r\n0\r\n\r\n",
        ),
        broken(
            "a chunk of 2^64 + 3 bytes",
            b"10000000000000003\r\nabc\r\n0\r\n\r\n",
        ),
        broken(
            "a chunk whose length ends in LF alone",
            b"3\nabc\r\n0\r\n\r\n",
        ),
        broken(
            "a chunk whose length ends in CR alone",
            b"3\rabc\r\n0\r\n\r\n",
        ),
        broken("a chunk that ends in LF alone", b"3\r\nabc\n0\r\n\r\n"),
        broken("a chunk without an end", b"3\r\nabc0\r\n\r\n"),
        broken("a chunk longer than it says", b"2\r\nabc\r\n0\r\n\r\n"),
        broken("a remark with LF in it", b"3;x\n=1\r\nabc\r\n0\r\n\r\n"),
        broken("an end of chunks in LF alone", b"3\r\nabc\r\n0\n\n"),
        broken(
            "a trailer with CR alone",
            b"3\r\nabc\r\n0\r\nx: 1\ry: 2\r\n\r\n",
        ),
        broken(
            "a trailer that is no field",
            b"3\r\nabc\r\n0\r\nnonsense\r\n\r\n",
        ),
        broken(
            "a trailer with a space before the colon",
            b"3\r\nabc\r\n0\r\nx : 1\r\n\r\n",
        ),
        // The request behind it is no trailer, and no request.
        broken(
            "an end of chunks without its last line",
            b"3\r\nabc\r\n0\r\n",
        ),
        upload(
            "chunks of which the client sends no more",
            LINE,
            b"3\r\nabc\r\n",
        )
        .half_closes()
        .gets(Error(400, "bad_request"))
        .closed()
        .passes(Passed::NothingWhole),
        upload("a chunk that is cut", LINE, b"9\r\nabc")
            .half_closes()
            .gets(Error(400, "bad_request"))
            .closed()
            .passes(Passed::NothingWhole),
    ]
}

fn stored(name: &'static str, body: &[u8]) -> Case {
    upload(name, LINE, body)
        .gets(Status(202))
        .kept()
        .passes(uploaded(b"abcdefghijkl"))
        .leaves(b"abcdefghijkl")
}

fn taken() -> Vec<Case> {
    vec![
        stored("several chunks", b"3\r\nabc\r\n9\r\ndefghijkl\r\n0\r\n\r\n"),
        stored(
            "a chunk in small letters",
            b"c\r\nabcdefghijkl\r\n0\r\n\r\n",
        ),
        stored(
            "a chunk in capital letters",
            b"C\r\nabcdefghijkl\r\n0\r\n\r\n",
        ),
        stored(
            "zeros before a length",
            b"000c\r\nabcdefghijkl\r\n000\r\n\r\n",
        ),
        stored("remarks", b"c;x=1;y=\"2\"\r\nabcdefghijkl\r\n0;z\r\n\r\n"),
        // RFC 9112 §7.1.1 allows it before a remark, and a recipient must parse that. Before nothing it is one
        // reading only.
        stored(
            "a space behind a length",
            b"c \r\nabcdefghijkl\r\n0\t\r\n\r\n",
        ),
    ]
}

/// RFC 9112 §7.1.2: what a trailer says is not merged into what a head said.
fn dropped() -> Vec<Case> {
    vec![
        stored(
            "trailers go nowhere",
            b"c\r\nabcdefghijkl\r\n0\r\nx-artifact-tag: late\r\nauthorization: Bearer other\r\n\r\n",
        ),
        stored(
            "a length among trailers frames nothing",
            b"c\r\nabcdefghijkl\r\n0\r\ncontent-length: 3\r\ntransfer-encoding: gzip\r\n\r\n",
        ),
        upload(
            "announced trailers go nowhere either",
            b"transfer-encoding: chunked\r\ntrailer: x-artifact-tag\r\nte: trailers\r\nconnection: te\r\n",
            b"3\r\nabc\r\n0\r\nx-artifact-tag: late\r\n\r\n",
        )
        .gets(Status(202))
        .kept()
        .passes(uploaded(b"abc"))
        .leaves(b"abc"),
    ]
}

fn limits() -> Vec<Case> {
    let remark = [&b"3;"[..], &b"x".repeat(17 << 10), b"\r\nabc\r\n0\r\n\r\n"].concat();
    let long = [
        &b"3\r\nabc\r\n0\r\nx: "[..],
        &b"y".repeat(17 << 10),
        b"\r\n\r\n",
    ]
    .concat();
    let many = [&b"3\r\nabc\r\n0\r\n"[..], &b"x: y\r\n".repeat(80), b"\r\n"].concat();
    let large = [&b"11000\r\n"[..], &b"x".repeat(0x11000), b"\r\n0\r\n\r\n"].concat();
    vec![
        broken("a remark of more than 16 KiB", &remark),
        broken("a trailer of more than 16 KiB", &long),
        broken("more than 64 trailers", &many),
        // What is left of it is read for a while, so that its client finds the answer.
        upload("chunks of more than may be uploaded", LINE, &large)
            .gets(Error(413, "too_large"))
            .kept_if_so_said()
            .passes(Passed::NothingWhole),
    ]
}
