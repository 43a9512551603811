//! Heads without a server.

use http::Request;

use super::*;

fn check(method: &str, target: &str, fields: &[(&str, &str)]) -> Result<(), Unfit> {
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    check_form(&request.body(()).unwrap().into_parts().0)
}

fn check_get(target: &str, fields: &[(&str, &str)]) -> Result<(), Unfit> {
    check("GET", target, fields)
}

#[test]
fn hosts_are_what_could_be_one() {
    for host in [
        "",
        "cache",
        "cache_1.lan:8585",
        "127.0.0.1",
        "[::1]",
        "[fd00::7]:80",
        "cache:",
        "a%20b",
    ] {
        assert_eq!(check_get("/", &[("host", host)]), Ok(()), "{host:?}");
    }
    for host in [
        "a b",
        "a,b c",
        "u@cache",
        "cache:80:80",
        "cache:+80",
        "cache:x",
        "[",
        "[::1",
        "::1",
        "[g]",
        "[::1]x",
        "a/b",
        "a?b",
        "http://a",
        "a\"b",
    ] {
        assert_eq!(
            check_get("/", &[("host", host)]),
            Err(Unfit::Host),
            "{host:?}"
        );
    }
}

#[test]
fn a_request_names_one_host() {
    let host = ("host", "cache");
    assert_eq!(check_get("/", &[host]), Ok(()));
    assert_eq!(check_get("/", &[]), Err(Unfit::Host));
    assert_eq!(check_get("/", &[host, host]), Err(Unfit::Host));
    let old = |fields: &[(&str, &str)]| {
        let mut request = Request::builder().version(Version::HTTP_10);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        check_form(&request.body(()).unwrap().into_parts().0)
    };
    assert_eq!(old(&[]), Ok(()));
    assert_eq!(old(&[host]), Ok(()));
    assert_eq!(old(&[host, host]), Err(Unfit::Host));
}

#[test]
fn a_target_names_the_host_that_the_field_names() {
    for (target, host) in [
        ("http://cache/x", "cache"),
        ("http://Cache:80/x", "cache"),
        ("http://cache/x", "CACHE:80"),
        ("https://cache/x", "cache:443"),
        ("http://[::1]:8585", "[::1]:8585"),
    ] {
        assert_eq!(
            check_get(target, &[("host", host)]),
            Ok(()),
            "{target} {host}"
        );
    }
    for (target, host) in [
        ("http://cache/x", "other"),
        ("http://cache:81/x", "cache"),
        ("https://cache/x", "cache:80"),
        ("http://cache/x", ""),
    ] {
        let checked = check_get(target, &[("host", host)]);
        assert_eq!(checked, Err(Unfit::TwoHosts), "{target} {host}");
    }
    let checked = check_get("http://u@cache/x", &[("host", "cache")]);
    assert_eq!(checked, Err(Unfit::Host));
}

#[test]
fn a_target_has_the_form_that_its_method_wants() {
    let host = [("host", "cache")];
    assert_eq!(check("OPTIONS", "*", &host), Ok(()));
    assert_eq!(check("GET", "*", &host), Err(Unfit::Target));
    assert_eq!(check("GET", "cache:80", &host), Err(Unfit::Target));
    assert_eq!(check("CONNECT", "cache:80", &host), Ok(()));
    assert_eq!(check("GET", "ftp://cache/x", &host), Err(Unfit::Target));
    let longest = "/".repeat(MAX_TARGET);
    assert_eq!(check("GET", &longest, &host), Ok(()));
    let longer = format!("{longest}?");
    assert_eq!(check("GET", &longer, &host), Err(Unfit::TargetLength));
}

#[test]
fn a_body_comes_in_chunks_or_as_it_is() {
    let coded = |codings: &[&str]| {
        let mut fields = vec![("host", "cache")];
        fields.extend(codings.iter().map(|coding| ("transfer-encoding", *coding)));
        check("PUT", "/", &fields)
    };
    assert_eq!(coded(&["chunked"]), Ok(()));
    assert_eq!(coded(&[" Chunked\t"]), Ok(()));
    for codings in [
        &["gzip, chunked"][..],
        &["gzip", "chunked"],
        &["x,chunked"],
        &[",chunked"],
    ] {
        assert_eq!(coded(codings), Err(Unfit::Coding), "{codings:?}");
    }
    assert_eq!(coded(&["chunked, chunked"]), Err(Unfit::Chunks));
    assert_eq!(coded(&["chunked", "chunked"]), Err(Unfit::Chunks));
}

#[test]
fn nothing_is_expected_but_to_go_on() {
    let expecting = |value| check("PUT", "/", &[("host", "cache"), ("expect", value)]);
    assert_eq!(expecting("100-Continue"), Ok(()));
    for other in ["", "200-ok", "100-continue, x", "100-continue=1"] {
        assert_eq!(expecting(other), Err(Unfit::Expectation), "{other:?}");
    }
}

#[test]
fn over_http_2_the_target_names_the_host() {
    let check = |target: &str, host: Option<&str>| {
        let mut request = Request::get(target).version(Version::HTTP_2);
        if let Some(host) = host {
            request = request.header(HOST, host);
        }
        check_form(&request.body(()).unwrap().into_parts().0)
    };
    assert_eq!(check("http://cache/x", None), Ok(()));
    assert_eq!(check("http://cache/x", Some("cache")), Ok(()));
    assert_eq!(check("/x", Some("cache")), Ok(()));
    assert_eq!(check("http://u@cache/x", None), Err(Unfit::Host));
    assert_eq!(check("http://cache/x", Some("other")), Err(Unfit::TwoHosts));
    assert_eq!(check("/x", None), Err(Unfit::Host));
}
