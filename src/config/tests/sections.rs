//! The sections, each with its own rules.

use super::super::Secret;
use super::{mistake_in, written};

const OIDC: &str = "access.oidc = [{issuer = \"https://ci.example\", audience = \"a\", \
                    grants = [{claims = {sub = \"x\"}, teams = [\"t\"]}]}]\n";

#[test]
fn access_follows_from_where_larder_listens_and_what_is_behind_it() {
    let far = "server.listen = \"0.0.0.0:1\"\n";
    let near = "server.listen = [\"unix:/run/l\", \"[::1]:0\", \"localhost:1\"]\n";
    let token = "access.tokens = [{name = \"a\", token = \"b\"}]\n";
    let oidc = OIDC;
    let vercel = "upstream.url = \"vercel\"\n";
    let open = "access.mode = \"open\"\n";
    let tokens = "access.mode = \"tokens\"\n";
    let upstream = "access.mode = \"upstream\"\n";
    for (parts, mode, warning) in [
        ([near, "", ""], "open", ""),
        (
            [far, "", ""],
            "tokens",
            "takes tokens in clear text at 0.0.0.0:1",
        ),
        ([near, token, ""], "tokens", ""),
        ([near, tokens, ""], "tokens", ""),
        ([near, vercel, ""], "upstream", ""),
        ([far, vercel, ""], "upstream", "clear text at 0.0.0.0:1"),
        (
            [near, vercel, token],
            "upstream",
            "access.tokens has no effect",
        ),
        ([near, oidc, ""], "tokens", ""),
        ([far, oidc, tokens], "tokens", "takes tokens in clear text"),
        ([near, oidc, open], "open", "access.oidc has no effect"),
        ([far, open, ""], "open", "everyone who reaches 0.0.0.0:1"),
        ([near, open, vercel], "open", ""),
    ] {
        let file = written(&parts.concat());
        let line = file.line(&[], "access.mode");
        assert!(
            line.starts_with(&format!("access.mode = \"{mode}\"  # ")),
            "{parts:?} {line}"
        );
        let warnings = file.load(&[]).unwrap().warnings.join("\n");
        assert_eq!(
            warnings.is_empty(),
            warning.is_empty(),
            "{parts:?} {warnings}"
        );
        assert!(warnings.contains(warning), "{parts:?} {warnings}");
    }
    assert!(mistake_in(upstream).contains("needs an upstream to judge"));
    let tokens_before_upstream = mistake_in(&[tokens, vercel].concat());
    assert!(tokens_before_upstream.contains("set upstream.token_file"));
}

#[test]
fn a_credential_of_larders_own_wants_somebody_else_to_judge() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "canary-own\n").unwrap();
    let own = format!("upstream.token_file = {:?}\n", file.path());
    let vercel = "upstream.url = \"vercel\"\n";
    let far = "server.listen = \"0.0.0.0:1\"\n";
    let tokens = "access.mode = \"tokens\"\naccess.tokens = [{name = \"a\", token = \"b\"}]\n";
    let open = "access.mode = \"open\"\n";
    for (parts, warning) in [
        ([&own, vercel, tokens, ""], ""),
        ([&own, vercel, tokens, far], "takes tokens in clear text"),
        ([&own, vercel, open, ""], ""),
        ([&own, vercel, open, far], "with Larder's credential"),
        ([&own, "", "", ""], "there is no upstream"),
    ] {
        let loaded = written(&parts.concat()).load(&[]).unwrap();
        let own = loaded.config.upstream.token.as_ref();
        assert_eq!(own.map(Secret::expose), Some("canary-own"));
        let warnings = loaded.warnings.join("\n");
        assert_eq!(warnings.is_empty(), warning.is_empty(), "{warnings}");
        assert!(warnings.contains(warning), "{warnings}");
        let shown: Vec<String> = loaded.values.iter().map(ToString::to_string).collect();
        let shown = shown.join("\n");
        assert!(!shown.contains("canary"), "{shown}");
        let path = format!("upstream.token_file = {:?}  # ", file.path());
        assert!(shown.contains(&path), "{shown}");
    }
    for mode in ["", "access.mode = \"upstream\"\n"] {
        let mistakes = mistake_in(&[&own, vercel, mode].concat());
        assert!(
            mistakes.contains("the upstream could judge nobody"),
            "{mistakes}"
        );
        assert_eq!(mistakes.lines().count(), 1, "{mistakes}");
    }
    let forwarding = "upstream.forward_headers = [\"x-tenant\"]\n";
    let mistakes = mistake_in(&[&own, vercel, open, forwarding].concat());
    assert!(mistakes.contains("would let clients choose"), "{mistakes}");
    let missing = mistake_in(&["upstream.token_file = \"/nowhere\"\n", vercel, open].concat());
    assert!(missing.contains("/nowhere cannot be read"), "{missing}");
    assert_eq!(missing.lines().count(), 1, "{missing}");
}

