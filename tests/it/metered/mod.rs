//! The metrics as others rely on them: their names, types and labels, what is written of them, and
//! what dashboards and alerts ask for.

mod document;
mod page;
mod promql;
mod traffic;
mod watched;

use std::collections::{BTreeMap, BTreeSet};

use larder::artifact::{Outcome, RouteName};
use tempfile::TempDir;

use crate::support::{Origin, Request, Setup, artifact, bytes, eventually, run, script};
use document::OPEN;
use page::Family;

/// What stays: a name that somebody's dashboard has does not change, nor do its labels.
const PROMISED: [(&str, &[&str]); 29] = [
    ("larder_requests_total", &["outcome", "route"]),
    ("larder_request_seconds", &["outcome", "route"]),
    ("larder_first_byte_seconds", &["outcome", "route"]),
    ("larder_response_bytes_total", &["outcome"]),
    ("larder_upstream_requests_total", &["operation", "result"]),
    ("larder_upstream_seconds", &["operation"]),
    ("larder_upstream_breaker_open", &[]),
    ("larder_tier_bytes", &["tier"]),
    ("larder_tier_capacity_bytes", &["tier"]),
    ("larder_tier_entries", &["tier"]),
    ("larder_evictions_total", &["reason", "tier"]),
    ("larder_tier_oldest_seconds", &["tier"]),
    ("larder_fills_in_flight", &[]),
    ("larder_verdicts_total", &["result", "source"]),
    ("larder_corrupt_total", &["tier"]),
    ("larder_saved_bytes_total", &[]),
    ("larder_saved_seconds_total", &[]),
    ("larder_upload_queue_entries", &[]),
    ("larder_upload_queue_bytes", &[]),
    ("larder_upload_queue_oldest_seconds", &[]),
    ("larder_connections", &[]),
    ("larder_build_info", &["version"]),
    ("process_cpu_seconds_total", &[]),
    ("process_resident_memory_bytes", &[]),
    ("process_virtual_memory_bytes", &[]),
    ("process_start_time_seconds", &[]),
    ("process_open_fds", &[]),
    ("process_max_fds", &[]),
    ("process_threads", &[]),
];

#[tokio::test]
async fn every_promised_metric_is_there_with_exactly_its_labels() {
    let (_, families) = traffic::page().await;
    for (name, labels) in PROMISED {
        let family = families.get(name).expect(name);
        assert!(!family.series.is_empty(), "{name}");
        assert_eq!(family.labels(), labels.iter().copied().collect(), "{name}");
    }
}

#[tokio::test]
async fn the_document_tells_every_family_and_no_other() {
    let (_, families) = traffic::page().await;
    let (documented, _) = document::read();
    let real: BTreeMap<_, _> = families
        .iter()
        .map(|(name, family)| {
            let labels = family.labels().into_iter().map(str::to_owned).collect();
            let kind = family.kind.clone();
            (name.clone(), document::Documented { kind, labels })
        })
        .collect();
    assert_eq!(documented, real);
}

#[tokio::test]
async fn the_document_tells_every_value_that_a_label_can_have() {
    let (_, families) = traffic::page().await;
    let (_, documented) = document::read();
    let mut asked = 0;
    for (name, family) in &families {
        let closed = |label: &&str| !OPEN.contains(label);
        for label in family.labels().into_iter().filter(closed) {
            asked += 1;
            let known = documented.get(&(name.clone(), label.to_owned()));
            let known = known.unwrap_or_else(|| panic!("{name} {label}"));
            let known: BTreeSet<_> = known.iter().map(String::as_str).collect();
            let real = family.values(label);
            // Of requests, histograms are made when they are first needed.
            if family.kind == "histogram" && label != "operation" {
                assert!(real.is_subset(&known), "{name} {label}: {real:?}");
            } else {
                assert_eq!(real, known, "{name} {label}");
            }
        }
    }
    // It tells of no label that there is not.
    assert_eq!(documented.len(), asked);
}

#[test]
fn the_document_tells_every_route_and_outcome() {
    let (_, documented) = document::read();
    let of = |label: &str| &documented[&("larder_request_seconds".to_owned(), label.to_owned())];
    let set = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    let routes: BTreeSet<String> = set(&RouteName::ALL.map(RouteName::as_str));
    let outcomes: BTreeSet<String> = set(&Outcome::LABELS);
    assert_eq!((of("route"), of("outcome")), (&routes, &outcomes));
}

#[tokio::test]
async fn every_family_says_what_it_counts() {
    let (_, families) = traffic::page().await;
    for (name, Family { help, .. }) in &families {
        assert!(help.len() > 15 && help.ends_with('.'), "{name}: {help}");
        // Whoever reads it must learn the unit.
        let unit = [
            ("_bytes", "ytes"),
            ("_bytes_total", "ytes"),
            ("_seconds_total", "econds"),
            ("_seconds", "econds"),
        ];
        for (suffix, word) in unit {
            let is_meant = name.ends_with(suffix);
            assert!(!is_meant || help.contains(word), "{name}: {help}");
        }
    }
}

#[tokio::test]
async fn promtool_finds_nothing_wrong_with_the_page() {
    if run("promtool", &["--version"]).await.is_none() {
        return;
    }
    let (page, _) = traffic::page().await;
    let directory = TempDir::new().expect("a temporary directory");
    let path = directory.path().join("page");
    std::fs::write(&path, page).expect("a file");
    let script = format!("promtool check metrics < {}", path.display());
    let output = run("/bin/sh", &["-c", &script]).await.expect("a shell");
    let said = [output.stdout, output.stderr].concat();
    assert!(said.is_empty(), "{}", String::from_utf8_lossy(&said));
}

#[tokio::test]
async fn an_upload_is_in_the_queue_until_the_upstream_has_answered() {
    let origin = Origin::start();
    let answer = script().hold("answer").head(202).length(0);
    origin.once("PUT", "aa", answer);
    let larder = Setup::before(&origin).start().await;
    let queued = async || {
        let metrics = larder.metrics().await;
        let of = |name| metrics.sum(name, &[]);
        (
            of("larder_upload_queue_entries"),
            of("larder_upload_queue_bytes"),
        )
    };
    assert_eq!(queued().await, (0.0, 0.0));
    let mut client = larder.client();
    let upload = Request::new("PUT", &artifact("aa")).body(&bytes(1, 5000));
    client.send_whole(&upload).await;
    origin.wait_at("answer").await;
    eventually("all of it to be here", async || queued().await.1 > 4999.0).await;
    assert_eq!(queued().await, (1.0, 5000.0));
    origin.release("answer");
    assert_eq!(client.reply().await.status, 202);
    eventually("the queue to be empty", async || {
        queued().await == (0.0, 0.0)
    })
    .await;
}
