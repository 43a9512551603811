//! How long a body is said to be.

use super::case::{Case, Status, upload};
use super::passed::uploaded;

pub fn cases() -> Vec<Case> {
    let mut cases = refused();
    cases.extend(taken());
    cases
}

/// A length that is no number, or two of them: nobody can say where the next request begins.
fn refused() -> Vec<Case> {
    let lines: [(&str, &[u8]); 18] = [
        ("two lengths", b"content-length: 3\r\ncontent-length: 4\r\n"),
        (
            "two lengths, of which the first is none",
            b"content-length: x\r\ncontent-length: 3\r\n",
        ),
        (
            "two lengths, of which the second is none",
            b"content-length: 3\r\ncontent-length: +3\r\n",
        ),
        ("two lengths in one line", b"content-length: 3, 4\r\n"),
        ("one length twice in one line", b"content-length: 3, 3\r\n"),
        ("a length with a plus", b"content-length: +3\r\n"),
        ("a length with a minus", b"content-length: -3\r\n"),
        ("a length of minus nothing", b"content-length: -0\r\n"),
        ("a length in hexadecimal", b"content-length: 0x3\r\n"),
        ("a length with a fraction", b"content-length: 3.0\r\n"),
        ("a length with an exponent", b"content-length: 3e0\r\n"),
        ("a length with a space in it", b"content-length: 3 4\r\n"),
        ("a length with a parameter", b"content-length: 3;x=1\r\n"),
        ("a length in quotes", b"content-length: \"3\"\r\n"),
        ("an empty length", b"content-length:\r\n"),
        (
            "a length of 2^64",
            b"content-length: 18446744073709551616\r\n",
        ),
        ("a length in other digits", b"content-length: \xd9\xa3\r\n"),
        (
            "a length behind a vertical tab",
            b"content-length: \x0b3\r\n",
        ),
    ];
    let refused = |(name, lines): (&'static str, &[u8])| {
        upload(name, lines, b"abcGET /v8/artifacts/{} HTTP/1.1\r\n\r\n").refused_below(400)
    };
    let mut cases = lines.map(refused).to_vec();
    cases.extend([
        // RFC 9112 §6.3: refused, or taken for once.
        upload(
            "one length twice",
            b"content-length: 3\r\ncontent-length: 3\r\n",
            b"abc",
        )
        .refused(400, "bad_request"),
        upload(
            "a length of which nobody could count so many bytes",
            b"content-length: 18446744073709551615\r\n",
            b"abc",
        )
        .refused_below(431),
        upload(
            "more than may be uploaded",
            b"content-length: 9223372036854775807\r\n",
            b"abc",
        )
        .refused(413, "too_large"),
    ]);
    cases
}

fn taken() -> Vec<Case> {
    let abc = |name, lines: &[u8]| {
        upload(name, lines, b"abc")
            .gets(Status(202))
            .kept()
            .passes(uploaded(b"abc"))
            .leaves(b"abc")
    };
    vec![
        abc("a length", b"content-length: 3\r\n"),
        abc("a length in capital letters", b"CONTENT-LENGTH: 3\r\n"),
        abc("a length with zeros before it", b"content-length: 0003\r\n"),
        abc(
            "a length between spaces and tabs",
            b"content-length: \t 3 \t\r\n",
        ),
        upload(
            "a length of nothing, which goes on",
            b"content-length: 0\r\n",
            b"",
        )
        .gets(Status(202))
        .kept()
        .passes(uploaded(b""))
        .leaves(b""),
        upload(
            "a body longer than it says",
            b"content-length: 3\r\n",
            b"abcdef\r\n\r\n",
        )
        .gets(Status(202))
        .refused_below(400)
        .passes(uploaded(b"abc"))
        .leaves(b"abc"),
        upload("no length and no coding: there is no body", b"", b"")
            .gets(Status(202))
            .kept()
            .passes(uploaded(b""))
            .leaves(b""),
    ]
}
