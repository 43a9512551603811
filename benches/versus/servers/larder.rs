//! Larder as it is shipped: before the origin with its verdicts on, or by itself; its defaults kept.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::{Place, SERVER_CORE, Server, Wish};
use crate::certificate::Certificate;

const FILE: &str = "larder.toml";
/// More connections than this need a word in the configuration.
const USUAL: usize = 4000;

/// Starts one before the origin at that port.
pub(crate) fn start(place: &Place, port: u16, origin: u16, wish: Wish) -> Result<Server> {
    let folder = place.folder("larder")?;
    let mut configuration = String::new();
    if wish.connections > USUAL {
        let most = wish.connections * 2;
        writeln!(configuration, "server.max_connections = {most}")?;
    }
    if wish.tls {
        let Certificate { certificate, key } = Certificate::make(&folder)?;
        writeln!(
            configuration,
            "server.tls = {{ cert = {certificate:?}, key = {key:?} }}"
        )?;
    }
    let upstream = format!("http://127.0.0.1:{origin}");
    let level = if wish.log { "info" } else { "warn" };
    let arguments = ["--upstream", &upstream, "--log-level", level];
    fs::write(folder.join(FILE), configuration)?;
    serve(place, &folder, ("Larder", port), &arguments)
}

/// Starts one that has nobody behind it, and lets everybody in.
pub(crate) fn alone(place: &Place, port: u16) -> Result<Server> {
    let arguments = ["--upstream", "none", "--log-level", "warn"];
    let folder = place.folder("larder")?;
    fs::write(folder.join(FILE), "access.mode = \"open\"\n")?;
    serve(place, &folder, ("Larder, alone", port), &arguments)
}

fn serve(
    place: &Place,
    folder: &Path,
    (name, port): (&'static str, u16),
    arguments: &[&str],
) -> Result<Server> {
    let file = folder.join(FILE);
    let data = folder.join("data");
    let program = [
        text(&place.larder)?,
        "serve",
        "--config",
        text(&file)?,
        "--data-dir",
        text(&data)?,
        "--listen",
        &format!("127.0.0.1:{port}"),
        "--admin-listen",
        &format!("127.0.0.1:{}", port + 1),
    ];
    let program = [&program, arguments].concat();
    Server::start(name, port, SERVER_CORE, folder, &program)
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path is text")
}
