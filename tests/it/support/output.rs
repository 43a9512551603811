//! What a process prints, collected while it runs.

use std::io::{BufRead, BufReader, Read};
use std::process::Child;
use std::thread;

use tokio::sync::watch;

use super::within;

/// How a process ended, and what it had printed.
#[derive(Debug)]
pub struct Exit {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Both pipes of a process.
#[derive(Clone, Debug)]
pub struct Output {
    stdout: watch::Receiver<String>,
    stderr: watch::Receiver<String>,
}

// === impl Output ===

impl Output {
    /// Begins to read both pipes of `process`.
    pub fn of(process: &mut Child) -> Self {
        let stdout = collect(process.stdout.take().expect("piped"));
        let stderr = collect(process.stderr.take().expect("piped"));
        Self { stdout, stderr }
    }

    /// Everything printed so far.
    pub fn so_far(&self) -> String {
        self.stdout.borrow().clone() + &self.stderr.borrow()
    }

    /// The port in the first `TURBO_API=http://HOST:PORT` printed.
    pub async fn port(&mut self) -> u16 {
        let printed = within(
            "TURBO_API",
            self.stdout.wait_for(|text| port_in(text).is_some()),
        )
        .await;
        if let Ok(text) = printed {
            return port_in(&text).expect("just seen");
        }
        panic!(
            "it ended before it listened: {}",
            self.stderr.borrow().as_str()
        );
    }

    /// Waits until both pipes are read to their ends.
    pub async fn exit(mut self, code: Option<i32>) -> Exit {
        for pipe in [&mut self.stdout, &mut self.stderr] {
            while within("a pipe to end", pipe.changed()).await.is_ok() {}
        }
        Exit {
            code,
            stdout: self.stdout.borrow().clone(),
            stderr: self.stderr.borrow().clone(),
        }
    }
}

/// The port of the first whole line that names one.
fn port_in(text: &str) -> Option<u16> {
    let whole = &text[..text.rfind('\n')?];
    let url = whole.split_once("TURBO_API=")?.1.split_once("http://")?.1;
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
