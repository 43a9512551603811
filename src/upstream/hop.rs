//! Which headers go upstream, and which end at this hop. Values only.

use std::sync::LazyLock;

use http::Version;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, HeaderMap,
    HeaderName, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, RANGE, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE, USER_AGENT, VIA,
};

use crate::artifact::via_member;
use crate::caller::Caller;

/// RFC 9110 §7.6.1, and what was seen in the wild.
static HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Besides `x-artifact-*` and the credential, all that an origin learns of an artifact's client.
static ARTIFACT_HEADERS: [HeaderName; 5] = [
    CONTENT_TYPE,
    USER_AGENT,
    ACCEPT,
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
];

/// This process's name among proxies; random, so that a loop is told from a chain of Larders.
static PSEUDONYM: LazyLock<String> = LazyLock::new(|| {
    let mut random = [0; 4];
    // Without randomness every Larder has one name, and a chain of them looks like a loop: visible.
    if getrandom::fill(&mut random).is_err() {
        random = [0; 4];
    }
    format!("larder-{}", data_encoding::HEXLOWER.encode(&random))
});

/// This process's member of `Via` for a request that came in this version.
fn via(version: Version) -> HeaderValue {
    via_member(version, &PSEUDONYM)
}

/// Whether a request has been here before: our own name is in its `Via`.
pub fn is_loop(headers: &HeaderMap) -> bool {
    headers
        .get_all(VIA)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|member| member.split_ascii_whitespace().nth(1) == Some(PSEUDONYM.as_str()))
}

/// The headers of an artifact request: an allow-list, the caller's credential, and nothing that
/// would make the answer less than the whole artifact. `client` is what the client sent, and in which version.
///
/// `forward` adds to the list, never a conditional, a range or a hop-by-hop header.
pub fn artifact_headers(
    (client, version): (&HeaderMap, Version),
    caller: &Caller,
    forward: &[HeaderName],
) -> HeaderMap {
    let named = connection_options(client);
    let mut headers = HeaderMap::new();
    caller.apply(&mut headers);
    let sealed = headers.clone();
    for (name, value) in client {
        let is_listed = name.as_str().starts_with("x-artifact-")
            || ARTIFACT_HEADERS.contains(name)
            || (forward.contains(name) && may_be_added(name));
        if is_listed && !named.contains(name) && !sealed.contains_key(name) {
            headers.append(name.clone(), value.clone());
        }
    }
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    for value in client.get_all(VIA) {
        headers.append(VIA, value.clone());
    }
    headers.append(VIA, via(version));
    headers
}

/// The headers of a request that is passed on, which came in this version: all but those that are meant for this
/// hop.
pub fn forwarded_headers(client: &HeaderMap, version: Version) -> HeaderMap {
    let mut headers = client.clone();
    strip_hop_by_hop(&mut headers);
    headers.remove(HOST);
    // Our own server has answered it already: the body is on its way.
    headers.remove(EXPECT);
    headers.append(VIA, via(version));
    headers
}

/// Removes what was meant for the other side of this hop, in either direction.
pub(super) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(TRANSFER_ENCODING) {
        // A length beside a coding does not count, and must not go on without it (RFC 9112 §6.3).
        headers.remove(CONTENT_LENGTH);
    }
    for name in connection_options(headers) {
        headers.remove(name);
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

/// Whether a body is what it looks like: in no transfer coding but `chunked`, which is undone on the
/// way here. Nobody asked for another, and whoever took it off the headers would pass on its bytes.
pub(super) fn is_readable(headers: &HeaderMap) -> bool {
    let mut codings = transfer_codings(headers);
    codings
        .next()
        .is_none_or(|coding| coding.eq_ignore_ascii_case(b"chunked"))
        && codings.next().is_none()
}

/// Whether an answer says by its own framing where its body ends, without a length.
pub(super) fn is_chunked(headers: &HeaderMap) -> bool {
    is_readable(headers) && transfer_codings(headers).next().is_some()
}

fn transfer_codings(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    members(headers, &TRANSFER_ENCODING)
}

/// The members of a list header, over all its lines.
fn members<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    headers
        .get_all(name)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
}

