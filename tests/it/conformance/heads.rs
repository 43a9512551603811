//! Lines of a head: how they end, what may stand in them, how many there may be, and the host they name.

use super::case::{Bare, Case, Place, Status, case, read};
use super::passed::asked;

pub fn cases() -> Vec<Case> {
    let mut cases = refused();
    cases.extend(taken());
    cases.extend(line_ends());
    cases.extend(limits());
    cases.extend(hosts());
    cases
}

/// RFC 9112 §2.2 lets a recipient take LF alone for the end of a line, and the library does. A server in front
/// that did not would have let it pass within a value.
fn line_ends() -> Vec<Case> {
    let heads: [(&str, &[u8]); 5] = [
        (
            "lines that end in LF alone",
            b"GET /v8/artifacts/{} HTTP/1.1\nhost: localhost\n\n",
        ),
        (
            "a first line that ends in LF alone",
            b"GET /v8/artifacts/{} HTTP/1.1\nhost: localhost\r\n\r\n",
        ),
        (
            "one line that ends in LF alone",
            b"GET /v8/artifacts/{} HTTP/1.1\r\nx: a\ny: b\r\nhost: localhost\r\n\r\n",
        ),
        (
            "a head that ends in LF alone",
            b"GET /v8/artifacts/{} HTTP/1.1\r\nhost: localhost\r\n\n",
        ),
        (
            "a line of an upload that ends in LF alone",
            b"PUT /v8/artifacts/{} HTTP/1.1\r\nhost: localhost\ncontent-length: 3\r\n\r\nabc",
        ),
    ];
    let refused =
        |(name, head): (&'static str, &[u8])| case(name, head).refused(400, "bad_request");
    heads.map(refused).to_vec()
}

fn refused() -> Vec<Case> {
    let lines: [(&str, &[u8]); 20] = [
        ("a folded line", b"x: a\r\n b\r\n"),
        ("a line folded with a tab", b"x: a\r\n\tb\r\n"),
        ("a folded first line", b" x: a\r\n"),
        ("a line of spaces", b"  \r\n"),
        ("CR within a value", b"x: a\rb\r\n"),
        ("CR that ends a line", b"x: a\ry: b\r\n"),
        ("two CR before LF", b"x: a\r\r\n"),
        ("NUL within a value", b"x: a\0b\r\n"),
        ("NUL within a name", b"x\0y: a\r\n"),
        ("a control character within a value", b"x: a\x01b\r\n"),
        ("DEL within a value", b"x: a\x7fb\r\n"),
        ("a control character within a name", b"x\x01y: a\r\n"),
        ("a space before the colon", b"x : a\r\n"),
        ("a space within a name", b"x y: a\r\n"),
        ("no name", b": a\r\n"),
        ("no colon", b"nonsense\r\n"),
        ("a name of no alphabet", b"x\xff: a\r\n"),
        ("a name in letters of another language", b"\xc3\xbc: a\r\n"),
        ("a name in brackets", b"(x): a\r\n"),
        ("a name in quotes", b"\"x\": a\r\n"),
    ];
    let below = |(name, lines): (&'static str, &[u8])| read(name, lines).refused_below(400);
    let mut cases = lines.map(below).to_vec();
    cases.extend([
        read("a head that is cut", b"x: y").half_closes().closed(),
        case("nothing at all", b"").half_closes().closed(),
    ]);
    cases
}

fn taken() -> Vec<Case> {
    let absent = |case: Case| case.gets(Status(404)).kept().passes(asked());
    vec![
        absent(read("a value of no alphabet", b"x: \xff\r\n")),
        absent(read("an empty value", b"x:\r\n")),
        absent(read("spaces and tabs around a value", b"x: \t a \t\r\n")),
        absent(read(
            "every sign a name may consist of",
            b"!#$%&'*+-.^_`|~09aZ: a\r\n",
        )),
        absent(case(
            "empty lines before a request",
            b"\r\n\r\nGET /v8/artifacts/{}?slug=acme HTTP/1.1\r\nhost: localhost\r\n\r\n",
        )),
    ]
}

fn limits() -> Vec<Case> {
    let field = [&b"x: "[..], &b"y".repeat(17 << 10), b"\r\n"].concat();
    let name = [&b"x".repeat(17 << 10)[..], b": y\r\n"].concat();
    let many = b"x: y\r\n".repeat(64);
    let as_many_as_may_be = b"x: y\r\n".repeat(63);
    vec![
        read("a value of more than 16 KiB", &field).refused_below(431),
        read("a name of more than 16 KiB", &name).refused_below(431),
        read("more than 64 fields", &many).refused_below(431),
        read("64 fields", &as_many_as_may_be)
            .gets(Status(404))
            .kept()
            .passes(asked()),
        case("a head without an end", &b"x".repeat(200 << 10))
            .gets(Bare(431))
            .closed(),
    ]
}

fn hosts() -> Vec<Case> {
    let asks = |name, lines: &[u8]| {
        let head = b"GET /v8/artifacts/{}?slug=acme HTTP/1.1\r\n";
        case(name, &[head, lines, b"\r\n"].concat())
    };
    let refused = |name, lines: &[u8]| asks(name, lines).refused(400, "bad_request");
    let absent = |case: Case| case.gets(Status(404)).kept().passes(asked());
    vec![
        refused("no host", b""),
        refused("two hosts", b"host: localhost\r\nhost: example\r\n"),
        refused("one host twice", b"host: localhost\r\nhost: localhost\r\n"),
        refused("two hosts in one line", b"host: localhost, example\r\n"),
        refused("a host with a user", b"host: user@localhost\r\n"),
        refused("a host with a path", b"host: localhost/x\r\n"),
        refused("a host with a scheme", b"host: http://localhost\r\n"),
        refused("a host with a space in it", b"host: local host\r\n"),
        refused("a port that is none", b"host: localhost:x\r\n"),
        refused("half an address", b"host: [::1\r\n"),
        absent(asks("an empty host", b"host:\r\n")),
        absent(asks("an address and a port", b"host: [::1]:8585\r\n")),
        absent(asks("a host in capital letters", b"HOST: LOCALHOST\r\n")),
        // Any name will do where the upstream judges; without a credential a stranger's page could have
        // sent it.
        absent(asks("another host", b"host: example\r\n").only(Place::Before)),
    ]
}
