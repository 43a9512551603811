//! A child process: what it prints, what it weighs, how it ends.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::pin::pin;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};
use tokio::sync::watch;
use tokio::time::timeout;

use super::{eventually, within};

/// How often memory is looked at.
const SAMPLE: Duration = Duration::from_millis(5);

/// A child process; killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    stdout: watch::Receiver<String>,
    stderr: watch::Receiver<String>,
}

/// How a process ended, and what it had printed.
#[derive(Debug)]
pub struct Exit {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

// === impl Process ===

impl Process {
    /// Starts it, with both pipes read from now on.
    pub fn spawn(mut command: Command) -> Self {
        let piped = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = piped.spawn().expect("the binary");
        let stdout = collect(child.stdout.take().expect("piped"));
        Self::of(child, stdout)
    }

    /// Starts it with two sockets in the place of its input and its output.
    pub fn spawn_with(mut command: Command, sockets: [OwnedFd; 2]) -> Self {
        let [input, output] = sockets;
        let piped = command.stdin(input).stdout(output).stderr(Stdio::piped());
        let child = piped.spawn().expect("the binary");
        let (_, nothing) = watch::channel(String::new());
        Self::of(child, nothing)
    }

    fn of(mut child: Child, stdout: watch::Receiver<String>) -> Self {
        let stderr = collect(child.stderr.take().expect("piped"));
        Self {
            child,
            stdout,
            stderr,
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything printed so far.
    pub fn printed(&self) -> String {
        self.stdout.borrow().clone() + &self.stderr.borrow()
    }

    /// Everything printed to standard error so far.
    pub fn printed_errors(&self) -> String {
        self.stderr.borrow().clone()
    }

    /// The port in the first `TURBO_API=http://HOST:PORT` printed, or `https`.
    pub async fn port(&mut self) -> u16 {
        let named = self.stdout.wait_for(|text| port_in(text).is_some());
        if let Ok(text) = within("TURBO_API", named).await {
            return port_in(&text).expect("just seen");
        }
        panic!(
            "it ended before it listened: {}",
            self.stderr.borrow().as_str()
        );
    }

    /// Fails the test that would otherwise wait for a process that is gone.
    pub fn assert_alive(&mut self) {
        let ended = self.child.try_wait().expect("our child");
        assert_eq!(ended, None, "{}", self.printed());
    }

    /// Runs `story` and returns the most memory of its own that the process held meanwhile, in bytes.
    pub async fn peak_during(&self, story: impl Future<Output = ()>) -> u64 {
        let mut story = pin!(story);
        let mut peak = self.resident();
        while timeout(SAMPLE, &mut story).await.is_err() {
            peak = peak.max(self.resident());
        }
        peak.max(self.resident())
    }

    /// Resident memory, in bytes: its own, not the page cache that mapped files show.
    pub fn resident(&self) -> u64 {
        let path = format!("/proc/{}/status", self.id());
        let status = fs::read_to_string(path).expect("a live process");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:"));
        let figure = line.expect("a figure").trim().trim_end_matches("kB").trim();
        figure.parse::<u64>().expect("a number") * 1024
    }

    /// Files in and below a folder that it has open and that still have a name.
    pub fn open_below(&self, folder: &Path) -> usize {
        let open = fs::read_dir(format!("/proc/{}/fd", self.id())).expect("a live process");
        open.filter_map(|open| fs::read_link(open.ok()?.path()).ok())
            .filter(|path| path.starts_with(folder) && path.exists())
            .count()
    }

    /// For each file it has mapped in a folder named so, how much of it is in its memory, in KiB.
    pub fn mapped(&self, folder: &str) -> Vec<u64> {
        let path = format!("/proc/{}/smaps", self.id());
        let maps = fs::read_to_string(path).expect("a live process");
        let mut lines = maps.lines();
        let mut found = Vec::new();
        while let Some(line) = lines.next() {
            if line.contains(folder) {
                let resident = lines.find_map(|line| line.strip_prefix("Rss:"));
                let figure = resident.expect("a figure").trim().trim_end_matches(" kB");
                found.push(figure.parse().expect("a number"));
            }
        }
        found
    }

    /// Asks it to stop; does not wait.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// What a terminal sends at Ctrl-C; does not wait.
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// Tells it to read its configuration once more; does not wait.
    pub fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    fn signal(&self, signal: Signal) {
        kill_process(self.pid().expect("a process"), signal).expect("a live process");
    }

    fn pid(&self) -> Option<Pid> {
        i32::try_from(self.id()).ok().and_then(Pid::from_raw)
    }

    /// Kills it without a word.
    pub fn kill(&mut self) {
        self.child.kill().expect("a live process");
    }

    /// Crashes it where the system lets core files be as large as they like; returns whether that
    /// left one.
    pub async fn crash(&mut self) -> bool {
        let most = getrlimit(Resource::Core).maximum;
        let unlimited = Rlimit {
            current: most,
            maximum: most,
        };
        prlimit(self.pid(), Resource::Core, unlimited).expect("a limit of our own child");
        self.signal(Signal::ABORT);
        let mut status = None;
        eventually("the process to end", async || {
            status = self.child.try_wait().expect("our child");
            status.is_some()
        })
        .await;
        status.expect("an end").core_dumped()
    }

    /// Lets it have so many files open from now on.
    pub fn limit_files(&self, most: u64) {
        let limit = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        prlimit(self.pid(), Resource::Nofile, limit).expect("a limit of our own child");
    }

    /// Waits for its end, and for the ends of its pipes.
    pub async fn exit(&mut self) -> Exit {
        let mut status = None;
        eventually("the process to end", async || {
            status = self.child.try_wait().expect("our child");
            status.is_some()
        })
        .await;
        for pipe in [&mut self.stdout, &mut self.stderr] {
            while within("a pipe to end", pipe.changed()).await.is_ok() {}
        }
        Exit {
            code: status.and_then(|status| status.code()),
            stdout: self.stdout.borrow().clone(),
            stderr: self.stderr.borrow().clone(),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be gone already, which is as good.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The port of the first whole line that names one.
fn port_in(text: &str) -> Option<u16> {
    let whole = &text[..text.rfind('\n')?];
    let url = whole.split_once("TURBO_API=")?.1.split_once("://")?.1;
    let digits = url.split_once(':')?.1;
    let end = digits
        .find(|char: char| !char.is_ascii_digit())
        .unwrap_or(digits.len());
    digits[..end].parse().ok()
}

/// Reads a pipe to its end on a thread of its own: no runtime has to be turning.
fn collect(pipe: impl Read + Send + 'static) -> watch::Receiver<String> {
    let (sender, receiver) = watch::channel(String::new());
    thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while pipe.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            sender.send_modify(|text| text.push_str(&String::from_utf8_lossy(&line)));
            line.clear();
        }
    });
    receiver
}
