//! Names, addresses, proxies, clocks.

use std::net::SocketAddr;
use std::time::Duration;

use super::super::finding::Verdict;
use super::super::line::{Named, addresses, clock, name, proxy};
use super::assert_says;
use crate::upstream::NoWay;

fn no_way(is_barred: bool) -> NoWay {
    NoWay {
        cause: "says why".to_owned(),
        is_barred,
    }
}

fn at(addresses: &[&str]) -> Vec<SocketAddr> {
    addresses.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn a_name_is_told_with_both_families_and_how_long_it_took() {
    let both = Ok(at(&["10.0.0.1:443", "[fd00::1]:443", "10.0.0.2:443"]));
    let told = |named, took| name("o.example", named, &both, Duration::from_millis(took));
    assert_says(
        &told(Named::LookedUp, 9),
        Verdict::Ok,
        &["10.0.0.1, fd00::1", "2 of IPv4, 1 of IPv6"],
    );
    assert_says(
        &told(Named::LookedUp, 1001),
        Verdict::Warning,
        &["slow", "upstream.resolve"],
    );
    assert_says(
        &told(Named::Pinned, 0),
        Verdict::Ok,
        &["says upstream.resolve"],
    );
    assert_says(
        &told(Named::Address, 0),
        Verdict::Ok,
        &["nothing to look up"],
    );
    let none = name(
        "o.example",
        Named::LookedUp,
        &Err(no_way(false)),
        Duration::ZERO,
    );
    assert_says(
        &none,
        Verdict::Failure,
        &["o.example: says why", "upstream.url"],
    );
}

#[test]
fn an_address_that_fails_is_a_failure_only_where_no_other_answers() {
    let tried = |results: [Result<(), NoWay>; 2]| {
        let two = at(&["10.0.0.1:443", "10.0.0.2:443"]);
        addresses(&two.into_iter().zip(results).collect::<Vec<_>>())
    };
    let verdicts = |results| {
        tried(results)
            .iter()
            .map(|one| one.verdict)
            .collect::<Vec<_>>()
    };
    assert_eq!(verdicts([Ok(()), Ok(())]), [Verdict::Ok; 2]);
    assert_eq!(
        verdicts([Err(no_way(false)), Ok(())]),
        [Verdict::Warning, Verdict::Ok]
    );
    let both = [Err(no_way(false)), Err(no_way(false))];
    assert_eq!(verdicts(both), [Verdict::Failure; 2]);
    assert_says(
        &tried([Err(no_way(false)), Ok(())])[0],
        Verdict::Warning,
        &["10.0.0.1:443: says why"],
    );
}

#[test]
fn a_proxy_is_told_with_who_names_it_and_what_it_answered() {
    let told = |opened: Option<Result<(), NoWay>>| proxy("p:3128", "HTTPS_PROXY", opened.as_ref());
    assert_says(
        &told(None),
        Verdict::Ok,
        &["p:3128", "HTTPS_PROXY", "whole"],
    );
    assert_says(&told(Some(Ok(()))), Verdict::Ok, &["leads to the upstream"]);
    let barred = told(Some(Err(no_way(true))));
    assert_says(
        &barred,
        Verdict::Failure,
        &["user and password into HTTPS_PROXY"],
    );
    assert_says(
        &told(Some(Err(no_way(false)))),
        Verdict::Failure,
        &["says why", "NO_PROXY"],
    );
}

#[test]
fn clocks_may_be_a_minute_apart() {
    let text = "Tue, 01 Jan 2030 00:00:00 GMT";
    let theirs = httpdate::parse_http_date(text).unwrap();
    let minute = Duration::from_mins(1);
    for (now, verdict, words) in [
        (theirs, Verdict::Ok, "0 s"),
        (theirs + minute, Verdict::Ok, "60 s ahead"),
        (
            theirs + minute + Duration::from_secs(1),
            Verdict::Warning,
            "61 s ahead",
        ),
        (theirs - minute, Verdict::Ok, "60 s behind"),
        (theirs - minute * 2, Verdict::Warning, "120 s behind"),
    ] {
        assert_says(&clock(Some(text), now), verdict, &[words]);
    }
    assert_eq!(clock(None, theirs).verdict, Verdict::NotTried);
    assert_eq!(clock(Some("noon"), theirs).verdict, Verdict::NotTried);
}
