//! How a client gets onto this machine: from npm, once for everybody who tests here.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use parking_lot::Mutex;

use crate::client::Version;

/// Why npm could not be used; asked once a process, because a missing registry is slow to be missed.
static UNREACHABLE: Mutex<Option<String>> = Mutex::new(None);

/// The program, installed where it is not there yet; `None`, said loudly, where it cannot be had.
pub(crate) fn installed(version: Version) -> Option<PathBuf> {
    match install(version) {
        Ok(program) => Some(program),
        Err(reason) => {
            skip(version, &reason);
            None
        }
    }
}

fn install(version: Version) -> Result<PathBuf, String> {
    let clients = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("turbo-clients");
    let folder = clients.join(version.number());
    let program = folder.join("node_modules/.bin/turbo");
    fs::create_dir_all(&clients).expect("a folder for the clients");
    // Tests that run at the same time, in one process or in several, install once.
    let lock = File::create(clients.join("lock")).expect("a lock file");
    lock.lock().expect("the lock");
    if !program.exists() {
        let partial = folder.with_file_name(format!("{}.partial", version.number()));
        npm_install(&partial, version)?;
        fs::rename(&partial, &folder).expect("an installed client");
    }
    Ok(program)
}

fn npm_install(folder: &Path, version: Version) -> Result<(), String> {
    let mut unreachable = UNREACHABLE.lock();
    if let Some(reason) = &*unreachable {
        return Err(reason.clone());
    }
    let output = Command::new("npm")
        .args(["install", "--no-audit", "--no-fund", "--loglevel=error"])
        .arg("--prefix")
        .arg(folder)
        .arg(format!("turbo@{}", version.number()))
        .output();
    let reason = match output {
        Ok(output) if output.status.success() => return Ok(()),
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => format!("npm: {error}"),
    };
    *unreachable = Some(reason.clone());
    Err(reason)
}

fn skip(version: Version, reason: &str) {
    let version = version.number();
    assert!(
        std::env::var_os("CI").is_none(),
        "no turbo {version}: {reason}"
    );
    // Written past the test runner's capture: a test that did not run must be seen.
    let said = writeln!(
        std::io::stderr(),
        "NOT TESTED: no turbo {version} here: {reason}"
    );
    said.expect("standard error");
}
