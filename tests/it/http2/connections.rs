//! Frames that are about the connection, or about none of its requests (RFC 9113 §3.4, §4, §6.5-6.9).
//!
//! Where the RFC has a code of its own, `PROTOCOL_ERROR` is taken too: the library says so of most that is
//! wrong with a connection, and what comes of it is the same.

use super::case::{Case, PATH, case, fields, get, head, post, raw};
use super::wire::{
    ACK, COMPRESSION_ERROR, CONTINUATION, DATA, END_HEADERS, END_STREAM, FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR, GOAWAY, HEADERS, PING, PREFACE, PRIORITY, PROTOCOL_ERROR, PUSH_PROMISE,
    RST_STREAM, SETTINGS, WINDOW_UPDATE, block, frame,
};
use crate::conformance::passed::one;

pub fn cases() -> Vec<Case> {
    let tables = [
        prefaces(),
        settings(),
        pings(),
        windows(),
        sizes(),
        blocks(),
    ];
    tables.into_iter().flatten().collect()
}

fn setting(name: u8, value: u32) -> Vec<u8> {
    let payload = [&[0, name][..], &value.to_be_bytes()].concat();
    frame(SETTINGS, 0, 0, &payload)
}

fn prefaces() -> Vec<Case> {
    vec![
        raw("torn is none", b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n").gone(),
        raw(
            "without settings is one for the library",
            &[PREFACE, &get(1)].concat(),
        )
        .answered(1, 200)
        .passes(one("GET /v2/{}", "", b"")),
        raw(
            "followed by nonsense is none",
            &[PREFACE, b"GET / HTTP/1.1\r\n\r\n"].concat(),
        )
        .broken(&[PROTOCOL_ERROR, FRAME_SIZE_ERROR]),
    ]
}

fn settings() -> Vec<Case> {
    vec![
        case("settings are agreed to", &setting(3, 7))
            .comes(SETTINGS, ACK)
            .kept(),
        case("settings that nobody knows are ignored", &setting(99, 7)).kept(),
        case("settings of five bytes", &frame(SETTINGS, 0, 0, &[0; 5]))
            .broken(&[FRAME_SIZE_ERROR, PROTOCOL_ERROR]),
        case(
            "an agreement with a payload",
            &frame(SETTINGS, ACK, 0, &[0; 6]),
        )
        .broken(&[FRAME_SIZE_ERROR, PROTOCOL_ERROR]),
        case("settings of a stream", &frame(SETTINGS, 0, 1, b"")).broken(&[PROTOCOL_ERROR]),
        case("a push that is neither on nor off", &setting(2, 2)).broken(&[PROTOCOL_ERROR]),
        case("a window that cannot be", &setting(4, 1 << 31))
            .broken(&[FLOW_CONTROL_ERROR, PROTOCOL_ERROR]),
        case("frames smaller than may be", &setting(5, 100)).broken(&[PROTOCOL_ERROR]),
        case("frames larger than may be", &setting(5, 1 << 24)).broken(&[PROTOCOL_ERROR]),
    ]
}

fn pings() -> Vec<Case> {
    vec![
        case("a ping comes back", &frame(PING, 0, 0, b"whatever"))
            .comes(PING, ACK)
            .kept(),
        case("a ping that nobody sent", &frame(PING, ACK, 0, b"whatever")).kept(),
        case("a ping of seven bytes", &frame(PING, 0, 0, b"whateve"))
            .broken(&[FRAME_SIZE_ERROR, PROTOCOL_ERROR]),
        case("a ping of a stream", &frame(PING, 0, 1, b"whatever")).broken(&[PROTOCOL_ERROR]),
        case(
            "frames that nobody knows are ignored",
            &frame(0x77, 0xff, 0, b"whatever"),
        )
        .kept(),
        case(
            "so are those of a stream",
            &frame(0x77, 0xff, 5, b"whatever"),
        )
        .kept(),
        case(
            "a farewell ends no request",
            &[get(1), frame(GOAWAY, 0, 0, &[0; 8])].concat(),
        )
        .answered(1, 200)
        .ended(1)
        .passes(one("GET /v2/{}", "", b"")),
        case("a farewell of a stream", &frame(GOAWAY, 0, 1, &[0; 8])).broken(&[PROTOCOL_ERROR]),
        case(
            "a promise of a client's",
            &[post(1), frame(PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2])].concat(),
        )
        .broken(&[PROTOCOL_ERROR]),
    ]
}