#[test]
fn credentials_that_cross_a_network_in_clear_text_are_a_warning() {
    let upstream = |url: &str| format!("upstream.url = \"{url}\"\n");
    let admin = |address: &str| format!("admin.listen = \"{address}\"\n");
    for (text, warning) in [
        (
            upstream("http://cache.example.com:3000"),
            "sent to cache.example.com in clear text",
        ),
        (
            upstream("http://10.0.0.7"),
            "sent to 10.0.0.7 in clear text",
        ),
        (upstream("https://cache.example.com"), ""),
        (upstream("http://localhost:3000"), ""),
        (upstream("http://127.0.0.9:3000/api"), ""),
        (upstream("http://[::1]:3000"), ""),
        (
            admin("0.0.0.0:8586"),
            "takes the admin token in clear text at 0.0.0.0:8586",
        ),
        (admin("127.0.0.1:1"), ""),
        (admin("unix:/run/admin"), ""),
        (admin("systemd:admin"), ""),
    ] {
        let warnings = written(&text).load(&[]).unwrap().warnings.join("\n");
        assert_eq!(warnings.is_empty(), warning.is_empty(), "{text} {warnings}");
        assert!(warnings.ends_with(warning), "{text} {warnings}");
    }
}

#[test]
fn what_is_not_in_this_version_is_refused_and_never_accepted_in_silence() {
    for text in ["upload.mode = \"back\"", "upstream.url = \"s3://bucket\""] {
        let mistakes = mistake_in(text);
        assert!(
            mistakes.contains("not in this version"),
            "{text}: {mistakes}"
        );
        assert_eq!(mistakes.lines().count(), 1, "{text}: {mistakes}");
    }
    let variable = written("").mistakes(&[("LARDER_UPLOAD__MODE", "back")]);
    assert_eq!(
        variable,
        ["LARDER_UPLOAD__MODE: upload.mode: `back` is not in this version"]
    );
}

#[test]
fn listeners_must_not_collide() {
    assert!(mistake_in("server.listen = \"a:1, A:1\"").contains("names a:1 twice"));
    assert!(mistake_in("server.listen = \":1, x\"").contains("0.0.0.0:1 for every address; \"x\""));
    assert!(mistake_in("server.listen = []").contains("names no address"));
    assert!(
        mistake_in("server.listen = \"127.0.0.1:8586\"")
            .contains("127.0.0.1:8586 is a data listener")
    );
    let any = "server.listen = \"[::1]:0, [::1]:0\"\nadmin.listen = \"[::1]:0\"";
    written(any).load(&[]).unwrap();
}

#[test]
fn headers_that_would_break_requests_cannot_be_forwarded() {
    for name in [
        "range",
        "Connection",
        "if-none-match",
        "proxy-authorization",
        "Via",
        "a b",
    ] {
        let mistakes = mistake_in(&format!("upstream.forward_headers = [{name:?}]"));
        assert!(
            mistakes.contains("upstream.forward_headers: "),
            "{mistakes}"
        );
    }
    let file = written("access.credential_headers = \"X-Team-Key\"");
    let access = file.load(&[]).unwrap().config.access;
    assert_eq!(access.credential_headers, ["x-team-key"]);
}

