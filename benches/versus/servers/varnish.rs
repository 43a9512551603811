//! Varnish with its memory for a store.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use super::{Place, SERVER_CORE, Server};

/// As the tables call it.
pub(crate) const NAME: &str = "Varnish";

/// Starts one before the origin at that port.
pub(crate) fn start(place: &Place, port: u16, origin: u16) -> Result<Server> {
    let folder = place.folder(NAME)?;
    let file = folder.join("versus.vcl");
    fs::write(
        &file,
        format!(
            "vcl 4.1;
             backend origin {{ .host = \"127.0.0.1\"; .port = \"{origin}\"; }}
             sub vcl_recv {{ return (hash); }}
             sub vcl_hash {{ hash_data(req.http.authorization); }}
             sub vcl_backend_response {{ set beresp.ttl = 7d; }}
             sub vcl_deliver {{
               if (obj.hits > 0) {{ set resp.http.x-cache = \"HIT\"; }}
               else {{ set resp.http.x-cache = \"MISS\"; }}
             }}\n"
        ),
    )?;
    let text = |path: &std::path::Path| path.to_str().map(str::to_owned).context("text");
    let (file, work) = (text(&file)?, text(&folder.join("work"))?);
    let listen = format!("127.0.0.1:{port}");
    let program = [
        "varnishd",
        "-F",
        "-f",
        &file,
        "-a",
        &listen,
        "-n",
        &work,
        "-s",
        "malloc,1G",
    ];
    Server::start(NAME, port, SERVER_CORE, &folder, &program)
}

/// Whether it is there to be started.
pub(crate) fn is_installed() -> bool {
    Command::new("varnishd").arg("-V").output().is_ok()
}
