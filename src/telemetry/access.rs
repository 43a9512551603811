//! The access log: lines are written onto a page on the request's way, and the page into the world by
//! a thread of its own.

use std::io::{self, Write};
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::line::AccessLine;
use crate::config::{self, LogFormat, LogLevel};
use crate::metrics::Metrics;

/// Bytes of lines that may wait for the writer: what a busy core answers while the writer rests ten
/// times. The writer has another page of that size at hand. Further lines are lost and counted: a log
/// that cannot keep up must not slow down answers.
pub const ACCESS_PAGE: usize = 2 * 1024 * 1024;

/// How long the writer lets lines gather. Waking it for each line would cost more than the line.
const REST: Duration = Duration::from_millis(10);

/// Room for a line as most are.
const LINE: usize = 256;

/// How long the last lines may take at the end: a reader that has stopped reading must not keep the
/// process alive.
const FLUSH_PATIENCE: Duration = Duration::from_secs(1);

/// Where access lines go. Dropping it writes what was handed over.
#[derive(Debug)]
pub struct AccessLog {
    writer: Option<Writer>,
    /// Whether lines are wanted for now.
    is_written: AtomicBool,
    metrics: Arc<Metrics>,
}

#[derive(Debug)]
struct Writer {
    desk: Arc<Desk>,
    format: LogFormat,
    /// Closed by the writer's end.
    ended: Mutex<Receiver<()>>,
}

/// Where lines are handed over.
#[derive(Debug, Default)]
struct Desk {
    page: Mutex<Page>,
    /// A line stands on a page that was empty, or there will be no more.
    begun: Condvar,
}

/// Lines on their way to the writer.
#[derive(Debug, Default)]
struct Page {
    text: String,
    lines: u64,
    /// Nobody can hand over lines any more.
    is_last: bool,
}

/// The writing thread's side.
struct Scribe<W> {
    desk: Arc<Desk>,
    out: W,
    metrics: Arc<Metrics>,
}

/// Access lines are of level info.
pub(super) fn is_of(least: LogLevel) -> bool {
    match least {
        LogLevel::Error | LogLevel::Warn => false,
        LogLevel::Info | LogLevel::Debug | LogLevel::Trace => true,
    }
}

// === impl AccessLog ===

impl AccessLog {
    /// Writes to standard output, unless the level is less than info, or that is somebody else's.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub fn new(log: &config::Log, metrics: Arc<Metrics>) -> io::Result<Self> {
        if !log.access_lines {
            return Ok(Self::nowhere(metrics));
        }
        let access_log = Self::to(io::stdout(), log.format, metrics)?;
        access_log.follow(log.level);
        Ok(access_log)
    }

    /// Writes nothing, whatever the level.
    fn nowhere(metrics: Arc<Metrics>) -> Self {
        Self {
            writer: None,
            is_written: AtomicBool::new(false),
            metrics,
        }
    }

    /// Lines are written from now on if `least` is info or below.
    pub fn follow(&self, least: LogLevel) {
        let is_written = self.writer.is_some() && is_of(least);
        self.is_written.store(is_written, Ordering::Relaxed);
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
        let desk = Arc::<Desk>::default();
        let (alive, ended) = channel();
        let scribe = Scribe {
            desk: Arc::clone(&desk),
            out,
            metrics: Arc::clone(&metrics),
        };
        thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || {
                scribe.run();
                drop(alive);
            })?;
        Ok(Self {
            writer: Some(Writer {
                desk,
                format,
                ended: Mutex::new(ended),
            }),
            is_written: AtomicBool::new(true),
            metrics,
        })
    }

    /// Whether lines are written at all.
    pub fn is_written(&self) -> bool {
        self.is_written.load(Ordering::Relaxed)
    }

    /// Hands a line over; never waits for it to be written.
    pub fn write(&self, line: &AccessLine<'_>) {
        let Some(writer) = &self.writer else { return };
        let mut text = String::with_capacity(LINE);
        line.write(writer.format, &mut text);
        if !writer.desk.take(&text) {
            self.metrics.access_lines_lost.inc();
        }
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        let Some(Writer { desk, ended, .. }) = self.writer.take() else {
            return;
        };
        desk.close();
        // Nothing is ever sent here: the end is the news, and so is its absence.
        if ended.lock().recv_timeout(FLUSH_PATIENCE) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("the last access lines could not be written in time");
        }
    }
}

// === impl Desk ===

impl Desk {
    /// Takes a line, if there is room.
    fn take(&self, line: &str) -> bool {
        let mut page = self.page.lock();
        if page.text.len() + line.len() > ACCESS_PAGE {
            return false;
        }
        let is_first = page.text.is_empty();
        page.text.push_str(line);
        page.lines += 1;
        drop(page);
        if is_first {
            self.begun.notify_one();
        }
        true
    }

    /// No more lines come.
    fn close(&self) {
        self.page.lock().is_last = true;
        self.begun.notify_one();
    }

    /// Waits for lines; none where no more come.
    fn wait(&self) -> bool {
        let mut page = self.page.lock();
        while page.text.is_empty() && !page.is_last {
            self.begun.wait(&mut page);
        }
        !page.text.is_empty()
    }

    /// Gives away the page, for an empty one.
    fn turn(&self, text: &mut String) -> u64 {
        let mut page = self.page.lock();
        mem::swap(&mut page.text, text);
        mem::take(&mut page.lines)
    }
}

// === impl Scribe ===

impl<W: Write> Scribe<W> {
    /// Writes until nobody can hand over lines any more.
    ///
    /// A closed or full output costs the lines, quietly: standard error is often the same pipe.
    fn run(mut self) {
        let mut text = String::new();
        while self.desk.wait() {
            rest();
            let lines = self.desk.turn(&mut text);
            let written = self.out.write_all(text.as_bytes());
            if written.and_then(|()| self.out.flush()).is_err() {
                self.metrics.access_lines_lost.inc_by(lines);
            }
            text.clear();
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this thread is the writer's own, not a runtime worker"
)]
fn rest() {
    thread::sleep(REST);
}
