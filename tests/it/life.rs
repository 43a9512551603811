//! A process from its start to its end.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::{fs, io};

use tokio::net::TcpStream;

use crate::support::{
    Ended, Larder, Origin, Process, Request, Setup, artifact, assert_bytes, assert_whole, bytes,
    eventually, script,
};

#[tokio::test]
async fn sigterm_finishes_what_runs_and_exits_0() {
    let origin = Origin::start();
    let body = bytes(1, 10_000);
    let halved = script().head(200).length(10_000).chunk(&body[..5000]);
    origin.once("GET", "aa", halved.hold("rest").chunk(&body[5000..]));
    let mut larder = Larder::before(&origin).await;
    let mut client = larder.client();
    client
        .send_head(&Request::new("GET", &artifact("aa")))
        .await;
    client.read_head().await.expect("a head");
    assert_bytes(&client.read_some(5000).await, &body[..5000]);
    larder.terminate();
    let address = larder.address();
    eventually("new connections to be refused", async || {
        TcpStream::connect(address).await.is_err()
    })
    .await;
    // Whoever watches the drain still gets an answer.
    assert_eq!(larder.admin().get("/readyz").await.status, 503);
    assert_eq!(larder.admin().get("/healthz").await.status, 200);
    origin.release("rest");
    assert_whole(&client.read_rest().await, &body[5000..]);
    let exit = larder.exit().await;
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
}

#[tokio::test]
async fn half_a_head_does_not_hold_up_the_stop() {
    let larder = Larder::alone().await;
    let mut client = larder.client();
    client.get(&artifact("aa")).await;
    client
        .send(b"GET /v8/artifacts/aa HTTP/1.1\r\nhost: ")
        .await;
    // Any answer here shows that the half head has been read.
    larder.client().get(&artifact("aa")).await;
    let exit = tokio::time::timeout(std::time::Duration::from_secs(5), larder.stop()).await;
    assert_eq!(
        exit.expect("well within the ten seconds of a head").code,
        Some(0)
    );
}

#[tokio::test]
async fn sigterm_with_nothing_running_ends_at_once() {
    let origin = Origin::start();
    let larder = Larder::before(&origin).await;
    let mut client = larder.client();
    client.get(&artifact("aa")).await;
    // The client's idle connection is no reason to wait out the grace.
    let exit = tokio::time::timeout(std::time::Duration::from_secs(15), larder.stop()).await;
    assert_eq!(exit.expect("well within the grace of 30 s").code, Some(0));
}

#[tokio::test]
async fn a_stop_leaves_word_of_what_rests_and_how_it_was_used() {
    let larder = Larder::alone().await;
    larder.client().put(&artifact("aa"), b"body").await;
    let folder = larder.setup().data_dir().join("v1");
    let larder = larder.restart().await;
    assert!(folder.join("usage").exists());
    let recency = fs::read_dir(folder.join("recency")).expect("a folder");
    assert_eq!(recency.count(), 1, "of the one folder with an entry");
    let metrics = larder.metrics().await;
    let entries = metrics.sum("larder_tier_entries", &[("tier", "disk")]);
    assert!((entries - 1.0).abs() < 0.1, "{entries}");
    assert!(larder.client().get(&artifact("aa")).await.is_hit());
    let drafts = fs::read_dir(folder.join("tmp")).expect("a folder");
    assert_eq!(drafts.count(), 0);
}

#[tokio::test]
async fn what_runs_longer_than_the_grace_is_cut_and_not_stored() {
    let origin = Origin::start();
    let body = bytes(1, 10_000);
    let endless = script()
        .head(200)
        .length(10_000)
        .chunk(&body[..5000])
        .stall();
    origin.once("GET", "aa", endless);
    origin.hold("aa", &body);
    let larder = Setup::before(&origin)
        .set("server.shutdown_grace", "100ms")
        .start()
        .await;
    let mut client = larder.client();
    client
        .send_head(&Request::new("GET", &artifact("aa")))
        .await;
    client.read_head().await.expect("a head");
    let larder = {
        let setup = larder.setup().clone();
        larder.stop().await;
        setup.start().await
    };
    let (read, ended) = client.read_rest().await;
    assert_eq!((read.len(), ended), (5000, Ended::Cut));
    assert!(!larder.client().get(&artifact("aa")).await.is_hit());
}

#[tokio::test]
async fn a_kill_costs_at_most_a_miss() {
    let origin = Origin::start();
    let body = bytes(1, 100_000);
    let mut larder = Larder::before(&origin).await;
    let mut client = larder.client();
    for number in 0..20 {
        client.put(&artifact(&format!("aa{number}")), &body).await;
    }
    origin.once(
        "GET",
        "half",
        script().head(200).length(9000).chunk(b"half").stall(),
    );
    client
        .send_head(&Request::new("GET", &artifact("half")))
        .await;
    client.read_head().await.expect("a head");
    larder.kill().await;
    let larder = larder.setup().clone().start().await;
    let mut client = larder.client();
    for number in 0..20 {
        client
            .get(&artifact(&format!("aa{number}")))
            .await
            .assert_body(&body);
    }
    assert_eq!(client.get(&artifact("half")).await.status, 404);
}

