//! Redirects, followed and not.

use std::time::Duration;

use tokio::time::Instant;

use super::super::{Fetched, Stated};
use super::origin::{Origin, Step, answer, say};
use super::{SHORT, artifact, at, failed, found, upstream, whole};
use crate::artifact::Failure;

fn to(location: &str) -> Vec<Step> {
    vec![say(&format!(
        "HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 2\r\n\r\n.."
    ))]
}

/// An origin that redirects to another one, which says `said`.
async fn pair(said: &'static str) -> (Origin, Origin) {
    let storage = Origin::start(move |_| vec![answer(said, "abc")]).await;
    let location = format!("http://{}/bucket/a?sig=1", storage.address);
    let origin = Origin::start(move |_| to(&location)).await;
    (origin, storage)
}

#[tokio::test]
async fn within_the_origin_the_credential_is_kept() {
    let origin = Origin::start(|seen| match seen.line() {
        line if line.contains("/moved") => vec![answer("200 OK", "abc")],
        _ => to("../moved?x=1"),
    })
    .await;
    let fetch = found(upstream(&at(origin.address)).fetch(&artifact()).await);
    assert_eq!(whole(fetch).await.unwrap(), "abc");
    let seen = origin.seen();
    assert_eq!(seen[1].line(), "GET /base/v8/moved?x=1 HTTP/1.1");
    assert_eq!(seen[1].header("authorization"), Some("Bearer secret"));
    assert_eq!(seen[1].connection, 1, "the connection is used again");
}

#[tokio::test]
async fn another_port_sees_no_credential() {
    let (origin, storage) = pair("200 OK").await;
    let fetch = found(upstream(&at(origin.address)).fetch(&artifact()).await);
    assert_eq!(whole(fetch).await.unwrap(), "abc");
    let seen = &storage.seen()[0];
    assert_eq!(seen.line(), "GET /bucket/a?sig=1 HTTP/1.1");
    assert_eq!(seen.header("host").unwrap(), storage.address.to_string());
    assert_eq!(seen.header("user-agent"), Some("turbo"));
    for private in ["authorization", "x-artifact-client-ci", "referer"] {
        assert_eq!(seen.header(private), None, "{private}");
    }
}

#[tokio::test]
async fn a_way_back_does_not_bring_the_credential_back() {
    let back = Origin::start(|seen| {
        let home = seen.header("user-agent").map(str::to_owned);
        assert!(home.is_some());
        let target = seen.line().split(['=', ' ']).nth(2).unwrap_or_default();
        to(&format!("http://{target}/back"))
    })
    .await;
    let away = back.address;
    let origin = Origin::start(move |seen| match seen.line() {
        line if line.contains("/back") => vec![answer("200 OK", "abc")],
        _ => to(&format!(
            "http://{away}/?home={}",
            seen.header("host").unwrap_or_default()
        )),
    })
    .await;
    found(upstream(&at(origin.address)).fetch(&artifact()).await);
    let seen = origin.seen();
    assert_eq!(seen[0].header("authorization"), Some("Bearer secret"));
    assert_eq!(seen[1].header("authorization"), None);
}

#[tokio::test]
async fn only_the_origin_itself_refuses() {
    for status in ["401 Who", "403 No", "400 Expired", "410 Gone"] {
        let (origin, _storage) = pair(status).await;
        let fetched = upstream(&at(origin.address)).fetch(&artifact()).await;
        assert_eq!(failed(&fetched), Failure::Error, "{status}");
    }
    let (origin, _storage) = pair("404 No").await;
    let fetched = upstream(&at(origin.address)).fetch(&artifact()).await;
    assert!(matches!(fetched, Fetched::Absent(_)), "{fetched:?}");
}

