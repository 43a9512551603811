//! The collector of traces, and what it is told: the shapes of its keys.

use figment::value::{Num, Value};
use http::Uri;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use zeroize::Zeroizing;

use super::address::base_url;
use super::check::is_forwardable;
use super::file::named_text;
use super::value;

/// Where OTLP wants spans to be sent, below a collector's base URL.
const PATH: &str = "/v1/traces";

/// Longest name of a service.
const MAX_NAME: usize = 128;

/// Where traces go, and what is told there of who sends them.
#[derive(Clone, Debug)]
pub struct Traces {
    /// The whole URL that spans are sent to; none where nobody is told.
    pub endpoint: Option<Uri>,
    /// What goes with them; their values are not printed.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The part of requests that are traced though nobody upstream of us has decided, from 0 to 1.
    pub sample: f64,
    /// What this service is called there.
    pub service_name: String,
}

/// A collector's base URL, or the one for spans.
pub(super) fn endpoint(value: &Value) -> Result<Uri, String> {
    let wrong = "is not a URL such as http://collector.example:4318";
    let base = base_url(value::text(value)?, wrong)?;
    if base.path().ends_with(PATH) {
        return Ok(base);
    }
    let whole = format!("{}{PATH}", base.to_string().trim_end_matches('/'));
    whole.parse().map_err(|_| wrong.to_owned())
}

/// Header fields, each as `name: value`.
pub(super) fn headers(value: &Value) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
    value::list(value, header)
}

/// The same in a file, one a line.
pub(super) fn headers_file(value: &Value) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
    let path = value::path(value)?;
    let text = named_text(&path).map(Zeroizing::new)?;
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let read: Result<Vec<_>, _> = lines.map(header).collect();
    read.map_err(|message| format!("{}: {message}", path.display()))
}

/// No mistake shows what was written: it may be a secret.
fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let parts = text.split_once(':');
    let (name, value) = parts.ok_or("holds what is not `name: value`")?;
    let name: HeaderName = name
        .trim()
        .parse()
        .map_err(|_| "holds what is not `name: value`")?;
    if name == CONTENT_TYPE || !is_forwardable(&name) {
        return Err(format!("{name} is not for the operator to set"));
    }
    let value = HeaderValue::try_from(value.trim());
    let mut value = value.map_err(|_| format!("the value of {name} is none"))?;
    value.set_sensitive(true);
    Ok((name, value))
}

/// A part, from 0 to 1.
pub(super) fn sample(value: &Value) -> Result<f64, String> {
    let number = match value {
        Value::String(_, text) => text.trim().parse().ok(),
        Value::Num(_, Num::F64(number)) => Some(*number),
        Value::Num(_, number) => {
            let whole = value::whole(*number).and_then(|whole| u32::try_from(whole).ok());
            whole.map(f64::from)
        }
        _ => None,
    };
    let part = number.filter(|number| (0.0..=1.0).contains(number));
    part.ok_or_else(|| "must be a number from 0 to 1".to_owned())
}

/// What a service is called.
pub(super) fn service_name(value: &Value) -> Result<String, String> {
    let text = value::text(value)?;
    if text.len() > MAX_NAME || text.chars().any(char::is_control) {
        return Err(format!("must be plain text of {MAX_NAME} bytes at most"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Result<String, String> {
        endpoint(&Value::from(text)).map(|uri| uri.to_string())
    }

    #[test]
    fn spans_go_where_otlp_has_them_below_the_base_or_where_the_whole_url_says() {
        for (text, url) in [
            ("http://localhost:4318", "http://localhost:4318/v1/traces"),
            (
                "HTTPS://Collector.example:443/",
                "https://collector.example/v1/traces",
            ),
            (
                "https://c.example/otlp/",
                "https://c.example/otlp/v1/traces",
            ),
            (
                "https://c.example/otlp/v1/traces",
                "https://c.example/otlp/v1/traces",
            ),
            ("http://[::1]:4318", "http://[::1]:4318/v1/traces"),
        ] {
            assert_eq!(at(text).as_deref(), Ok(url), "{text}");
        }
        for wrong in [
            "collector:4318",
            "grpc://c:4317",
            "http://u:canary@c",
            "http://c?q=1",
            "http://c:0",
            "none",
        ] {
            let message = at(wrong).unwrap_err();
            assert!(!message.contains("canary"), "{message}");
        }
    }

    #[test]
    fn headers_are_pairs_and_no_mistake_shows_one() {
        let list = Value::from(vec!["authorization: Bearer canary, more", "X-Tenant:a:b"]);
        let read = headers(&list).unwrap();
        assert_eq!(read[0].1, "Bearer canary, more");
        assert_eq!(
            read[1],
            (
                HeaderName::from_static("x-tenant"),
                HeaderValue::from_static("a:b")
            )
        );
        assert!(!format!("{read:?}").contains("canary"));
        for wrong in [
            "canary",
            "can ary: x",
            "x: can\nary",
            "content-type: canary",
            "Host: canary",
            ": canary",
        ] {
            let message = headers(&Value::from(vec![wrong])).unwrap_err();
            assert!(!message.contains("ary"), "{message}");
        }
    }

    #[test]
    fn a_part_is_a_number_from_nought_to_one() {
        assert_eq!(sample(&Value::from("0.25")), Ok(0.25));
        assert_eq!(sample(&Value::from(1)), Ok(1.0));
        assert_eq!(sample(&Value::from(0.5)), Ok(0.5));
        for wrong in [
            Value::from("1.01"),
            Value::from(-1),
            Value::from("NaN"),
            Value::from(2),
            Value::from(true),
        ] {
            assert!(sample(&wrong).is_err(), "{wrong:?}");
        }
    }
}
