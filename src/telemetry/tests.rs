//! Access lines and their log.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{HeaderValue, Method, Version};
use parking_lot::Mutex;
use proptest::prelude::*;

use super::access::is_of;
use super::{ACCESS_PAGE, AccessLine, AccessLog, Answered, Asked, Ended};
use crate::artifact::{ArtifactHash, Failure, Outcome, RouteName, Tier};
use crate::config::{LogFormat, LogLevel};
use crate::metrics::Metrics;

fn asked() -> Asked {
    Asked {
        time: SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123),
        peer: Some(([10, 0, 0, 7], 51234).into()),
        version: Version::HTTP_11,
        is_secure: false,
        certificate: None,
        method: Method::GET,
        hash: Some(ArtifactHash::parse("140a7f78c2a46f3e").unwrap()),
        team: Some("team_x".to_owned()),
        user_agent: Some(HeaderValue::from_static("turbo 2.11.11")),
    }
}

fn answered() -> Answered {
    Answered {
        route: RouteName::Get,
        status: 200,
        outcome: Outcome::Hit {
            tier: Tier::Memory,
            grace: false,
        },
        bytes_in: 0,
        bytes_out: 5_242_880,
        first_byte: Duration::from_micros(312),
        total: Duration::from_micros(41_876),
        ended: Ended::Whole,
    }
}

fn written(asked: &Asked, answered: &Answered, format: LogFormat) -> String {
    let mut out = String::new();
    AccessLine { asked, answered }.write(format, &mut out);
    out
}

fn hand_over(log: &AccessLog, lines: usize) {
    for _ in 0..lines {
        log.write(&AccessLine {
            asked: &asked(),
            answered: &answered(),
        });
    }
}

#[test]
fn a_text_line_reads_from_who_to_how() {
    assert_eq!(
        written(&asked(), &answered(), LogFormat::Text),
        "2023-11-14T22:13:20.123Z 10.0.0.7:51234 GET get 140a7f78c2a46f3e 200 hit-memory whole \
         in=0 out=5242880 first=0.000312 total=0.041876 http=1.1 team=\"team_x\" agent=\"turbo 2.11.11\"\n"
    );
}

#[test]
fn a_line_says_what_came_in_tls_and_with_which_certificate() {
    for (certificate, said) in [(None, ""), (Some("a \"b\""), r#" certificate="a \"b\"""#)] {
        let secure = Asked {
            is_secure: true,
            certificate: certificate.map(Arc::from),
            ..asked()
        };
        let text = written(&secure, &answered(), LogFormat::Text);
        let expected = format!(" total=0.041876 http=1.1 tls=true{said} team=");
        assert!(text.contains(&expected), "{text}");
        let json = written(&secure, &answered(), LogFormat::Json);
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["tls"], true);
        assert_eq!(json["certificate"].as_str(), certificate);
    }
}

#[test]
fn a_line_says_which_version_of_http_was_spoken() {
    for (version, said) in [
        (Version::HTTP_10, "1.0"),
        (Version::HTTP_11, "1.1"),
        (Version::HTTP_2, "2"),
    ] {
        let asked = Asked { version, ..asked() };
        let text = written(&asked, &answered(), LogFormat::Text);
        assert!(text.contains(&format!(" http={said} ")), "{text}");
        let json = written(&asked, &answered(), LogFormat::Json);
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["http"], said);
    }
}

#[test]
fn a_line_without_hash_team_agent_or_address_says_so() {
    let bare = Asked {
        peer: None,
        hash: None,
        team: None,
        user_agent: None,
        ..asked()
    };
    let left = Answered {
        outcome: Outcome::Degraded(Failure::Timeout),
        status: 404,
        ended: Ended::Left,
        ..answered()
    };
    assert_eq!(
        written(&bare, &left, LogFormat::Text),
        "2023-11-14T22:13:20.123Z unix GET get - 404 degraded:upstream-timeout left \
         in=0 out=5242880 first=0.000312 total=0.041876 http=1.1\n"
    );
    let json: serde_json::Value =
        serde_json::from_str(&written(&bare, &left, LogFormat::Json)).unwrap();
    assert_eq!(json["peer"], "unix");
    assert_eq!(json["detail"], "upstream-timeout");
    assert!(json.get("hash").is_none() && json.get("team").is_none());
}

