//! Listeners that differ: their tables, what holds where they say nothing, and what is wrong with them.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use rcgen::generate_simple_self_signed;

use super::{Written, mistake_in, written};

pub(super) const LOCAL: &str = "[listener.local]\naddress = \"127.0.0.1:1\"\n";
const VERCEL: &str = "upstream.url = \"vercel\"\n";

/// The same text behind a certificate and its key.
pub(super) fn secured(text: &str) -> Written {
    let file = written("");
    let own = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let keep = |name: &str, pem: String| {
        let path = file.folder.path().join(name);
        fs::write(&path, pem).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        path
    };
    let cert = keep("tls.pem", own.cert.pem());
    let key = keep("tls-key.pem", own.signing_key.serialize_pem());
    let tls = format!("server.tls = {{cert = {cert:?}, key = {key:?}}}\n");
    fs::write(file.flags.config.as_ref().unwrap(), tls + text).unwrap();
    file
}

pub(super) fn listeners(
    file: &Written,
    pairs: &[(&str, &str)],
) -> Vec<(String, bool, &'static str)> {
    let config = file.load(pairs).unwrap().config;
    let each = config.listeners();
    each.map(|one| {
        (
            one.address.to_string(),
            one.is_secured(),
            one.access.as_str(),
        )
    })
    .collect()
}

pub(super) fn of(
    address: &str,
    is_secured: bool,
    access: &'static str,
) -> (String, bool, &'static str) {
    (address.to_owned(), is_secured, access)
}

#[test]
fn a_table_holds_where_it_differs_and_the_usual_keys_where_it_says_nothing() {
    let file = secured(&format!(
        "{VERCEL}server.listen = [\"[::1]:1\"]\n{LOCAL}access = \"open\"\ntls = false\n\
         [listener.a]\naddress = \"unix:/run/a\"\n[listener.b]\naddress = \"unix:/run/b\"\ntls = true\n\
         [listener.c]\naddress = \"10.0.0.1:1\"",
    ));
    let expected = [
        of("[::1]:1", true, "upstream"),
        of("unix:/run/a", false, "upstream"),
        of("unix:/run/b", true, "upstream"),
        of("10.0.0.1:1", true, "upstream"),
        of("127.0.0.1:1", false, "open"),
    ];
    assert_eq!(listeners(&file, &[]), expected);
    assert_eq!(file.load(&[]).unwrap().warnings, Vec::<String>::new());
}

#[test]
fn the_default_address_gives_way_to_tables_and_an_address_that_was_set_does_not() {
    let mut file = written(LOCAL);
    assert_eq!(listeners(&file, &[]), [of("127.0.0.1:1", false, "open")]);
    let line = file.line(&[], "server.listen");
    assert_eq!(line, "# server.listen is not set");
    file.flags.listen = vec!["127.0.0.1:8585".to_owned()];
    let both = [
        of("127.0.0.1:8585", false, "open"),
        of("127.0.0.1:1", false, "open"),
    ];
    assert_eq!(listeners(&file, &[]), both);
}

#[test]
fn variables_say_the_same_as_tables_and_win_over_the_file() {
    let pairs = [
        ("LARDER_LISTENER__BUILD_FARM__ADDRESS", "unix:/run/b"),
        ("LARDER_LISTENER__LOCAL__ACCESS", "tokens"),
        ("LARDER_LISTENER__LOCAL__TLS", "false"),
    ];
    let file = written(&[LOCAL, "access = \"open\""].concat());
    let expected = [
        of("unix:/run/b", false, "open"),
        of("127.0.0.1:1", false, "tokens"),
    ];
    assert_eq!(listeners(&file, &pairs), expected);
    for (key, line) in [
        (
            "listener.build-farm.address",
            "listener.build-farm.address = \"unix:/run/b\"  # LARDER_LISTENER__BUILD_FARM__ADDRESS",
        ),
        (
            "listener.build-farm.tls",
            "listener.build-farm.tls = false  # default",
        ),
        (
            "listener.local.address",
            "listener.local.address = \"127.0.0.1:1\"  # larder.toml:2",
        ),
        (
            "listener.local.access",
            "listener.local.access = \"tokens\"  # LARDER_LISTENER__LOCAL__ACCESS",
        ),
    ] {
        assert_eq!(file.line(&pairs, key), line);
    }
}