fn may_be_added(name: &HeaderName) -> bool {
    let is_conditional = name.as_str().starts_with("if-");
    let is_framing = name == CONTENT_LENGTH || name == EXPECT || name == HOST;
    !is_conditional
        && !is_framing
        && name != RANGE
        && name != ACCEPT_ENCODING
        && name != VIA
        && !HOP_BY_HOP.contains(name)
}

fn connection_options(headers: &HeaderMap) -> Vec<HeaderName> {
    members(headers, &CONNECTION)
        .filter_map(|option| HeaderName::from_bytes(option).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caller::Sealer;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for &(name, value) in pairs {
            map.append(name, HeaderValue::from_static(value));
        }
        map
    }

    fn sent(pairs: &[(&'static str, &'static str)], forward: &[&'static str]) -> Vec<String> {
        let client = headers(pairs);
        let forward: Vec<_> = forward
            .iter()
            .map(|name| HeaderName::from_static(name))
            .collect();
        let caller = Sealer::new(&[0; 32], vec![HeaderName::from_static("x-api-key")])
            .seal(&client)
            .unwrap();
        let mut sent: Vec<_> = artifact_headers((&client, Version::HTTP_11), &caller, &forward)
            .iter()
            .filter(|(name, _)| *name != VIA && *name != ACCEPT_ENCODING)
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        sent.sort();
        sent
    }

    #[test]
    fn an_artifact_request_shows_what_is_listed_and_nothing_else() {
        let pairs = [
            ("authorization", "Bearer t"),
            ("x-api-key", "k"),
            ("x-artifact-duration", "1"),
            ("x-artifact-future", "2"),
            ("user-agent", "turbo"),
            ("traceparent", "00-a"),
            ("host", "larder"),
            ("range", "bytes=0-1"),
            ("if-none-match", "x"),
            ("accept-encoding", "gzip"),
            ("referer", "elsewhere"),
            ("content-length", "3"),
            ("expect", "100-continue"),
        ];
        assert_eq!(
            sent(&pairs, &["range", "if-none-match", "expect", "te"]),
            [
                "authorization: Bearer t",
                "traceparent: 00-a",
                "user-agent: turbo",
                "x-api-key: k",
                "x-artifact-duration: 1",
                "x-artifact-future: 2",
            ]
        );
        assert!(
            sent(&pairs, &["referer", "x-api-key"]).contains(&"referer: elsewhere".to_owned()),
            "forward adds, once"
        );
        assert_eq!(sent(&pairs, &["referer", "x-api-key"]).len(), 7);
    }

    #[test]
    fn headers_named_in_connection_stay_here() {
        let pairs = [
            ("connection", "x-artifact-sha, close"),
            ("x-artifact-sha", "a"),
        ];
        assert!(sent(&pairs, &[]).is_empty());
    }

    #[test]
    fn one_byte_that_is_no_text_hides_no_other_connection_option() {
        let mut seen = headers(&[("x-hop", "1"), ("x-kept", "1")]);
        let value = HeaderValue::from_bytes(b"x-\xfc, X-Hop ,").unwrap();
        seen.append(CONNECTION, value);
        strip_hop_by_hop(&mut seen);
        assert_eq!(seen, headers(&[("x-kept", "1")]));
    }

    #[test]
    fn a_length_beside_a_coding_ends_here_with_it() {
        let framed = [
            ("content-length", "9"),
            ("transfer-encoding", "chunked"),
            ("connection", "transfer-encoding"),
        ];
        let mut seen = headers(&framed);
        strip_hop_by_hop(&mut seen);
        assert!(seen.is_empty(), "{seen:?}");
        let mut alone = headers(&framed[..1]);
        strip_hop_by_hop(&mut alone);
        assert_eq!(alone, headers(&framed[..1]));
    }

    #[test]
    fn a_body_in_any_coding_but_chunked_is_not_readable() {
        for (lines, readable) in [
            (&[][..], true),
            (&["chunked"], true),
            (&["Chunked "], true),
            (&["gzip, chunked"], false),
            (&["gzip", "chunked"], false),
            (&["chunked, chunked"], false),
            (&["chunked", "identity"], false),
            (&["xchunked"], false),
            (&[""], false),
        ] {
            let mut seen = HeaderMap::new();
            for line in lines {
                seen.append(TRANSFER_ENCODING, HeaderValue::from_static(line));
            }
            assert_eq!(is_readable(&seen), readable, "{lines:?}");
            assert_eq!(
                is_chunked(&seen),
                readable && !lines.is_empty(),
                "{lines:?}"
            );
        }
    }

    #[test]
    fn artifacts_are_asked_for_without_encoding() {
        let caller = Sealer::new(&[0; 32], vec![])
            .seal(&HeaderMap::new())
            .unwrap();
        let client = headers(&[("accept-encoding", "gzip")]);
        let sent = artifact_headers((&client, Version::HTTP_11), &caller, &[ACCEPT_ENCODING]);
        assert_eq!(sent.get_all(ACCEPT_ENCODING).iter().count(), 1);
        assert_eq!(sent[ACCEPT_ENCODING], "identity");
    }

    #[test]
    fn a_passed_request_loses_only_what_was_meant_for_this_hop() {
        let client = headers(&[
            ("host", "larder"),
            ("connection", "keep-alive, X-Private"),
            ("x-private", "1"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("proxy-authorization", "Basic x"),
            ("expect", "100-continue"),
            ("authorization", "Bearer t"),
            ("accept-encoding", "gzip"),
            ("range", "bytes=0-1"),
            ("via", "1.1 outer"),
        ]);
        let forwarded = forwarded_headers(&client, Version::HTTP_11);
        let mut names: Vec<_> = forwarded.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            ["accept-encoding", "authorization", "range", "via", "via"]
        );
    }

    #[test]
    fn the_version_told_is_the_one_a_request_came_in() {
        let caller = Sealer::new(&[0; 32], vec![])
            .seal(&HeaderMap::new())
            .unwrap();
        let client = headers(&[("via", "1.1 outer")]);
        for (version, told) in [
            (Version::HTTP_10, "1.0 larder-"),
            (Version::HTTP_11, "1.1 larder-"),
            (Version::HTTP_2, "2 larder-"),
        ] {
            for sent in [
                artifact_headers((&client, version), &caller, &[]),
                forwarded_headers(&client, version),
            ] {
                let via: Vec<_> = sent.get_all(VIA).iter().collect();
                assert_eq!(via[0], "1.1 outer");
                assert!(via[1].to_str().unwrap().starts_with(told), "{via:?}");
                assert_eq!(via.len(), 2);
            }
        }
    }

    #[test]
    fn a_loop_is_known_by_our_own_name_only() {
        let outer = headers(&[("via", "1.0 outer, 1.1 larder-other")]);
        for version in [Version::HTTP_10, Version::HTTP_11, Version::HTTP_2] {
            assert!(is_loop(&forwarded_headers(&outer, version)));
        }
        for other in ["1.1 larder", "1.1 outer", "", "1.1", "larder"] {
            let mut seen = HeaderMap::new();
            seen.append(VIA, HeaderValue::from_static(other));
            assert!(!is_loop(&seen), "{other:?}");
        }
        let mut among = HeaderMap::new();
        let own = via(Version::HTTP_2);
        let value = format!("1.1 a, {} (comment), 2 b", own.to_str().unwrap());
        among.append(VIA, HeaderValue::try_from(value).unwrap());
        assert!(is_loop(&among));
    }
}
