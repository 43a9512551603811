//! Larder as it is shipped, before the origin: its verdicts on, its defaults kept.

use std::fmt::Write;
use std::fs;

use anyhow::{Context, Result};

use super::{Place, SERVER_CORE, Server, Wish};
use crate::certificate::Certificate;

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
    let file = folder.join("larder.toml");
    fs::write(&file, configuration)?;
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
        "--upstream",
        &format!("http://127.0.0.1:{origin}"),
        "--log-level",
        if wish.log { "info" } else { "warn" },
    ];
    Server::start("Larder", port, SERVER_CORE, &folder, &program)
}

fn text(path: &std::path::Path) -> Result<&str> {
    path.to_str().context("a path is text")
}
