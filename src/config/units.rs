//! Sizes and durations: from what people write, and back to it.

use std::path::Path;
use std::time::Duration;

use bytesize::ByteSize;
use figment::value::Value;

use super::problem::quoted;
use super::value;

/// Longest duration taken: beyond it, sums with the clock could leave its range.
const LONGEST: Duration = Duration::from_hours(10 * 365 * 24);

/// Bytes, or a part of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Amount {
    /// Bytes.
    Bytes(u64),
    /// Hundredths of a per cent.
    Share(u64),
}

/// A size: `10GiB`, `10GB`, or a plain number of bytes.
pub(super) fn size(value: &Value) -> Result<u64, String> {
    match value {
        Value::Num(_, number) => value::whole(*number).ok_or_else(|| hint("a size", None)),
        _ => parse_size(value::text(value)?),
    }
}

/// A size as the configuration writes it: `10GiB`, `10GB`, or a plain number of bytes.
///
/// # Errors
///
/// What a size is, for whoever wrote the text.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let size: ByteSize = text
        .trim()
        .parse()
        .map_err(|_| hint("a size", Some(text)))?;
    // The parser saturates where the product leaves its range.
    if size.as_u64() == u64::MAX {
        return Err(hint("a size", Some(text)));
    }
    Ok(size.as_u64())
}

/// A size, or a share such as `10%`.
pub(super) fn amount(value: &Value) -> Result<Amount, String> {
    let share = value
        .as_str()
        .and_then(|text| text.trim().strip_suffix('%'));
    match share {
        None => size(value).map(Amount::Bytes),
        Some(number) => hundredths(number.trim())
            .filter(|share| *share <= 10_000)
            .map(Amount::Share)
            .ok_or_else(|| "is not a share such as `10%` or `2.5%`".to_owned()),
    }
}

fn hundredths(number: &str) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) || fraction.len() > 2 {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let fraction: u64 = format!("{fraction:0<2}").parse().ok()?;
    whole.checked_mul(100)?.checked_add(fraction)
}

/// A duration with its unit: `5s`, `2m 10s`; 0 is one.
pub(super) fn duration(value: &Value) -> Result<Duration, String> {
    match value.as_str() {
        Some(text) => parse_duration(text),
        None => Err(hint("a duration", None)),
    }
}

/// A duration as the configuration writes it, with its unit: `5s`, `2m 10s`; 0 is one.
///
/// # Errors
///
/// What a duration is, for whoever wrote the text.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|_| hint("a duration", Some(text)))?;
    if duration > LONGEST {
        return Err(format!("{} is longer than ten years", quoted(text)));
    }
    Ok(duration)
}

/// A duration that is not 0.
pub(super) fn period(value: &Value) -> Result<Duration, String> {
    match duration(value)? {
        Duration::ZERO => Err("must be more than 0".to_owned()),
        duration => Ok(duration),
    }
}

fn hint(kind: &str, text: Option<&str>) -> String {
    let example = if kind == "a size" { "`10GiB`" } else { "`5m`" };
    match text {
        Some(text) => format!("{} is not {kind} such as {example}", quoted(text)),
        None => format!("is not {kind} such as {example}"),
    }
}

/// The size of the file system that holds `path`, or will: its nearest ancestor that exists.
pub(super) fn file_system_size(path: &Path) -> Option<u64> {
    path.ancestors()
        .map(|path| {
            if path == Path::new("") {
                Path::new(".")
            } else {
                path
            }
        })
        .find_map(|path| rustix::fs::statvfs(path).ok())
        .map(|system| system.f_frsize.saturating_mul(system.f_blocks))
}

/// A size as people write it, without loss.
pub(super) fn show_size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 8] = [
        (bytesize::TIB, "TiB"),
        (bytesize::TB, "TB"),
        (bytesize::GIB, "GiB"),
        (bytesize::GB, "GB"),
        (bytesize::MIB, "MiB"),
        (bytesize::MB, "MB"),
        (bytesize::KIB, "KiB"),
        (bytesize::KB, "KB"),
    ];
    show(bytes, &UNITS).unwrap_or_else(|| bytes.to_string())
}

/// About how much that is, for people to read.
pub(super) fn about(bytes: u64) -> String {
    ByteSize(bytes).to_string()
}

