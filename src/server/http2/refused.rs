//! Heads that the library refuses by itself for their size, seen in the frames that go out: it tells nobody else.
//! Reads heads of frames, and the shortest answers.

use super::frames::{HEAD, length};

/// What carries a status and nothing else is no longer.
const SHORT: usize = 16;

/// The kind of frame that carries an answer's head.
const HEADERS: u8 = 1;

/// Its flags where all of the head is in it, and nothing comes behind.
const WHOLE: u8 = 0x05;

/// The first field that is in nobody's table from the start (RFC 7541 §2.3.3).
const DYNAMIC: u8 = 62;

/// Counts the heads of one connection that were refused for their size.
///
/// Such a head is answered with a 431 that has no other field. Every answer from here has a date besides, and
/// nothing from here comes behind a body.
#[derive(Debug)]
pub(in crate::server) struct Refused {
    /// What has gone out of the frame that is not skipped.
    frame: [u8; HEAD + SHORT],
    gone: usize,
    /// Bytes left of the one that is.
    skipped: usize,
}

// === impl Refused ===

impl Refused {
    /// Before the first frame.
    pub(in crate::server) fn new() -> Self {
        Self {
            frame: [0; HEAD + SHORT],
            gone: 0,
            skipped: 0,
        }
    }

    /// How many heads these bytes refuse, of those that go out.
    pub(in crate::server) fn read(&mut self, mut bytes: &[u8]) -> u32 {
        let mut refused = 0;
        while let Some(first) = bytes.first() {
            if self.skipped > 0 {
                let now = bytes.len().min(self.skipped);
                self.skipped -= now;
                bytes = bytes.get(now..).unwrap_or_default();
                continue;
            }
            if let Some(place) = self.frame.get_mut(self.gone) {
                *place = *first;
            }
            self.gone += 1;
            bytes = bytes.get(1..).unwrap_or_default();
            refused += u32::from(self.gone >= HEAD && self.is_refused());
        }
        refused
    }

    /// Looks at a frame whose head has gone out; whether it is gone, and refuses a head.
    fn is_refused(&mut self) -> bool {
        let [high, middle, low, kind, flags, _, _, _, _, carried @ ..] = &self.frame;
        let length = length([*high, *middle, *low]);
        if *kind != HEADERS || *flags & WHOLE != WHOLE || length > SHORT {
            (self.gone, self.skipped) = (0, length);
            return false;
        }
        let is_gone = self.gone == HEAD + length;
        let is_refused = is_gone && carried.get(..length).is_some_and(is_unusual_status);
        if is_gone {
            self.gone = 0;
        }
        is_refused
    }
}

/// Whether a head is a status alone, and none of those that everybody's table has (RFC 7541 §6).
fn is_unusual_status(head: &[u8]) -> bool {
    match head {
        // The table has another size from here on.
        [first @ 0x20..=0x3f, rest @ ..] => is_unusual_status(behind_number(*first, 0x1f, rest)),
        [first @ 0x80..=0xff, rest @ ..] => {
            first & 0x7f >= DYNAMIC && behind_number(*first, 0x7f, rest).is_empty()
        }
        // Its name from the table, its value in letters.
        [0x08 | 0x18 | 0x48, length, value @ ..] => usize::from(length & 0x7f) == value.len(),
        _ => false,
    }
}

/// What stands behind a number that begins with these bits of `first` (RFC 7541 §5.1).
fn behind_number(first: u8, bits: u8, rest: &[u8]) -> &[u8] {
    if first & bits != bits {
        return rest;
    }
    let more = rest.iter().take_while(|byte| **byte >= 0x80).count();
    rest.get(more + 1..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, carried: &[u8]) -> Vec<u8> {
        let length = u8::try_from(carried.len()).unwrap();
        let head = [0, 0, length, kind, flags, 0, 0, 0, 1];
        [&head[..], carried].concat()
    }

    /// A 431 as it is said first, and as it is said again.
    const FIRST: &[u8] = b"\x48\x83\x68\xcb\x3f";
    const AGAIN: &[u8] = b"\xbe";

    #[test]
    fn a_status_alone_is_a_refusal_however_it_is_said_and_cut() {
        let sent = [
            frame(4, 0, &[0; 6]),
            frame(HEADERS, 5, FIRST),
            frame(0, 0, &frame(HEADERS, 5, FIRST)),
            frame(HEADERS, 5, AGAIN),
            frame(0, 1, &[]),
            frame(HEADERS, 5, b"\x3f\xe1\x1f\xff\x80\x01"),
            frame(HEADERS, 5, b"\x20\x08\x03431"),
        ]
        .concat();
        for size in [1, 2, 5, 9, 13, sent.len()] {
            let mut refused = Refused::new();
            let counted: u32 = sent.chunks(size).map(|piece| refused.read(piece)).sum();
            assert_eq!(counted, 4, "{size}");
        }
    }

    #[test]
    fn an_answer_with_more_to_it_is_none() {
        for (flags, head) in [
            (5, &b"\xbe\xbf"[..]),
            (5, b"\x48\x83\x68\xcb\x3f\xbe"),
            // A status that everybody knows.
            (5, b"\x88"),
            // Something comes behind it.
            (4, AGAIN),
            (1, AGAIN),
            (5, b"\x40\x01a\x01b"),
            (5, b""),
            (5, &[0xbe; SHORT + 1]),
        ] {
            let sent = [frame(HEADERS, flags, head), frame(0, 1, &[])].concat();
            assert_eq!(Refused::new().read(&sent), 0, "{head:x?}");
        }
    }
}
