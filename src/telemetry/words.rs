//! The words of access lines: times, numbers and client text, appended to a string. Pure.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

/// Longest client text written in one field, in bytes before escaping.
const MAX_TEXT: usize = 256;

/// Digits of the largest number there is.
const MOST_DIGITS: usize = 20;

/// A moment as RFC 3339 writes it, in UTC, to the millisecond.
pub(super) fn push_time(out: &mut String, time: SystemTime) {
    let written = write!(out, "{}", humantime::format_rfc3339_millis(time));
    // A `String` takes everything, and no clock is beyond the year 9999.
    debug_assert!(written.is_ok());
}

/// A client's address; `unix` where it has none.
pub(super) fn push_peer(out: &mut String, peer: Option<SocketAddr>) {
    match peer {
        None => out.push_str("unix"),
        Some(peer) => match peer.ip() {
            IpAddr::V4(address) => {
                for (place, part) in address.octets().into_iter().enumerate() {
                    if place > 0 {
                        out.push('.');
                    }
                    push_number(out, part.into());
                }
                out.push(':');
                push_number(out, peer.port().into());
            }
            IpAddr::V6(_) => {
                let written = write!(out, "{peer}");
                debug_assert!(written.is_ok());
            }
        },
    }
}

/// A number, in decimal.
pub(super) fn push_number(out: &mut String, number: u64) {
    push_digits(out, number, 1);
}

/// A duration in seconds, to the microsecond.
pub(super) fn push_seconds(out: &mut String, duration: Duration) {
    let micros = (duration.as_nanos() + 500) / 1000;
    let micros = u64::try_from(micros).unwrap_or(u64::MAX);
    push_number(out, micros / 1_000_000);
    out.push('.');
    push_digits(out, micros % 1_000_000, 6);
}

/// A word of ours behind `name`, and the quote that ends it.
pub(super) fn push_member(out: &mut String, name: &str, word: &str) {
    out.push_str(name);
    out.push_str(word);
    out.push('"');
}

/// Client text between quotes; the same escapes serve JSON and people.
pub(super) fn push_quoted(out: &mut String, text: &str) {
    let end = text.floor_char_boundary(MAX_TEXT);
    let text = text.get(..end).unwrap_or_default();
    out.push('"');
    if text.bytes().all(is_plain) {
        out.push_str(text);
    } else {
        text.chars()
            .for_each(|character| push_escaped(out, character));
    }
    out.push('"');
}

fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

fn push_escaped(out: &mut String, character: char) {
    match character {
        '"' | '\\' => out.extend(['\\', character]),
        // Also the separators that some readers take for the end of a line.
        _ if character.is_control() || matches!(character, '\u{2028}' | '\u{2029}') => {
            let written = write!(out, "\\u{:04x}", u32::from(character));
            debug_assert!(written.is_ok());
        }
        _ => out.push(character),
    }
}

/// A number in decimal, filled up with noughts to at least `least` digits.
fn push_digits(out: &mut String, mut number: u64, least: usize) {
    let mut digits = [b'0'; MOST_DIGITS];
    let mut length = 0;
    for place in digits.iter_mut().rev() {
        if number == 0 && length >= least {
            break;
        }
        // A remainder of ten is a digit.
        *place += u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
        length += 1;
    }
    let text = digits.get(MOST_DIGITS - length..).unwrap_or_default();
    out.push_str(std::str::from_utf8(text).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pushed(push: impl FnOnce(&mut String)) -> String {
        let mut out = String::new();
        push(&mut out);
        out
    }

    proptest! {
        #[test]
        fn words_are_what_fmt_would_write(
            number in any::<u64>(),
            shift in 0..64_u32,
            micros in any::<u64>(),
            address in any::<[u8; 4]>(),
            wide in any::<[u16; 8]>(),
            port in any::<u16>(),
        ) {
            let number = number >> shift;
            prop_assert_eq!(pushed(|out| push_number(out, number)), number.to_string());
            let micros = micros >> shift;
            let duration = Duration::from_micros(micros);
            let seconds = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
            prop_assert_eq!(pushed(|out| push_seconds(out, duration)), seconds);
            for peer in [SocketAddr::from((address, port)), SocketAddr::from((wide, port))] {
                prop_assert_eq!(pushed(|out| push_peer(out, Some(peer))), peer.to_string());
            }
        }
    }

    #[test]
    fn seconds_are_rounded_to_the_nearest_microsecond() {
        for (nanos, seconds) in [
            (0, "0.000000"),
            (499, "0.000000"),
            (500, "0.000001"),
            (1_499, "0.000001"),
            (999_999_500, "1.000000"),
            (41_876_000, "0.041876"),
        ] {
            let duration = Duration::from_nanos(nanos);
            assert_eq!(pushed(|out| push_seconds(out, duration)), seconds);
        }
    }

    #[test]
    fn client_text_is_escaped_only_where_it_must_be() {
        for (text, quoted) in [
            ("turbo 2.11.11", r#""turbo 2.11.11""#),
            ("a\"b\\c", r#""a\"b\\c""#),
            ("ü", "\"ü\""),
            ("\n\u{2028}", r#""\u000a\u2028""#),
        ] {
            assert_eq!(pushed(|out| push_quoted(out, text)), quoted);
        }
    }
}
