//! A certificate made by the command that the documentation gives.

use std::io::Write;
use std::path::Path;
use std::process::Command;

/// Runs the command in `folder`, for a server of this name: `tls.pem` and `tls-key.pem` are there then.
/// False, said loudly, where there is no openssl.
pub(crate) fn certify(folder: &Path, name: &str) -> bool {
    if let Err(error) = Command::new("openssl").arg("version").output() {
        skip(&error.to_string());
        return false;
    }
    let command = command().replace("cache.acme.example", name);
    let output = Command::new("sh")
        .args(["-c", &command])
        .current_dir(folder)
        .output()
        .expect("a shell");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command}: {said}");
    true
}

fn command() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations.md");
    let text = std::fs::read_to_string(page).expect("a page");
    let mut blocks = text
        .split("\n```")
        .filter_map(|block| block.strip_prefix("text\n"));
    blocks
        .find(|block| block.starts_with("openssl req "))
        .expect("a command")
        .to_owned()
}

fn skip(reason: &str) {
    assert!(std::env::var_os("CI").is_none(), "no openssl: {reason}");
    // Written past the test runner's capture: a test that did not run must be seen.
    let said = writeln!(std::io::stderr(), "NOT TESTED: no openssl here: {reason}");
    said.expect("standard error");
}
