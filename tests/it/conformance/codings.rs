//! Transfer codings: `chunked` and nothing else, and no length beside it that counts.

use super::case::{Body, Case, Status, case, known, upload};
use super::passed::uploaded;
use super::player::KNOWN_BODY;

/// Three bytes in a chunk, and behind them what would be a request if a length of zero counted.
const CHUNKS: &[u8] = b"3\r\nabc\r\n0\r\n\r\n";
/// The same with a request behind it.
const AND_MORE: &[u8] =
    b"3\r\nabc\r\n0\r\n\r\nGET /v8/artifacts/smuggled-{}?slug=acme HTTP/1.1\r\nhost: localhost\r\n\r\n";

pub fn cases() -> Vec<Case> {
    let mut cases = refused_below();
    cases.extend(refused());
    cases.extend(taken());
    cases.extend(beside_a_length());
    cases
}

/// Where `chunked` is not last nobody can say where the body ends (RFC 9112 §6.3): 400. So says the
/// library, where 501 would do for some.
fn refused_below() -> Vec<Case> {
    let lines: [(&str, &[u8]); 16] = [
        ("an unknown coding", b"transfer-encoding: xchunked\r\n"),
        ("a coding that is none", b"transfer-encoding: identity\r\n"),
        (
            "chunks in another coding",
            b"transfer-encoding: chunked, gzip\r\n",
        ),
        (
            "chunks and what is none",
            b"transfer-encoding: chunked, identity\r\n",
        ),
        (
            "the same on two lines",
            b"transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n",
        ),
        (
            "chunks with a parameter",
            b"transfer-encoding: chunked;x=1\r\n",
        ),
        ("chunks in quotes", b"transfer-encoding: \"chunked\"\r\n"),
        ("an empty coding", b"transfer-encoding:\r\n"),
        ("chunks before nothing", b"transfer-encoding: chunked,\r\n"),
        (
            "chunks behind a vertical tab",
            b"transfer-encoding: \x0bchunked\r\n",
        ),
        ("chunks before a NUL", b"transfer-encoding: chunked\0\r\n"),
        (
            "chunks before a byte of no alphabet",
            b"transfer-encoding: chunked\xff\r\n",
        ),
        (
            "chunks on a folded line",
            b"transfer-encoding:\r\n chunked\r\n",
        ),
        (
            "a space before the colon",
            b"transfer-encoding : chunked\r\n",
        ),
        (
            "a tab before the colon",
            b"transfer-encoding\t: chunked\r\n",
        ),
        (
            "a length and an unknown coding",
            b"content-length: 3\r\ntransfer-encoding: xchunked\r\n",
        ),
    ];
    let refused =
        |(name, lines): (&'static str, &[u8])| upload(name, lines, AND_MORE).refused_below(400);
    let mut cases = lines.map(refused).to_vec();
    cases.push(
        case(
            "chunks from a client of HTTP/1.0, which does not know them",
            b"PUT /v8/artifacts/{}?slug=acme HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        )
        .refused_below(400),
    );
    cases
}

/// Here the end is known, but what the bytes are is not.
fn refused() -> Vec<Case> {
    let coded = |name, lines: &[u8]| upload(name, lines, AND_MORE).refused(501, "not_implemented");
    let twice = |name, lines: &[u8]| upload(name, lines, AND_MORE).refused(400, "bad_request");
    vec![
        coded(
            "another coding in chunks",
            b"transfer-encoding: gzip, chunked\r\n",
        ),
        coded(
            "the same on two lines, in order",
            b"transfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n",
        ),
        coded(
            "what is none in chunks",
            b"transfer-encoding: identity, chunked\r\n",
        ),
        coded("nothing before chunks", b"transfer-encoding: , chunked\r\n"),
        twice(
            "chunks in chunks",
            b"transfer-encoding: chunked, chunked\r\n",
        ),
        twice(
            "chunks in chunks on two lines",
            b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
        ),
    ]
}

fn taken() -> Vec<Case> {
    let abc = |name, lines: &[u8]| {
        upload(name, lines, CHUNKS)
            .gets(Status(202))
            .kept()
            .passes(uploaded(b"abc"))
            .leaves(b"abc")
    };
    vec![
        abc("chunks", b"transfer-encoding: chunked\r\n"),
        abc(
            "chunks in capital letters",
            b"TRANSFER-ENCODING: CHUNKED\r\n",
        ),
        abc("chunks between tabs", b"transfer-encoding:\tchunked\t\r\n"),
        abc(
            "chunks that nobody put a space before",
            b"transfer-encoding:chunked\r\n",
        ),
    ]
}

/// RFC 9112 §6.3 lets the chunks count. Whoever stands in front may have counted by the length.
fn beside_a_length() -> Vec<Case> {
    let refused = |name, lines: &[u8]| upload(name, lines, AND_MORE).refused(400, "bad_request");
    let put = b"PUT /v8/artifacts/{}?slug=acme HTTP/1.1\r\nhost: localhost\r\n";
    let lines = b"content-length: 0\r\ntransfer-encoding: chunked\r\n\r\n";
    vec![
        refused(
            "a length and chunks",
            b"content-length: 0\r\ntransfer-encoding: chunked\r\n",
        ),
        refused(
            "chunks and a length",
            b"transfer-encoding: chunked\r\ncontent-length: 400\r\n",
        ),
        refused(
            "chunks and a length that is none",
            b"transfer-encoding: chunked\r\ncontent-length: +3\r\n",
        ),
        // Before its turn a head is the library's alone. It goes by the chunks, lets the length end here,
        // and reads nothing behind them.
        case(
            "a length and chunks behind another request",
            &[&known("GET", "1.1", "")[..], put, lines, AND_MORE].concat(),
        )
        .gets(Body(200, KNOWN_BODY))
        .gets(Status(202))
        .closed()
        .passes(uploaded(b"abc"))
        .leaves(b"abc"),
    ]
}
