//! A head as it came: the library takes three things for well meant that others read otherwise, and keeps
//! from everybody that they were there.
//!
//! They are lines that end in LF alone, one length given twice, and a length beside a coding. Each could be
//! taken, and is read here in one way only (RFC 9112 §2.2, §6.3); whoever stands in front may have read it
//! in another. Heads that come before their turn, behind another request, are not seen here: what the
//! library makes of those is safe too.

use super::form::Unfit;

/// Bytes of a head that are looked at: as many as one may ever have. The clients in the field send a few hundred.
const MOST: usize = 64 * 1024;

/// Bytes that are looked at in one step.
const STEP: usize = 32;

/// The bytes read while a head is due.
///
/// A head's beginning may be missing, where it came before its turn. Then there may be bytes of a body
/// behind it: everything is read to the first empty line, and no further.
#[derive(Debug, Default)]
pub(super) struct RawHead {
    bytes: Vec<u8>,
    /// It is not a connection's first: its beginning may be missing.
    is_later: bool,
}

impl RawHead {
    /// Takes down what came.
    pub(super) fn note(&mut self, bytes: &[u8]) {
        let room = MOST.saturating_sub(self.bytes.len());
        self.bytes
            .extend_from_slice(bytes.split_at(room.min(bytes.len())).0);
    }

    /// The head is whole: says what is wrong with it, and forgets it. An idle connection keeps no room for
    /// the next one.
    pub(super) fn end(&mut self, has_body: bool) -> Option<Unfit> {
        let bytes = std::mem::take(&mut self.bytes);
        let is_later = std::mem::replace(&mut self.is_later, true);
        let head = if is_later {
            &bytes
        } else {
            behind_empty_lines(&bytes)
        };
        let is_suspect = has_body || has_lone_feed(head) || !is_later && head.starts_with(b"\n");
        is_suspect.then(|| fault(head, is_later)).flatten()
    }
}

/// Asked of every head: in steps that have no branch, so that many bytes are compared at once.
fn has_lone_feed(bytes: &[u8]) -> bool {
    let behind = bytes.get(1..).unwrap_or_default();
    let mut steps = bytes.chunks(STEP).zip(behind.chunks(STEP));
    steps.any(|(before, at)| {
        let pairs = before.iter().zip(at);
        let lone = pairs.map(|(before, at)| u8::from(*at == b'\n' && *before != b'\r'));
        lone.fold(0, |any, one| any | one) != 0
    })
}

/// The library skips empty lines before a head.
fn behind_empty_lines(mut bytes: &[u8]) -> &[u8] {
    while let Some(rest) = bytes.strip_prefix(b"\r\n") {
        bytes = rest;
    }
    bytes
}

fn fault(bytes: &[u8], is_later: bool) -> Option<Unfit> {
    let (mut lengths, mut codings) = (0, 0);
    for (number, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let is_first = number == 0;
        match line {
            b"\r\n" => break,
            // The end of a line that came before its turn.
            b"\n" if is_first && is_later => break,
            line if line.ends_with(b"\n") && !line.ends_with(b"\r\n") => {
                return Some(Unfit::LineEnd);
            }
            line => {
                lengths += u32::from(is_field(line, b"content-length:"));
                codings += u32::from(is_field(line, b"transfer-encoding:"));
            }
        }
    }
    let is_framed_once = lengths <= 1 && (lengths == 0 || codings == 0);
    (!is_framed_once).then_some(Unfit::Lengths)
}

fn is_field(line: &[u8], name: &[u8]) -> bool {
    line.split_at_checked(name.len())
        .is_some_and(|(start, _)| start.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(pieces: &[&str], has_body: bool) -> Option<Unfit> {
        end_of(RawHead::default(), pieces, has_body)
    }

    fn end_of(mut head: RawHead, pieces: &[&str], has_body: bool) -> Option<Unfit> {
        for piece in pieces {
            head.note(piece.as_bytes());
        }
        let fault = head.end(has_body);
        assert_eq!(head.end(true), None, "forgotten");
        fault
    }

    #[test]
    fn a_line_that_ends_in_lf_alone_is_found_wherever_the_reads_were_cut() {
        for head in [
            "GET / HTTP/1.1\nhost: x\r\n\r\n",
            "GET / HTTP/1.1\r\nhost: x\n\r\n",
            "GET / HTTP/1.1\r\nhost: x\r\n\n",
            "GET / HTTP/1.1\nhost: x\n\n",
        ] {
            for cut in 1..head.len() {
                let (before, after) = head.split_at(cut);
                for has_body in [false, true] {
                    assert_eq!(
                        end(&[before, after], has_body),
                        Some(Unfit::LineEnd),
                        "{head:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_body_has_one_length_or_one_coding() {
        let framed = |fields: &str| end(&[&format!("PUT / HTTP/1.1\r\n{fields}\r\n")], true);
        for fields in [
            "",
            "Content-Length: 3\r\n",
            "Transfer-Encoding: chunked\r\n",
            "x-content-length: 3\r\ncontent-length: 3\r\n",
        ] {
            assert_eq!(framed(fields), None, "{fields:?}");
        }
        for fields in [
            "content-length: 3\r\nCONTENT-LENGTH: 3\r\n",
            "content-length: 3\r\nhost: x\r\ntransfer-encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length:3\r\n",
        ] {
            assert_eq!(framed(fields), Some(Unfit::Lengths), "{fields:?}");
        }
    }

    #[test]
    fn what_stands_behind_a_head_is_no_line_of_it() {
        let body = "\ncontent-length: 3\ncontent-length: 3\n";
        for head in [
            "PUT / HTTP/1.1\r\ncontent-length: 9\r\n\r\n",
            // Of these the beginning has been read before.
            "gth: 9\r\n\r\n",
            "\ncontent-length: 9\r\n\r\n",
            "\r\n",
            "\n\r\n",
            "\n",
        ] {
            let mut later = RawHead::default();
            later.end(false);
            assert_eq!(end_of(later, &[head, body], true), None, "{head:?}");
        }
    }

    #[test]
    fn empty_lines_before_the_first_head_hide_nothing_of_it() {
        let twice = "\r\n\r\nPUT / HTTP/1.1\r\ncontent-length: 3\r\ncontent-length: 3\r\n\r\n";
        assert_eq!(end(&[twice], true), Some(Unfit::Lengths));
        let once = "\r\nPUT / HTTP/1.1\r\ncontent-length: 3\r\n\r\n";
        assert_eq!(end(&[once], true), None);
        for lone in [
            "\nGET / HTTP/1.1\r\n\r\n",
            "\r\nGET / HTTP/1.1\nhost: x\r\n\r\n",
        ] {
            assert_eq!(end(&[lone], false), Some(Unfit::LineEnd), "{lone:?}");
        }
    }

    #[test]
    fn a_head_without_an_end_costs_so_much_and_no_more() {
        let mut head = RawHead::default();
        for _ in 0..100 {
            head.note(&[b'x'; 1000]);
        }
        assert_eq!(head.bytes.len(), MOST);
        assert_eq!(head.end(false), None);
        assert_eq!(head.bytes.capacity(), 0);
    }
}
