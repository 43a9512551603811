//! Small documents at addresses of their own.

use std::sync::Arc;

use http::Uri;

use super::origin::{Origin, Step, answer, say};
use super::routes::{certificate, secure, secure_both_ways};
use super::{SHORT, artifact, config, found, upstream};
use crate::config::Target;
use crate::metrics::Metrics;
use crate::tasks::Tasks;
use crate::upstream::{Document, Upstream};

const LIMIT: usize = 16;

fn document(url: &str) -> Document {
    let mut ways = config("http://unused");
    ways.target = Target::None;
    upstream(&ways).document(url.parse().unwrap())
}

async fn fetched(steps: Vec<Step>) -> Result<String, String> {
    let origin = Origin::start(move |_| steps.clone()).await;
    let document = document(&format!("http://{}/keys", origin.address));
    text(&document).await
}

async fn text(document: &Document) -> Result<String, String> {
    let fetched = document.fetch(LIMIT).await;
    fetched
        .map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
        .map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_document_is_asked_for_by_its_whole_address_and_without_a_credential() {
    let origin = Origin::start(|_| vec![answer("200 OK", "{}")]).await;
    let url = format!("http://{}/a/keys?b=c", origin.address);
    assert_eq!(text(&document(&url)).await.unwrap(), "{}");
    let seen = &origin.seen()[0];
    assert_eq!(seen.line(), "GET /a/keys?b=c HTTP/1.1");
    let host = origin.address.to_string();
    assert_eq!(seen.header("host"), Some(host.as_str()));
    assert_eq!(seen.header("accept-encoding"), Some("identity"));
    for absent in ["authorization", "cookie", "via"] {
        assert_eq!(seen.header(absent), None, "{absent}");
    }
}

#[tokio::test]
async fn what_is_asked_for_in_clear_text_goes_through_no_proxy() {
    let origin = Origin::start(|_| vec![answer("200 OK", "{}")]).await;
    let proxy = Origin::start(|_| vec![answer("200 OK", "forged")]).await;
    let mut ways = config("http://unused");
    ways.target = Target::None;
    ways.proxy.http = Some(format!("http://{}", proxy.address));
    let url = format!("http://{}/keys", origin.address);
    let document = upstream(&ways).document(url.parse().unwrap());
    assert_eq!(text(&document).await.unwrap(), "{}");
    assert!(proxy.seen().is_empty());
}

#[tokio::test]
async fn only_a_plain_200_within_the_limit_is_the_document() {
    let full = "x".repeat(LIMIT);
    assert_eq!(fetched(vec![answer("200 OK", &full)]).await, Ok(full));
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
    assert_eq!(fetched(vec![say(chunked)]).await, Ok("{}".to_owned()));
    let over = "x".repeat(LIMIT + 1);
    for (steps, cause) in [
        (vec![answer("200 OK", &over)], "longer than 16 bytes"),
        (vec![answer("204 No Content", "")], "status 204"),
        (vec![answer("404 Not Found", "{}")], "status 404"),
        (vec![answer("500 Oh", "{}")], "status 500"),
        (
            vec![say(
                "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n{}",
            )],
            "encoded",
        ),
        (
            vec![
                say("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}"),
                Step::Close,
            ],
            "the connection broke",
        ),
    ] {
        let error = fetched(steps).await.unwrap_err();
        assert!(error.contains(cause), "{cause}: {error}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let origin = Origin::start(|_| {
        vec![say(
            "HTTP/1.1 302 Found\r\nlocation: /other\r\ncontent-length: 0\r\n\r\n",
        )]
    })
    .await;
    let document = document(&format!("http://{}/keys", origin.address));
    assert_eq!(text(&document).await.unwrap_err(), "status 302");
    assert_eq!(origin.seen().len(), 1);
}

#[tokio::test]
async fn what_is_shown_to_the_upstream_is_shown_to_no_server_of_documents() {
    let (origin, ways, _file) = secure_both_ways().await;
    let upstream = upstream(&ways);
    found(upstream.fetch(&artifact()).await);
    let url = format!("https://localhost:{}/keys", origin.address.port());
    let document = upstream.document(url.parse().unwrap());
    text(&document).await.unwrap_err();
    assert_eq!(origin.seen().len(), 1);
}

#[tokio::test]
async fn a_document_is_trusted_and_timed_as_the_upstream_is() {
    let (origin, mut ways, _file) = secure().await;
    let url: Uri = format!("https://localhost:{}/keys", origin.address.port())
        .parse()
        .unwrap();
    let trusted = upstream(&ways).document(url.clone());
    assert_eq!(text(&trusted).await.unwrap(), "abc");
    let (_, other) = certificate();
    ways.ca_file = Some(other.path().to_owned());
    let error = text(&upstream(&ways).document(url)).await.unwrap_err();
    assert!(error.contains("certificate"), "{error}");
    ways.first_byte_timeout = SHORT;
    let silent = Origin::start(|_| vec![]).await;
    let url = format!("http://{}/keys", silent.address);
    let error = text(&upstream(&ways).document(url.parse().unwrap()))
        .await
        .unwrap_err();
    assert_eq!(error, "no answer in time");
}

#[tokio::test]
async fn fetches_are_counted_as_what_they_are() {
    let origin = Origin::start(|seen| match seen.line() {
        "GET /keys HTTP/1.1" => vec![answer("200 OK", "{}")],
        _ => vec![answer("404 Not Found", "")],
    })
    .await;
    let metrics = Arc::new(Metrics::new().unwrap());
    let ways = config("http://unused");
    let upstream = Upstream::new(&ways, Arc::clone(&metrics), Tasks::new()).unwrap();
    for path in ["keys", "elsewhere"] {
        let url = format!("http://{}/{path}", origin.address);
        let document = upstream.document(url.parse().unwrap());
        document.fetch(LIMIT).await.ok();
    }
    let families = metrics.registry().gather();
    let family = families
        .iter()
        .find(|family| family.name() == "larder_upstream_requests_total")
        .unwrap();
    let mut counted: Vec<String> = family
        .get_metric()
        .iter()
        .filter(|metric| metric.get_counter().get_value() > 0.0)
        .map(|metric| {
            let labels = metric.get_label().iter();
            let labels: Vec<_> = labels.map(|label| label.value().to_owned()).collect();
            labels.join(" ")
        })
        .collect();
    counted.sort();
    assert_eq!(counted, ["keys absent", "keys ok"]);
}
