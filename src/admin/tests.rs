//! The admin listener's answers, asked as a client would.

use http_body_util::BodyExt;
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::*;
use crate::artifact::{ArtifactHash, Fields, Label, Landed, Meta, Outcome, RouteName};
use crate::config::{self, AccessMode, Effective, Listen, Secret};
use crate::server::{ListenerId, Listeners};
use crate::tasks::Tasks;
use crate::tiers::Tiers;

/// The tiers in a directory of their own.
async fn tiers(metrics: &Arc<Metrics>) -> Arc<Tiers> {
    let config = config::Tier {
        memory: config::MemoryTier {
            capacity: 1 << 20,
            max_artifact: 1 << 16,
        },
        disk: config::DiskTier {
            capacity: 0,
            max_artifact: 0,
            verify: config::Verify::FirstRead,
            max_age: Duration::from_hours(1),
            min_free: 0,
            scrub_rate: 0,
        },
        in_flight: 1 << 20,
    };
    let folder = tempfile::tempdir().unwrap();
    let (metrics, tasks) = (Arc::clone(metrics), Tasks::new());
    Tiers::open(&config, folder.path(), metrics, tasks)
        .await
        .unwrap()
}

async fn admin(readiness: &Readiness) -> (Admin, Arc<Metrics>) {
    let metrics = Arc::new(Metrics::new().unwrap());
    let refreshed = Arc::clone(&metrics);
    let refresh: Refresh = Box::new(move || refreshed.fills_in_flight.set(7));
    let door = Door::new(vec!["cache.lan".to_owned()], &Secret::new("sesame"));
    let sources = Sources {
        metrics: Arc::clone(&metrics),
        refresh: vec![refresh],
        conflicts: Arc::new(Conflicts::new(Arc::clone(&metrics))),
        recent: Arc::default(),
        held_back: HeldBack {
            holds: Arc::default(),
            settle: Box::new(|| Ok(())),
        },
        config: InEffect::new(vec![
            effective("log.level", Some("\"info\""), "default"),
            effective("admin.token", Some("\"***\""), "larder.toml:3"),
            effective("upstream.proxy", None, "default"),
        ]),
        set_level: Box::new(|_| {}),
        about: About {
            started: Landed::now(),
            began: Instant::now(),
            access: AccessMode::Upstream,
            api: None,
            upstream: None,
        },
        look: Box::new(Standing::default),
        history: Arc::default(),
        holdings: Holdings {
            tiers: tiers(&metrics).await,
            flights: Arc::default(),
        },
    };
    (Admin::new(readiness.clone(), door, sources), metrics)
}

fn effective(key: &str, value: Option<&str>, source: &str) -> Effective {
    Effective {
        key: key.to_owned(),
        value: value.map(str::to_owned),
        source: source.to_owned(),
    }
}

/// Asks as somebody would who comes from elsewhere and shows nothing.
async fn ask(admin: &Admin, method: &str, path: &str) -> (u16, String) {
    let request = Request::builder().method(method).uri(path);
    asked(admin, request.body(()).unwrap(), false).await
}

/// Asks as somebody would on this machine, or from elsewhere.
async fn asked(admin: &Admin, request: Request<()>, is_local: bool) -> (u16, String) {
    let peer = Peer {
        address: None,
        listener: ListenerId(0),
        is_local,
        is_secure: false,
    };
    let request = request.map(|()| Empty::<Bytes>::new());
    let response = admin.answer(request, peer).await;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn health_and_readiness_are_two_answers() {
    let readiness = Readiness::new();
    let (admin, _) = admin(&readiness).await;
    assert_eq!(
        ask(&admin, "GET", "/healthz").await,
        (200, "ok\n".to_owned())
    );
    assert_eq!(
        ask(&admin, "GET", "/readyz").await,
        (503, "starting\n".to_owned())
    );
    readiness.ready();
    assert_eq!(
        ask(&admin, "GET", "/readyz").await,
        (200, "ready\n".to_owned())
    );
    readiness.stopping();
    readiness.ready();
    assert_eq!(
        ask(&admin, "GET", "/readyz").await,
        (503, "stopping\n".to_owned())
    );
    assert_eq!(
        ask(&admin, "GET", "/healthz").await,
        (200, "ok\n".to_owned())
    );
}

#[tokio::test]
async fn the_configuration_in_effect_is_shown_to_whom_the_door_lets_in() {
    let (admin, _) = admin(&Readiness::new()).await;
    let (status, _) = ask(&admin, "GET", "/api/v1/config").await;
    assert_eq!(status, 401);
    let here = Request::get("/api/v1/config").body(()).unwrap();
    let (status, text) = asked(&admin, here, true).await;
    assert_eq!(status, 200);
    let told: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        told,
        serde_json::json!({"config": [
            {"key": "log.level", "value": "\"info\"", "source": "default"},
            {"key": "admin.token", "value": "\"***\"", "source": "larder.toml:3"},
            {"key": "upstream.proxy", "value": null, "source": "default"},
        ]})
    );
}

