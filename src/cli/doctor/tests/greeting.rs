//! TLS, or none.

use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, KeyPair};

use super::super::finding::Verdict;
use super::super::greeting::{clear_text, tls};
use super::assert_says;
use crate::config::Authorities;
use crate::upstream::{Distrust, Greeting, NoGreeting, Shown};

fn shown() -> (Shown, SystemTime) {
    let mut params = CertificateParams::new(vec!["o.example".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2030, 1, 1);
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, "Corp Root");
    let own = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
    let end = httpdate::parse_http_date("Tue, 01 Jan 2030 00:00:00 GMT").unwrap();
    (Shown(vec![own.der().to_vec()]), end)
}

#[test]
fn a_certificate_is_told_and_one_that_ends_soon_is_worth_a_word() {
    let (shown, end) = shown();
    let greeted = Ok(Greeting {
        version: "TLSv1.3".to_owned(),
        protocol: None,
        shown,
    });
    let told = |days: u64| {
        let now = end - Duration::from_hours(24 * days);
        tls(&greeted, Authorities::System, now)
    };
    let words = [
        "TLSv1.3",
        "for o.example",
        "Corp Root",
        "until 2030-01-01",
        "the system's",
    ];
    assert_says(&told(15), Verdict::Ok, &words);
    assert_says(&told(13), Verdict::Warning, &["ends soon"]);
}

#[test]
fn each_way_to_fail_a_handshake_has_its_own_advice() {
    let told = |distrust, authorities| {
        let error = NoGreeting {
            distrust,
            cause: "says why".to_owned(),
            shown: shown().0,
        };
        tls(&Err(error), authorities, SystemTime::UNIX_EPOCH)
    };
    for (distrust, advice) in [
        (Distrust::Stranger, "set upstream.ca_file"),
        (Distrust::Ended, "has ended"),
        (Distrust::Early, "clock"),
        (Distrust::OtherName, "another name"),
        (Distrust::NoName, "subjectAltName"),
        (Distrust::Authority, "CA:FALSE"),
        (Distrust::Certificate, "put right"),
        (Distrust::Refused, "upstream.client_cert"),
        (Distrust::Protocol, "http://"),
        (Distrust::Broken, "firewall"),
    ] {
        let finding = told(distrust, Authorities::System);
        assert_says(&finding, Verdict::Failure, &["says why", advice]);
    }
    let stranger = |authorities| told(Distrust::Stranger, authorities);
    assert_says(
        &stranger(Authorities::System),
        Verdict::Failure,
        &["\"CN=Corp Root"],
    );
    assert_says(
        &stranger(Authorities::File),
        Verdict::Failure,
        &["does not hold", "Corp Root"],
    );
    assert_says(
        &stranger(Authorities::BuiltIn),
        Verdict::Failure,
        &["the system has none"],
    );
}

#[test]
fn clear_text_is_fine_on_this_machine_alone() {
    assert_eq!(clear_text(true).verdict, Verdict::Ok);
    assert_says(&clear_text(false), Verdict::Warning, &["https://"]);
}
