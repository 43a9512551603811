//! A bar on standard error, for people who wait at a terminal for longer than a moment.

use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::{Duration, Instant};

/// What is over sooner needs no bar.
const MOMENT: Duration = Duration::from_secs(2);

/// How far something has come; gone from the terminal when it ends.
pub(super) struct Progress {
    bar: ProgressBar,
    begun: Instant,
    is_shown: AtomicBool,
}

// === impl Progress ===

impl Progress {
    /// Of so many bytes.
    pub(super) fn of_bytes(total: u64) -> Self {
        let template = "{wide_bar} {percent:>3} %  {binary_bytes} of {binary_total_bytes}  \
                        {binary_bytes_per_sec}  {eta} left";
        Self::new(total, template)
    }

    /// Of so many artifacts.
    pub(super) fn of_artifacts(total: u64) -> Self {
        Self::new(
            total,
            "{wide_bar} {percent:>3} %  {pos} of {len} artifacts  {eta} left",
        )
    }

    fn new(total: u64, template: &str) -> Self {
        let style = ProgressStyle::with_template(template);
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::hidden());
        Self {
            bar: bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())),
            begun: Instant::now(),
            is_shown: AtomicBool::new(false),
        }
    }

    /// Goes on by so much.
    pub(super) fn advance(&self, by: u64) {
        self.bar.inc(by);
        if self.begun.elapsed() >= MOMENT && !self.is_shown.swap(true, Ordering::Relaxed) {
            // Which shows nothing where standard error is no terminal.
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