#[tokio::test]
async fn a_healthcheck_says_whether_the_process_of_a_data_directory_takes_work() {
    let asks = ["healthcheck", "--config", "{config}"];
    let setup = Setup::alone().set("server.drain_delay", "1h");
    let exit = setup.run(&asks).await;
    assert_eq!(exit.code, Some(1), "nobody is there: {}", exit.stderr);
    assert_eq!(exit.stderr.lines().count(), 1, "{}", exit.stderr);
    let mut larder = setup.start().await;
    let exit = larder.setup().run(&asks).await;
    assert_eq!((exit.code, exit.stderr.as_str()), (Some(0), ""));
    larder.terminate();
    eventually("the process to take no more work", async || {
        let exit = larder.setup().run(&asks).await;
        exit.code == Some(1) && exit.stderr.starts_with("larder: 503: ")
    })
    .await;
    larder.terminate();
    assert_eq!(larder.exit().await.code, Some(1));
}

#[tokio::test]
async fn whoever_has_the_port_of_a_dead_process_is_shown_no_admin_token() {
    let setup = Setup::alone().set("admin.token", "canary-admin");
    let mut larder = setup.start().await;
    let address = announced(&larder.setup().data_dir());
    larder.kill().await;
    let stranger = TcpListener::bind(&address).expect("the port is free");
    stranger.set_nonblocking(true).expect("a socket");
    let asks = ["healthcheck", "--config", "{config}"];
    let exit = larder.setup().run(&asks).await;
    assert_eq!(exit.code, Some(1), "{}", exit.stderr);
    let came = stranger.accept().map_err(|error| error.kind());
    assert_eq!(came.err(), Some(io::ErrorKind::WouldBlock));
}

/// Where the admin listener is, as the process has written down.
fn announced(data_dir: &Path) -> String {
    let text = fs::read_to_string(data_dir.join("admin.json")).expect("it is written at the start");
    let told: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    told["address"].as_str().expect("an address").to_owned()
}

#[tokio::test]
async fn a_port_in_use_is_one_clear_line_and_exit_1() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let setup = Setup::alone().toml("server.listen", &format!("[{address:?}]"));
    let exit = setup.run(&["serve", "--config", "{config}"]).await;
    assert_eq!(exit.code, Some(1), "{}", exit.stderr);
    assert_one_line(&exit.stderr, &address);
}

#[tokio::test]
async fn a_data_directory_that_cannot_be_written_is_one_clear_line() {
    let setup = Setup::alone();
    let file = setup.directory().join("file");
    fs::write(&file, "not a directory").expect("a file");
    let below = file.join("data").to_str().expect("a plain path").to_owned();
    let setup = setup.set("data_dir", &below);
    let exit = setup.run(&["serve", "--config", "{config}"]).await;
    assert!(
        matches!(exit.code, Some(1 | 2)),
        "{:?}: {}",
        exit.code,
        exit.stderr
    );
    assert_one_line(&exit.stderr, &below);
}

#[tokio::test]
async fn a_data_directory_has_one_process_and_the_second_is_told_which() {
    let larder = Larder::alone().await;
    let exit = larder.setup().run(&["serve", "--config", "{config}"]).await;
    assert_eq!(exit.code, Some(2), "{}", exit.stderr);
    assert_one_line(&exit.stderr, &larder.process().id().to_string());
    assert_eq!(
        larder.client().get(&artifact("aa")).await.status,
        404,
        "the first lives on"
    );
}

#[tokio::test]
async fn the_first_lines_tell_how_to_point_turbo_here() {
    let larder = Larder::alone().await;
    // It is ready before its pipe is read to the end.
    eventually("the last of them", async || {
        larder.printed().contains("TURBO_TEAM=")
    })
    .await;
    let printed = larder.printed();
    for name in ["TURBO_API=", "TURBO_TOKEN=", "TURBO_TEAM="] {
        let line = printed.lines().find(|line| line.contains(name));
        assert!(
            line.is_some_and(|line| line.trim_start().starts_with("export ")),
            "{printed}"
        );
    }
    assert!(printed.contains("--upstream vercel"), "{printed}");
}

