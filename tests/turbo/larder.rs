//! The real binary: started on free ports with its own folder, asked, and stopped like a service.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// Far more than a start takes; a test that waits this long has failed.
const START: Duration = Duration::from_secs(20);

/// A configuration and a data directory; removed when dropped.
pub(crate) struct Home {
    folder: TempDir,
}

/// A running Larder; killed when dropped.
pub(crate) struct Larder<'home> {
    home: &'home Home,
    process: Child,
    /// What `TURBO_API` is to be.
    pub(crate) api: String,
}

// === impl Home ===

impl Home {
    /// A Larder before `upstream`: a URL, or `none`.
    pub(crate) fn new(upstream: &str) -> Self {
        Self::with(upstream, "")
    }

    /// The same with further lines of configuration; `{folder}` stands for its own.
    pub(crate) fn with(upstream: &str, further: &str) -> Self {
        let folder = TempDir::new().expect("a folder for Larder");
        let home = Self { folder };
        home.configure(upstream, further);
        home
    }

    /// Writes another configuration for the next start.
    pub(crate) fn configure(&self, upstream: &str, further: &str) {
        let config = format!(
            r#"
data_dir = "{}"
server.listen = ["127.0.0.1:0"]
admin.listen = "127.0.0.1:0"
upstream.url = "{upstream}"
"#,
            self.path("data").display()
        );
        let folder = self.folder.path().display().to_string();
        let config = config + &further.replace("{folder}", &folder);
        self.put("larder.toml", &config);
    }

    /// Puts a file beside the configuration.
    pub(crate) fn put(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("a file for Larder");
    }

    /// The same, taking in only what is signed with `key`.
    pub(crate) fn signed(upstream: &str, key: &str) -> Self {
        let home = Self::with(
            upstream,
            "access.signature_key_file = \"{folder}/signature-key\"\n",
        );
        home.put("signature-key", &format!("{key}\n"));
        home
    }

    /// Starts the binary; returns when it listens.
    pub(crate) fn start(&self) -> Larder<'_> {
        let log = File::create(self.path("log")).expect("a log file");
        let mut process = Command::new(env!("CARGO_BIN_EXE_larder"))
            .args(["serve", "--config"])
            .arg(self.path("larder.toml"))
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("larder starts");
        let output = process.stdout.take().expect("a pipe");
        let Some(api) = announced_api(output) else {
            let log = fs::read_to_string(self.path("log")).unwrap_or_default();
            let ended = process.try_wait();
            panic!("larder does not say where it listens; {ended:?}; its log:\n{log}");
        };
        Larder {
            home: self,
            process,
            api,
        }
    }

    /// Host and port of the admin listener.
    pub(crate) fn admin_address(&self) -> String {
        let text = fs::read_to_string(self.path("data/admin.json")).expect("admin.json");
        let admin: Value = serde_json::from_str(&text).expect("admin.json is JSON");
        let address = admin["address"].as_str().expect("an address");
        address.trim_start_matches("http://").to_owned()
    }

    /// Where a file beside the configuration is.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Reads until the line that tells users what to export; goes on reading so that the pipe never fills.
fn announced_api(output: impl Read + Send + 'static) -> Option<String> {
    let (found, api) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if let Some((_, api)) = line.split_once("export TURBO_API=") {
                // The receiver is gone when the same line comes twice: nothing is lost.
                drop(found.send(api.trim().to_owned()));
            }
        }
    });
    api.recv_timeout(START).ok()
}

// === impl Larder ===

impl Larder<'_> {
    /// Artifact downloads served from a tier since the start.
    pub(crate) fn hits(&self) -> usize {
        self.requests("get", "hit-")
    }

    /// Requests to a route whose outcome begins like this, since the start.
    pub(crate) fn requests(&self, route: &str, outcome: &str) -> usize {
        let labels = [format!("route=\"{route}\""), format!("outcome=\"{outcome}")];
        self.sum("larder_requests_total", &labels)
    }

    /// Uploads not taken in because of their signature since the start.
    pub(crate) fn refused_signatures(&self) -> usize {
        self.sum("larder_signatures_refused_total", &[r#"arrival="put""#])
    }

    /// Artifacts in both tiers.
    pub(crate) fn entries(&self) -> usize {
        self.sum("larder_tier_entries", &[] as &[&str])
    }

    fn sum(&self, name: &str, labels: &[impl AsRef<str>]) -> usize {
        self.metrics()
            .lines()
            .filter(|line| line.starts_with(&format!("{name}{{")))
            .filter(|line| labels.iter().all(|label| line.contains(label.as_ref())))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok())
            .sum()
    }

    /// Ends it as a service manager would.
    pub(crate) fn stop(mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.process.wait().expect("an exit status")
    }

    /// Sends it a signal, as whoever operates it might, or the system.
    pub(crate) fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.process.id()).expect("a process id");
        let pid = Pid::from_raw(id).expect("a process id");
        kill_process(pid, signal).expect("a process to signal");
    }

    fn metrics(&self) -> String {
        let host = self.home.admin_address();
        let mut stream = TcpStream::connect(&host).expect("the admin listener");
        write!(
            stream,
            "GET /metrics HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
        )
        .expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        answer
    }
}

impl Drop for Larder<'_> {
    fn drop(&mut self) {
        // Both fail only for a process that is gone already.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