/// A duration as people write it: days from a week on, nothing below a millisecond.
pub(super) fn show_duration(duration: Duration) -> String {
    const DAY: u64 = 24 * 60 * 60 * 1000;
    const UNITS: [(u64, &str); 4] = [
        (DAY, "d"),
        (60 * 60 * 1000, "h"),
        (60 * 1000, "m"),
        (1000, "s"),
    ];
    let milliseconds = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let units = if milliseconds < 7 * DAY {
        UNITS.get(1..).unwrap_or_default()
    } else {
        &UNITS
    };
    show(milliseconds, units).unwrap_or_else(|| format!("{milliseconds}ms"))
}

/// The largest unit that divides the amount without rest.
fn show(amount: u64, units: &[(u64, &str)]) -> Option<String> {
    let (unit, name) = units
        .iter()
        .find(|(unit, _)| amount > 0 && amount.is_multiple_of(*unit))?;
    Some(format!("{}{name}", amount / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_exactly() {
        for (text, bytes) in [
            ("0", 0),
            ("4096", 4096),
            ("10GiB", 10 << 30),
            ("10GB", 10_000_000_000),
            (" 1.5 KiB ", 1536),
            ("9007199254740993B", 9_007_199_254_740_993),
        ] {
            assert_eq!(size(&Value::from(text)).unwrap(), bytes, "{text}");
        }
        assert_eq!(size(&Value::from(7_u8)).unwrap(), 7);
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in [
            "",
            "GiB",
            "-1",
            "10 apples",
            "99999999999999EiB",
            "1e3",
            "NaN",
        ] {
            assert!(size(&Value::from(text)).is_err(), "{text}");
        }
        assert!(size(&Value::from(-1)).is_err());
        assert!(size(&Value::from(1.5)).is_err());
        assert!(size(&Value::from(true)).is_err());
    }

    #[test]
    fn shares_are_hundredths_of_a_per_cent() {
        for (text, share) in [
            ("10%", 1000),
            ("2.5 %", 250),
            ("0.05%", 5),
            ("100%", 10_000),
        ] {
            assert_eq!(amount(&Value::from(text)).unwrap(), Amount::Share(share));
        }
        for text in [
            "%",
            "101%",
            "-1%",
            "1.234%",
            "a%",
            "1.%",
            "999999999999999999999%",
        ] {
            assert!(amount(&Value::from(text)).is_err(), "{text}");
        }
        assert_eq!(amount(&Value::from("1KiB")).unwrap(), Amount::Bytes(1024));
    }

    #[test]
    fn durations_need_their_unit_and_have_an_end() {
        assert_eq!(duration(&Value::from("2m 10s")).unwrap().as_secs(), 130);
        assert_eq!(duration(&Value::from("0s")).unwrap(), Duration::ZERO);
        for text in ["", "5", "5 parsecs", "11y", "99999999999999999999s"] {
            assert!(duration(&Value::from(text)).is_err(), "{text}");
        }
        assert!(duration(&Value::from(5)).is_err());
        assert!(period(&Value::from("0s")).is_err());
    }

    #[test]
    fn what_is_shown_reads_back_the_same() {
        for bytes in [
            0,
            1,
            1000,
            1024,
            1536,
            10 << 30,
            10_000_000_000,
            u64::MAX - 1,
        ] {
            assert_eq!(parse_size(&show_size(bytes)).unwrap(), bytes);
        }
        assert_eq!(show_size(20 << 30), "20GiB");
        for (text, shown) in [
            ("130s", "130s"),
            ("3d", "72h"),
            ("168h", "7d"),
            ("1500ms", "1500ms"),
            ("0s", "0ms"),
        ] {
            let duration = duration(&Value::from(text)).unwrap();
            assert_eq!(show_duration(duration), shown);
            assert_eq!(super::duration(&Value::from(shown)).unwrap(), duration);
        }
    }

    #[test]
    fn a_folder_that_will_exist_has_the_file_system_of_its_ancestor() {
        let folder = tempfile::tempdir().unwrap();
        let there = file_system_size(folder.path());
        assert!(there.is_some_and(|size| size > 0));
        assert_eq!(file_system_size(&folder.path().join("not/yet")), there);
    }
}