#[test]
fn a_list_of_issuers_is_the_same_however_it_is_written() {
    let tables = "\
[[access.oidc]]
issuer = \"https://ci.example\"
audience = \"us\"
[[access.oidc.grants]]
claims = { ref = \"main\", owner = [\"acme\", \"acme-*\"] }
teams = [\"acme\"]
rights = \"read-write\"
[[access.oidc.grants]]
teams = [\"acme\"]
[access.oidc.grants.claims]
owner = \"acme\"
";
    let array = "[{issuer = \"https://ci.example\", audience = \"us\", grants = [\
        {claims = {ref = \"main\", owner = [\"acme\", \"acme-*\"]}, teams = [\"acme\"], rights = \"read-write\"}, \
        {claims = {owner = \"acme\"}, teams = \"acme\"}]}]";
    let from_tables = written(tables).line(&[], "access.oidc");
    let variable = ("LARDER_ACCESS__OIDC", array);
    let from_variable = written("").line(&[variable], "access.oidc");
    let value = |line: &str| line.split("  # ").next().unwrap().to_owned();
    assert_eq!(value(&from_tables), value(&from_variable));
    assert_eq!(
        from_variable,
        "access.oidc = [{ issuer = \"https://ci.example\", audience = \"us\", \
         keys = \"https://ci.example/.well-known/jwks\", algorithm = \"RS256\", grants = [\
         { claims = { owner = [\"acme\", \"acme-*\"], ref = \"main\" }, teams = [\"acme\"], rights = \"read-write\" }, \
         { claims = { owner = \"acme\" }, teams = [\"acme\"], rights = \"read\" }] }]  # LARDER_ACCESS__OIDC"
    );
    let again = written(&value(&from_variable)).line(&[], "access.oidc");
    assert_eq!(value(&again), value(&from_variable));
}

#[test]
fn the_ways_to_an_upstream_lead_to_the_keys_of_issuers_too() {
    let ways = "upstream.url = \"none\"\nupstream.connect_timeout = \"1s\"\n\
                upstream.proxy = \"http://u:canary@p:1\"\n";
    let file = written(&[ways, OIDC].concat());
    assert_eq!(file.load(&[]).unwrap().warnings, Vec::<String>::new());
    assert_eq!(
        file.line(&[], "upstream.proxy"),
        "upstream.proxy = \"http://***@p:1\"  # larder.toml:3"
    );
    let warnings = written(ways).load(&[]).unwrap().warnings;
    assert_eq!(warnings.len(), 2, "{warnings:?}");
}

#[test]
fn the_breaker_and_http2_are_switched_in_words_that_are_understood_or_refused() {
    let vercel = "upstream.url = \"vercel\"\n";
    for (text, key, shown) in [
        (
            "upstream.breaker_failures = 0",
            "upstream.breaker_failures",
            "0",
        ),
        (
            "upstream.breaker_failures = \"7\"",
            "upstream.breaker_failures",
            "7",
        ),
        ("upstream.http2 = true", "upstream.http2", "true"),
        ("upstream.http2 = \"false\"", "upstream.http2", "false"),
        (
            "upstream.absent_ttl = \"5s\"",
            "upstream.absent_ttl",
            "\"5s\"",
        ),
    ] {
        let line = written(&[vercel, text].concat()).line(&[], key);
        assert!(line.starts_with(&format!("{key} = {shown}  # ")), "{line}");
    }
    for text in [
        "upstream.breaker_failures = -1",
        "upstream.breaker_failures = \"some\"",
        "upstream.breaker_cooldown = \"0s\"",
        "upstream.http2 = \"yes\"",
        "upstream.absent_ttl = \"5\"",
        "upstream.head_timeout = \"0s\"",
        "upload.patience = \"0s\"",
    ] {
        let mistakes = mistake_in(&[vercel, text].concat());
        assert_eq!(mistakes.lines().count(), 1, "{text}: {mistakes}");
    }
}

#[test]
fn who_may_connect_is_said_in_networks_and_every_mistake_is_named() {
    let text = "server.listen = \"[::]:1, unix:/run/l\"\n\
                server.allow = [\"10.0.0.0/8\", \"2001:db8::/32\", \"192.0.2.7\"]\n\
                server.proxy_protocol = \"unix, 192.0.2.0/24\"\n\
                server.socket_mode = \"660\"\n\
                server.drain_delay = \"5s\"\n\
                access.mode = \"open\"\n";
    let file = written(text);
    for (key, shown) in [
        (
            "server.allow",
            "[\"10.0.0.0/8\", \"2001:db8::/32\", \"192.0.2.7\"]",
        ),
        ("server.proxy_protocol", "[\"192.0.2.0/24\", \"unix\"]"),
        ("server.socket_mode", "\"0660\""),
        ("server.drain_delay", "\"5s\""),
    ] {
        let line = file.line(&[], key);
        assert!(line.starts_with(&format!("{key} = {shown}  # ")), "{line}");
    }
    let warnings = file.load(&[]).unwrap().warnings;
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    for (text, mistake) in [
        (
            "server.allow = \"10.0.0.1/8, x\"",
            "10.0.0.0/8; \"x\" is neither",
        ),
        ("server.allow = \"unix\"", "neither"),
        ("server.proxy_protocol = \"loopback\"", "neither"),
        (
            "server.socket_mode = \"0777\"",
            "more than reading and writing",
        ),
        (
            "server.socket_mode = \"1660\"",
            "more than reading and writing",
        ),
        ("server.socket_mode = \"0060\"", "Larder's own user"),
        ("server.socket_mode = \"0o660\"", "is not a mode"),
        ("server.socket_mode = \"0680\"", "is not a mode"),
        ("server.socket_mode = 660", "in quotes"),
        ("server.drain_delay = 5", "is not a duration"),
    ] {
        let mistakes = mistake_in(text);
        assert!(mistakes.contains(mistake), "{text}: {mistakes}");
        assert_eq!(mistakes.lines().count(), 1, "{text}: {mistakes}");
    }
}

#[test]
fn what_judges_nobody_is_a_warning() {
    let unix = "server.listen = \"unix:/run/l\"\n";
    for (text, warning) in [
        (
            [unix, "server.allow = \"10.0.0.0/8\""],
            "nobody comes by an address",
        ),
        (
            [
                unix,
                "server.allow = \"10.0.0.0/8\"\nserver.proxy_protocol = \"unix\"",
            ],
            "",
        ),
        (["", "server.proxy_protocol = \"unix\""], "there is none"),
        (
            [unix, "server.socket_mode = \"0666\""],
            "every user of this machine",
        ),
        ([unix, "server.socket_mode = \"0660\""], ""),
    ] {
        let warnings = written(&text.concat())
            .load(&[])
            .unwrap()
            .warnings
            .join("\n");
        assert_eq!(
            warnings.is_empty(),
            warning.is_empty(),
            "{text:?} {warnings}"
        );
        assert!(warnings.contains(warning), "{text:?} {warnings}");
    }
}

#[test]
fn passed_sockets_may_be_anywhere_and_are_listened_at_once() {
    let passed = written("server.listen = \"systemd\"\nadmin.listen = \"systemd:admin\"");
    let line = passed.line(&[], "access.mode");
    assert!(line.starts_with("access.mode = \"tokens\""), "{line}");
    for text in [
        "server.listen = \"systemd:a, systemd:a\"",
        "server.listen = \"systemd:a\"\nadmin.listen = \"systemd:a\"",
        "server.listen = \"systemd\"\nadmin.listen = \"systemd\"",
        "server.listen = \"systemd:\"",
    ] {
        assert_eq!(mistake_in(text).lines().count(), 1, "{text}");
    }
}
