//! The signals that are meant for the command as much as for whoever runs it.

use std::fs::{self, File};
use std::future::poll_fn;
use std::io;
use std::task::Poll;

use futures_util::FutureExt;
use rustix::process::{Signal, getpgrp};
use rustix::termios::tcgetpgrp;
use tokio::signal::unix::{self, SignalKind, signal};

/// Those that are passed on, by the name that each has here and there.
const PASSED_ON: [(Signal, fn() -> SignalKind); 6] = [
    (Signal::TERM, SignalKind::terminate),
    (Signal::INT, SignalKind::interrupt),
    (Signal::HUP, SignalKind::hangup),
    (Signal::QUIT, SignalKind::quit),
    (Signal::USR1, SignalKind::user_defined1),
    (Signal::USR2, SignalKind::user_defined2),
];

/// What is listened for.
pub(super) struct Signals(Vec<(Signal, unix::Signal)>);

impl Signals {
    /// From here on they end nothing by themselves. What was ignored before stays ignored, here and in
    /// the command, as `nohup` wants it.
    pub(super) fn listen() -> io::Result<Self> {
        let ignored = ignored();
        let heard = PASSED_ON.iter().filter(|(name, _)| {
            let bit = u32::try_from(name.as_raw() - 1).unwrap_or_default();
            ignored.checked_shr(bit).is_none_or(|rest| rest & 1 == 0)
        });
        heard
            .map(|(name, kind)| Ok((*name, signal(kind())?)))
            .collect::<io::Result<_>>()
            .map(Self)
    }

    /// The next one.
    pub(super) async fn next(&mut self) -> Signal {
        poll_fn(|cx| {
            for (name, signal) in &mut self.0 {
                if signal.poll_recv(cx) == Poll::Ready(Some(())) {
                    return Poll::Ready(*name);
                }
            }
            Poll::Pending
        })
        .await
    }

    /// The next one that asks to end.
    pub(super) async fn end(&mut self) {
        while !asks_to_end(self.next().await) {}
    }

    /// Forgets what has come until now, which was for the command; returns whether any of it asked to end.
    pub(super) fn forget(&mut self) -> bool {
        let mut is_asked = false;
        while let Some(signal) = self.next().now_or_never() {
            is_asked |= asks_to_end(signal);
        }
        is_asked
    }
}

/// Whether whoever sends it wants an end.
pub(super) fn asks_to_end(signal: Signal) -> bool {
    !matches!(signal, Signal::USR1 | Signal::USR2)
}

/// Whether the command, which is in the same group, has got this signal anyway: from the terminal, which
/// sends what its keys stand for to everybody in the foreground.
pub(super) fn is_from_terminal(signal: Signal) -> bool {
    let has_key = matches!(signal, Signal::INT | Signal::QUIT);
    let terminal = || File::open("/dev/tty").ok();
    has_key && terminal().is_some_and(|terminal| tcgetpgrp(&terminal).ok() == Some(getpgrp()))
}

/// The signals that this process ignores, a bit each from the lowest on; none where the system does not say.
fn ignored() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or_default()
}
