//! A program of others that speaks HTTP, run to its end.

use std::io::Write;
use std::process::{Output, Stdio};

use super::within;

/// What it printed, where it is installed: errors that it made are the test's.
///
/// Nothing, said loudly, where it is not.
pub async fn run(program: &str, arguments: &[&str]) -> Option<Output> {
    let started = std::process::Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let child = match started {
        Ok(child) => child,
        Err(error) => {
            skip(program, &error.to_string());
            return None;
        }
    };
    let waiting = tokio::task::spawn_blocking(move || child.wait_with_output());
    let output = within(program, waiting).await.expect("a thread");
    let output = output.expect("our child");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    Some(output)
}

fn skip(program: &str, reason: &str) {
    assert!(std::env::var_os("CI").is_none(), "no {program}: {reason}");
    // Written past the test runner's capture: a test that did not run must be seen.
    let said = writeln!(std::io::stderr(), "NOT TESTED: no {program} here: {reason}");
    said.expect("standard error");
}
