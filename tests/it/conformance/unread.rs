//! Bodies that nobody wants: an answer that comes before its request's body has been read is the last one
//! on its connection, also where that body is here whole. No byte of it is a request.

use super::case::{Bodiless, Body, Case, Place, Status, case, known, read, upload};
use super::passed::{Passed, asked};
use super::player::KNOWN_BODY;

/// How long a case's mark is.
const MARK: usize = 5;

/// The body: what must never be read as a request.
const SMUGGLED: &[u8] =
    b"GET /v8/artifacts/smuggled-{}?slug=acme HTTP/1.1\r\nhost: localhost\r\n\r\n";
const LENGTH: usize = SMUGGLED.len() - "{}".len() + MARK;

const CHUNKED: &str = "transfer-encoding: chunked\r\n";

pub fn cases() -> Vec<Case> {
    let mut cases = hits();
    cases.extend(uploads());
    cases.extend(others());
    cases
}

/// The line that says how long the body is.
fn whole() -> String {
    format!("content-length: {LENGTH}\r\n")
}

/// The same body in a chunk.
fn chunk() -> Vec<u8> {
    let size = format!("{LENGTH:x}\r\n");
    [size.as_bytes(), SMUGGLED, b"\r\n0\r\n\r\n"].concat()
}

/// A request with the body.
fn with_body(name: &'static str, line: &str) -> Case {
    let lines = whole();
    let head = format!("{line} HTTP/1.1\r\nhost: localhost\r\n{lines}\r\n");
    case(name, &[head.as_bytes(), SMUGGLED].concat())
}

fn hits() -> Vec<Case> {
    let hit = |name, lines: &str, body: &[u8]| {
        case(name, &[&known("GET", "1.1", lines)[..], body].concat())
            .gets(Body(200, KNOWN_BODY))
            .closed()
    };
    let look = [&known("HEAD", "1.1", &whole())[..], SMUGGLED].concat();
    vec![
        hit("a hit with a body", &whole(), SMUGGLED),
        hit(
            "a hit with half a body",
            "content-length: 90000\r\n",
            SMUGGLED,
        ),
        hit("a hit with a chunk", CHUNKED, &chunk()),
        hit("a hit with a chunk that is none", CHUNKED, SMUGGLED),
        case("a look with a body", &look)
            .gets(Bodiless(200))
            .closed(),
        read("a miss with a body", whole().as_bytes())
            .sends(SMUGGLED)
            .gets(Status(404))
            .closed()
            .passes(asked()),
    ]
}

fn uploads() -> Vec<Case> {
    let large = [SMUGGLED, &b"x".repeat(90 << 10)].concat();
    let sent_to_its_end = format!("content-length: {}\r\n", LENGTH + (90 << 10));
    let upgrade = format!("upgrade: x\r\n{CHUNKED}");
    vec![
        with_body("an upload to what is no hash", "PUT /v8/artifacts/a.b")
            .refused(400, "invalid_hash"),
        upload(
            "an upload that is too large",
            b"content-length: 90000\r\n",
            SMUGGLED,
        )
        .refused(413, "too_large"),
        upload(
            "the same, sent to its end",
            sent_to_its_end.as_bytes(),
            &large,
        )
        .refused(413, "too_large"),
        upload("a refused head and a chunk", upgrade.as_bytes(), &chunk())
            .refused(501, "not_implemented"),
    ]
}

fn others() -> Vec<Case> {
    vec![
        with_body("a preflight with a body", "OPTIONS /v8/artifacts/{}")
            .gets(Status(204))
            .closed(),
        with_body("a body that is passed on", "DELETE /v2/{}")
            .gets(Status(200))
            .kept()
            .passes(Passed::Something)
            .only(Place::Before),
        with_body("a body that nobody is there for", "DELETE /v2/{}")
            .refused(404, "not_found")
            .only(Place::Alone),
    ]
}
