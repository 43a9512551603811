//! The programs that are held against Larder: found, or installed where that is ours to do.

use std::process::{Command, Stdio};

use anyhow::{Result, ensure};

use crate::servers::{nginx, varnish};
use crate::wrk;

/// A program, and whether rows run without it.
struct Program {
    name: &'static str,
    is_there: fn() -> bool,
    without: &'static str,
}

const PROGRAMS: [Program; 3] = [
    Program {
        name: "nginx",
        is_there: nginx::is_installed,
        without: "nothing is held against anything",
    },
    Program {
        name: "varnish",
        is_there: varnish::is_installed,
        without: "hits are held against nginx alone",
    },
    Program {
        name: "wrk",
        is_there: wrk::is_installed,
        without: "rows that copy or decrypt are left out",
    },
];

const INSTALL: &str = include_str!("install");

/// Installs what is missing where `apt-get` is there and lets us; else says what is missing.
pub(crate) fn find() -> Result<()> {
    let missing = || PROGRAMS.iter().filter(|it| !(it.is_there)());
    let names: Vec<_> = missing().map(|it| it.name).collect();
    if !names.is_empty() && rustix::process::getuid().is_root() {
        let mut install = Command::new("sh");
        install
            .args(["-c", INSTALL, "install"])
            .stdin(Stdio::null());
        // What it came to is seen below.
        if let Err(error) = install.args(names).status() {
            eprintln!("sh: {error}");
        }
    }
    for program in missing() {
        eprintln!("{} is not installed: {}", program.name, program.without);
    }
    ensure!(nginx::is_installed(), "install nginx");
    Ok(())
}
