//! The command: begun with this process's own input and output, told what this process is told, waited for.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{self, Child, ExitStatus};

use rustix::process::{Pid, Signal, kill_process};
use tokio::signal::unix::{self, SignalKind, signal};

use super::signals::{Signals, asks_to_end, is_from_terminal};
use crate::cli::complain;

/// What shells say where there is no such command, and where it cannot be run.
const NOT_FOUND: u8 = 127;
const NOT_RUN: u8 = 126;

/// What a shell adds to the number of the signal that ended a command.
const BY_SIGNAL: i32 = 128;

/// What a command has left behind.
pub(super) struct Left {
    /// Its exit code, or what a shell makes of the signal that ended it, or of what cannot be run.
    pub(super) code: u8,
    /// It could be run.
    pub(super) has_run: bool,
    /// A signal asked for the end.
    pub(super) is_asked: bool,
}

/// A command that runs.
struct Command {
    child: Child,
    /// Some child of ours has ended, or stopped.
    news: unix::Signal,
}

/// Runs a command with these variables and no others to its end, passing on signals; where it cannot be
/// run, says so.
pub(super) async fn run(
    words: &[OsString],
    variables: &BTreeMap<OsString, OsString>,
    signals: &mut Signals,
) -> io::Result<Left> {
    match Command::begin(words, variables) {
        Ok(command) => command.end(signals).await,
        Err(error) => Ok(Left {
            code: refused(words, &error),
            has_run: false,
            is_asked: false,
        }),
    }
}

// === impl Command ===

impl Command {
    fn begin(words: &[OsString], variables: &BTreeMap<OsString, OsString>) -> io::Result<Self> {
        let (program, arguments) = words.split_first().ok_or(io::ErrorKind::NotFound)?;
        // Listened for first: the command may be over at once.
        let news = signal(SignalKind::child())?;
        let mut command = process::Command::new(program);
        let command = command.args(arguments).env_clear().envs(variables);
        Ok(Self {
            child: command.spawn()?,
            news,
        })
    }

    /// Waits for its end, passing on what comes meanwhile.
    async fn end(mut self, signals: &mut Signals) -> io::Result<Left> {
        let mut is_asked = false;
        loop {
            // Nobody else waits for it, so that its id is its own until this says that it has ended.
            if let Some(status) = self.child.try_wait()? {
                return Ok(Left {
                    code: code(status),
                    has_run: true,
                    is_asked: signals.forget() || is_asked,
                });
            }
            tokio::select! {
                _ = self.news.recv() => {}
                signal = signals.next() => {
                    is_asked |= asks_to_end(signal);
                    self.pass_on(signal);
                }
            }
        }
    }

    fn pass_on(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).ok();
        if let Some(id) = id.and_then(Pid::from_raw)
            && !is_from_terminal(signal)
            && let Err(error) = kill_process(id, signal)
        {
            tracing::warn!(?signal, %error, "the command did not get a signal");
        }
    }
}

fn refused(words: &[OsString], error: &io::Error) -> u8 {
    let program = words.first().map(OsString::as_os_str).unwrap_or_default();
    let program = program.display();
    complain(&[format!("larder: cannot run {program}: {error}")]);
    match error.kind() {
        io::ErrorKind::NotFound => NOT_FOUND,
        _ => NOT_RUN,
    }
}

fn code(status: ExitStatus) -> u8 {
    let by_signal = || Some(BY_SIGNAL + status.signal()?);
    let code = status.code().or_else(by_signal);
    code.and_then(|code| u8::try_from(code).ok())
        .unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_a_code_as_in_a_shell() {
        assert_eq!(code(ExitStatus::from_raw(7 << 8)), 7);
        assert_eq!(code(ExitStatus::from_raw(0)), 0);
        assert_eq!(code(ExitStatus::from_raw(Signal::TERM.as_raw())), 143);
    }
}
