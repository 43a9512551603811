//! What holds at every listener, and is told by all of them: TLS, who may connect, certificates of clients.

use super::super::Secured;
use super::listeners::{LOCAL, listeners, of, secured};
use super::written;

#[test]
fn a_passed_socket_speaks_tls_over_tcp_unless_its_table_says_otherwise() {
    let table = |name, rest| format!("[listener.{name}]\naddress = \"systemd:{name}\"\n{rest}");
    let tables = [
        ("a", "", Secured::OverTcp, "# listener.a.tls is not set"),
        (
            "b",
            "tls = true\n",
            Secured::Always,
            "listener.b.tls = true",
        ),
        (
            "c",
            "tls = false\n",
            Secured::Never,
            "listener.c.tls = false",
        ),
    ];
    let text = tables.map(|(name, rest, ..)| table(name, rest)).concat();
    let file = secured(&text);
    let config = file.load(&[]).unwrap().config;
    let found: Vec<Secured> = config.listeners().map(|one| one.secured).collect();
    assert_eq!(found, tables.map(|(_, _, secured, _)| secured));
    assert!(
        config
            .listeners()
            .all(|one| one.access.as_str() == "tokens")
    );
    for (name, .., line) in tables {
        let shown = file.line(&[], &format!("listener.{name}.tls"));
        assert!(shown.starts_with(line), "{shown}");
    }
    let clear = written(&table("a", ""));
    assert_eq!(listeners(&clear, &[]), [of("systemd:a", false, "tokens")]);
}

#[test]
fn who_may_connect_is_a_question_of_every_listener() {
    let (allow, forwarder) = (
        "server.allow = \"10.0.0.0/8\"\n",
        "server.proxy_protocol = \"unix\"\n",
    );
    let unix = "[listener.u]\naddress = \"unix:/run/u\"\n";
    let passed = "[listener.p]\naddress = \"systemd\"\n";
    let plain = "server.listen = \"127.0.0.1:2\"\n";
    for (text, warning) in [
        ([allow, "", unix, ""], "nobody comes by an address"),
        ([allow, "", unix, LOCAL], ""),
        ([allow, "", unix, passed], ""),
        ([allow, plain, unix, ""], ""),
        ([allow, forwarder, unix, ""], ""),
        ([forwarder, "", LOCAL, ""], "there is none"),
        ([forwarder, plain, LOCAL, unix], ""),
        ([forwarder, "", LOCAL, passed], ""),
    ] {
        let warnings = written(&text.concat()).load(&[]).unwrap().warnings;
        let warnings = warnings.join("\n");
        assert_eq!(
            warnings.is_empty(),
            warning.is_empty(),
            "{text:?} {warnings}"
        );
        assert!(warnings.contains(warning), "{text:?} {warnings}");
    }
}

#[test]
fn a_listener_by_which_a_balancer_brings_others_is_not_this_machines_alone() {
    let unix = "unix:/run/u";
    for (from, address, brings) in [
        ("127.0.0.1", "127.0.0.1:1", true),
        ("127.0.0.1", "localhost:1", true),
        ("127.0.0.9", "127.0.0.1:1", true),
        ("0.0.0.0/0", "127.0.0.1:1", true),
        ("::1", "[::1]:1", true),
        ("::1", "localhost:1", true),
        ("::1", "127.0.0.1:1", false),
        ("127.0.0.0/8", "[::1]:1", false),
        ("10.0.0.0/8", "127.0.0.1:1", false),
        ("unix", "127.0.0.1:1", false),
        ("unix", unix, true),
        ("127.0.0.1", unix, false),
    ] {
        let text = format!("server.proxy_protocol = \"{from}\"\nserver.listen = \"{address}\"\n");
        let mode = if brings { "tokens" } else { "open" };
        assert_eq!(
            listeners(&written(&text), &[]),
            [of(address, false, mode)],
            "{from}"
        );
        for (rest, warning) in [
            (
                "access.mode = \"open\"\n",
                format!("everyone who reaches {address} reads and writes"),
            ),
            (
                "upstream.url = \"vercel\"\n",
                format!("takes the upstream's tokens in clear text at {address}"),
            ),
        ] {
            let warnings = written(&(text.clone() + rest)).load(&[]).unwrap().warnings;
            let is_warned = warnings.iter().any(|one| one.ends_with(&warning));
            assert_eq!(is_warned, brings, "{from} {address} {warnings:?}");
        }
    }
}

#[test]
fn everybody_as_a_balancer_is_a_doubt() {
    for (from, is_doubt) in [
        ("0.0.0.0/0", true),
        ("::/0", true),
        ("10.0.0.0/8", false),
        ("0.0.0.0/1", false),
    ] {
        let text = format!("server.proxy_protocol = [\"192.0.2.7\", \"{from}\"]\n");
        let warnings = written(&text).load(&[]).unwrap().warnings.join("\n");
        let doubt = format!("names {from}: whoever connects from there may claim to be anybody");
        assert_eq!(warnings.contains(&doubt), is_doubt, "{from} {warnings}");
    }
}

#[test]
fn certificates_of_clients_count_at_the_listeners_that_ask_for_them() {
    let far = |name, rest| {
        let access = "access = \"open\"";
        format!("[listener.{name}]\naddress = \"0.0.0.0:1{name}\"\n{access}\n{rest}")
    };
    let (secure, clear) = (far("1", ""), far("2", "tls = false\n"));
    let both = [&*secure, &clear].concat();
    let by_default = ["access.mode = \"open\"\n", &both.replace("access =", "#")].concat();
    let listed = "access.tokens = [{name = \"ci\", certificate = \"ci.example\"}]\n";
    let tokens = |text: &str| [listed, &text.replace("open", "tokens")].concat();
    let nobody = "names certificates, and no listener speaks TLS where the list judges";
    for (text, expected) in [
        (
            both.clone(),
            &[
                "everyone with a certificate who reaches 0.0.0.0:11",
                "everyone who reaches 0.0.0.0:12",
            ][..],
        ),
        (by_default, &["everyone who reaches 0.0.0.0:11, 0.0.0.0:12"]),
        (tokens(&both), &["takes tokens in clear text at 0.0.0.0:12"]),
        (
            [&*tokens(&clear), LOCAL, "access = \"open\"\n"].concat(),
            &["takes tokens in clear text at 0.0.0.0:12", nobody],
        ),
        (
            [LOCAL, "tls = false\n"].concat(),
            &[
                "server.tls.cert has no effect: no listener speaks TLS",
                "server.tls.key has no effect: no listener speaks TLS",
                "server.tls.client_ca has no effect: no listener speaks TLS",
            ],
        ),
    ] {
        let file = secured(&text);
        let ca = file.folder.path().join("tls.pem");
        let ca = [("LARDER_SERVER__TLS__CLIENT_CA", ca.to_str().unwrap())];
        let warnings = file.load(&ca).unwrap().warnings;
        // That there is no list of what it has revoked is said of every authority.
        let warnings: Vec<&String> = warnings
            .iter()
            .filter(|warning| !warning.contains("holds no list"))
            .collect();
        assert_eq!(warnings.len(), expected.len(), "{warnings:?}");
        for (warning, part) in warnings.iter().zip(expected) {
            assert!(warning.contains(part), "{warnings:?}");
        }
    }
}
