//! Where traces go, and what is said where somebody may be mistaken about it.

use super::{mistake_in, written};

const ENDPOINT: &str = "[traces]\nendpoint = \"https://collector.example\"\n";
const ELSEWHERE: &[(&str, &str)] = &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318")];

fn warnings(text: &str, pairs: &[(&str, &str)]) -> Vec<String> {
    written(text).load(pairs).unwrap().warnings
}

#[test]
fn nobody_is_told_unless_somebody_says_where() {
    let loaded = written("").load(&[]).unwrap();
    assert_eq!(loaded.config.traces.endpoint, None);
    assert!(loaded.warnings.is_empty());
    let said = warnings("", ELSEWHERE).join("\n");
    assert!(
        said.contains("OTEL_EXPORTER_OTLP_ENDPOINT is set, and is not followed"),
        "{said}"
    );
    assert!(warnings(ENDPOINT, ELSEWHERE).is_empty());
}

#[test]
fn what_goes_there_is_shown_by_its_names_alone() {
    let text = format!("{ENDPOINT}headers = [\"Authorization: Bearer canary\", \"x-tenant: a\"]\n");
    let line = written(&text).line(&[], "traces.headers");
    let shown = r#"traces.headers = ["authorization: ***", "x-tenant: ***"]"#;
    assert!(line.starts_with(shown), "{line}");
    let endpoint = written(&text).line(&[], "traces.endpoint");
    assert!(
        endpoint.contains("https://collector.example/v1/traces"),
        "{endpoint}"
    );
    let config = written(&text).load(&[]).unwrap().config;
    assert!(!format!("{config:?}").contains("canary"));
}

#[test]
fn headers_are_in_one_place() {
    let both = format!("{ENDPOINT}headers = [\"a: b\"]\nheaders_file = \"/x\"\n");
    assert!(mistake_in(&both).contains("traces.headers is set too"));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "a: 1\n\nb: 2\r\n").unwrap();
    let by_file = format!("{ENDPOINT}headers_file = {:?}\n", file.path());
    let config = written(&by_file).load(&[]).unwrap().config;
    let headers = config.traces.headers.iter();
    let read: Vec<_> = headers
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect();
    assert_eq!(read, [("a", &b"1"[..]), ("b", &b"2"[..])]);
    std::fs::write(file.path(), "can ary\n").unwrap();
    let mistake = mistake_in(&by_file);
    assert!(
        mistake.contains("name: value") && !mistake.contains("ary"),
        "{mistake}"
    );
}

#[test]
fn what_is_without_effect_or_overheard_is_warned_of() {
    let idle = warnings("[traces]\nsample = 0.5\nservice_name = \"larder\"\n", &[]);
    assert_eq!(idle.len(), 1, "{idle:?}");
    assert!(idle[0].contains("traces.sample has no effect"), "{idle:?}");
    for (url, is_heard) in [
        ("http://collector.example", true),
        ("http://localhost:4318", false),
        ("http://[::1]:4318", false),
        ("https://collector.example", false),
    ] {
        let text = format!("[traces]\nendpoint = {url:?}\nheaders = [\"a: b\"]\n");
        let said = warnings(&text, &[]).join("\n");
        assert_eq!(said.contains("is in clear text"), is_heard, "{url}: {said}");
    }
}

#[test]
fn what_is_none_is_a_mistake() {
    for (line, said) in [
        (
            "endpoint = \"collector:4318\"",
            "is not a URL such as http://collector.example:4318",
        ),
        ("sample = 2", "must be a number from 0 to 1"),
        (
            "headers = [\"content-length: 1\"]",
            "content-length is not for the operator to set",
        ),
        ("service_name = \"\"", "is empty"),
    ] {
        let mistake = mistake_in(&format!("[traces]\n{line}\n"));
        assert!(mistake.contains(said), "{mistake}");
    }
}