#[test]
fn every_mistake_in_every_table_is_said_at_once() {
    let file = written(
        "[listener.a]\nadress = \"x\"\ntls = \"yes\"\n[listener.B]\naddress = \"x:1\"\n[listener.c]\n\
         [listener.d]\naddress = \"1\"\naccess = \"all\"\n[listener.e]\naddress = \"x:1\"\ntls = true\n\
         [listener]\nf = 1",
    );
    let mistakes = file.mistakes(&[
        ("LARDER_LISTENER__G__ADRESS", "x:1"),
        ("LARDER_LISTENER__ADDRESS", "x:1"),
    ]);
    assert_eq!(
        mistakes,
        [
            "larder.toml:2: unknown key listener.a.adress: did you mean listener.a.address?",
            "larder.toml:5: listener.B.address: is no name of a listener: 1 to 32 of a-z, 0-9 and `-`",
            "larder.toml:14: listener.f: is a table of keys, not a key",
            "unknown variable LARDER_LISTENER__ADDRESS: did you mean LARDER_LISTENER__NAME__ADDRESS?",
            "unknown variable LARDER_LISTENER__G__ADRESS: did you mean LARDER_LISTENER__G__ADDRESS?",
            "larder.toml:3: listener.a.tls: must be true or false",
            "larder.toml:3: listener.a: needs an address: HOST:PORT or unix:PATH",
            "larder.toml:6: listener.c: needs an address: HOST:PORT or unix:PATH",
            "larder.toml:8: listener.d.address: \"1\" is neither HOST:PORT nor unix:PATH",
            "larder.toml:9: listener.d.access: \"all\" is none of: upstream, tokens, open",
            "larder.toml:12: listener.e.tls: there is no certificate to show: set server.tls.cert and server.tls.key",
        ]
    );
    let long = format!("[listener.{}]", "x".repeat(33));
    for table in [&*long, "[listener.\"a.b\"]", "[listener.\"\"]"] {
        assert!(mistake_in(table).contains("is no name of a listener"));
    }
}

#[test]
fn no_address_is_listened_at_twice() {
    for (text, mistake) in [
        (
            "server.listen = \"a:1\"\n[listener.x]\naddress = \"A:1\"",
            "listener.x.address: a:1 is in server.listen too",
        ),
        (
            "[listener.x]\naddress = \"a:1\"\n[listener.y]\naddress = \"a:1\"",
            "listener.y.address: a:1 is in listener.x.address too",
        ),
        (
            "[listener.x]\naddress = \"systemd:a\"\n[listener.y]\naddress = \"systemd:a\"",
            "listener.y.address: systemd:a is in listener.x.address too",
        ),
        (
            "admin.listen = \"systemd\"\n[listener.x]\naddress = \"systemd\"",
            "admin.listen: systemd is a data listener too",
        ),
        (
            "[listener.x]\naddress = \"127.0.0.1:8586\"",
            "admin.listen: 127.0.0.1:8586 is a data listener too",
        ),
    ] {
        let mistakes = mistake_in(text);
        assert!(mistakes.ends_with(mistake), "{mistakes}");
        assert_eq!(mistakes.lines().count(), 1, "{mistakes}");
    }
    let any = "[listener.x]\naddress = \"[::1]:0\"\n[listener.y]\naddress = \"[::1]:0\"";
    written(any).load(&[]).unwrap();
}

#[test]
fn who_judges_by_default_follows_from_the_listeners_that_do_not_say() {
    let far = "[listener.far]\naddress = \"0.0.0.0:1\"\naccess = \"tokens\"\n";
    let near = of("127.0.0.1:1", false, "open");
    let file = written(&[far, LOCAL].concat());
    assert_eq!(
        listeners(&file, &[]),
        [of("0.0.0.0:1", false, "tokens"), near]
    );
    let unsaid = far.replace("access", "#");
    let file = written(&[&*unsaid, LOCAL].concat());
    assert!(
        listeners(&file, &[])
            .iter()
            .all(|(.., access)| *access == "tokens")
    );
}

#[test]
fn a_judge_that_cannot_be_is_a_mistake_wherever_it_is_named() {
    for (text, mistake) in [
        (
            [LOCAL, "access = \"upstream\""].concat(),
            "listener.local.access: `upstream` needs an upstream to judge",
        ),
        (
            [VERCEL, LOCAL, "access = \"tokens\""].concat(),
            "listener.local.access: `tokens` before an upstream needs a credential for it",
        ),
        (
            ["access.mode = \"upstream\"\n", LOCAL, "access = \"open\""].concat(),
            "access.mode: `upstream` needs an upstream to judge",
        ),
    ] {
        let mistakes = mistake_in(&text);
        assert!(mistakes.contains(mistake), "{mistakes}");
        assert_eq!(mistakes.lines().count(), 1, "{mistakes}");
    }
}