#[test]
fn a_json_line_carries_every_field() {
    let json: serde_json::Value =
        serde_json::from_str(&written(&asked(), &answered(), LogFormat::Json)).unwrap();
    let expected = serde_json::json!({
        "time": "2023-11-14T22:13:20.123Z",
        "peer": "10.0.0.7:51234",
        "method": "GET",
        "route": "get",
        "hash": "140a7f78c2a46f3e",
        "team": "team_x",
        "status": 200,
        "outcome": "hit-memory",
        "ended": "whole",
        "bytes_in": 0,
        "bytes_out": 5_242_880,
        "first_byte_seconds": 0.000_312,
        "total_seconds": 0.041_876,
        "http": "1.1",
        "user_agent": "turbo 2.11.11",
    });
    assert_eq!(json, expected);
}

proptest! {
    #[test]
    fn whatever_a_client_calls_itself_stays_one_line(
        agent in prop::collection::vec(any::<u8>().prop_filter("legal", |byte| {
            (*byte >= 32 && *byte != 127) || *byte == b'\t'
        }), 0..600),
        team in any::<String>(),
    ) {
        let agent = HeaderValue::from_bytes(&agent).unwrap();
        let client = Asked { team: Some(team), user_agent: Some(agent), ..asked() };
        let text = written(&client, &answered(), LogFormat::Text);
        prop_assert_eq!(text.find(char::is_control), Some(text.len() - 1));
        let json = written(&client, &answered(), LogFormat::Json);
        prop_assert_eq!(json.find(char::is_control), Some(json.len() - 1));
        let read: serde_json::Value = serde_json::from_str(&json).unwrap();
        let team = client.team.unwrap_or_default();
        prop_assert!(team.starts_with(read["team"].as_str().unwrap()));
    }
}

/// An output that keeps what it is given, or refuses it.
#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>, bool);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.1 {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn dropping_the_log_writes_what_was_handed_over() {
    let metrics = Arc::new(Metrics::new().unwrap());
    let page = Page::default();
    let log = AccessLog::to(page.clone(), LogFormat::Json, Arc::clone(&metrics)).unwrap();
    hand_over(&log, 1000);
    drop(log);
    let text = String::from_utf8(page.0.lock().clone()).unwrap();
    assert_eq!(text.lines().count(), 1000);
    assert_eq!(metrics.access_lines_lost.get(), 0);
}

#[test]
fn lines_for_a_closed_output_are_counted_and_nothing_else_happens() {
    let metrics = Arc::new(Metrics::new().unwrap());
    let page = Page(Arc::default(), true);
    let log = AccessLog::to(page, LogFormat::Text, Arc::clone(&metrics)).unwrap();
    hand_over(&log, 2);
    drop(log);
    assert_eq!(metrics.access_lines_lost.get(), 2);
}

/// An output that lets nothing pass until its gate opens.
struct Gate(std::sync::mpsc::Receiver<()>);

impl Write for Gate {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // An error is the gate gone: open.
        self.0.recv().ok();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_queue_loses_lines_and_counts_them() {
    let metrics = Arc::new(Metrics::new().unwrap());
    let (open, gate) = std::sync::mpsc::channel();
    let log = AccessLog::to(Gate(gate), LogFormat::Text, Arc::clone(&metrics)).unwrap();
    // The writer holds at most a page before the gate, while another fills up.
    let line = written(&asked(), &answered(), LogFormat::Text).len();
    hand_over(&log, 3 * ACCESS_PAGE / line);
    assert!(metrics.access_lines_lost.get() > 0);
    drop(open);
}

#[test]
fn access_lines_are_of_level_info() {
    let written: Vec<_> = LogLevel::ALL
        .into_iter()
        .filter(|level| is_of(*level))
        .map(LogLevel::as_str)
        .collect();
    assert_eq!(written, ["info", "debug", "trace"]);
}
