//! nginx at its strongest: one worker, sendfile, open files kept open, connections kept on both sides.
//!
//! `tcp_nopush` stays off: on loopback it waits for segments of 64 KiB to fill, 44 ms a hit.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::{Place, SERVER_CORE, Server, Wish};
use crate::certificate::Certificate;

/// The server of most tables; everything is held against it.
pub(crate) const NAME: &str = "nginx";
/// The same once more, to show how much of a difference is chance.
pub(crate) const AGAIN: &str = "nginx again";

/// Starts a caching proxy before the origin at that port.
pub(crate) fn cache(
    place: &Place,
    name: &'static str,
    port: u16,
    origin: u16,
    wish: Wish,
) -> Result<Server> {
    let folder = place.folder(name)?;
    let (tls, listen) = if wish.tls {
        let Certificate { certificate, key } = Certificate::make(&folder)?;
        let lines = format!(
            "ssl_certificate {certificate}; ssl_certificate_key {key}; ssl_protocols TLSv1.3;\n\
             ssl_conf_command Ciphersuites TLS_AES_256_GCM_SHA384;"
        );
        (lines, " ssl")
    } else {
        (String::new(), "")
    };
    let http = format!(
        "proxy_cache_path {data} levels=1:2 keys_zone=artifacts:64m max_size=20g inactive=7d \
           use_temp_path=off;
         proxy_temp_path {folder}/proxy;
         upstream origin {{ server 127.0.0.1:{origin}; keepalive 64; }}
         server {{
           listen 127.0.0.1:{port}{listen} backlog=8192;
           {tls}
           location / {{
             proxy_pass http://origin;
             proxy_http_version 1.1;
             proxy_set_header Connection \"\";
             proxy_cache artifacts;
             proxy_cache_key $uri$is_args$args$http_authorization;
             proxy_cache_valid 200 7d;
             proxy_cache_lock {lock};
             add_header X-Cache $upstream_cache_status;
           }}
         }}",
        lock = if wish.collapse { "on" } else { "off" },
        data = folder.join("data").display(),
        folder = folder.display(),
    );
    start(name, port, &folder, wish, &http)
}

/// Makes all folders that files of a cache may come into, as `levels=1:2` names them.
pub(crate) fn make_folders(cache: &Server) -> Result<()> {
    let data = cache.folder.join("data");
    for number in 0..0x1000 {
        let (inner, outer) = (number >> 4, number & 0xf);
        fs::create_dir_all(data.join(format!("{outer:x}/{inner:02x}")))?;
    }
    Ok(())
}

/// Starts a store: uploads become files.
pub(crate) fn store(place: &Place, port: u16) -> Result<Server> {
    let folder = place.folder(NAME)?;
    let http = format!(
        "server {{
           listen 127.0.0.1:{port} backlog=8192;
           location / {{
             root {folder}/data;
             dav_methods PUT;
             create_full_put_path on;
             client_body_buffer_size 256k;
             client_body_temp_path {folder}/body;
           }}
         }}",
        folder = folder.display(),
    );
    start(NAME, port, &folder, Wish::default(), &http)
}

/// Whether it is there to be started.
pub(crate) fn is_installed() -> bool {
    Command::new("nginx").arg("-v").output().is_ok()
}

fn start(name: &'static str, port: u16, folder: &Path, wish: Wish, http: &str) -> Result<Server> {
    let log = if wish.log {
        format!("{}/access combined buffer=64k", folder.display())
    } else {
        "off".to_owned()
    };
    // Without it the worker would be somebody who may not write here.
    let user = if rustix::process::getuid().is_root() {
        "user root;"
    } else {
        ""
    };
    let text = format!(
        "daemon off; worker_processes 1; worker_rlimit_nofile 20000; {user}
         pid {folder}/pid; error_log {folder}/error;
         events {{ worker_connections 16384; }}
         http {{
         access_log {log};
         sendfile on; tcp_nopush off; tcp_nodelay on;
         open_file_cache max=10000 inactive=1h; open_file_cache_valid 1h;
         keepalive_requests 1000000000; keepalive_timeout 1h; client_max_body_size 0;
         {http}
         }}\n",
        folder = folder.display(),
    );
    let file = folder.join("nginx.conf");
    fs::write(&file, text)?;
    let file = file.to_str().context("a path is text")?;
    let error = format!("{}/error", folder.display());
    let program = ["nginx", "-c", file, "-e", &error];
    Server::start(name, port, SERVER_CORE, folder, &program)
}