#[tokio::test]
async fn storage_signed_for_get_alone_is_asked_with_get() {
    for refusal in ["400 Bad", "401 Who", "403 No"] {
        let storage = Origin::start(move |seen| match seen.line() {
            line if line.starts_with("HEAD ") => {
                vec![say(&format!("HTTP/1.1 {refusal}\r\n\r\n"))]
            }
            _ => vec![answer("200 OK", "abc")],
        })
        .await;
        let location = format!("http://{}/bucket/a?sig=1", storage.address);
        let origin = Origin::start(move |_| to(&location)).await;
        let stated = upstream(&at(origin.address)).stat(artifact()).await;
        assert!(
            matches!(stated, Stated::Present(_, Some(3), _)),
            "{stated:?}"
        );
    }
    let (origin, _storage) = pair("403 No").await;
    let stated = upstream(&at(origin.address)).stat(artifact()).await;
    assert!(
        matches!(stated, Stated::Failed(Failure::Error)),
        "{stated:?}"
    );
}

#[tokio::test]
async fn the_origins_own_refusal_of_a_head_is_final() {
    let origin = Origin::start(|seen| {
        assert!(seen.line().starts_with("HEAD "));
        vec![say("HTTP/1.1 403 No\r\n\r\n")]
    })
    .await;
    let stated = upstream(&at(origin.address)).stat(artifact()).await;
    assert!(matches!(stated, Stated::Refused(_)), "{stated:?}");
}

#[tokio::test]
async fn small_bodies_that_stall_hold_up_no_reader() {
    let stalled = "content-length: 9\r\n\r\n..";
    let gone = Origin::start(move |_| {
        let head = "HTTP/1.1 404 No\r\ncontent-type: text/plain\r\n";
        vec![say(&format!("{head}{stalled}")), Step::ReadToEnd]
    })
    .await;
    let location = format!("http://{}/", gone.address);
    let origin = Origin::start(move |_| {
        let head = format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\n");
        vec![say(&format!("{head}{stalled}")), Step::ReadToEnd]
    })
    .await;
    let begun = Instant::now();
    match upstream(&at(origin.address)).fetch(&artifact()).await {
        Fetched::Absent(kept) => assert!(kept.body().is_empty()),
        other => panic!("{other:?}"),
    }
    assert!(begun.elapsed() < Duration::from_secs(8));
    origin.deserted().await;
}

#[tokio::test]
async fn a_fetch_has_one_bound_from_its_turn_to_its_head() {
    let origin = Origin::start(|seen| match seen.line() {
        line if line.contains("/moved") => vec![Step::ReadToEnd],
        _ => to("/moved"),
    })
    .await;
    let mut config = at(origin.address);
    config.head_timeout = SHORT;
    let upstream = upstream(&config);
    assert_eq!(failed(&upstream.fetch(&artifact()).await), Failure::Timeout);
    origin.deserted().await;
}

#[tokio::test]
async fn the_origins_own_refusal_after_a_redirect_counts() {
    let origin = Origin::start(|seen| match seen.line() {
        line if line.contains("/moved") => vec![answer("403 No", "why")],
        _ => to("/moved"),
    })
    .await;
    let fetched = upstream(&at(origin.address)).fetch(&artifact()).await;
    assert!(matches!(fetched, Fetched::Refused(_)), "{fetched:?}");
}

#[tokio::test]
async fn a_circle_ends() {
    let origin = Origin::start(|_| to("/round")).await;
    let fetched = upstream(&at(origin.address)).fetch(&artifact()).await;
    assert_eq!(failed(&fetched), Failure::Error);
    assert_eq!(origin.seen().len(), 4, "the request and three hops");
}

#[tokio::test]
async fn where_nobody_may_lead_nobody_is_asked() {
    for location in [
        "http://169.254.169.254/latest/meta-data",
        "http://[fe80::1]/",
        "http://0.0.0.0/",
        "ftp://127.0.0.1/",
        "http://user:pass@127.0.0.1/",
    ] {
        let origin = Origin::start(move |_| to(location)).await;
        let fetched = upstream(&at(origin.address)).fetch(&artifact()).await;
        assert_eq!(failed(&fetched), Failure::Error, "{location}");
    }
}
