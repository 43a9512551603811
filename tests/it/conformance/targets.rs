//! The first line: method, target and version.

use super::case::{Body, Case, Status, case};
use super::passed::{Passed, asked, one};

pub fn cases() -> Vec<Case> {
    let mut cases = lines_refused();
    cases.extend(forms());
    cases.extend(methods());
    cases.extend(lengths());
    cases.extend(other_protocols());
    cases
}

/// A request whose first line this is.
fn line(name: &'static str, line: &[u8]) -> Case {
    case(name, &[line, b"\r\nhost: localhost\r\n\r\n"].concat())
}

fn lines_refused() -> Vec<Case> {
    let lines: [(&str, &[u8]); 18] = [
        (
            "two spaces before the target",
            b"GET  /v8/artifacts/{} HTTP/1.1",
        ),
        (
            "two spaces behind the target",
            b"GET /v8/artifacts/{}  HTTP/1.1",
        ),
        ("a tab before the target", b"GET\t/v8/artifacts/{} HTTP/1.1"),
        ("a tab behind the target", b"GET /v8/artifacts/{}\tHTTP/1.1"),
        (
            "a space within the target",
            b"GET /v8/artifacts/{} x HTTP/1.1",
        ),
        (
            "a space behind the version",
            b"GET /v8/artifacts/{} HTTP/1.1 ",
        ),
        (
            "a space before the method",
            b" GET /v8/artifacts/{} HTTP/1.1",
        ),
        ("a method with a bracket", b"GE(T /v8/artifacts/{} HTTP/1.1"),
        ("a method with a NUL", b"GE\0T /v8/artifacts/{} HTTP/1.1"),
        ("a target with a NUL", b"GET /v8/artifacts/{}\0 HTTP/1.1"),
        ("a target with CR", b"GET /v8/artifacts/{}\rx HTTP/1.1"),
        (
            "a target with a byte of no alphabet",
            b"GET /v8/artifacts/{}\xff HTTP/1.1",
        ),
        ("a target without a slash", b"GET v8/artifacts/{} HTTP/1.1"),
        ("no target", b"GET HTTP/1.1"),
        // 505 would say more, of a version that there is. The library knows none of them.
        ("another minor version", b"GET /v8/artifacts/{} HTTP/1.2"),
        ("another major version", b"GET /v8/artifacts/{} HTTP/2.0"),
        (
            "a version in small letters",
            b"GET /v8/artifacts/{} http/1.1",
        ),
        ("a version of two digits", b"GET /v8/artifacts/{} HTTP/1.10"),
    ];
    let refused = |(name, sends): (&'static str, &[u8])| line(name, sends).refused_below(400);
    let mut cases = lines.map(refused).to_vec();
    cases.push(case("no version", b"GET /v8/artifacts/{}\r\n\r\n").refused_below(400));
    cases
}

fn forms() -> Vec<Case> {
    let refused = |name, sends: &[u8]| case(name, sends).refused(400, "bad_request");
    vec![
        // RFC 9112 §3.2.2 lets the target win. That is what whoever stands in front may have missed.
        refused(
            "an absolute target for another host than the field's",
            b"GET http://example/v8/artifacts/{}?slug=acme HTTP/1.1\r\nhost: localhost\r\n\r\n",
        ),
        refused(
            "an absolute target for another port than the field's",
            b"GET http://localhost:81/v8/artifacts/{}?slug=acme HTTP/1.1\r\nhost: localhost\r\n\r\n",
        ),
        refused(
            "an absolute target and no host",
            b"GET http://localhost/v8/artifacts/{}?slug=acme HTTP/1.1\r\n\r\n",
        ),
        refused(
            "an absolute target with a user",
            b"GET http://u@localhost/v8/artifacts/{}?slug=acme HTTP/1.1\r\nhost: localhost\r\n\r\n",
        ),
        refused(
            "an absolute target of another protocol",
            b"GET ftp://localhost/v8/artifacts/{}?slug=acme HTTP/1.1\r\nhost: localhost\r\n\r\n",
        ),
        line(
            "an absolute target for the field's host",
            b"GET http://LOCALHOST:80/v8/artifacts/{}?slug=acme HTTP/1.1",
        )
        .gets(Status(404))
        .kept()
        .passes(asked()),
        line("a host and a port for a target", b"GET localhost:80 HTTP/1.1").refused(400, "bad_request"),
        line("an asterisk for a target", b"GET * HTTP/1.1").refused(400, "bad_request"),
        line("an asterisk where the server is meant", b"OPTIONS * HTTP/1.1")
            .gets(Body(204, b""))
            .kept(),
        line("a fragment, which is the client's own affair", b"GET /v8/artifacts/{}?slug=acme#x HTTP/1.1")
            .gets(Status(404))
            .kept()
            .passes(asked()),
    ]
}

fn methods() -> Vec<Case> {
    vec![
        // Methods differ by case (RFC 9110 §9.1): this one is the upstream's to know.
        line(
            "a method in small letters is another one",
            b"get /v2/{} HTTP/1.1",
        )
        .gets_each(Status(200), Status(404))
        .kept()
        .passes(one("get /v2/{}", "", b"")),
        line("a method that nobody has heard of", b"BREW /v2/{} HTTP/1.1")
            .gets_each(Status(200), Status(404))
            .kept()
            .passes(one("BREW /v2/{}", "", b"")),
    ]
}

fn lengths() -> Vec<Case> {
    let target = |length: usize| {
        let padding = length - "/v2/?".len() - "c000x".len();
        [&b"GET /v2/{}?"[..], &b"x".repeat(padding), b" HTTP/1.1"].concat()
    };
    vec![
        line("a target of 8000 bytes", &target(8000))
            .gets_each(Status(200), Status(404))
            .kept()
            .passes(Passed::Something),
        line("a target of more", &target(8001)).refused(414, "target_too_long"),
        // Beyond the bound of a head the library does not look at what is in it.
        line("a target of more than a head may have", &target(17 << 10)).refused_below(431),
    ]
}

fn other_protocols() -> Vec<Case> {
    let asks = |name, lines: &[u8]| {
        let head = b"GET /v8/artifacts/{}?slug=acme HTTP/1.1\r\nhost: localhost\r\n";
        case(name, &[head, lines, b"\r\n"].concat())
    };
    vec![
        case(
            "a tunnel",
            b"CONNECT localhost:80 HTTP/1.1\r\nhost: localhost:80\r\n\r\nGET /v2/{} HTTP/1.1\r\nhost: localhost\r\n\r\n",
        )
        .refused(405, "method_not_allowed"),
        line("a tunnel to a path", b"CONNECT /v2/{} HTTP/1.1").refused(405, "method_not_allowed"),
        case(
            "a tunnel to a URL",
            b"CONNECT http://localhost/v2/{} HTTP/1.1\r\nhost: localhost\r\n\r\n",
        )
        .refused(405, "method_not_allowed"),
        case("a tunnel to elsewhere than the host", b"CONNECT example:80 HTTP/1.1\r\nhost: localhost\r\n\r\n")
            .refused(400, "bad_request"),
        asks("a web socket", b"connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n")
            .sends(b"GET /v2/{} HTTP/1.1\r\nhost: localhost\r\n\r\n")
            .refused(501, "not_implemented"),
        asks("one of two other protocols", b"connection: upgrade\r\nupgrade: h2c, websocket\r\n")
            .refused(501, "not_implemented"),
        // RFC 9110 §7.8: a server may ignore it, and must not where it does not know the protocol.
        asks(
            "an offer of HTTP/2 that is not taken",
            b"connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n",
        )
        .gets(Status(404))
        .kept()
        .passes(asked()),
        case("HTTP/2 but for its last word", b"PRI * HTTP/2.0\r\n\r\nSN\r\n\r\n").refused_below(400),
    ]
}
