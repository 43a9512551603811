//! What is different beside one command, and what is not.

use super::super::*;
use super::{environment, written};

fn beside(text: &str, pairs: &[(&str, &str)]) -> Result<Loaded, Problems> {
    let environment = environment(pairs);
    load_sidecar(&written(text).flags, &environment, &turbo(pairs))
}

/// As the variables alone say.
fn turbo(pairs: &[(&str, &str)]) -> Turbo {
    let of = |name: &str| pairs.iter().find(|(it, _)| *it == name);
    Turbo {
        api: of("TURBO_API").map(|(_, api)| (*api).to_owned()),
        token: of("TURBO_TOKEN").map(|(name, _)| (*name).to_owned()),
        ..Turbo::default()
    }
}

fn upstream(text: &str, pairs: &[(&str, &str)]) -> String {
    let loaded = beside(text, pairs).unwrap();
    let value = loaded.values.iter().find(|it| it.key == "upstream.url");
    value.unwrap().to_string()
}

#[test]
fn the_upstream_is_whom_the_command_would_have_asked() {
    let api = ("TURBO_API", "http://cache.example/base/");
    let token = ("TURBO_TOKEN", "canary");
    assert_eq!(upstream("", &[]), r#"upstream.url = "none"  # default"#);
    assert_eq!(
        upstream("", &[token]),
        r#"upstream.url = "https://vercel.com/api"  # TURBO_TOKEN"#
    );
    assert_eq!(
        upstream("", &[token, api]),
        r#"upstream.url = "http://cache.example/base"  # TURBO_API"#
    );
    let ours = ("LARDER_UPSTREAM__URL", "http://own.example");
    assert!(upstream("", &[token, api, ours]).contains("own.example"));
    assert!(upstream("upstream.url = 'none'", &[token, api]).contains("\"none\""));
}

#[test]
fn a_token_for_another_server_is_not_sent_to_vercel() {
    let token = ("TURBO_TOKEN", "canary");
    let turbo = Turbo {
        elsewhere: Some("/project/turbo.json".into()),
        ..turbo(&[token])
    };
    let load = |text| load_sidecar(&written(text).flags, &environment(&[token]), &turbo);
    let mistake = load("").unwrap_err().to_string();
    assert!(mistake.contains("/project/turbo.json"), "{mistake}");
    assert!(load("upstream.url = 'vercel'").is_ok());
    let told = Turbo {
        api: Some("http://cache.example".to_owned()),
        ..turbo.clone()
    };
    assert!(load_sidecar(&written("").flags, &environment(&[]), &told).is_ok());
}

#[test]
fn it_listens_where_only_the_command_finds_it_whatever_the_service_does() {
    let service = r#"
admin.listen = "0.0.0.0:8586"
server.listen = ["0.0.0.0:8585"]
server.allow = ["10.0.0.0/8"]
server.proxy_protocol = ["10.0.0.1"]
server.drain_delay = "10s"
listener.far = { address = "0.0.0.0:443", tls = true, access = "tokens" }
log.level = "info"
"#;
    let Loaded { config, .. } = beside(service, &[]).unwrap();
    let anywhere = "127.0.0.1:0".parse::<Listen>().unwrap();
    assert_eq!(config.server.listen, std::slice::from_ref(&anywhere));
    assert_eq!(config.admin.listen, anywhere);
    assert!(config.server.named.is_empty() && config.server.allow.0.is_empty());
    assert_eq!(config.server.drain_delay, Duration::ZERO);
    assert_eq!(config.access.mode, AccessMode::Open);
    assert_eq!(config.log.level, LogLevel::Info);
    assert!(!config.log.access_lines);

    let mut told = written("");
    told.flags.listen = vec!["127.0.0.1:7777".to_owned()];
    let loaded = load_sidecar(&told.flags, &environment(&[]), &Turbo::default()).unwrap();
    assert_eq!(loaded.config.server.listen[0].to_string(), "127.0.0.1:7777");
    assert_eq!(loaded.config.log.level, LogLevel::Warn);
}
