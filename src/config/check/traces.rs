//! Where traces go.

use std::net::IpAddr;

use http::Uri;

use super::super::env::Environment;
use super::super::raw::Raw;
use super::super::{Traces, traces};

const ENDPOINT: &str = "traces.endpoint";
const HEADERS: &str = "traces.headers";
const HEADERS_FILE: &str = "traces.headers_file";

/// The variables by which others are told where traces go.
const ELSEWHERE: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
];

/// Checks `traces.…`.
pub(super) fn traces(raw: &mut Raw) -> Traces {
    let endpoint = raw.take(ENDPOINT, traces::endpoint);
    if !raw.is_set(ENDPOINT) {
        let keys = [
            HEADERS,
            HEADERS_FILE,
            "traces.sample",
            "traces.service_name",
        ];
        raw.without_effect(&keys, "traces.endpoint is not set");
    }
    raw.choose(HEADERS, HEADERS_FILE);
    let given = raw.take(HEADERS, traces::headers);
    let read = raw.take(HEADERS_FILE, traces::headers_file);
    let sample = raw.take("traces.sample", traces::sample);
    let service_name = raw.take("traces.service_name", traces::service_name);
    let headers = read.or(given).unwrap_or_default();
    if !headers.is_empty() && endpoint.as_ref().is_some_and(is_overheard) {
        raw.warn(
            ENDPOINT,
            "is in clear text: whoever is on the way reads traces.headers",
        );
    }
    Traces {
        endpoint,
        headers,
        sample: sample.unwrap_or_default(),
        service_name: service_name.unwrap_or_default(),
    }
}

/// Whether others than this machine see what goes there.
fn is_overheard(url: &Uri) -> bool {
    let host = url.host().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    let is_here = host == "localhost" || address.is_ok_and(|it| it.is_loopback());
    url.scheme_str() == Some("http") && !is_here
}

/// What should be known by whoever set the usual variables, and nothing of ours.
pub(in super::super) fn unheard(environment: &Environment) -> Option<String> {
    let name = ELSEWHERE
        .into_iter()
        .find(|name| environment.get(name).is_some())?;
    Some(format!(
        "{name} is set, and is not followed: traces go where traces.endpoint says \
         (LARDER_TRACES__ENDPOINT)"
    ))
}
