//! The access log: lines are handed over on the request's way and written by a thread of their own.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, channel, sync_channel};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;

use super::line::AccessLine;
use crate::config::{self, LogFormat, LogLevel};
use crate::metrics::Metrics;

/// Lines that may wait for the writer: what a busy core answers while the writer rests five times,
/// in two megabytes. Further ones are lost and counted: a log that cannot keep up must not slow down
/// answers.
pub const ACCESS_QUEUE: usize = 8 * 1024;

/// How long the writer lets lines gather. Waking it for each line would cost more than the line.
const REST: Duration = Duration::from_millis(10);

/// Text written at once.
const BATCH: usize = 64 * 1024;

/// How long the last lines may take at the end: a reader that has stopped reading must not keep the
/// process alive.
const FLUSH_PATIENCE: Duration = Duration::from_secs(1);

/// Where access lines go. Dropping it writes what was handed over.
#[derive(Debug)]
pub struct AccessLog {
    writer: Option<Writer>,
    metrics: Arc<Metrics>,
}

#[derive(Debug)]
struct Writer {
    lines: SyncSender<AccessLine>,
    /// Closed by the writer's end.
    ended: Mutex<Receiver<()>>,
}

/// The writing thread's side.
struct Scribe<W> {
    lines: Receiver<AccessLine>,
    format: LogFormat,
    out: W,
    metrics: Arc<Metrics>,
    text: String,
    gathered: u64,
}

/// Access lines are of level info.
pub(super) fn is_written(least: LogLevel) -> bool {
    match least {
        LogLevel::Error | LogLevel::Warn => false,
        LogLevel::Info | LogLevel::Debug | LogLevel::Trace => true,
    }
}

// === impl AccessLog ===

impl AccessLog {
    /// Writes to standard output, or nowhere where the level is less than info.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub fn new(log: &config::Log, metrics: Arc<Metrics>) -> io::Result<Self> {
        if is_written(log.level) {
            return Self::to(io::stdout(), log.format, metrics);
        }
        Ok(Self {
            writer: None,
            metrics,
        })
    }

    /// Writes to `out`.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub fn to<W>(out: W, format: LogFormat, metrics: Arc<Metrics>) -> io::Result<Self>
    where
        W: Write + Send + 'static,
    {
        let (lines, queue) = sync_channel(ACCESS_QUEUE);
        let (alive, ended) = channel();
        let scribe = Scribe {
            lines: queue,
            format,
            out,
            metrics: Arc::clone(&metrics),
            text: String::new(),
            gathered: 0,
        };
        thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || {
                scribe.run();
                drop(alive);
            })?;
        Ok(Self {
            writer: Some(Writer {
                lines,
                ended: Mutex::new(ended),
            }),
            metrics,
        })
    }

    /// Hands a line over; never waits.
    pub fn write(&self, line: AccessLine) {
        let Some(writer) = &self.writer else { return };
        match writer.lines.try_send(line) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.metrics.access_lines_lost.inc();
            }
        }
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        let Some(Writer { lines, ended }) = self.writer.take() else {
            return;
        };
        drop(lines);
        // Nothing is ever sent here: the end is the news, and so is its absence.
        if ended.lock().recv_timeout(FLUSH_PATIENCE)
            == Err(std::sync::mpsc::RecvTimeoutError::Timeout)
        {
            tracing::warn!("the last access lines could not be written in time");
        }
    }
}

// === impl Scribe ===

impl<W: Write> Scribe<W> {
    /// Writes until nobody can hand over lines any more.
    fn run(mut self) {
        while let Ok(line) = self.lines.recv() {
            self.gather(&line);
            rest();
            while let Ok(line) = self.lines.try_recv() {
                self.gather(&line);
            }
            self.flush();
        }
    }

    fn gather(&mut self, line: &AccessLine) {
        line.write(self.format, &mut self.text);
        self.gathered += 1;
        if self.text.len() >= BATCH {
            self.flush();
        }
    }

    /// A closed or full output costs the lines, quietly: standard error is often the same pipe.
    fn flush(&mut self) {
        let written = self
            .out
            .write_all(self.text.as_bytes())
            .and_then(|()| self.out.flush());
        if written.is_err() {
            self.metrics.access_lines_lost.inc_by(self.gathered);
        }
        self.text.clear();
        self.gathered = 0;
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this thread is the writer's own, not a runtime worker"
)]
fn rest() {
    thread::sleep(REST);
}
