//! What axe, the checker of accessibility, has to say of a page; it comes from npm, once for everybody who tests here.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use crate::browser::{Browser, skip};

const VERSION: &str = "4.10.3";

/// What is wrong with the page, a line each; `None`, said loudly, where axe cannot be had.
pub(crate) fn complaints(browser: &Browser) -> Option<Vec<String>> {
    let script = match installed() {
        Ok(script) => script,
        Err(reason) => {
            skip(&format!("no axe {VERSION}: {reason}"));
            return None;
        }
    };
    browser.run(&script);
    browser.run("window.found = null; axe.run().then((it) => (window.found = it.violations))");
    browser.until("window.found !== null");
    let found = browser.run(
        "return found.map((it) => `${it.id}: ${it.help}: ${it.nodes.map((node) => node.html).join(' | ')}`)",
    );
    let lines = found.as_array().expect("a list").iter();
    Some(lines.map(ToString::to_string).collect())
}

fn installed() -> Result<String, String> {
    let tools = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("axe");
    let folder = tools.join(VERSION);
    fs::create_dir_all(&tools).expect("a folder for axe");
    // Tests that run at the same time install once.
    let lock = File::create(tools.join("lock")).expect("a lock file");
    lock.lock().expect("the lock");
    if !folder.exists() {
        let partial = tools.join("partial");
        npm_install(&partial)?;
        fs::rename(&partial, &folder).expect("an installed axe");
    }
    let script = folder.join("node_modules/axe-core/axe.min.js");
    fs::read_to_string(script).map_err(|error| error.to_string())
}

fn npm_install(folder: &Path) -> Result<(), String> {
    let output = Command::new("npm")
        .args(["install", "--no-audit", "--no-fund", "--loglevel=error"])
        .arg("--prefix")
        .arg(folder)
        .arg(format!("axe-core@{VERSION}"))
        .output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        Err(error) => Err(format!("npm: {error}")),
    }
}
