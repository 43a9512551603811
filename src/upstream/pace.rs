//! Whether a body arrives fast enough: the rule alone, told the time by others.
//!
//! Only time spent waiting for the upstream counts; a slow reader of ours is not its fault.

use std::time::Duration;

use tokio::time::Instant;

/// The pace of one body.
#[derive(Debug)]
pub(super) struct Pace {
    idle: Duration,
    min_rate: u64,
    waiting_since: Option<Instant>,
    window: Window,
}

/// The upstream was silent for the idle time-out, or slower than the minimum rate over one such
/// span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Late;

/// What arrived while how much was waited.
#[derive(Debug, Default)]
struct Window {
    waited: Duration,
    bytes: u64,
}

impl Pace {
    /// Allows `idle` of silence, and demands `min_rate` bytes a second over every `idle` waited.
    pub(super) fn new(idle: Duration, min_rate: u64) -> Self {
        Self {
            idle,
            min_rate,
            waiting_since: None,
            window: Window::default(),
        }
    }

    /// Takes note that nothing is there yet; returns when to look again.
    pub(super) fn wait(&mut self, now: Instant) -> Result<Instant, Late> {
        let since = *self.waiting_since.get_or_insert(now);
        let waited = now.saturating_duration_since(since);
        if waited >= self.idle {
            return Err(Late);
        }
        if self.window.waited + waited >= self.idle {
            self.close_window()?;
            // The silence goes on counting; the window begins anew behind it.
            return Ok(since + self.idle);
        }
        Ok(since + self.idle.saturating_sub(self.window.waited))
    }

    /// Takes note of a piece; `now` is asked for only where there was a wait.
    pub(super) fn arrived(
        &mut self,
        bytes: usize,
        now: impl FnOnce() -> Instant,
    ) -> Result<(), Late> {
        self.window.bytes = self.window.bytes.saturating_add(bytes as u64);
        if let Some(since) = self.waiting_since.take() {
            self.window.waited += now().saturating_duration_since(since);
            if self.window.waited >= self.idle {
                self.close_window()?;
            }
        }
        Ok(())
    }

    fn close_window(&mut self) -> Result<(), Late> {
        let window = std::mem::take(&mut self.window);
        let demanded = u128::from(self.min_rate) * self.idle.as_millis() / 1000;
        if u128::from(window.bytes) < demanded {
            return Err(Late);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn pace() -> (Pace, Instant) {
        (Pace::new(10 * SECOND, 1024), Instant::now())
    }

    #[test]
    fn silence_is_late_after_the_idle_timeout() {
        let (mut pace, start) = pace();
        assert_eq!(pace.wait(start), Ok(start + 10 * SECOND));
        assert_eq!(pace.wait(start + 9 * SECOND), Ok(start + 10 * SECOND));
        assert_eq!(pace.wait(start + 10 * SECOND), Err(Late));
    }

    #[test]
    fn a_drip_below_the_rate_is_late_after_one_window() {
        let (mut pace, mut now) = pace();
        let mut pieces = 0;
        loop {
            pieces += 1;
            assert!(pieces < 20, "never late");
            let ends = pace.wait(now).and_then(|_| {
                now += SECOND;
                pace.arrived(100, || now)
            });
            if ends.is_err() {
                break;
            }
        }
        assert_eq!(pieces, 10);
    }

    #[test]
    fn a_slow_line_above_the_rate_is_never_late() {
        let (mut pace, mut now) = pace();
        for _ in 0..1000 {
            pace.wait(now).unwrap();
            now += 4 * SECOND;
            pace.arrived(8192, || now).unwrap();
        }
    }

    #[test]
    fn time_the_reader_takes_does_not_count() {
        let (mut pace, mut now) = pace();
        for _ in 0..100 {
            now += 60 * SECOND;
            pace.arrived(1, || panic!("nobody waited")).unwrap();
        }
        assert!(pace.wait(now).is_ok());
    }

    #[test]
    fn a_burst_buys_no_silence() {
        let (mut pace, start) = pace();
        pace.arrived(1 << 30, || start).unwrap();
        pace.wait(start).unwrap();
        pace.arrived(1, || start + 5 * SECOND).unwrap();
        let silent = start + 5 * SECOND;
        pace.wait(silent).unwrap();
        let look = pace.wait(silent + 6 * SECOND).unwrap();
        assert_eq!(look, silent + 10 * SECOND);
        assert_eq!(pace.wait(look), Err(Late));
    }
}
