//! What the dashboard and the alerts ask for is there: each metric, each label, each value.

use std::collections::BTreeSet;

use serde_json::Value;

use super::document::{self, OPEN, read_file};
use super::page::family_of;
use super::promql::{Matcher, Selector, grouping, selectors};
use super::traffic;

/// Labels that Prometheus adds, and the bounds of buckets.
const ADDED: [&str; 3] = ["job", "instance", "le"];

const DASHBOARD: &str = "deploy/grafana/larder.json";
const RULES: &str = "deploy/prometheus/larder.rules.yml";
const RULES_TEST: &str = "deploy/prometheus/larder.rules.test.yml";
const RUNBOOK: &str = "docs/operations.md";

/// What a text asks for that nobody answers, against a real page and the documented values.
async fn unanswered(texts: &[String]) -> Vec<String> {
    let (_, families) = traffic::page().await;
    let (_, values) = document::read();
    let mut wrong = Vec::new();
    for text in texts {
        let asked = selectors(text);
        let mut labels: BTreeSet<&str> = ADDED.into_iter().collect();
        for Selector { name, matchers } in &asked {
            let family = family_of(name, &families);
            let Some(known) = families.get(family) else {
                wrong.push(format!("{name} in {text}"));
                continue;
            };
            labels.extend(known.labels());
            let unmet = matchers.iter().filter(|matcher| {
                let of = |label: &str| values.get(&(family.to_owned(), label.to_owned()));
                !is_met(matcher, of)
            });
            wrong.extend(unmet.map(|matcher| format!("{matcher:?} of {name}")));
        }
        let unknown = grouping(text)
            .into_iter()
            .filter(|label| !labels.contains(label));
        wrong.extend(unknown.map(|label| format!("{label} in {text}")));
    }
    wrong
}

/// Whether a label can have what a condition names.
fn is_met<'a>(matcher: &Matcher<'_>, of: impl Fn(&str) -> Option<&'a BTreeSet<String>>) -> bool {
    let Matcher {
        label,
        operator,
        value,
    } = matcher;
    if ADDED.contains(label) || OPEN.contains(label) {
        return true;
    }
    let Some(known) = of(label) else {
        return false;
    };
    let is_there = |wanted: &str| match wanted.strip_suffix(".*") {
        Some(start) => known.iter().any(|value| value.starts_with(start)),
        None => known.contains(wanted),
    };
    if operator.contains('~') {
        value.split('|').all(is_there)
    } else {
        is_there(value)
    }
}

/// Every object below a value, itself included.
fn objects(value: &Value) -> Vec<&Value> {
    let below: Vec<&Value> = match value {
        Value::Object(fields) => fields.values().collect(),
        Value::Array(items) => items.iter().collect(),
        _ => return Vec::new(),
    };
    let deeper = below.into_iter().flat_map(objects);
    std::iter::once(value).chain(deeper).collect()
}

fn dashboard() -> Value {
    serde_json::from_str(&read_file(DASHBOARD)).expect("JSON")
}

#[tokio::test]
async fn everything_the_dashboard_asks_for_is_there() {
    let dashboard = dashboard();
    let texts: Vec<_> = objects(&dashboard)
        .into_iter()
        .flat_map(|object| ["expr", "query", "definition"].map(|key| object.get(key)))
        .filter_map(|text| text?.as_str().map(str::to_owned))
        .collect();
    assert!(texts.len() > 40, "{}", texts.len());
    let wrong = unanswered(&texts).await;
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn everything_the_alerts_ask_for_is_there() {
    let wrong = unanswered(&[read_file(RULES), read_file(RULES_TEST)]).await;
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn panels_have_a_place_and_a_number_of_their_own() {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().expect("panels");
    let mut taken = BTreeSet::new();
    for (place, panel) in panels.iter().enumerate() {
        let title = &panel["title"];
        assert_eq!(panel["id"], place + 1, "{title}");
        let of = |key: &str| panel["gridPos"][key].as_u64().expect("a place");
        assert!(of("x") + of("w") <= 24, "{title}");
        for x in of("x")..of("x") + of("w") {
            for y in of("y")..of("y") + of("h") {
                assert!(taken.insert((x, y)), "{title} is over another");
            }
        }
        if panel["type"] != "row" {
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
            assert!(
                panel["description"]
                    .as_str()
                    .is_some_and(|it| it.len() > 15),
                "{title}"
            );
        }
    }
}

#[test]
fn every_alert_is_tried_and_has_a_place_in_the_runbook() {
    let (rules, tried, runbook) = (read_file(RULES), read_file(RULES_TEST), read_file(RUNBOOK));
    let after = |text: &str, word: &str| {
        let lines = text.lines();
        let named = lines.filter_map(|line| line.trim_start().strip_prefix(word));
        named.map(str::to_owned).collect::<Vec<_>>()
    };
    let alerts = after(&rules, "- alert: ");
    assert!(alerts.len() >= 13, "{alerts:?}");
    let pages: Vec<_> = (alerts.iter())
        .map(|alert| format!("{RUNBOOK}#{}", alert.to_lowercase()))
        .collect();
    assert_eq!(after(&rules, "runbook: "), pages);
    let explained: Vec<_> = after(&runbook, "### ")
        .into_iter()
        .filter(|heading| heading.starts_with("Larder") && !heading.contains(' '))
        .collect();
    assert_eq!(explained, alerts);
    let listed = read_file("docs/monitoring.md");
    for alert in &alerts {
        let link = format!("| [{alert}](operations.md#{}) |", alert.to_lowercase());
        assert!(listed.contains(&link), "{link}");
    }
    let tests = after(&tried, "alertname: ");
    for alert in &alerts {
        let times = tests.iter().filter(|tested| *tested == alert).count();
        // It fires, and it does not.
        assert!(times >= 2, "{alert}: {times}");
    }
}
