//! Moments: from what people write to seconds since 1970, and back.

use std::time::{Duration, UNIX_EPOCH};

use figment::value::Value;
use toml_edit::{Datetime, Offset};

use super::problem::quoted;
use super::value;
use crate::artifact::LAST_SECOND;

/// Seconds since 1970. A date is its first moment, in UTC: as an end it costs hours, where its last
/// would grant a day too much.
pub(super) fn moment(value: &Value) -> Result<u64, String> {
    let text = value::text(value)?;
    seconds(text).ok_or_else(|| {
        format!(
            "{} is neither a date nor a time such as 2027-01-31T18:00:00Z",
            quoted(text)
        )
    })
}

fn seconds(text: &str) -> Option<u64> {
    let moment: Datetime = text.parse().ok()?;
    let date = moment.date?;
    let time = moment
        .time
        .map_or_else(|| "00:00:00".to_owned(), |time| time.to_string());
    let minutes = match moment.offset {
        Some(Offset::Custom { minutes }) => i64::from(minutes),
        // A time of day without its zone is a different moment in every office.
        None if moment.time.is_some() => return None,
        Some(Offset::Z) | None => 0,
    };
    let utc = humantime::parse_rfc3339_weak(&format!("{date}T{time}Z")).ok()?;
    let local: Duration = utc.duration_since(UNIX_EPOCH).ok()?;
    let seconds = i64::try_from(local.as_secs()).ok()?;
    let seconds = seconds.checked_sub(minutes.checked_mul(60)?)?;
    u64::try_from(seconds)
        .ok()
        .filter(|seconds| *seconds <= LAST_SECOND)
}

/// A moment in seconds since 1970, as people write it.
pub fn shown(seconds: i64) -> String {
    let seconds = u64::try_from(seconds).unwrap_or(0).min(LAST_SECOND);
    let moment = UNIX_EPOCH + Duration::from_secs(seconds);
    humantime::format_rfc3339_seconds(moment).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_one_that_everybody_agrees_on() {
        for (text, expected) in [
            ("2027-01-31", Some(1_801_353_600)),
            ("2027-01-31T18:00:00Z", Some(1_801_418_400)),
            ("2027-01-31T20:00:00+02:00", Some(1_801_418_400)),
            ("2027-01-31T16:30:00.5-01:30", Some(1_801_418_400)),
            ("2027-01-31T18:00:00", None),
            ("18:00:00", None),
            ("1969-12-31", None),
            ("soon", None),
            ("9999-12-31T23:59:59Z", Some(LAST_SECOND)),
            ("9999-12-31T23:59:59-01:00", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }
}
