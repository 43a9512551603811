//! The fields of a request on their way upstream: what is meant for one hop ends there, and what is refused for
//! its form is refused whatever else it says.

#![no_main]

use http::header::{CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Version};
use larder::caller::Sealer;
use larder::server::check_form;
use larder::upstream::{artifact_headers, forwarded_headers};
use libfuzzer_sys::fuzz_target;

/// What is never for the next hop (RFC 9110 §7.6.1), and what frames a message.
const OF_THIS_HOP: [&str; 7] = [
    "connection",
    "keep-alive",
    "proxy-authorization",
    "te",
    "transfer-encoding",
    "upgrade",
    "expect",
];

fuzz_target!(|data: &[u8]| {
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n').take(64) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let (name, value) = line.split_at(colon);
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(&value[1..])) {
            headers.append(name, value);
        }
    }
    let named: Vec<String> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    let caller = Sealer::new(&[7; 32], Vec::new()).seal(&headers);
    let forwarded = forwarded_headers(&headers, Version::HTTP_11);
    let of_artifact = caller.ok().map(|caller| artifact_headers((&headers, Version::HTTP_11), &caller, &[]));
    for sent in of_artifact.iter().chain([&forwarded]) {
        for name in sent.keys().map(HeaderName::as_str) {
            assert!(!OF_THIS_HOP.contains(&name), "{name}");
            // What the caller is known by goes on however it is called, and what we say ourselves does.
            let is_ours = matches!(name, "via" | "authorization" | "accept-encoding");
            assert!(is_ours || !named.iter().any(|other| other == name), "{name}");
        }
    }
    let mut request = Request::builder().uri("/x").version(Version::HTTP_11).body(()).unwrap();
    *request.headers_mut() = headers;
    let hosts = request.headers().get_all(HOST).iter().count();
    let checked = check_form(&request.into_parts().0);
    assert!(checked.is_err() || hosts == 1, "{hosts}");
});