#[test]
fn a_credential_of_larders_own_speaks_beside_an_upstream_that_judges_but_not_where_it_judges_all() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "own\n").unwrap();
    let own = format!("upstream.token_file = {:?}\n", file.path());
    let mixed = [
        VERCEL,
        &own,
        "server.listen = \"[::1]:1\"\n",
        LOCAL,
        "access = \"tokens\"",
    ];
    let expected = [
        of("[::1]:1", false, "upstream"),
        of("127.0.0.1:1", false, "tokens"),
    ];
    assert_eq!(listeners(&written(&mixed.concat()), &[]), expected);
    let alone = mistake_in(&[VERCEL, &own, LOCAL, "access = \"upstream\""].concat());
    assert!(alone.contains("the upstream could judge nobody"), "{alone}");
}

#[test]
fn each_listener_is_warned_of_by_what_it_is_itself() {
    let text = format!(
        "{VERCEL}[listener.tls]\naddress = \"0.0.0.0:1\"\n[listener.clear]\naddress = \"0.0.0.0:2\"\ntls = false\n\
         [listener.open]\naddress = \"0.0.0.0:3\"\naccess = \"open\"\n[listener.near]\naddress = \"[::1]:1\"\n\
         tls = false\naccess = \"open\"",
    );
    let file = secured(&text);
    let folder = format!("{}/", file.folder.path().display());
    let warnings = file.load(&[]).unwrap().warnings;
    let warnings = warnings.join("\n").replace(&folder, "");
    assert_eq!(
        warnings,
        "larder.toml:10: listener.open.access is `open`: everyone who reaches 0.0.0.0:3 reads and writes\n\
         larder.toml:6: listener.clear.address takes the upstream's tokens in clear text at 0.0.0.0:2"
    );
}

#[test]
fn an_open_listener_is_warned_of_as_well_where_callers_bring_the_upstreams_tokens() {
    let own = tempfile::NamedTempFile::new().unwrap();
    fs::write(own.path(), "own\n").unwrap();
    let own = format!("upstream.token_file = {:?}\n", own.path());
    let open = "server.listen = \"0.0.0.0:1\"\naccess.mode = \"open\"\n";
    for (before, is_warned) in [
        (VERCEL.to_owned(), true),
        ([VERCEL, &own].concat(), false),
        (String::new(), false),
    ] {
        let warnings = written(&[&before, open].concat()).load(&[]).unwrap();
        let warnings = warnings.warnings.join("\n");
        assert!(warnings.contains("everyone who reaches 0.0.0.0:1"));
        let clear = "server.listen takes the upstream's tokens in clear text at 0.0.0.0:1";
        assert_eq!(warnings.contains(clear), is_warned, "{warnings}");
    }
    let secured = secured(&[VERCEL, open].concat()).load(&[]).unwrap();
    assert_eq!(secured.warnings.len(), 1, "{:?}", secured.warnings);
}

#[test]
fn what_no_listener_makes_use_of_is_warned_of() {
    let open = [LOCAL, "access = \"open\"\n"].concat();
    for (file, warning) in [
        (
            written(&["access.mode = \"tokens\"\n", &open].concat()),
            "access.mode has no effect: every listener says who judges",
        ),
        (
            written(&[&open, "[access]\nverdict_ttl = \"1m\""].concat()),
            "access.verdict_ttl has no effect: no listener's access is `upstream`",
        ),
        (
            secured(&[LOCAL, "tls = false"].concat()),
            "server.tls.cert has no effect: no listener speaks TLS",
        ),
    ] {
        let warnings = file.load(&[]).unwrap().warnings;
        assert!(warnings[0].ends_with(warning), "{warnings:?}");
    }
}

#[test]
fn memory_admits_more_as_soon_as_one_listener_encrypts() {
    let in_memory = |file: &Written| file.load(&[]).unwrap().config.tier.memory.max_artifact;
    let unix = "[listener.a]\naddress = \"unix:/run/a\"\n";
    let uncopied = in_memory(&written(""));
    assert_eq!(in_memory(&secured(unix)), uncopied);
    assert_eq!(in_memory(&secured(&[unix, LOCAL].concat())), 1 << 20);
    let clear = [unix, LOCAL, "tls = false"].concat();
    assert_eq!(in_memory(&secured(&clear)), uncopied);
}