fn windows() -> Vec<Case> {
    let window = |stream, by: u32| frame(WINDOW_UPDATE, 0, stream, &by.to_be_bytes());
    let most = (1 << 31) - 1;
    vec![
        case("a window that opens by nothing", &window(0, 0)).broken(&[PROTOCOL_ERROR]),
        case("a window that opens too far", &window(0, most))
            .broken(&[FLOW_CONTROL_ERROR, PROTOCOL_ERROR]),
        case(
            "a window of three bytes",
            &frame(WINDOW_UPDATE, 0, 0, &[0, 0, 1]),
        )
        .broken(&[FRAME_SIZE_ERROR, PROTOCOL_ERROR]),
        case("the window of an idle stream", &window(1, 1)).broken(&[PROTOCOL_ERROR]),
        case(
            "a stream's window that opens too far",
            &[post(1), window(1, most)].concat(),
        )
        .reset(1, &[FLOW_CONTROL_ERROR, PROTOCOL_ERROR])
        .passes(crate::conformance::passed::Passed::NothingWhole),
        case(
            "all windows that open too far by a setting",
            &[post(1), window(1, most - 65_535), setting(4, 65_536)].concat(),
        )
        .broken(&[FLOW_CONTROL_ERROR, PROTOCOL_ERROR])
        .passes(crate::conformance::passed::Passed::NothingWhole),
        case("a window that opens far", &window(0, most - 65_535)).kept(),
    ]
}

fn sizes() -> Vec<Case> {
    vec![
        case(
            "a frame larger than was agreed",
            &[post(1), frame(DATA, 0, 1, &[0; 16_385])].concat(),
        )
        .broken(&[FRAME_SIZE_ERROR, PROTOCOL_ERROR])
        .passes(crate::conformance::passed::Passed::NothingWhole),
        case(
            "a head larger than was agreed",
            &frame(HEADERS, END_HEADERS, 1, &[0; 16_385]),
        )
        .broken(&[FRAME_SIZE_ERROR, PROTOCOL_ERROR]),
        case(
            "a reset of three bytes",
            &[post(1), frame(RST_STREAM, 0, 1, &[0; 3])].concat(),
        )
        .broken(&[FRAME_SIZE_ERROR, PROTOCOL_ERROR])
        .passes(crate::conformance::passed::Passed::NothingWhole),
        case("a priority of four bytes", &frame(PRIORITY, 0, 1, &[0; 4]))
            .broken(&[FRAME_SIZE_ERROR, PROTOCOL_ERROR]),
        case("a priority of nothing", &frame(PRIORITY, 0, 0, &[0; 5])).broken(&[PROTOCOL_ERROR]),
        case(
            "a priority of a stream that is idle",
            &frame(PRIORITY, 0, 7, &[0, 0, 0, 3, 16]),
        )
        .kept(),
        case("a body of nothing", &frame(DATA, 0, 0, b"x")).broken(&[PROTOCOL_ERROR]),
        case(
            "a head of nothing",
            &head(0, END_STREAM, &fields("GET", PATH)),
        )
        .broken(&[PROTOCOL_ERROR]),
        case("a reset of nothing", &frame(RST_STREAM, 0, 0, &[0; 4])).broken(&[PROTOCOL_ERROR]),
    ]
}

fn blocks() -> Vec<Case> {
    let half = frame(HEADERS, END_STREAM, 1, &block(&fields("GET", PATH)));
    let end = |stream| {
        frame(
            CONTINUATION,
            END_HEADERS,
            stream,
            &block(&[("x-rest", "1")]),
        )
    };
    let broken = |name, more: &[u8]| case(name, &[&half, more].concat()).broken(&[PROTOCOL_ERROR]);
    let packed = |name, block: &[u8]| {
        case(name, &frame(HEADERS, END_HEADERS | END_STREAM, 1, block))
            .broken(&[COMPRESSION_ERROR, PROTOCOL_ERROR])
    };
    vec![
        case("a head in two frames", &[&half[..], &end(1)].concat())
            .answered(1, 200)
            .ended(1)
            .kept()
            .passes(one("GET /v2/{}", "x-rest", b"")),
        broken("half a head and a body", &frame(DATA, 0, 1, b"x")),
        broken("half a head and a ping", &frame(PING, 0, 0, b"whatever")),
        broken(
            "half a head and what nobody knows",
            &frame(0x77, 0, 1, b"whatever"),
        ),
        broken("half a head and another", &get(3)),
        broken("half a head and the rest of another", &end(3)),
        case("the rest of a head that never began", &end(1)).broken(&[PROTOCOL_ERROR]),
        packed("a field that is in no table", &[0x82, 0xff, 0x80, 0x10]),
        packed("a field without a number", &[0x80]),
        packed(
            "a table larger than was agreed",
            &[0x3f, 0xe1, 0xff, 0x03, 0x82],
        ),
        packed("a field that breaks off", &[0x82, 0x86, 0x00, 0x05, b'x']),
        packed(
            "a length without end",
            &[
                0x82, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
            ],
        ),
        packed(
            "a text that ends within a letter",
            &[0x82, 0x86, 0x00, 0x81, 0xff, 0x01, b'x'],
        ),
    ]
}
