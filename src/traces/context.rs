//! A span's place among others: the `traceparent` of W3C Trace Context, read and written. Values only.

use std::fmt;

use data_encoding::HEXLOWER;
use http::{HeaderMap, HeaderName, HeaderValue};

/// Who asks, of those that take part in a trace.
pub(super) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// What they tell each other besides; it means nothing without the other one.
pub(super) const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Bytes of a `traceparent` of version 00: `00-TRACE-SPAN-FLAGS` in hexadecimal digits.
const LENGTH: usize = 55;
/// The span is wanted.
const SAMPLED: u8 = 0b01;
/// The flags that are passed on: `sampled`, and that the trace's number is random.
const KNOWN_FLAGS: u8 = 0b11;

/// A trace's number.
pub(super) type TraceId = [u8; 16];
/// A span's number in its trace.
pub(super) type SpanId = [u8; 8];

/// A span's place among others: its trace, and its number there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SpanContext {
    pub(super) trace: TraceId,
    pub(super) span: SpanId,
    pub(super) flags: u8,
}

impl SpanContext {
    /// The first place of a trace of its own.
    pub(super) fn first(trace: TraceId, span: SpanId) -> Self {
        Self {
            trace,
            span,
            flags: SAMPLED,
        }
    }

    /// Another span's place in the same trace.
    pub(super) fn with_span(self, span: SpanId) -> Self {
        Self { span, ..self }
    }

    /// What the headers say; none where they say it twice, or not as the standard has it.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut said = headers.get_all(TRACEPARENT).iter();
        let only = said.next()?;
        said.next()
            .is_none()
            .then(|| Self::parse(only.as_bytes()))?
    }

    /// Whether the span is wanted.
    pub fn is_sampled(self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// Whatever a later version puts behind what we know is not ours to judge.
    fn parse(text: &[u8]) -> Option<Self> {
        let (known, rest) = text.split_at_checked(LENGTH)?;
        let mut parts = known.split(|byte| *byte == b'-');
        let [version] = decode(parts.next()?)?;
        let context = Self {
            trace: decode(parts.next()?)?,
            span: decode(parts.next()?)?,
            flags: decode::<1>(parts.next()?)?[0] & KNOWN_FLAGS,
        };
        let is_framed = match version {
            0x00 => rest.is_empty(),
            0xff => false,
            _ => rest.is_empty() || rest.starts_with(b"-"),
        };
        let is_somewhere = context.trace != [0; 16] && context.span != [0; 8];
        (is_framed && is_somewhere && parts.next().is_none()).then_some(context)
    }

    /// The same for whoever is asked next.
    pub(super) fn header(self) -> Option<HeaderValue> {
        HeaderValue::try_from(self.to_string()).ok()
    }
}

impl fmt::Display for SpanContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (trace, span) = (HEXLOWER.encode(&self.trace), HEXLOWER.encode(&self.span));
        write!(f, "00-{trace}-{span}-{:02x}", self.flags)
    }
}

impl fmt::Debug for SpanContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Exactly `N` bytes in lower-case hexadecimal digits.
fn decode<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    HEXLOWER.decode(digits).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SAID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0bc902b7-01";

    fn of(said: &[&str]) -> Option<SpanContext> {
        let mut headers = HeaderMap::new();
        for value in said {
            headers.append(TRACEPARENT, HeaderValue::try_from(*value).unwrap());
        }
        SpanContext::of(&headers)
    }

    #[test]
    fn a_place_is_read_as_it_is_written() {
        let context = of(&[SAID]).unwrap();
        assert_eq!(context.to_string(), SAID);
        assert!(context.is_sampled());
        assert_eq!(
            context.span,
            [0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xc9, 0x02, 0xb7]
        );
        let unwanted = SAID.replace("-01", "-00");
        assert!(!of(&[&unwanted]).unwrap().is_sampled());
    }

    #[test]
    fn a_later_version_may_say_more_and_flags_of_it_are_not_passed_on() {
        for later in [
            SAID.replacen("00", "cc", 1),
            SAID.replacen("00", "01", 1) + "-what",
        ] {
            assert_eq!(of(&[&later]), of(&[SAID]), "{later}");
        }
        let flags = of(&[&SAID.replace("-01", "-ff")]).unwrap();
        assert!(flags.to_string().ends_with("-03"));
    }

    #[test]
    fn what_is_none_counts_as_nothing() {
        let wrong = [
            String::new(),
            SAID.to_owned() + "-",
            SAID.to_owned() + "0",
            SAID.to_uppercase(),
            SAID.replacen("00", "ff", 1),
            SAID.replacen("00", "cc", 1) + "x",
            SAID.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            SAID.replace("00f067aa0bc902b7", &"0".repeat(16)),
            SAID.replace('-', "_"),
            SAID.replace("b7-", "b--"),
        ];
        for wrong in wrong {
            assert_eq!(of(&[&wrong]), None, "{wrong}");
        }
        assert_eq!(of(&[SAID, SAID]), None);
        assert_eq!(of(&[]), None);
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_the_same(said in "(00|01|ff)-[0-9a-f]{32}-[0-9a-f]{16}-0[0-3](-x)?|[ -~]{0,60}") {
            if let Some(context) = of(&[&said]) {
                prop_assert_eq!(&context.to_string()[3..], &said[3..55]);
            }
        }
    }
}