#[tokio::test]
async fn shells_complete_the_commands() {
    let setup = Setup::alone();
    let shells = ["bash", "zsh", "fish", "elvish", "powershell"];
    for shell in shells {
        let script = setup.run(&["completions", shell]).await;
        assert_eq!(
            (script.code, script.stderr.as_str()),
            (Some(0), ""),
            "{shell}"
        );
        assert!(script.stdout.contains("data-dir"), "{shell}");
    }
    assert_eq!(setup.run(&["completions", "abacus"]).await.code, Some(2));
    let asks = "eval \"$($0 completions bash)\" && COMP_WORDS=(larder fs) COMP_CWORD=1 && \
                _larder larder fs larder && echo \"${COMPREPLY[*]}\"";
    let bash = Command::new("bash")
        .args(["-c", asks, env!("CARGO_BIN_EXE_larder")])
        .output();
    if let Ok(answer) = bash {
        assert_eq!(
            String::from_utf8_lossy(&answer.stdout),
            "fsck\n",
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn each_command_has_a_page_of_the_manual() {
    let setup = Setup::alone();
    let folder = setup.directory().join("man1");
    fs::create_dir(&folder).expect("a folder");
    let path = folder.to_str().expect("a plain path");
    assert_eq!(setup.run(&["man", path]).await.code, Some(0));
    for page in [
        "larder",
        "larder-serve",
        "larder-check",
        "larder-healthcheck",
    ] {
        let text = fs::read_to_string(folder.join(format!("{page}.1")));
        assert!(text.expect("a page").contains(".SH NAME"), "{page}");
    }
    let page = setup.run(&["man"]).await;
    assert!(page.stdout.contains("remote cache"), "{}", page.stdout);
    let missing = folder.join("missing");
    let exit = setup
        .run(&["man", missing.to_str().expect("a plain path")])
        .await;
    assert_eq!(exit.code, Some(1), "{}", exit.stderr);
    assert_one_line(&exit.stderr, missing.to_str().expect("a plain path"));
}

#[tokio::test]
async fn version_check_and_help_work_without_a_server() {
    let setup = Setup::alone();
    let version = setup.run(&["--version"]).await;
    assert_eq!(version.code, Some(0));
    assert_eq!(
        version.stdout.trim(),
        concat!("larder ", env!("CARGO_PKG_VERSION"))
    );
    let check = setup.run(&["check", "--config", "{config}"]).await;
    assert_eq!(check.code, Some(0), "{}", check.stderr);
    assert!(
        check
            .stdout
            .lines()
            .any(|line| line.starts_with("upstream.url = ")),
        "{}",
        check.stdout
    );
    let help = setup.run(&["--help"]).await;
    assert_eq!(help.code, Some(0));
    assert!(
        help.stdout.contains("serve") && help.stdout.contains("check"),
        "{}",
        help.stdout
    );
    assert_eq!(setup.run(&["--no-such-flag"]).await.code, Some(2));
    let wrong = setup.toml("upstream.conect_timeout", "'5s'");
    let exit = wrong.run(&["serve", "--config", "{config}"]).await;
    assert_eq!(exit.code, Some(2));
    assert!(
        exit.stderr.contains("connect_timeout"),
        "the nearest known key: {}",
        exit.stderr
    );
}

/// Asserts that exactly one line of what was printed names `what`, and that nothing panicked.
#[track_caller]
fn assert_one_line(printed: &str, what: &str) {
    let naming = printed.lines().filter(|line| names(line, what)).count();
    assert_eq!(naming, 1, "{what} in: {printed}");
    assert!(!printed.contains("panicked"), "{printed}");
}

/// Whether `what` stands in the line by itself, not as a part of a longer word or number.
fn names(line: &str, what: &str) -> bool {
    let stands_alone = |(start, _): (usize, &str)| {
        let before = line[..start].chars().next_back();
        let after = line[start + what.len()..].chars().next();
        !before.into_iter().chain(after).any(char::is_alphanumeric)
    };
    line.match_indices(what).any(stands_alone)
}

#[tokio::test]
async fn a_group_may_be_let_in_by_sockets_for_clients_and_never_by_the_admin_socket() {
    let setup = Setup::alone();
    let directory = setup.directory().to_owned();
    let socket = |name: &str| format!("unix:{}", directory.join(name).display());
    let setup = setup
        .set(
            "server.listen",
            &format!("127.0.0.1:0, {}", socket("data.sock")),
        )
        .set("server.socket_mode", "0660")
        .set("admin.listen", &socket("admin.sock"));
    let mut process = Process::spawn(setup.script(r#"exec "$0" serve --config "$1""#));
    process.port().await;
    for (name, mode) in [("data.sock", 0o660), ("admin.sock", 0o600)] {
        let file = fs::metadata(directory.join(name)).expect("a socket");
        assert_eq!(file.permissions().mode() & 0o777, mode, "{name}");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn as_many_files_may_be_open_as_the_system_allows() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let flags = "--upstream none --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0";
    let script =
        format!(r#"ulimit -Sn 100; ulimit -Hn 1000; exec "$0" serve --data-dir "$1" {flags}"#);
    let mut command = Command::new("sh");
    let binary = env!("CARGO_BIN_EXE_larder");
    command
        .args(["-c", &script, binary])
        .arg(directory.path())
        .env_clear();
    let mut process = Process::spawn(command);
    process.port().await;
    let limits = fs::read_to_string(format!("/proc/{}/limits", process.id()));
    let limits = limits.expect("a live process");
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"));
    let allowed: Vec<_> = line.expect("a limit").split_whitespace().take(2).collect();
    assert_eq!(allowed, ["1000", "1000"]);
}
