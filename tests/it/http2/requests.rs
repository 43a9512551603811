//! Frames that are about one request: in which state of its stream they may come, how much of a body, and
//! what behind it (RFC 9113 §5.1, §8.1).

use super::case::{Case, PATH, case, fields, get, head, post, with};
use super::wire::{
    DATA, END_HEADERS, END_STREAM, HEADERS, PADDED, PROTOCOL_ERROR, REFUSED_STREAM, RST_STREAM,
    STREAM_CLOSED, WITH_PRIORITY, block, frame,
};
use crate::conformance::passed::{Passed, one};

/// So many requests at once are served where these cases are played.
pub const MAX_STREAMS: u32 = 4;

pub fn cases() -> Vec<Case> {
    let tables = [states(), lengths(), trailers()];
    tables.into_iter().flatten().collect()
}

fn asked() -> Passed {
    one("GET /v2/{}", "", b"")
}

fn data(stream: u32, flags: u8, bytes: &[u8]) -> Vec<u8> {
    frame(DATA, flags, stream, bytes)
}

#[expect(clippy::too_many_lines, reason = "a table is as long as it is")]
fn states() -> Vec<Case> {
    let reset = |stream| frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]);
    let too_many: Vec<u8> = (0..=MAX_STREAMS)
        .flat_map(|number| post(2 * number + 1))
        .collect();
    vec![
        case("a request is answered", &get(1))
            .answered(1, 200)
            .ended(1)
            .kept()
            .passes(asked()),
        case("a body for an idle stream", &data(1, 0, b"x")).broken(&[PROTOCOL_ERROR]),
        case("a reset of an idle stream", &reset(1)).broken(&[PROTOCOL_ERROR]),
        case("a stream of the server's", &get(2)).broken(&[PROTOCOL_ERROR]),
        case("a stream before the last", &[get(5), get(3)].concat())
            .broken(&[PROTOCOL_ERROR, STREAM_CLOSED])
            .passes(Passed::Anything),
        case(
            "more of a body that has ended",
            &[post(1), data(1, END_STREAM, b"x"), data(1, 0, b"y")].concat(),
        )
        .stream_closed(1)
        .passes(Passed::Anything),
        case("a second head behind the end", &[get(1), get(1)].concat())
            .stream_closed(1)
            .passes(Passed::Anything),
        case(
            "more of a body that was taken back",
            &[post(1), reset(1), data(1, 0, b"y")].concat(),
        )
        .kept()
        .passes(Passed::NothingWhole),
        case(
            "a request taken back twice",
            &[post(1), reset(1), reset(1)].concat(),
        )
        .kept()
        .passes(Passed::NothingWhole),
        case("one more request than are served", &too_many)
            .step_reset(2 * MAX_STREAMS + 1, &[REFUSED_STREAM])
            .sends(&reset(1))
            .kept()
            .passes(Passed::NothingWhole),
        case(
            "a request that waits for itself",
            &frame(
                HEADERS,
                END_HEADERS | END_STREAM | WITH_PRIORITY,
                1,
                &[&[0, 0, 0, 1, 16][..], &block(&fields("GET", PATH))].concat(),
            ),
        )
        .reset(1, &[PROTOCOL_ERROR]),
        case(
            "a request with a priority",
            &frame(
                HEADERS,
                END_HEADERS | END_STREAM | WITH_PRIORITY,
                1,
                &[&[0x80, 0, 0, 0, 255][..], &block(&fields("GET", PATH))].concat(),
            ),
        )
        .answered(1, 200)
        .kept()
        .passes(asked()),
        case(
            "more padding than there is",
            &[post(1), data(1, PADDED, b"\x09x")].concat(),
        )
        .broken(&[PROTOCOL_ERROR])
        .passes(Passed::NothingWhole),
    ]
}

fn lengths() -> Vec<Case> {
    let said = |name, length: &str, frames: &[u8]| {
        let all = [&fields("POST", PATH)[..], &[("content-length", length)]].concat();
        case(name, &[&head(1, 0, &all), frames].concat())
    };
    let lies = |name, length: &str, frames: &[u8]| {
        said(name, length, frames)
            .reset(1, &[PROTOCOL_ERROR])
            .passes(Passed::NothingWhole)
    };
    let posted = |fields| one("POST /v2/{}", fields, b"abc");
    vec![
        said("as much as was said", "3", &data(1, END_STREAM, b"abc"))
            .answered(1, 200)
            .kept()
            .passes(posted("content-length")),
        said(
            "as much in pieces and padding",
            "3",
            &[
                data(1, PADDED, b"\x02abxx"),
                data(1, 0, b""),
                data(1, END_STREAM, b"c"),
            ]
            .concat(),
        )
        .answered(1, 200)
        .kept()
        .passes(posted("content-length")),
        case(
            "as much as there is",
            &[post(1), data(1, 0, b"abc"), data(1, END_STREAM, b"")].concat(),
        )
        .answered(1, 200)
        .kept()
        .passes(posted("transfer-encoding")),
        lies("less than was said", "4", &data(1, END_STREAM, b"abc")),
        lies("more than was said", "2", &data(1, END_STREAM, b"abc")),
        lies("more than was said, and no end", "2", &data(1, 0, b"abc")),
        lies("nothing of what was said", "2", &data(1, END_STREAM, b"")),
        with("a length of no body", &[("content-length", "3")]).reset(1, &[PROTOCOL_ERROR]),
        with(
            "two lengths",
            &[("content-length", "0"), ("content-length", "3")],
        )
        .reset_or(400),
        with("a length that is none", &[("content-length", "+3")]).reset_or(400),
        with(
            "a length beyond all",
            &[("content-length", "18446744073709551616")],
        )
        .reset_or(400),
    ]
}

fn trailers() -> Vec<Case> {
    let behind = |name, flags, fields: &[(&str, &str)]| {
        case(
            name,
            &[post(1), data(1, 0, b"abc"), head(1, flags, fields)].concat(),
        )
    };
    vec![
        behind("fields behind a body", END_STREAM, &[("x-sum", "1")])
            .answered(1, 200)
            .kept()
            .passes(one("POST /v2/{}", "transfer-encoding", b"abc")),
        behind("fields behind a body and no end", 0, &[("x-sum", "1")])
            .reset(1, &[PROTOCOL_ERROR])
            .passes(Passed::NothingWhole),
        behind(
            "what begins a request behind a body, which goes nowhere as any field there",
            END_STREAM,
            &fields("GET", PATH),
        )
        .answered(1, 200)
        .kept()
        .passes(one("POST /v2/{}", "transfer-encoding", b"abc")),
    ]
}
