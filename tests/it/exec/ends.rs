//! How it ends: with the command's code, after the command's signals, and not before uploads have arrived.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Job, run};
use crate::put::announced;
use crate::support::{Client, Origin, Setup, artifact, assert_bytes, bytes, eventually, script};

const SOME: usize = 1 << 20;

#[tokio::test]
async fn the_commands_code_is_its_own_and_a_signal_is_one_as_in_a_shell() {
    let setup = Setup::alone();
    for (script, code) in [
        ("exit 0", 0),
        ("exit 7", 7),
        ("exit 255", 255),
        ("kill -TERM $$", 143),
        ("kill -KILL $$", 137),
    ] {
        let exit = run(&setup, &[], script).await;
        assert_eq!(exit.code, Some(code), "{script}: {}", exit.stderr);
    }
}

#[tokio::test]
async fn a_command_that_cannot_be_run_is_one_as_in_a_shell() {
    let setup = Setup::alone();
    for (program, code) in [("/nowhere/turbo", 127), ("/etc/passwd", 126)] {
        let arguments = ["exec", "--config", "{config}", "--", program];
        let exit = setup.run(&arguments).await;
        assert_eq!(exit.code, Some(code), "{}", exit.stderr);
        assert!(exit.stderr.contains(program), "{}", exit.stderr);
    }
}

#[tokio::test]
async fn without_a_command_it_is_no_use() {
    let exit = Setup::alone().run(&["exec"]).await;
    assert_eq!((exit.code, exit.stdout.as_str()), (Some(2), ""));
}

#[tokio::test]
async fn signals_reach_the_command_which_decides_what_comes_of_them() {
    let story = r#"
trap 'echo terminated; exit 3' TERM
trap 'echo interrupted; exit 4' INT
trap 'echo hung up; exit 5' HUP
echo "TURBO_API=$TURBO_API"
while :; do read code < gate; done
"#;
    for (code, word) in [(3, "terminated"), (4, "interrupted"), (5, "hung up")] {
        let setup = Setup::alone();
        let mut job = Job::tell(&setup, "", story).await;
        match code {
            3 => job.process.terminate(),
            4 => job.process.interrupt(),
            _ => job.process.hang_up(),
        }
        let exit = job.exit().await;
        assert_eq!(exit.code, Some(code), "{}", exit.stderr);
        assert_eq!(exit.stdout.matches(word).count(), 1, "{}", exit.stdout);
    }
}

#[tokio::test]
async fn what_was_ignored_before_is_ignored_by_the_command_too() {
    let setup = Setup::alone();
    let script = r#"trap '' HUP; exec "$0" exec --config "$1" -- /bin/sh -c 'kill -HUP $$ $PPID; echo alive'"#;
    let mut process = crate::support::Process::spawn(setup.script(script));
    let exit = process.exit().await;
    assert_eq!((exit.code, exit.stdout.as_str()), (Some(0), "alive\n"));
}

/// A command that has ended while the upstream has an upload and says nothing; its client has left.
async fn undelivered(origin: &Origin, setup: &Setup) -> Job {
    origin.once("PUT", "aa", script().hold("upload").usual());
    let mut job = Job::start(setup, "").await;
    let mut client = job.client();
    let upload = announced("aa", SOME).body(&bytes(1, SOME));
    client.send_whole(&upload).await;
    origin.wait_at("upload").await;
    drop(client);
    job.release("9");
    let api = job.api;
    eventually("new connections to be refused", async || {
        TcpStream::connect(api).await.is_err()
    })
    .await;
    job.process.assert_alive();
    job
}

#[tokio::test]
async fn an_upload_that_is_whole_here_is_waited_for() {
    let origin = Origin::start();
    let setup = Setup::before(&origin);
    let mut job = undelivered(&origin, &setup).await;
    origin.release("upload");
    let exit = job.exit().await;
    assert_eq!(exit.code, Some(9), "{}", exit.stderr);
    assert!(exit.stderr.contains("1 stored\n"), "{}", exit.stderr);
    assert_bytes(&origin.seen("PUT", "aa")[0].body, &bytes(1, SOME));
    let larder = setup.start().await;
    assert!(larder.client().get(&artifact("aa")).await.is_hit());
}

#[tokio::test]
async fn a_signal_cuts_that_wait_short_and_leaves_the_code_alone() {
    let origin = Origin::start();
    // Far beyond what a test waits for.
    let setup = Setup::before(&origin)
        .set("server.shutdown_grace", "1h")
        .set("upload.patience", "1h")
        .set("upstream.first_byte_timeout", "1h");
    let mut job = undelivered(&origin, &setup).await;
    eventually("word of what it waits for", async || {
        job.process.printed_errors().contains("for 1h at most")
    })
    .await;
    job.process.terminate();
    let exit = job.exit().await;
    assert_eq!(exit.code, Some(9), "{}", exit.stderr);
    assert!(
        exit.stderr.contains("0 stored, 1 failed"),
        "{}",
        exit.stderr
    );
}

#[tokio::test]
async fn the_grace_bounds_that_wait() {
    let origin = Origin::start();
    let setup = Setup::before(&origin).set("server.shutdown_grace", "200ms");
    let mut job = undelivered(&origin, &setup).await;
    let exit = timeout(Duration::from_secs(20), job.exit()).await;
    assert_eq!(exit.expect("well before the origin answers").code, Some(9));
}

#[tokio::test]
async fn whoever_comes_after_the_command_is_served_until_a_signal_or_quiet() {
    let setup = Setup::alone();
    let mut job = Job::start(&setup, "--idle-exit 1h").await;
    job.release("6");
    job.over().await;
    let reply = Client::new(job.api).put(&artifact("aa"), b"body").await;
    assert_eq!(reply.status, 202);
    job.process.assert_alive();
    job.process.terminate();
    assert_eq!(job.exit().await.code, Some(6));

    let mut job = Job::start(&setup, "--idle-exit 300ms").await;
    assert_eq!(job.end("6").await.code, Some(6));
}