#[tokio::test]
async fn other_paths_methods_and_hosts_are_refused_in_the_error_shape() {
    let (admin, _) = admin(&Readiness::new()).await;
    let cases = [
        ("GET", "/", 401, "unauthorized"),
        ("POST", "/", 405, "method_not_allowed"),
        ("GET", "/assets/dashboard.js", 404, "not_found"),
        ("GET", "http://evil.example/", 403, "forbidden_host"),
        ("GET", "/v8/artifacts/status", 404, "not_found"),
        ("GET", "/metrics/", 404, "not_found"),
        ("GET", "/api/v1", 404, "not_found"),
        ("GET", "/api/v1/", 404, "not_found"),
        ("GET", "/api/v1/conflicts/", 404, "not_found"),
        ("DELETE", "/api/v1/conflicts", 405, "method_not_allowed"),
        ("PUT", "/api/v1/entries", 405, "method_not_allowed"),
        ("DELETE", "/api/v1/entries?all=true", 401, "unauthorized"),
        ("GET", "/api/v1/conflicts", 401, "unauthorized"),
        ("HEAD", "/api/v1/conflicts", 401, "unauthorized"),
        ("POST", "/metrics", 405, "method_not_allowed"),
        ("GET", "http://evil.example/metrics", 403, "forbidden_host"),
        ("GET", "http://evil.example/nowhere", 403, "forbidden_host"),
        (
            "GET",
            "http://evil.example/api/v1/conflicts",
            403,
            "forbidden_host",
        ),
    ];
    for (method, path, status, code) in cases {
        let (answered, body) = ask(&admin, method, path).await;
        let error: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            (answered, &error["error"]["code"]),
            (status, &code.into()),
            "{path}"
        );
        assert!(error["error"]["message"].is_string());
    }
    assert_eq!(ask(&admin, "GET", "http://cache.lan/healthz").await.0, 200);
}

/// A sample line's name and value.
fn sample(line: &str) -> (&str, f64) {
    let (name, value) = line.rsplit_once(' ').unwrap();
    (name, value.parse().unwrap())
}

#[tokio::test]
async fn every_line_of_the_metrics_can_be_read() {
    let (admin, metrics) = admin(&Readiness::new()).await;
    let handles = metrics.request(RouteName::Get, Outcome::Filled).unwrap();
    handles.total.inc();
    handles.seconds.observe(0.2);
    let (status, text) = ask(&admin, "GET", "/metrics").await;
    assert_eq!(status, 200);
    let samples: Vec<_> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(sample)
        .collect();
    let value = |name: &str| {
        let found = samples.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| *value)
    };
    assert_eq!(
        value("larder_requests_total{outcome=\"filled\",route=\"get\"}"),
        Some(1.0)
    );
    assert_eq!(
        value("larder_fills_in_flight"),
        Some(7.0),
        "refreshed before"
    );
    for comment in text.lines().filter(|line| line.starts_with('#')) {
        assert!(comment.starts_with("# HELP ") || comment.starts_with("# TYPE "));
    }
    if cfg!(target_os = "linux") {
        let positive = |name| value(name).is_some_and(|value| value > 0.0);
        assert!(positive("process_resident_memory_bytes"));
        assert!(positive("process_virtual_memory_bytes"));
        assert!(positive("process_start_time_seconds"));
        assert!(positive("process_open_fds"));
        assert!(positive("process_threads"));
        assert!(value("process_cpu_seconds_total").is_some());
    }
}

#[tokio::test]
async fn head_has_the_length_of_get_and_an_origin_is_refused_over_a_socket() {
    let readiness = Readiness::new();
    readiness.ready();
    let (admin, _) = admin(&readiness).await;
    let loopback = Listen::Tcp {
        host: "127.0.0.1".to_owned(),
        port: 0,
    };
    let listeners = Listeners::bind(&[loopback]).await.unwrap();
    let address = listeners.addresses()[0].to_string();
    let tasks = Tasks::new();
    tasks.spawn(listeners.run(Arc::new(admin), Admin::limits().into(), tasks.clone(), None));
    let io = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut client, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tasks.spawn(async { connection.await.unwrap() });
    let request = |method: &str| {
        Request::builder()
            .method(method)
            .uri("/readyz")
            .header("host", "localhost:8586")
    };
    let head = request("HEAD").body(Empty::<Bytes>::new()).unwrap();
    let response = client.send_request(head).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-length"], "6");
    assert_eq!(response.collect().await.unwrap().to_bytes(), "");
    let page = request("GET").header("origin", "http://localhost:8586");
    let response = client
        .send_request(page.body(Empty::new()).unwrap())
        .await
        .unwrap();
    assert_eq!(response.status(), 403);
}

#[tokio::test]
async fn the_dashboard_is_shown_to_whom_the_door_lets_in_and_browsers_are_asked_for_the_token() {
    let (admin, _) = admin(&Readiness::new()).await;
    let get = |path: &str| Request::get(path).body(()).unwrap();
    let (status, page) = asked(&admin, get("/"), true).await;
    assert_eq!(status, 200);
    let mut named = page.split('"');
    let script = named.find(|text| text.starts_with("./assets/")).unwrap();
    let script = script.trim_start_matches('.');
    assert_eq!(asked(&admin, get(script), true).await.0, 200);
    for path in ["/", script] {
        let (status, body) = ask(&admin, "GET", path).await;
        assert_eq!(status, 401, "{path}");
        assert!(!body.contains("html"));
        let token = Request::get(path).header("authorization", "Basic YW55Ym9keTpzZXNhbWU=");
        let (status, _) = asked(&admin, token.body(()).unwrap(), false).await;
        assert_eq!(status, 200, "{path}");
    }
}

fn meta(hash: &str, team: Option<&str>, size: u64, sha: Option<&str>) -> Meta {
    let sha = sha.map(|sha| ("x-artifact-sha".parse().unwrap(), sha.parse().unwrap()));
    Meta {
        label: Label {
            hash: ArtifactHash::parse(hash).unwrap(),
            team: team.map(str::to_owned),
            fields: Fields::from_pairs(sha),
            uploader: None,
        },
        size,
        landed: Landed::from_secs(1_801_418_400 + size),
    }
}

#[tokio::test]
async fn conflicts_are_told_newest_first() {
    let (admin, _) = admin(&Readiness::new()).await;
    let page = || {
        let request = Request::get("/api/v1/conflicts").body(()).unwrap();
        asked(&admin, request, true)
    };
    let none = r#"{"conflicts":[],"total":0}"#;
    assert_eq!(page().await, (200, none.to_owned()));
    let conflicts = &admin.sources.conflicts;
    conflicts.note(
        &meta("aa", Some("a\"b"), 1, None),
        &meta("aa", Some("a\"b"), 2, Some("beef")),
    );
    conflicts.note(&meta("bb", None, 3, None), &meta("bb", None, 4, None));
    let (_, body) = page().await;
    let told: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(told["total"], 2);
    let [newest, first] = told["conflicts"].as_array().unwrap().as_slice() else {
        panic!("{told}")
    };
    assert_eq!(
        (&newest["hash"], &newest["team"]),
        (&"bb".into(), &().into())
    );
    assert_eq!(
        first["before"],
        serde_json::json!({"bytes": 1, "landed": "2027-01-31T18:00:01Z", "sha": null})
    );
    assert_eq!(
        first["after"],
        serde_json::json!({"bytes": 2, "landed": "2027-01-31T18:00:02Z", "sha": "beef"})
    );
    assert_eq!(
        (&first["hash"], &first["team"]),
        (&"aa".into(), &"a\"b".into())
    );
    humantime::parse_rfc3339(first["time"].as_str().unwrap()).unwrap();
}

#[tokio::test]
async fn the_api_is_free_on_this_machine_and_wants_the_token_from_elsewhere() {
    let (admin, _) = admin(&Readiness::new()).await;
    for (is_local, shown, status) in [
        (true, None, 200),
        (true, Some("Bearer wrong"), 200),
        (false, None, 401),
        (false, Some("Bearer wrong"), 401),
        (false, Some("Bearer sesame"), 200),
        (false, Some("Basic YW55Ym9keTpzZXNhbWU="), 200),
    ] {
        let mut request = Request::get("/api/v1/conflicts");
        if let Some(shown) = shown {
            request = request.header("authorization", shown);
        }
        let request = request.body(()).unwrap();
        let (answered, _) = asked(&admin, request, is_local).await;
        assert_eq!(answered, status, "{is_local} {shown:?}");
    }
    for path in ["/metrics", "/healthz"] {
        assert_eq!(ask(&admin, "GET", path).await.0, 200, "{path}");
    }
}
